"""What Grid Engine runs for a job: sh that sets its variables, starts the job script and passes signals on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from ..core.backend import Request

# Variables that Grid Engine sets for each job, and those that are a shell's own.
INHERITED = frozenset(
    {
        "ARC", "ENVIRONMENT", "HOSTNAME", "JOB_ID", "JOB_NAME", "JOB_SCRIPT", "NHOSTS", "NQUEUES", "NSLOTS", "PE",
        "PE_HOSTFILE", "QUEUE", "REQNAME", "REQUEST", "RESTARTED", "TMP", "TMPDIR", "OLDPWD", "PWD", "SHLVL", "_",
    }
)  # fmt: skip

# Exit code that stands for those by which a job tells Grid Engine to run it again (99) or to keep it in error (100).
TRANSLATED = 98

# Exit code of a starter that comes too late: its attempt is over, or its job script is not there.
_TOO_LATE = 75

_TEMPLATE = r"""#!/bin/sh
# Starts a job script of jobtui and passes signals on to it.
jt_j= jt_told=
{places}
# The second line of a job script says which attempt it is for: one that comes too late must not start the next.
{{ read -r jt_l; read -r jt_l; }} <"$jt_s" || exit {too_late}
case $jt_l in *", attempt $jt_n. "*) ;; *) exit {too_late} ;; esac
{traps}
(
  trap - TERM INT HUP XCPU
  {ignored}
  exec env {env} JOBTUI_JID="$jt_id" /bin/sh "$jt_s"
) </dev/null &
jt_j=$!
[ -z "$jt_told" ] || jt_stop
# A signal to this shell interrupts wait, which must then be asked again. Asked once too often, some shells say 127.
jt_rc=
while :; do
  jt_int=; wait "$jt_j"; jt_new=$?
  [ "$jt_new" = 127 ] && [ -n "$jt_rc" ] || jt_rc=$jt_new
  [ -n "$jt_int" ] || break
done
case $jt_rc in 99 | 100) exit {translated} ;; esac
exit "$jt_rc"
"""

# A range cannot leave a task out, so those that are nobody's end at once.
_ARRAY = r"""jt_id=$JOB_ID.$SGE_TASK_ID
case $SGE_TASK_ID in
{places}
*) exit 0 ;;
esac
{{ true >>"$jt_d/job.sched"; }} 2>/dev/null && exec >>"$jt_d/job.sched" 2>&1"""

_PASSED_ON = "trap 'jt_int=1' TERM INT HUP XCPU USR1 USR2"

# Grid Engine sends USR1 to all processes of a job before it suspends it, and USR2 before it kills it. Few programs
# know that and would end at once, so they do not get to see it: what they get is TERM, and KILL after the grace.
_STOPPED = r"""jt_stop() {{
  jt_told=1
  [ -n "$jt_j" ] || return
  kill -s TERM "$jt_j"
  (
    jt_left={grace}
    while [ "$jt_left" -gt 0 ] && [ ! -e "$jt_d/job.rc" ]; do sleep 1; jt_left=$((jt_left - 1)); done
    [ -e "$jt_d/job.rc" ] && exit
    read -r jt_b <"$jt_d/job.begin" || exit
    jt_p=${{jt_b#*'"payload":['}}; jt_p=${{jt_p%%[!0-9]*}}
    [ -n "$jt_p" ] && {{ kill -s KILL -- "-$jt_p" || kill -s KILL "-$jt_p" || kill -s KILL "$jt_p"; }}
  ) </dev/null >/dev/null 2>&1 &
}}
trap 'jt_int=1' TERM INT HUP XCPU
trap '' USR1
trap 'jt_int=1; jt_stop' USR2"""


def starter(request: Request, grace: int | None) -> bytes:
    """The text for an attempt.

    ``grace``: seconds between TERM and KILL when Grid Engine says that it will kill the job; None where the person
    wants Grid Engine's signals as they come.
    """
    return _text(request, f"jt_id=$JOB_ID {_place(request)}", grace)


def array_starter(tasks: Mapping[int, Request], grace: int | None) -> bytes:
    """The text for many attempts with the same environment, by the numbers that Grid Engine gives to their tasks."""
    places = "\n".join(f"{number}) {_place(request)} ;;" for number, request in tasks.items())
    return _text(next(iter(tasks.values())), _ARRAY.format(places=places), grace)


def _place(request: Request) -> str:
    return f"jt_n={request.attempt} jt_s={shlex.quote(request.script)} jt_d={shlex.quote(request.metadir)}"


def _text(request: Request, places: str, grace: int | None) -> bytes:
    env = {name: value for name, value in request.env.items() if not (name in INHERITED or name.startswith("SGE_"))}
    text = _TEMPLATE.format(
        places=places,
        traps=_PASSED_ON if grace is None else _STOPPED.format(grace=grace),
        ignored="trap - USR1 USR2" if grace is None else "trap '' USR1 USR2",
        env=" ".join(shlex.quote(f"{name}={value}") for name, value in sorted(env.items()) if name),
        translated=TRANSLATED,
        too_late=_TOO_LATE,
    )
    return text.encode("utf-8", "surrogateescape")
