"""A scripted stand-in for Slurm's commands: it runs job scripts at once, and misbehaves as a scenario says.

Called as sbatch, squeue, scancel, scontrol or sacct through a link. $FAKE_SLURM is its folder: ``modes/<command>`` in
it holds the modes of its calls, over and over again.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["FAKE_SLURM"])
RS, US = "\x1e", "\x1f"


def fail(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.exit(1)


def mode(command: str) -> str:
    """What this call is to do."""
    modes = HOME / "modes" / command
    words = modes.read_text().split() if modes.exists() else ["good"]
    with (HOME / f"calls.{command}").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = len(file.read())
        file.write("x")
    return words[number % len(words)]


def sbatch(argv: list[str], how: str) -> None:
    if how == "refuse":
        fail("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)")
    options = dict(word.removeprefix("--").partition("=")[::2] for word in argv[:-1])
    if how == "unknown" and "dependency" in options:
        fail("sbatch: error: Batch job submission failed: Job dependency problem")
    after = options.get("dependency", "") if how != "forget" else ""
    with (HOME / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        jid = len(list(HOME.glob("job.*.json"))) + 1
        job = {"jid": jid, "comment": options["comment"], "name": options["job-name"], "script": argv[-1]}
        (HOME / f"job.{jid}.json").write_text(json.dumps({**job, "at": int(time.time())}))
    (HOME / f"pid.{jid}").write_text("")
    child = subprocess.Popen(
        [Path(sys.argv[0]).with_name("fake"), str(jid), after, argv[-1]],
        env={**os.environ, "SLURM_JOB_ID": str(jid)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (HOME / f"pid.{jid}").write_text(str(child.pid))
    if how == "lie":
        fail("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
    if how == "silent":
        sys.exit(0)
    print(jid)


BAD = ("FAILED", "CANCELLED")
KINDS = {"afterok": ("COMPLETED",), "afternotok": BAD, "afterany": ("COMPLETED", *BAD)}


def answer(part: str) -> str:
    """Whether one dependency "holds", "waits" or can "never" hold."""
    kind, _, parent = part.partition(":")
    now = state(int(parent))
    return "holds" if now in KINDS[kind] else "waits" if now in ("PENDING", "RUNNING") else "never"


def start(jid: str, after: str, script: str) -> None:
    """Run a job script, once it may run."""
    several, whole, none = ("?", "holds", "never") if "?" in after else (",", "never", "holds")
    while after:
        answers = [answer(part) for part in after.split(several)]
        if whole in answers or set(answers) == {none}:
            if (whole if whole in answers else none) == "never":
                (HOME / f"cancelled.{jid}").write_text("DependencyNeverSatisfied")
                return
            break
        time.sleep(0.05)
    (HOME / f"started.{jid}").write_text("")
    os.execv("/bin/sh", ["/bin/sh", "-c", f"sh {script}; echo $? > {HOME}/end.{jid}"])


def state(jid: int) -> str:
    if (HOME / f"cancelled.{jid}").exists():
        return "CANCELLED"
    if not (HOME / f"started.{jid}").exists():
        return "PENDING"
    end = HOME / f"end.{jid}"
    if not end.exists() or not end.read_text().strip():
        return "RUNNING"
    return "COMPLETED" if end.read_text().strip() == "0" else "FAILED"


def squeue(how: str) -> None:
    if how == "fail":
        fail("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    if how == "slow":
        time.sleep(1)
        fail("slurm_load_jobs error: Socket timed out on send/recv operation")
    if how == "empty":
        return
    text = ""
    for path in sorted(HOME.glob("job.*.json")):
        job = json.loads(path.read_text())
        cancelled = HOME / f"cancelled.{job['jid']}"
        reason = cancelled.read_text() if cancelled.exists() else ""
        fields = [
            job["jid"],
            state(job["jid"]),
            reason or "None",
            job["at"],
            job["at"],
            job["at"],
            "n1",
            "p",
            job["comment"],
        ]
        text += RS + US.join(map(str, [*fields, job["script"], "/", job["name"]])) + "\n"
    if how == "partial":
        text = text[: len(text) * 2 // 3]
    if how == "garbage":
        text = text[::-1]
    sys.stdout.write(text)


def scancel(argv: list[str]) -> None:
    for word in argv:
        pid = HOME / f"pid.{word}"
        if word.isdigit() and pid.exists():
            (HOME / f"cancelled.{word}").write_text("")
            try:
                os.killpg(int(pid.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                continue


def main() -> None:
    command = Path(sys.argv[0]).name
    if command == "fake":
        start(*sys.argv[1:])
        return
    how = mode(command)
    if command == "sbatch":
        sbatch(sys.argv[1:], how)
    elif command == "squeue":
        squeue(how)
    elif command == "scancel":
        scancel(sys.argv[1:])
    elif command == "scontrol":
        print("AccountingStorageType = accounting_storage/none\nClusterName = fake\nSLURM_VERSION = 22.05.8")
    else:
        fail("Slurm accounting storage is disabled")


main()
