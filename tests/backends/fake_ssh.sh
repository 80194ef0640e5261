#!/bin/sh
# A stand-in for ssh: every host is this machine with another home, $FAKE_SSH/home; while $FAKE_SSH/down is there, none
# can be reached, and its text is why.
for word; do
    [ "$word" != -G ] || { echo "hostname far"; exit 0; }
done
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
shift 2
if [ -e "$FAKE_SSH/down" ]; then
    cat "$FAKE_SSH/down" >&2
    exit 255
fi
export HOME="$FAKE_SSH/home"
# As by sshd, in a session of its own: what it leaves running outlives this.
cd "$HOME" && exec setsid --wait /bin/sh -c "$*"
