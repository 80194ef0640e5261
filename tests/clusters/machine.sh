# What every cluster script needs of its machine: Debian's packages, people, a name on loopback, ports. Sourced, as root.
#
# A machine that cannot have a scheduler at all (no root, not Debian, a Debian without it) ends the script with code 77 and
# a line that says why, which the tests take as a reason to skip. All other trouble is a failure, code 1.

die() { printf '%s\n' "${0##*/}: $*" >&2; exit 1; }
not_here() { printf '%s\n' "${0##*/}: $*" >&2; exit 77; }

suitable() {
    [ "$(id -u)" = 0 ] || not_here "installing a scheduler needs root"
    command -v apt-get >/dev/null || not_here "the schedulers come as Debian packages, and this is not Debian"
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
missing() { local p; for p in "$@"; do installed "$p" || printf '%s ' "$p"; done; }

# One at a time on this machine: a file of rules and apt's lists are nobody's own. Nothing is to start by itself.
packages() {    # log, package...
    local log=$1; shift
    [ -n "$(missing "$@")" ] || return 0
    (
        flock -w 1200 9 || die "another installation goes on for 20 minutes"
        want=$(missing "$@")
        [ -n "$want" ] || exit 0
        if [ ! -e /usr/sbin/policy-rc.d ]; then
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
            printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
        fi
        # A new machine has no lists at all, an old one has lists of files that the mirrors no longer have.
        for pause in 0 5 30; do
            sleep "$pause"
            get install $want && exit 0
            repair
            get update || continue
            for p in $want; do apt-cache show "$p" >/dev/null 2>&1 || not_here "this Debian has no package $p"; done
            get install $want && exit 0
        done
        tail -n 40 "$log" >&2
        die "the packages could not be installed: $want"
    ) 9</var/lib/dpkg || exit $?
}
get() {         # within packages: apt-get with limits
    echo "== apt-get $*" >>"$log"
    DEBIAN_FRONTEND=noninteractive timeout -k 30 600 apt-get -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 \
        -o Dpkg::Options::=--force-confold "$@" </dev/null >>"$log" 2>&1
}
repair() { DEBIAN_FRONTEND=noninteractive timeout -k 30 300 dpkg --force-confold --configure -a </dev/null >>"$log" 2>&1; }

people() {      # name...: ordinary users
    local name
    for name in "$@"; do
        (
            flock -w 300 9
            id "$name" >/dev/null 2>&1 || useradd -m -s /bin/bash "$name" || die "cannot make the user $name"
        ) 9</var/lib/dpkg || exit 1
    done
}

# The daemons listen on what the host's own name means, and find each other by it. Sets `address`.
own_name_on_loopback() {
    local name kept
    name=$(hostname -s)
    # One at a time: a file that is being written is empty for a moment.
    exec 8</var/lib/dpkg
    flock -w 300 8 || die "another script holds /var/lib/dpkg"
    address=$(address_of "$name")
    # Only a machine that is thrown away is changed for it. The file may be mounted, so it is written in place.
    if [ "${address#127.}" = "$address" ] && [ -n "${CI:-}" ]; then
        kept=$(grep -v -w -F -e "$name" /etc/hosts)
        printf '%s\n127.0.0.1 %s\n' "$kept" "$name" >/etc/hosts
        address=$(address_of "$name")
    fi
    exec 8<&-
    [ "${address#127.}" != "$address" ] || die "'$name' must mean this machine: let /etc/hosts say '127.0.0.1 $name'"
}
address_of() { getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }'; }

free_ports() {  # port...
    local port
    for port in "$@"; do
        ! { : <"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || die "port $port is used by another program: choose other ports"
    done
}
