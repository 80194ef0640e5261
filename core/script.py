"""The job script: POSIX sh that runs one attempt on any node and leaves job.begin and job.rc, with builtins only."""

from __future__ import annotations

import math
import shlex
from typing import NamedTuple

from .backend import Dependency
from .job import JobSpec

# How many bytes job.begin is padded to: an end record fits over it in place when the disk is full at the end.
_RESERVE = 760

# Seconds after which a record written on another node is surely seen.
_LATE = 60

# Exit status of a script whose attempt was claimed by another copy of it, or that could not write its folder.
CLAIM_FAILED = 75

# Every variable starts with jt_: the payload inherits the person's own variables untouched.
_TEMPLATE = r"""#!/bin/sh
# The job script of jobtui for job {job}, attempt {attempt}. It writes job.begin and job.rc into this folder:
jt_d={metadir}
export JOBTUI_JOB_INDEX={job} JOBTUI_ATTEMPT={attempt} JOBTUI_TAG={tag}
export JOBTUI_METADIR={workdir} JOBTUI_JOB_METADIR="$jt_d"
jt_p= jt_to= jt_t= jt_fw= jt_launch=

# A process group that is not there yet (its leader is just starting) has only its leader.
jt_kill() {{ kill -s "$1" -- "-$2" || kill -s "$1" "-$2" || kill -s "$1" "$2"; }} 2>/dev/null
jt_forward() {{ jt_int=1 jt_fw=$1; [ -z "$jt_p" ] || jt_kill "$1" "$jt_p"; }}
trap 'jt_forward TERM' TERM
trap 'jt_forward INT' INT
trap 'jt_forward HUP' HUP
trap 'jt_forward USR1' USR1
trap 'jt_forward USR2' USR2
trap 'jt_int=1 jt_to=1; [ -z "$jt_p" ] || jt_kill TERM "$jt_p"' ALRM

# Finds pid, process group and start time of the process $1 by proc(5); the name in brackets may hold anything.
jt_identify() {{
  jt_pid= jt_pgrp= jt_ticks=
  read -r jt_s <"/proc/$1/stat" || return 1
  jt_pid=${{jt_s%% *}} jt_s=${{jt_s##*) }}
  set -- $jt_s
  jt_pgrp=$3 jt_ticks=${{20}}
}} 2>/dev/null
# Whether a later attempt was opened: then this script is a copy that comes too late, and its folder is another's.
jt_stale() {{ [ -e "$jt_d/job.retry/{attempt}" ] || [ -e "$jt_d/job.retry/{attempt}.moving" ]; }}
jt_since_boot() {{ read -r jt_up jt_rest </proc/uptime || jt_up=0; }}

jt_begin() {{
  read -r jt_host </proc/sys/kernel/hostname
  read -r jt_boot </proc/sys/kernel/random/boot_id
  jt_since_boot
  jt_identify "$$"; jt_w="[$jt_pid,$jt_ticks]"
  jt_identify self || return 1
  jt_b='{{"attempt":{attempt},"tag":"{tag}","host":"'"$jt_host"'","boot":"'"$jt_boot"'"'
  jt_b="$jt_b,\"wrapper\":$jt_w,\"payload\":[$jt_pid,$jt_ticks],\"uptime\":$jt_up{own_id}}}"
  printf '%-{reserve}s\n' "$jt_b" >&3
}}

jt_end() {{
  jt_since_boot
  jt_e='{{"attempt":{attempt},"tag":"{tag}","exit_code":'"$1"',"uptime":'"$jt_up"
  [ -z "$jt_fw" ] || jt_e="$jt_e,\"forwarded\":\"$jt_fw\""
  [ -z "$jt_to" ] || jt_e="$jt_e,\"timeout\":true"
  [ -z "$jt_launch" ] || jt_e="$jt_e,\"launch\":\"$jt_launch\""
  printf '%s}}\n' "$jt_e" 2>/dev/null >"$jt_d/job.rc" && return
  # No room for a file: the record goes into the room that job.begin keeps for it.
  read -r jt_b <"$jt_d/job.begin" && printf '%s\n%s}}\n' "$jt_b" "$jt_e" 1<>"$jt_d/job.begin"
}}

jt_run() {{
  if jt_stale; then rm -f "$jt_d/job.begin"; exit {claim_failed}; fi
{prepare}
  if [ -n "$jt_launch" ]; then jt_begin; jt_end 1; exit 1; fi
  jt_setsid=setsid
  [ ! -x /usr/bin/setsid ] || jt_setsid=/usr/bin/setsid
  set -m 2>/dev/null
  (
    trap - TERM INT HUP USR1 USR2 ALRM
    jt_begin || exit 1
    umask {umask}
    set +C
{exports}
    # Without a terminal some shells give a background job no process group of its own.
    if [ "$jt_pgrp" = "$jt_pid" ]; then exec {argv} 3>&-; else exec "$jt_setsid" -- {argv} 3>&-; fi
  ) <{stdin} >>"$jt_d/job.stdout" 2>>"$jt_d/job.stderr" &
  jt_p=$!
  set +m
  [ -z "$jt_fw" ] || jt_kill "$jt_fw" "$jt_p"
{timer}
  # A signal to this script interrupts wait, which must then be asked again. Asked once too often, some shells say 127.
  jt_rc=
  while :; do
    jt_int=; wait "$jt_p"; jt_new=$?
    [ "$jt_new" = 127 ] && [ -n "$jt_rc" ] || jt_rc=$jt_new
    [ -n "$jt_int" ] || break
  done
  [ -z "$jt_t" ] || kill -s TERM "$jt_t" 2>/dev/null
  [ -s "$jt_d/job.begin" ] || jt_launch=output
  jt_end "$jt_rc"
  # A job that was told to stop has not ended well, whatever it says; its scheduler must not think so.
  [ "$jt_rc" != 0 ] || [ -z "$jt_fw$jt_to" ] || exit 1
  exit "$jt_rc"
}}

# Creating job.begin claims the attempt: of two copies of this script only one gets past this line.
umask 077
set -C
jt_stale && exit {claim_failed}
{guard}jt_run 3>"$jt_d/job.begin"
exit {claim_failed}
"""

