#!/bin/bash
# A real Grid Engine for the tests, on loopback only: Debian's packages, a cell of our own, daemons in the foreground.
#
#   sge.sh up      install what is missing, make the cell and start it; returns when jobs can run
#   sge.sh down    delete all jobs and end the daemons that "up" started
#   sge.sh env     shell lines to eval, so that the commands find the cell
#   sge.sh pids    "qmaster PID" and "execd PID", those that live
#   sge.sh start qmaster|execd, sge.sh stop qmaster|execd    one daemon, for faults
#   sge.sh wipe    down, and remove all state
#
# JOBTUI_CLUSTERS_DIR: where state lives; JOBTUI_SGE_PORT: the first of two ports. Needs root and Debian; the host's own
# name must be an address of loopback.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

home=${JOBTUI_CLUSTERS_DIR:-${TMPDIR:-/tmp}/jobtui-clusters}/sge
bin=/usr/lib/gridengine
host=$(hostname -s)
slots=8
export SGE_ROOT=$home/root SGE_CELL=default SGE_CLUSTER_NAME=jobtui
export SGE_QMASTER_PORT=${JOBTUI_SGE_PORT:-16900}
export SGE_EXECD_PORT=$((SGE_QMASTER_PORT + 1))
cell=$SGE_ROOT/$SGE_CELL

. "$(dirname "$0")/machine.sh"
logged() { "$@" >>"$home/setup.log" 2>&1 || trouble "'${*##*/}' failed"; }
trouble() {     # the daemons' own words, before they are wiped away
    local log
    for log in "$home"/*.log "$home"/spool/qmaster/messages "$home"/spool/execd/*/messages; do
        [ -s "$log" ] && { echo "== $log"; tail -n 15 "$log"; }
    done >&2
    die "$@"
}

# -- daemons, known by pid and start time, so that nobody else's process is ever signalled

ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 1,20; }
alive() {
    local pid born now
    { read -r pid born <"$home/$1.pid"; } 2>/dev/null || return 1
    now=$(ticks "$pid")
    [ "${now#* }" = "$born" ] && [ "${now%% *}" != Z ] && echo "$pid"
}
start() {
    alive "$1" >/dev/null && return 0
    SGE_ND=1 JOBTUI_LOOPBACK=$(address_of "$host") LD_PRELOAD=$home/loopback.so setsid "$bin/sge_$1" </dev/null >>"$home/$1.log" 2>&1 &
    echo "$! $(ticks $! | cut -d ' ' -f 2)" >"$home/$1.pid"
}
stop() {
    local pid=
    pid=$(alive "$1") || return 0
    kill -CONT "$pid"
    # Asked over the wire they end at once; a TERM they may sit out.
    if [ "$1" = execd ]; then timeout 10 "$bin/qconf" -ke "$host"; else timeout 10 "$bin/qconf" -km; fi >/dev/null 2>&1
    within 10 ended "$1" || { kill -TERM "$pid"; within 5 ended "$1"; } || kill -KILL "$pid"
    within 5 ended "$1"
}
ended() { ! alive "$1" >/dev/null; }
within() {      # seconds, command...: whether it comes true in time
    local until=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $until ] || return 1; sleep 0.1; done
}

# -- the software

# The daemons listen on every address and have no option against it, so a bind to any address is turned into one to
# loopback.
shim() {
    [ -e "$home/loopback.so" ] && return 0
    cat >"$home/loopback.c" <<'END'
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *given, socklen_t size) {
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_in local;
    if (given != NULL && given->sa_family == AF_INET && size >= sizeof local) {
        memcpy(&local, given, sizeof local);
        if (local.sin_addr.s_addr == htonl(INADDR_ANY)) {
            local.sin_addr.s_addr = inet_addr(getenv("JOBTUI_LOOPBACK"));
            return next(fd, (struct sockaddr *)&local, sizeof local);
        }
    }
    return next(fd, given, size);
}
END
    logged gcc -shared -fPIC -o "$home/loopback.so" "$home/loopback.c" -ldl
}

# -- the cell

cell() {
    [ -e "$home/cell-made" ] && return 0
    rm -rf "$SGE_ROOT" "$home/spool"
    mkdir -p "$cell/common" "$home"/spool/{qmaster/job_scripts,execd,db}
    ln -s /var/lib/gridengine/{bin,lib,utilbin} /usr/share/gridengine/util "$SGE_ROOT"
    cat >"$cell/common/bootstrap" <<END
admin_user sgeadmin
default_domain none
ignore_fqdn true
spooling_method berkeleydb
spooling_lib libspoolb
spooling_params $home/spool/db
binary_path $SGE_ROOT/bin
qmaster_spool_dir $home/spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
END
    echo "$host" >"$cell/common/act_qmaster"
    echo "$SGE_CLUSTER_NAME" >"$cell/common/cluster_name"
    # Loopback has several names; the host's own comes first.
    [ "$host" = localhost ] || echo "$host localhost" >"$cell/common/host_aliases"
    chown -R sgeadmin: "$cell" "$home/spool"
    logged su -s /bin/sh sgeadmin -c \
        "SGE_ROOT='$SGE_ROOT' '$bin/spoolinit' berkeleydb libspoolb '$home/spool/db' init"

    local setting edits=()
    for setting in "execd_spool_dir $home/spool/execd" "mailer /bin/true" "min_uid 0" "min_gid 0" \
        "load_report_time 00:00:05" "max_unheard 00:00:30" "login_shells bash,sh" "finished_jobs 100" \
        "execd_params ENABLE_ADDGRP_KILL=true INHERIT_ENV=false" \
        "reporting_params accounting=true reporting=false flush_time=00:00:05 joblog=false sharelog=00:00:00"; do
        edits+=(-e "s|^${setting%% *} .*|$setting|")
    done
    sed "${edits[@]}" /usr/share/gridengine/default-configuration >"$home/global"
    logged "$bin/spooldefaults" configuration "$home/global"
    logged "$bin/spooldefaults" complexes /usr/share/gridengine/util/resources/centry
    logged "$bin/spooldefaults" usersets /usr/share/gridengine/util/resources/usersets
    logged "$bin/spooldefaults" managers root sgeadmin
    logged "$bin/spooldefaults" operators root sgeadmin
    logged "$bin/spooldefaults" adminhosts "$host"
    chown -R sgeadmin: "$home/spool"
    touch "$home/cell-made"
}

