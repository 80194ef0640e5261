#!/bin/bash
# A real OpenSSH server on this machine's loopback, for tests: its own host key,
# configuration and user keys, started by hand.
#
#   sshd.sh up       install what is missing, make keys, start sshd, wait for a login
#   sshd.sh down     end sshd and the connections that it serves (by pid)
#   sshd.sh cut      end the connections that it serves, as a broken network does
#   sshd.sh status   exit status 0 only when a login works
#   sshd.sh env      shell lines to eval: eval "$(sshd.sh env)"
#   sshd.sh wipe     "down", then remove all state
#
# "env" puts first on the PATH an ssh that knows the machine far, as carol:
#   ssh far        ssh wrong@far (no such account)
#
# Settings (environment):
#   JOBTUI_CLUSTERS_DIR       where state lives [${TMPDIR:-/tmp}/jobtui-clusters]
#   JOBTUI_CLUSTER_USERS      ordinary users to make ["carol"]
#   JOBTUI_SSHD_PORT          port on 127.0.0.1 [16922]
set -u
ROOT=${JOBTUI_CLUSTERS_DIR:-${TMPDIR:-/tmp}/jobtui-clusters}
S=$ROOT/sshd
USERS=${JOBTUI_CLUSTER_USERS:-carol}
PORT=${JOBTUI_SSHD_PORT:-16922}
if [ "${1:-}" = env ]; then
    echo "export PATH=$S/bin:$PATH"
    exit 0
fi
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

# shellcheck source=machine.sh
. "$(dirname "$0")/machine.sh"

daemon() {      # its pid, if it lives and is still sshd
    local pid
    pid=$(cat "$S/pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sshd ] && echo "$pid"
}

make_users() {
    local u
    people $USERS
    for u in $USERS; do
        # "!" (locked) shuts out keys too; "*" only means that there is no password.
        case $(getent shadow "$u" | cut -d: -f2) in '!'*) usermod -p '*' "$u" ;; esac
    done
}

make_keys() {
    mkdir -p "$S/bin"
    [ -e "$S/host_key" ] || ssh-keygen -q -t ed25519 -N '' -C host -f "$S/host_key"
    [ -e "$S/key" ] || ssh-keygen -q -t ed25519 -N '' -C user -f "$S/key"
    cp "$S/key.pub" "$S/authorized_keys"; chmod 644 "$S/authorized_keys"
    echo "[127.0.0.1]:$PORT $(cut -d' ' -f1,2 "$S/host_key.pub")" >"$S/known_hosts"
    cat >"$S/sshd_config" <<END
ListenAddress 127.0.0.1
Port $PORT
HostKey $S/host_key
PidFile none
AuthorizedKeysFile $S/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
UseDNS no
END
    cat >"$S/ssh_config" <<END
Host far
    HostName 127.0.0.1
    Port $PORT
    User carol
    IdentityFile $S/key
    IdentitiesOnly yes
    UserKnownHostsFile $S/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
END
    # ssh finds a person's configuration by the account, not by HOME.
    printf '#!/bin/sh\nexec /usr/bin/ssh -F %s "$@"\n' "$S/ssh_config" >"$S/bin/ssh"
    chmod 755 "$S/bin/ssh"
}

login_works() { timeout 10 "$S/bin/ssh" -o BatchMode=yes far true </dev/null; }

up() {
    suitable
    mkdir -p "$S"; chmod 755 "$ROOT" "$S"
    packages "$S/apt.log" openssh-server openssh-client
    make_users
    [ -e "$S/sshd_config" ] || make_keys
    if ! daemon >/dev/null; then
        free_ports "$PORT"
        mkdir -p /run/sshd; chmod 755 /run/sshd
        setsid /usr/sbin/sshd -D -f "$S/sshd_config" -E "$S/log" </dev/null >>"$S/log" 2>&1 &
        echo $! >"$S/pid"
    fi
    local i
    for ((i = 0; i < 50; i++)); do login_works >/dev/null 2>&1 && return; sleep 0.2; done
    tail -n 5 "$S/log" >&2
    die "no login"
}

served() { cat "/proc/$1/task/$1/children" 2>/dev/null; }

end() {         # pids: sshd only, with the children that serve as the user
    local pid
    for pid in "$@"; do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sshd ] || continue
        # shellcheck disable=SC2046
        end $(served "$pid")
        kill -KILL "$pid" 2>/dev/null
    done
}

cut_off() {
    local pid
    # shellcheck disable=SC2046
    pid=$(daemon) && end $(served "$pid")
    return 0
}

down() {
    local pid i
    pid=$(daemon) || return 0
    local serving
    serving=$(served "$pid")
    kill -TERM "$pid"
    # shellcheck disable=SC2086
    end $serving
    for ((i = 0; i < 50; i++)); do daemon >/dev/null || break; sleep 0.1; done
    rm -f "$S/pid"
}

case ${1:-} in
    up) up ;;
    down) down ;;
    cut) cut_off ;;
    status) daemon >/dev/null && login_works ;;
    wipe) down; rm -rf "$S" ;;
    *) sed -n '2,/^set -u/p' "$0" | sed -n 's/^# \{0,1\}//p' >&2; exit 2 ;;
esac
exit
