#!/bin/bash
# A folder that two machines share, for the tests: a FUSE file system, which another machine's writes reach unannounced.
#
#   shared.sh up      install what is missing and mount; "other" is where the other machine writes, "here" where we look
#   shared.sh env     shell lines with both paths
#   shared.sh wipe    unmount, and remove all
#
# JOBTUI_CLUSTERS_DIR: where it lives. Needs root, Debian and /dev/fuse.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

home=${JOBTUI_CLUSTERS_DIR:-${TMPDIR:-/tmp}/jobtui-clusters}/shared
. "$(dirname "$0")/machine.sh"

up() {
    suitable
    # A container may have the device and still not be allowed to open it.
    { [ -c /dev/fuse ] && : <>/dev/fuse; } 2>/dev/null || not_here "there is no /dev/fuse that can be opened"
    mkdir -p "$home/other" "$home/here"
    packages "$home/setup.log" bindfs
    mountpoint -q "$home/here" || bindfs "$home/other" "$home/here" >>"$home/setup.log" 2>&1 ||
        { tail -n 20 "$home/setup.log" >&2; die "the folder could not be mounted"; }
}

case ${1:-} in
    up) up ;;
    env) printf 'export %s\n' "JOBTUI_SHARED_OTHER=$home/other" "JOBTUI_SHARED_HERE=$home/here" ;;
    wipe)
        if mountpoint -q "$home/here"; then umount "$home/here" || umount -l "$home/here"; fi
        # Never what is still mounted.
        mountpoint -q "$home/here" || rm -rf "$home"
        ;;
    *) sed -n '2,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