# A table of configuration, with words of ours instead of the template's.
table() {
    local file=$home/table pair edits=()
    "$bin/qconf" "$1" >"$file" 2>>"$home/setup.log"
    shift
    for pair in "$@"; do edits+=(-e "s|^${pair%%=*}[[:space:]].*|${pair%%=*} ${pair#*=}|"); done
    sed -i "${edits[@]}" "$file"
}

queues() {      # with the qmaster running
    [ -e "$home/queues-made" ] && return 0
    # Scheduling every second, and at once after a submission or an end.
    table -ssconf schedule_interval=0:0:1 flush_submit_sec=1 flush_finish_sec=1 schedd_job_info=true \
        job_load_adjustments=NONE
    logged "$bin/qconf" -Msconf "$home/table"
    "$bin/qconf" -ss 2>/dev/null | grep -qx "$host" || logged "$bin/qconf" -as "$host"
    printf '%s\n' "hostname $host" 'load_scaling NONE' 'complex_values NONE' 'user_lists NONE' 'xuser_lists NONE' \
        'projects NONE' 'xprojects NONE' 'usage_scaling NONE' 'report_variables NONE' >"$home/table"
    "$bin/qconf" -se "$host" >/dev/null 2>&1 || logged "$bin/qconf" -Ae "$home/table"
    printf '%s\n' 'group_name @allhosts' "hostlist $host" >"$home/table"
    "$bin/qconf" -shgrp @allhosts >/dev/null 2>&1 || logged "$bin/qconf" -Ahgrp "$home/table"
    # mpi spreads a job over hosts, which is not what cores of one program are.
    parallel mpi '$round_robin'
    parallel smp '$pe_slots'
    queue all.q slots="$slots" rerun=FALSE
    queue short.q slots=2 h_rt=00:10:00
}
parallel() {
    "$bin/qconf" -sp "$1" >/dev/null 2>&1 && return 0
    printf '%s\n' "pe_name $1" 'slots 999' 'user_lists NONE' 'xuser_lists NONE' 'start_proc_args NONE' \
        'stop_proc_args NONE' "allocation_rule $2" 'control_slaves FALSE' 'job_is_first_task TRUE' \
        'urgency_slots min' 'accounting_summary FALSE' 'qsort_args NONE' >"$home/table"
    logged "$bin/qconf" -Ap "$home/table"
}
queue() {
    "$bin/qconf" -sq "$1" >/dev/null 2>&1 && return 0
    table -sq qname="$1" hostlist=@allhosts load_thresholds=NONE 'pe_list=mpi smp' shell=/bin/bash \
        shell_start_mode=unix_behavior notify=00:00:05 "${@:2}"
    logged "$bin/qconf" -Aq "$home/table"
}

either() { "$1" || "${@:2}"; }
serving() { timeout 5 "$bin/qconf" -sh; }
# An unknown or alarmed queue shows its state in a sixth field.
ready() { timeout 5 "$bin/qstat" -f -q "all.q@$host" | awk '$1 ~ /^all.q@/ { ok = NF == 5 && $4 != "-NA-" } END { exit !ok }'; }

up() {
    suitable
    case $home in *[[:space:]]*) die "Grid Engine cannot live in '$home': there is a blank in it" ;; esac
    own_name_on_loopback
    mkdir -p "$home" && chmod 755 "${home%/sge}" "$home"
    packages "$home/setup.log" gridengine-master gridengine-exec gridengine-client gcc libc6-dev
    people alice bob
    shim
    cell
    alive qmaster >/dev/null || free_ports "$SGE_QMASTER_PORT" "$SGE_EXECD_PORT"
    start qmaster
    within 120 either serving ended qmaster
    serving >/dev/null 2>&1 || trouble "the qmaster does not answer"
    queues
    touch "$home/queues-made"
    start execd
    within 180 either ready ended execd
    ready >/dev/null 2>&1 || trouble "no job could run"
}

clear() {
    if alive qmaster >/dev/null; then
        kill -CONT "$(alive qmaster)"
        timeout 30 "$bin/qdel" -u '*' >/dev/null 2>&1
        within 8 idle || { timeout 30 "$bin/qdel" -f -u '*' >/dev/null 2>&1; within 8 idle; }
    fi
    stop execd
}
idle() { [ -z "$(timeout 5 "$bin/qstat" -u '*')" ]; }

case "${1:-} ${2:-}" in
    "up ") up ;;
    "down ") clear; stop qmaster ;;
    "env ") for name in SGE_ROOT SGE_CELL SGE_CLUSTER_NAME SGE_QMASTER_PORT SGE_EXECD_PORT; do
        echo "export $name=${!name}"
    done ;;
    "pids ") for name in qmaster execd; do alive $name >/dev/null && echo "$name $(alive $name)"; done ;;
    "start qmaster" | "start execd") start "$2" ;;
    "stop qmaster" | "stop execd") stop "$2" ;;
    # A qmaster takes its time to put everything in order, which is not needed here.
    "wipe ") clear; pid=$(alive qmaster) && kill -KILL "$pid"; rm -rf "$home" ;;
    *) sed -n '2,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
