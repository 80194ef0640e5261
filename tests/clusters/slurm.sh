#!/bin/bash
# A real Slurm cluster on this machine's loopback, for tests: Debian's
# packages, started by hand (no systemd), several pretended nodes.
#
#   slurm.sh up       install what is missing, make the configuration, start
#                     all daemons, wait until every node is idle
#   slurm.sh down     cancel the jobs and end what "up" started (by pid)
#   slurm.sh status   daemons and nodes; exit status 0 only when all are up
#   slurm.sh env      shell lines to eval: eval "$(slurm.sh env)"
#   slurm.sh wipe     "down", then remove all state
#   slurm.sh controller stop|cont|down|start
#                     SIGSTOP and SIGCONT, end, and start the controller again
#
# Settings (environment):
#   JOBTUI_CLUSTERS_DIR       where state lives [${TMPDIR:-/tmp}/jobtui-clusters]
#   JOBTUI_CLUSTER_USERS      ordinary users to make ["alice bob"]
#   JOBTUI_SLURM_NODES        pretended nodes [4]
#   JOBTUI_SLURM_CPUS         pretended CPUs per node [4]
#   JOBTUI_SLURM_MEM          pretended MiB per node [8000]
#   JOBTUI_SLURM_DBD          1: slurmdbd + MariaDB, so sacct works; 0: none [1]
#   JOBTUI_SLURM_PORT         first of the ports used (base..base+30) [16800]
#   JOBTUI_SLURM_MINJOBAGE    seconds that squeue keeps ended jobs [300]
#   JOBTUI_SLURM_MSGTIMEOUT   seconds that commands wait for the controller [10]
#   JOBTUI_SLURM_NODE         what node names begin with [n]; two clusters at a time
#                             need two (and two JOBTUI_SLURM_PORT, _CLUSTERS_DIR)
#   JOBTUI_SLURM_CGROUP       1: memory limits by cgroup (jobs end OUT_OF_MEMORY);
#                             0: by sampling (they end FAILED); auto: 1 where the
#                             memory controller is cgroup v1 and writable [auto]
#   JOBTUI_SLURM_EXTRA        extra lines for slurm.conf ("\n" between them) []
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

ROOT=${JOBTUI_CLUSTERS_DIR:-${TMPDIR:-/tmp}/jobtui-clusters}
S=$ROOT/slurm
CONF=$S/etc/slurm.conf
RUN=$S/run
LOG=$S/log
USERS=${JOBTUI_CLUSTER_USERS:-alice bob}
NODES=${JOBTUI_SLURM_NODES:-4}
CPUS=${JOBTUI_SLURM_CPUS:-4}
MEM=${JOBTUI_SLURM_MEM:-8000}
DBD=${JOBTUI_SLURM_DBD:-1}
PORT=${JOBTUI_SLURM_PORT:-16800}
MINJOBAGE=${JOBTUI_SLURM_MINJOBAGE:-300}
EXTRA=${JOBTUI_SLURM_EXTRA:-}
NODE=${JOBTUI_SLURM_NODE:-n}
MSGTIMEOUT=${JOBTUI_SLURM_MSGTIMEOUT:-10}
CGROUP=${JOBTUI_SLURM_CGROUP:-auto}
HOST=$(hostname -s)
CTLD_PORT=$((PORT)); DBD_PORT=$((PORT + 1)); SQL_PORT=$((PORT + 2)); NODE_PORT=$((PORT + 10))
CLUSTER=jobtui

say() { printf '%s\n' "slurm: $*"; }
. "$(dirname "$0")/machine.sh"

