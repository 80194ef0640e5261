"""What a machine without a scheduler is told: sh that starts, watches, stops and signals jobs there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..core.backend import Handle
from .farjobs import SCRIPT, folder_of

# Finds pid, process group, state and start time of the process $1 by proc(5); the name in brackets may hold anything.
_IDENTIFY = r"""jt_identify() {
  jt_pid= jt_pgrp= jt_state= jt_ticks=
  read -r jt_s <"/proc/$1/stat" || return 1
  jt_pid=${jt_s%% *} jt_s=${jt_s##*) }
  set -- $jt_s
  jt_state=$1 jt_pgrp=$3 jt_ticks=${20}
} 2>/dev/null
jt_same() {
  [ -n "$2" ] && jt_identify "$1" && [ "$jt_ticks" = "$2" ] && [ "$jt_state" != Z ] && [ "$jt_state" != X ]
}"""

# Of two calls for the same attempt only one gets past job.start. The job goes on in a session of its own, with
# nothing of the connection in its hands.
_START = r"""jt_start() {
  if (set -C; : >"$1/job.start") 2>/dev/null; then
    (
      trap '' HUP
      exec </dev/null >>"$1/job.sched" 2>&1 3>&- || exit
      read -r jt_boot </proc/sys/kernel/random/boot_id
      jt_identify self
      echo "$jt_pid $jt_ticks $jt_boot" >"$1/job.pid" || exit
      jt_f=$PWD/$1; cd /
      exec env JOBTUI_TAG="$2" setsid /bin/sh "$jt_f/{script}"
    ) &
    echo "took $1 $!"
  else
    jt_p=0
    [ ! -s "$1/job.pid" ] || read -r jt_p jt_rest <"$1/job.pid"
    echo "took $1 ${jt_p:-0}"
  fi
}"""

_WATCH = r"""jt_watch() {
  for jt_i; do jt_identify "$jt_i" && echo "proc $jt_pid $jt_state $jt_ticks"; done
}
jt_first() {
  [ -s "$1/job.pid" ] && read -r jt_p jt_t jt_boot <"$1/job.pid" || return
  jt_a=-; if jt_same "$jt_p" "$jt_t"; then jt_a=alive; fi
  echo "pid $1 $jt_p $jt_boot $jt_a"
} 2>/dev/null
read -r jt_boot </proc/sys/kernel/random/boot_id; echo "boot $jt_boot"
read -r jt_host </proc/sys/kernel/hostname; echo "host $jt_host" """

# Where the processes of the job in folder $1 are: its script's (w) and its command's (p), with their start times.
_PLACES = r"""jt_places() {
  jt_b= jt_w= jt_wt= jt_p= jt_pt= jt_boot=
  [ -e "$1/job.begin" ] && read -r jt_b <"$1/job.begin"
  read -r jt_now </proc/sys/kernel/random/boot_id
  if [ -n "$jt_b" ]; then
    case $jt_b in *'"boot":"'"$jt_now"'"'*) ;; *) return 1 ;; esac
    jt_s=${jt_b#*'"wrapper":['}; jt_w=${jt_s%%,*} jt_s=${jt_s#*,}; jt_wt=${jt_s%%]*}
    jt_s=${jt_b#*'"payload":['}; jt_p=${jt_s%%,*} jt_s=${jt_s#*,}; jt_pt=${jt_s%%]*}
  elif [ -s "$1/job.pid" ]; then
    read -r jt_w jt_wt jt_boot <"$1/job.pid"
    [ "$jt_boot" = "$jt_now" ] || return 1
  else
    return 1
  fi
} 2>/dev/null
jt_kill() { kill -s "$1" -- "-$2" || kill -s "$1" "-$2" || kill -s "$1" "$2"; } 2>/dev/null
# The processes that have the tag $1 in their environment, but for those of the process group $2.
jt_tagged() {
  for jt_e in $(grep -l "JOBTUI_TAG=$1" /proc/[0-9]*/environ 2>/dev/null); do
    jt_e=${jt_e#/proc/}; jt_e=${jt_e%%/*}
    jt_identify "$jt_e" && [ "$jt_pgrp" != "$2" ] && [ "$jt_state" != Z ] && echo "$jt_e"
  done
}"""

# Called with the grace time and then folders and tags: it goes on when the link breaks.
_STOP = r"""jt_left() { jt_places "$1" && { jt_same "$jt_w" "$jt_wt" || jt_same "$jt_p" "$jt_pt"; }; }
jt_grace=$1; shift
if [ "$jt_grace" -gt 0 ]; then
  jt_n=$#
  while [ "$jt_n" -gt 0 ]; do
    if jt_places "$1"; then
      if jt_same "$jt_w" "$jt_wt"; then kill -s TERM "$jt_w"
      elif jt_same "$jt_p" "$jt_pt"; then jt_kill TERM "$jt_p"; fi
      # A stopped process gets its TERM only once it goes on.
      if jt_same "$jt_p" "$jt_pt"; then jt_kill CONT "$jt_p"; fi
    fi
    set -- "$@" "$1" "$2"; shift 2; jt_n=$((jt_n - 2))
  done
  while [ "$jt_grace" -gt 0 ]; do
    jt_any= jt_n=$#
    while [ "$jt_n" -gt 0 ]; do
      if jt_left "$1"; then jt_any=1; fi
      set -- "$@" "$1" "$2"; shift 2; jt_n=$((jt_n - 2))
    done
    [ -n "$jt_any" ] || break
    sleep 1; jt_grace=$((jt_grace - 1))
  done
fi
# KILL all but the job script, which then records the end.
while [ $# -gt 0 ]; do
  jt_round=0
  while [ "$jt_round" -lt 5 ]; do
    jt_w=none; jt_places "$1" || jt_w=none
    if jt_same "$jt_p" "$jt_pt"; then jt_kill KILL "$jt_p"; fi
    jt_more=$(jt_tagged "$2" "$jt_w")
    [ -n "$jt_more" ] || break
    kill -s KILL $jt_more 2>/dev/null
    sleep 1; jt_round=$((jt_round + 1))
  done
  shift 2
done"""

_ORDER = r"""jt_order() {
  if jt_places "$2" && jt_same "$jt_p" "$jt_pt"; then
    case $1 in
    STOP) jt_kill STOP "$jt_p"; for jt_o in $(jt_tagged "$3" "$jt_w"); do kill -s STOP "$jt_o"; done ;;
    CONT) for jt_o in $(jt_tagged "$3" "$jt_w"); do kill -s CONT "$jt_o"; done; jt_kill CONT "$jt_p" ;;
    *) jt_kill "$1" "$jt_p" ;;
    esac
    echo "told $2"
  else
    echo "over $2"
  fi
} 2>/dev/null"""

# One that has not started never will; what runs is stopped by a process that outlives the connection.
_CANCEL = r"""jt_cancel() {
  if [ ! -e "$1/job.begin" ] && [ ! -e "$1/job.pid" ] && mkdir -p "$1" && (set -C; : >"$1/job.begin"); then return; fi
  jt_all="$jt_all $1 $2"
} 2>/dev/null
jt_all="""


def starting(root: str, jobs: Sequence[tuple[str, str]]) -> str:
    """The lines that start the job scripts in these folders (with the tags of their jobs), each once."""
    calls = [f"jt_start {folder} {shlex.quote(tag)}" for folder, tag in jobs]
    start = _START.replace("{script}", SCRIPT)
    return "\n".join([_IDENTIFY, start, f"cd -- {shlex.quote(root)} || return 73", *calls])


def watching(root: str, handles: Sequence[Handle]) -> str:
    """The lines that tell which of the jobs' processes are there."""
    pids = sorted({str(one.pid) for h in handles if h.begin for one in (h.begin.wrapper, h.begin.payload)})
    first = [f"jt_first {folder_of(h.job, h.attempt)}" for h in handles if h.begin is None]
    look = [f"jt_watch {' '.join(pids)}", f"if cd -- {root} 2>/dev/null; then :", *first, "fi", "echo watched"]
    return "\n".join([_IDENTIFY, _WATCH, *look])


def stopping(root: str, handles: Sequence[Handle], grace: float) -> str:
    """The lines that have jobs stopped: TERM, and after ``grace`` seconds KILL to all that is left of them."""
    # In an argument a text has no more limits than in a file, but for its length.
    text = "\n".join([_IDENTIFY, _PLACES, _STOP])
    calls = [f"jt_cancel {folder_of(h.job, h.attempt)} {shlex.quote(h.tag)}" for h in handles]
    run = f"setsid /bin/sh -c {shlex.quote(text)} sh {max(0, round(grace))} $jt_all </dev/null >/dev/null 2>&1 &"
    enter = f"umask 077; mkdir -p {root} && cd -- {root} || return 73"
    return "\n".join([enter, _CANCEL, *calls, f'if [ -n "$jt_all" ]; then {run}\nfi'])


def ordering(root: str, handles: Sequence[Handle], signal: str) -> str:
    """The lines that send a signal to the commands of jobs: STOP and CONT to all that belongs to them."""
    calls = [f"jt_order {signal} {folder_of(h.job, h.attempt)} {shlex.quote(h.tag)}" for h in handles]
    return "\n".join([f"cd -- {root} || return 73", _IDENTIFY, _PLACES, _ORDER, *calls])