# Its scheduler had it wait; but schedulers forget, and know nothing of retries. Of each job that was waited for:
# 0 it ended as it must, 1 it did not, 2 its record cannot be seen here (yet: a shared file system may be late).
# One that never began leaves no record; then the scheduler's word counts, unless it is that it ended well.
_GUARD = r"""
jt_saw() {{
  if [ -e "$jt_f/$1/job.retry/$2" ] || [ -e "$jt_f/$1/job.retry/$2.moving" ]; then return 1; fi
  jt_l=; {{ read -r jt_l <"$jt_f/$1/job.intent"; }} 2>/dev/null
  case $jt_l in *'"retry":{{"attempt":'"$2,"*) return 1 ;; esac
  jt_l=; {{ read -r jt_l <"$jt_f/$1/job.rc" || jt_l=; }} 2>/dev/null
  [ -n "$jt_l" ] || {{ {{ read -r jt_e; read -r jt_l || jt_l=; }} <"$jt_f/$1/job.begin"; }} 2>/dev/null
  jt_e=fail
  case $jt_l in
    *'"attempt":'"$2,"*)
      case $jt_l in *'"exit_code":0,'*) jt_e=ok ;; esac
      case $jt_l in *'"forwarded":'* | *'"timeout":'* | *'"launch":'*) jt_e=fail ;; esac ;;
    *)
      jt_l=; {{ read -r jt_l <"$jt_f/$1/job.end" || jt_l=; }} 2>/dev/null
      case $jt_l in
        *'"attempt":'"$2,"*'"state":"finished"'*) jt_e=ok ;;
        *'"attempt":'"$2,"*) ;;
        *) if [ "$3" = ok ] || [ -e "$jt_f/$1/job.begin" ]; then return 2; fi; return 0 ;;
      esac ;;
  esac
  [ "$3" = any ] || [ "$jt_e" = "$3" ]
}}
jt_f={workdir} jt_n=0
while :; do
  jt_yes= jt_no= jt_late=
  for jt_a in {parents}; do
    jt_k=${{jt_a##*:}} jt_a=${{jt_a%:*}}
    jt_saw "${{jt_a%:*}}" "${{jt_a#*:}}" "$jt_k"
    case $? in 0) jt_yes=1 ;; 1) jt_no=1 ;; *) jt_late=1 ;; esac
  done
  {decide}
  [ "$jt_n" -lt {patience} ] || exit {claim_failed}
  sleep 1
  jt_n=$((jt_n + 1))
done
"""
_ALL = '[ -z "$jt_no" ] || exit {claim_failed}; [ -n "$jt_late" ] || break'
_ONE = '[ -z "$jt_yes" ] || break; [ -n "$jt_late" ] || exit {claim_failed}'