# --- processes: one pid file each, checked against the program's name -------
pid_of() {      # name -> pid on stdout, if it lives and is still that program
    local f=$RUN/$1.pid pid want have
    [ -s "$f" ] || return 1
    read -r pid want <"$f"
    have=$(sed -n 's/^\(Name\|State\):[[:space:]]*\([^ ]*\).*/\2/p' "/proc/$pid/status" 2>/dev/null | tr '\n' ' ')
    case $have in "$want Z ") return 1 ;; "$want "*) ;; *) return 1 ;; esac
    echo "$pid"
}
launch() {      # name, comm, command...: in the foreground form, detached
    local name=$1 comm=$2 pid; shift 2
    pid_of "$name" >/dev/null && return 0
    setsid "$@" </dev/null >>"$LOG/$name.out" 2>&1 &
    pid=$!
    echo "$pid $comm" >"$RUN/$name.pid"
}
ended() { local pid; read -r pid _ <"$RUN/$1.pid"; ! kill -0 "$pid" 2>/dev/null; }
stop() {        # name, seconds to wait before KILL
    local name=$1 patience=${2:-10} pid i
    if pid=$(pid_of "$name"); then
        kill -TERM "$pid" 2>/dev/null
        for ((i = 0; i < patience * 10; i++)); do
            pid_of "$name" >/dev/null || break
            sleep 0.1
        done
        pid_of "$name" >/dev/null && kill -KILL "$pid"
    fi
    rm -f "$RUN/$name.pid"
}
wait_for() {    # seconds, what, the daemon it needs, command...
    local secs=$1 what=$2 daemon=$3 t0=$SECONDS; shift 3
    while [ $((SECONDS - t0)) -lt "$secs" ]; do
        timeout 20 "$@" >"$LOG/waiting.out" 2>&1 && return 0
        ended "$daemon" && break
        sleep 0.2
    done
    trouble "gave up waiting for $what after $((SECONDS - t0)) s"
}
trouble() {     # the daemons' own words, before they are wiped away
    local log
    for log in "$LOG"/*.log "$LOG"/*.out; do
        [ -s "$log" ] || continue
        # most daemons say the same in both
        case $log in *.out) [ ! -s "${log%.out}.log" ] || continue ;; esac
        echo "== ${log##*/}"
        tail -n 15 "$log"
    done >&2
    die "$@"
}

no_cgroup() {   # from 23.02 on it can be told; before that v1 is the kind that begins with no look at the system
    local version
    version=$(slurmd -V | tr -dc '0-9.')
    [ "$(printf '%s\n' 23.02 "$version" | sort -V | head -n 1)" = 23.02 ] && echo disabled || echo cgroup/v1
}

