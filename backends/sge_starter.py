"""What Grid Engine runs for a job: sh that sets its variables, starts the job script and passes signals on."""

from __future__ import annotations

import shlex

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

_TEMPLATE = r"""#!/bin/sh
# Starts the job script of jobtui for job {job}, attempt {attempt}, and passes signals on to it.
jt_j= jt_told=
{traps}
(
  trap - TERM INT HUP XCPU
  {ignored}
  exec env {env} /bin/sh {script}
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

_PASSED_ON = "trap 'jt_int=1' TERM INT HUP XCPU USR1 USR2"

# Grid Engine sends USR1 to all processes of a job before it suspends it, and USR2 before it kills it. Few programs
# know that and would end at once, so they do not get to see it: what they get is TERM, and KILL after the grace.
_STOPPED = r"""jt_stop() {{
  jt_told=1
  [ -n "$jt_j" ] || return
  kill -s TERM "$jt_j"
  (
    jt_left={grace}
    while [ "$jt_left" -gt 0 ] && [ ! -e {metadir}/job.rc ]; do sleep 1; jt_left=$((jt_left - 1)); done
    [ -e {metadir}/job.rc ] && exit
    read -r jt_b <{metadir}/job.begin || exit
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
    env = {name: value for name, value in request.env.items() if not (name in INHERITED or name.startswith("SGE_"))}
    traps = _PASSED_ON if grace is None else _STOPPED.format(grace=grace, metadir=shlex.quote(request.metadir))
    text = _TEMPLATE.format(
        job=request.job,
        attempt=request.attempt,
        traps=traps,
        ignored="trap - USR1 USR2" if grace is None else "trap '' USR1 USR2",
        env=" ".join(shlex.quote(f"{name}={value}") for name, value in sorted(env.items()) if name),
        script=shlex.quote(request.script),
        translated=TRANSLATED,
    )
    return text.encode("utf-8", "surrogateescape")