_TIMER = r"""  (
    trap - INT HUP USR1 USR2 ALRM
    # Whenever TERM comes, before the sleep is known or while it lasts, neither sleep nor subshell is left behind.
    jt_z= jt_off=
    trap 'jt_off=1; kill "$jt_z"' TERM
    jt_identify "$$"; jt_w=$jt_ticks; jt_identify "$jt_p"; jt_mine=$jt_ticks
    jt_same() {{ jt_identify "$1" && [ "$jt_ticks" = "$2" ]; }}
    # In slices: bash may lose a TERM that comes just when the subshell starts; then it ends with the next slice.
    jt_pause() {{
      jt_left=$1
      while [ "$jt_left" -gt 0 ]; do
        jt_slice=$((jt_left < 10 ? jt_left : 10)) jt_left=$((jt_left - 10))
        sleep "$jt_slice" & jt_z=$!
        [ -n "$jt_off" ] || wait "$jt_z"
        [ -z "$jt_off" ] || {{ kill "$jt_z"; exit; }}
        jt_same "$jt_p" "$jt_mine" || exit
      done
    }}
    jt_pause {limit}
    if jt_same "$$" "$jt_w"; then kill -s ALRM "$$"; else jt_same "$jt_p" "$jt_mine" && jt_kill TERM "$jt_p"; fi
    jt_pause {grace}
    jt_same "$jt_p" "$jt_mine" && jt_kill KILL "$jt_p"
  ) 3>&- </dev/null >/dev/null 2>&1 &
  jt_t=$!"""


class Place(NamedTuple):
    """Where a job finds its folder and the one that holds it: as words for a shell, there where it runs."""

    workdir: str
    metadir: str
    far: bool = False


def place_here(workdir: str, job: int) -> Place:
    """The job's folder in the work directory at an absolute path."""
    return Place(shlex.quote(workdir), shlex.quote(f"{workdir}/{job}"))


def place_there(root: str, job: int, attempt: int) -> Place:
    """The folder of a job's attempt on another machine; ``root`` is the shell word for what holds them all there."""
    return Place(root, f"{root}/{job}.{attempt}", far=True)


def _enter(cwd: str, place: Place) -> str:
    """How a job gets into its directory: on another machine one that is not absolute lies in the home there."""
    if not place.far or cwd.startswith("/"):
        return f"cd -- {shlex.quote(cwd or '/')} 2>/dev/null"
    below = cwd.removeprefix("~").lstrip("/")
    return 'cd -- "$HOME" 2>/dev/null' + (f" && cd -- {shlex.quote('./' + below)} 2>/dev/null" if below else "")


def job_script(
    spec: JobSpec,
    job: int,
    attempt: int,
    place: Place,
    shown_env: dict[str, str],
    own_id: str = "",
    after: Dependency | None = None,
) -> str:
    """The text of the job script for one attempt.

    ``place`` is where the job finds its folder; ``shown_env`` are the variables that the script sets itself (the
    person's own and those of the back end). ``own_id``: the shell word by which the script finds what its scheduler
    calls it. ``after``: what the scheduler has it wait for.
    """
    command = [spec.shell] if spec.shell is not None else list(spec.command)
    argv = shlex.join(["/bin/sh", "-c", *command] if spec.shell is not None else command)
    prepare = [f"  {_enter(spec.cwd, place)} || jt_launch=cwd"]
    if spec.stdin is not None:
        prepare.append(f"  [ -r {shlex.quote(spec.stdin)} ] || jt_launch=stdin")
    timer = ""
    if spec.timeout is not None:
        timer = _TIMER.format(limit=max(1, math.ceil(spec.timeout)), grace=max(1, math.ceil(spec.grace)))
    exports = [f"    export {name}={shlex.quote(value)}" for name, value in sorted(shown_env.items())]
    return _TEMPLATE.format(
        job=job,
        attempt=attempt,
        tag=spec.tag,
        metadir=place.metadir,
        workdir=place.workdir,
        prepare="\n".join(prepare),
        exports="\n".join(exports),
        argv=argv,
        stdin=shlex.quote(spec.stdin) if spec.stdin is not None else "/dev/null",
        umask=f"{0o022 if spec.umask is None else spec.umask:04o}",
        timer=timer,
        guard=_guard(after, place) if after is not None else "",
        own_id=f',\\"jid\\":\\"{own_id}\\"' if own_id else "",
        reserve=_RESERVE,
        claim_failed=CLAIM_FAILED,
    )


def _guard(after: Dependency, place: Place) -> str:
    """The lines that end a script which was started before what it waited for came true."""
    return _GUARD.format(
        workdir=place.workdir,
        parents=" ".join(f"{parent.job}:{parent.attempt}:{parent.ending}" for parent in after.parents),
        decide=(_ONE if after.one_is_enough else _ALL).format(claim_failed=CLAIM_FAILED),
        patience=_LATE,
        claim_failed=CLAIM_FAILED,
    )