make_config() {
    local i last=$((NODES)) db= mem
    mkdir -p "$S"/{etc,run,log,munge,ctld,spool,mysql}
    chmod 755 "$ROOT" "$S" "$S"/{etc,run,log,munge,ctld,spool}
    if [ ! -s "$S/etc/munge.key" ]; then
        (umask 077; head -c 128 /dev/urandom >"$S/etc/munge.key")
    fi
    if [ "$DBD" = 1 ]; then
        db="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$address
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$S/munge/munge.socket
AccountingStoreFlags=job_comment,job_script,job_env
AccountingStorageTRES=gres/gpu"
    else
        db="AccountingStorageType=accounting_storage/none"
    fi
    if [ "$CGROUP" = auto ]; then
        CGROUP=0
        [ -w /sys/fs/cgroup/memory/tasks ] && CGROUP=1
    fi
    if [ "$CGROUP" = 1 ]; then
        mem="TaskPlugin=task/cgroup"
        printf 'CgroupPlugin=cgroup/v1\nConstrainCores=no\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nMinRAMSpace=10\n' >"$S/etc/cgroup.conf"
    else
        mem="TaskPlugin=task/none
JobAcctGatherParams=OverMemoryKill"
        # slurmd wants a kind of cgroup also where it is to use none, and finds none by itself in a container
        printf 'CgroupPlugin=%s\n' "$(no_cgroup)" >"$S/etc/cgroup.conf"
    fi
    cat >"$CONF" <<END
# made by tests/clusters/slurm.sh; changes here are lost at the next "up"
ClusterName=$CLUSTER
SlurmctldHost=$HOST($address)
SlurmctldPort=$CTLD_PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# cred_expire also sets how long a requeued job waits before it may start
AuthInfo=socket=$S/munge/munge.socket,cred_expire=10
# bind to the addresses named above and below only, i.e. to loopback
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$S/ctld
SlurmdSpoolDir=$S/spool/%n
SlurmctldPidFile=$RUN/slurmctld.daemon.pid
SlurmdPidFile=$RUN/slurmd.%n.daemon.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
$mem
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
ReturnToService=2
SlurmctldParameters=idle_on_node_suspend
# the machine pretends to have more CPUs and memory than it has
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,bf_max_job_test=1000,default_queue_depth=1000,enable_user_top
PriorityType=priority/multifactor
PriorityWeightAge=1000
PriorityWeightJobSize=100
PriorityWeightPartition=1000
PriorityMaxAge=1-0
MaxJobCount=100000
MaxArraySize=20001
MinJobAge=$MINJOBAGE
KillWait=2
CompleteWait=0
InactiveLimit=0
SlurmctldTimeout=60
SlurmdTimeout=60
# how long the commands wait for a controller that does not answer
MessageTimeout=$MSGTIMEOUT
GresTypes=gpu
$db
$(for ((i = 1; i <= last; i++)); do
    printf 'NodeName=%s%d NodeHostname=%s NodeAddr=%s Port=%d CPUs=%d RealMemory=%d State=UNKNOWN%s\n' \
        "$NODE" "$i" "$HOST" "$address" $((NODE_PORT + i)) "$CPUS" "$MEM" "$([ "$i" -eq "$last" ] && echo ' Gres=gpu:2 Feature=gpu')"
done)
# only jobs in "scavenge" are ever pushed out, and those are cancelled
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
PartitionName=main Nodes=$NODE[1-$last] Default=YES MaxTime=1-0 DefaultTime=1:00:00 State=UP PriorityJobFactor=10 PriorityTier=5 PreemptMode=OFF
PartitionName=short Nodes=$NODE[1-$last] MaxTime=10 DefaultTime=5 State=UP PriorityJobFactor=100 PriorityTier=10 PreemptMode=OFF
PartitionName=gpu Nodes=$NODE$last MaxTime=UNLIMITED State=UP PriorityTier=5 PreemptMode=OFF
PartitionName=scavenge Nodes=$NODE[1-$last] MaxTime=1-0 State=UP PriorityTier=1
$(printf '%b' "$EXTRA")
END
    # pretended devices: slurmd wants files that exist, and opens none of them
    : >"$S/etc/gpu0"; : >"$S/etc/gpu1"
    printf 'NodeName=%s%d Name=gpu File=%s/etc/gpu[0-1]\n' "$NODE" "$last" "$S" >"$S/etc/gres.conf"
    if [ "$DBD" = 1 ]; then
        (umask 077; cat >"$S/etc/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$S/munge/munge.socket
DbdHost=$HOST
DbdAddr=$address
DbdPort=$DBD_PORT
CommunicationParameters=NoInAddrAny
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$SQL_PORT
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
LogFile=$LOG/slurmdbd.log
PidFile=$RUN/slurmdbd.daemon.pid
CommitDelay=0
END
        )
    fi
}

sql() { mariadb --no-defaults --socket="$S/mysql/sock" -u root "$@"; }

start_db() {
    if [ ! -d "$S/mysql/data/mysql" ]; then
        rm -rf "$S/mysql/data"
        mariadb-install-db --no-defaults --auth-root-authentication-method=socket --user=root \
            --datadir="$S/mysql/data" --skip-test-db >"$LOG/mariadb-install.log" 2>&1 ||
            trouble "mariadb-install-db failed"
    fi
    launch mariadbd mariadbd /usr/sbin/mariadbd --no-defaults --user=root --datadir="$S/mysql/data" \
        --socket="$S/mysql/sock" --pid-file="$S/mysql/pid" --bind-address=127.0.0.1 --port="$SQL_PORT" \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=64M --innodb-lock-wait-timeout=900 \
        --innodb-flush-log-at-trx-commit=2 --skip-name-resolve
    wait_for 120 "the database" mariadbd mariadb --no-defaults --socket="$S/mysql/sock" -u root -e 'select 1'
    sql -e "create database if not exists slurm_acct;
            create user if not exists slurm@'127.0.0.1' identified by 'slurm';
            grant all on slurm_acct.* to slurm@'127.0.0.1';" || trouble "cannot prepare the database"
    launch slurmdbd slurmdbd /usr/sbin/slurmdbd -D
    wait_for 120 "slurmdbd" slurmdbd sacctmgr -n show cluster
    if [ -z "$(sacctmgr -n -P show cluster "$CLUSTER" format=cluster)" ]; then
        sacctmgr -i -Q add cluster "$CLUSTER" >/dev/null
    fi
}
fill_db() {     # an account, its users, a second QOS
    local u
    [ -n "$(sacctmgr -n -P show account research format=account)" ] ||
        sacctmgr -i -Q add account research Description=research Organization=lab >/dev/null
    sacctmgr -i -Q add qos high Priority=100 >/dev/null 2>&1
    for u in $USERS root; do
        sacctmgr -i -Q add user "$u" Account=research DefaultAccount=research QOS=normal,high >/dev/null 2>&1
    done
    return 0
}

wait_nodes() {
    local secs=$1 t0=$SECONDS n i
    while [ $((SECONDS - t0)) -lt "$secs" ]; do
        for ((i = 1; i <= NODES; i++)); do ended "slurmd.$NODE$i" && break 2; done
        n=$(timeout 10 sinfo -h -N -p main -o '%T' 2>/dev/null | grep -c -E '^(idle|mixed|allocated)$')
        [ "$n" -eq "$NODES" ] && return 0
        sleep 0.2
    done
    sinfo -N -l >&2
    trouble "the nodes did not become idle in $((SECONDS - t0)) s"
}

up() {
    suitable
    case $ROOT in *[[:space:]]*) die "'$ROOT' holds a space, which slurm.conf cannot" ;; esac
    local i t0=$SECONDS need=(slurm-client slurmctld slurmd slurm-wlm-basic-plugins munge) ports=("$CTLD_PORT")
    # The database's daemon without its service, which brings twice as many packages.
    [ "$DBD" = 1 ] && need+=(slurmdbd mariadb-server-core mariadb-client-core) && ports+=("$DBD_PORT" "$SQL_PORT")
    own_name_on_loopback
    if status >/dev/null 2>&1; then say "already up; export SLURM_CONF=$CONF"; return 0; fi
    mkdir -p "$LOG" "$RUN"; chmod 755 "$ROOT" "$S" "$LOG" "$RUN"
    packages "$LOG/apt.log" "${need[@]}"
    people $USERS
    export SLURM_CONF=$CONF
    if ! pid_of slurmctld >/dev/null; then
        for ((i = 1; i <= NODES; i++)); do ports+=($((NODE_PORT + i))); done
        free_ports "${ports[@]}"
        make_config
    fi
    launch munged munged /usr/sbin/munged --foreground --force --key-file="$S/etc/munge.key" \
        --socket="$S/munge/munge.socket" --pid-file="$S/munge/pid" \
        --seed-file="$S/munge/seed" --log-file="$LOG/munged.log"
    wait_for 60 "munged" munged munge -s x -S "$S/munge/munge.socket"
    [ "$DBD" = 1 ] && start_db
    launch slurmctld slurmctld /usr/sbin/slurmctld -D
    for ((i = 1; i <= NODES; i++)); do
        mkdir -p "$S/spool/$NODE$i"
        launch "slurmd.$NODE$i" slurmd /usr/sbin/slurmd -D -N "$NODE$i"
    done
    wait_for 120 "slurmctld" slurmctld scontrol ping
    [ "$DBD" = 1 ] && fill_db
    wait_nodes 180
    say "up in $((SECONDS - t0)) s; export SLURM_CONF=$CONF"
}

ours() {        # pids of slurmstepd that our slurmd started
    local p
    for p in /proc/[0-9]*; do
        [ "$(cat "$p/comm" 2>/dev/null)" = slurmstepd ] || continue
        { tr '\0' '\n' <"$p/environ"; } 2>/dev/null | grep -qx "SLURM_CONF=$CONF" && echo "${p#/proc/}"
    done
}

down() {
    [ "$(id -u)" = 0 ] || die "must run as root"
    export SLURM_CONF=$CONF
    local f name i pid names=()
    if pid_of slurmctld >/dev/null; then
        timeout 20 scancel --state=PENDING -Q --user= 2>/dev/null
        timeout 20 squeue -h -o %A 2>/dev/null | sort -un | timeout 60 xargs -r -n 500 scancel -Q 2>/dev/null
        for ((i = 0; i < 75; i++)); do
            [ -z "$(timeout 10 squeue -h -t R,CG,S 2>/dev/null | head -1)" ] && break
            sleep 0.2
        done
    fi
    stop slurmctld 20
    for f in "$RUN"/slurmd.*.pid; do
        [ -e "$f" ] || continue
        name=$(basename "$f" .pid); case $name in *.daemon) continue ;; esac
        if pid=$(pid_of "$name"); then kill -TERM "$pid"; fi
        names+=("$name")
    done
    for name in "${names[@]}"; do stop "$name" 5; done
    for i in $(ours); do kill -KILL "$i" 2>/dev/null; done
    for name in "${names[@]}"; do      # their empty cgroups
        for i in memory freezer cpuset devices cpuacct; do
            i=/sys/fs/cgroup/$i/slurm_${name#slurmd.}
            [ -d "$i" ] && find "$i" -depth -type d -exec rmdir {} + 2>/dev/null
        done
    done
    stop slurmdbd 20; stop mariadbd 30; stop munged 5
    say down
}

status() {
    local f name pid rc=0 want="munged slurmctld" i
    [ "$DBD" = 1 ] && want="munged mariadbd slurmdbd slurmctld"
    for ((i = 1; i <= NODES; i++)); do want+=" slurmd.$NODE$i"; done
    for name in $want; do
        if pid=$(pid_of "$name"); then echo "$name $pid"; else echo "$name -"; rc=1; fi
    done
    echo "SLURM_CONF=$CONF"
    if [ $rc -eq 0 ]; then SLURM_CONF=$CONF sinfo -N -o '%N %P %T %C %m %G' || rc=1; fi
    return $rc
}

controller() {
    local pid
    [ "$1" = start ] || pid=$(pid_of slurmctld) || die "no controller runs"
    case $1 in
        stop) kill -STOP "$pid" ;;
        cont) kill -CONT "$pid" ;;
        down) stop slurmctld 20 ;;
        start)
            export SLURM_CONF=$CONF
            launch slurmctld slurmctld /usr/sbin/slurmctld -D
            wait_for 120 "slurmctld" slurmctld scontrol ping ;;
        *) die "controller stop|cont|down|start" ;;
    esac
}

case ${1:-} in
    up) up ;;
    controller) controller "${2:-}" ;;
    down) down ;;
    status) status ;;
    env) echo "export SLURM_CONF=$CONF" ;;
    wipe) down; [ -n "$S" ] && [ -d "$S" ] && rm -rf "$S" ;;
    *) sed -n '2,/^set -u/p' "$0" | sed -n 's/^# \{0,1\}//p' >&2; exit 2 ;;
esac
