"""A scripted stand-in for LSF's commands, in the recorded words of a relative of LSF.

While there is a file ``full`` in its folder, bjobs knows the fields that IBM's does and the relative's does not.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from fake_kit import HOME, Job, advance, fail, jobs, mode, take

CAPTURES = Path(__file__).parent / "captures" / "lsf"
# Which recorded job tells of one in this phase.
TEMPLATES = {
    "waiting": "46", "held": "43", "running": "42", "stopped": "50", "never": "49", "failed": "38", "done": "37",
}  # fmt: skip
DOWN = (CAPTURES / "no-lim.err").read_text().split("real")[0]


def words(name: str) -> str:
    return (CAPTURES / name).read_text()


def clock(at: float, form: str) -> str:
    return time.strftime(form, time.gmtime(at))


def record(job: Job) -> dict[str, str]:
    """What bjobs says of a job: a recorded one with another name and other times."""
    kind = job.phase if job.phase != "ended" else "done" if job.code == "0" else "failed"
    recorded: list[dict[str, Any]] = json.loads(words("bjobs-json.out"))["RECORDS"]
    one = next(dict(record) for record in recorded if record["JOBID"] == TEMPLATES[kind])
    one |= {
        "JOBID": job.jid.partition("[")[0],
        "JOB_NAME": job.told["name"],
        "SUBMIT_TIME": clock(job.told["at"], "%b %d %H:%M"),
    }
    for name, file in (("START_TIME", "started"), ("FINISH_TIME", "end")):
        if one[name] != "-" and job.file(file).exists():
            one[name] = clock(job.file(file).stat().st_mtime, "%m/%d-%H:%M:%S")
    if job.told["index"] is not None:
        one["JOB_NAME"] += f"[{job.told['index']}]"
    if (HOME / "full").exists():
        term = "TERM_RUNLIMIT: job killed after reaching LSF run time limit" if job.code == "limit" else ""
        term = "TERM_OWNER: job killed by owner" if job.file("deleted").exists() else term
        one |= {
            "JOBINDEX": str(job.told["index"] or 0),
            "JOB_DESCRIPTION": job.told["described"],
            "EXIT_REASON": term,
            "SUB_CWD": "/",
        }
        one |= {"EXIT_CODE": "" if job.code in ("0", "limit") else job.code, "ESTIMATED_START_TIME": ""}
        one |= {"PEND_REASON": "Not enough job slots: 1 host;" if kind == "waiting" else ""}
    return one


def bsub(argv: list[str], how: str) -> None:
    if how == "refuse":
        fail(DOWN)
    if "nosuch" in argv:
        fail(words("bsub-bad-queue.err"))
    told = {name: argv[argv.index(name) + 1] if name in argv else "" for name in ("-J", "-Jd", "-W")}
    # A minute is a second here.
    limit = float(told["-W"] or 0)
    name, _, listed = told["-J"].removesuffix("]").partition("[")
    spans = [(part.split("-")[0], part.split("-")[-1]) for part in listed.split(",") if part]
    tasks = [index for low, high in spans for index in range(int(low), int(high) + 1)]
    job = take(
        sys.stdin.buffer.read() or argv[-1].encode(),
        limit,
        {"LSB_JOBID": "%", "LSB_JOBINDEX": "#" if tasks else "0"},
        tasks or [None],
        name=name,
        described=told["-Jd"],
        limit_signal=signal.SIGUSR2,
    )
    if how == "lie":
        fail("Failed in sending/receiving a message: Connection reset by peer")
    if how != "silent":
        print(words("bsub-ok.out").replace("<29>", f"<{job.number}>"), end="")


def bjobs(argv: list[str], how: str) -> None:
    if how == "hang":
        sys.stderr.write(DOWN)
        sys.stderr.flush()
        time.sleep(600)
    if how == "fail":
        fail("LSF is down. Please wait ...")
    if "jobindex" in " ".join(argv) and not (HOME / "full").exists():
        fail(words("bjobs-o-bad-field.err"), 99)
    records = [record(job) for job in jobs().values()]
    if not records:
        fail(words("bjobs-unknown-user.err"), 254)
    text = json.dumps({"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records}, indent="\t")
    if how == "partial":
        text = text[: len(text) * 2 // 3]
    if how == "garbage":
        text = text[::-1]
    if how != "empty":
        print(text)


def bhist(argv: list[str]) -> None:
    """The recorded story of a job that failed, with what became of this one."""
    for job in [jobs()[word] for word in argv if word[0].isdigit()]:
        story = words("bhist-l-ended.out").replace("Job <38>, Job Name <fails>", f"Job <{job.jid}>, Job Name <x>")
        story = re.sub(r"\w{3} \w{3} \d\d [\d:]{8}", clock(job.told["at"], "%a %b %d %H:%M:%S"), story)
        story = re.sub(r"^  2 .* 3 *$", "  0 0 0 0 0 0 0", story, flags=re.MULTILINE)
        code = "140" if job.code == "limit" else job.code
        print(story.replace("Exited with exit code 3", f"Exited with exit code {code}"))


def change(command: str, argv: list[str]) -> None:
    """bkill, bstop, bresume."""
    name, code = argv[argv.index("-s") + 1] if "-s" in argv else "", 0
    for word in [word for word in argv if word[0].isdigit()]:
        job = jobs().get(word)
        if job is None:
            sys.stderr.write(words("bkill-unknown.err").replace("999999", word))
            code = 255
        elif job.phase in ("ended", "never"):
            sys.stderr.write(words("bkill-ended.err").replace("37", word))
            code = 255
        elif command == "bkill" and name not in ("", "KILL"):
            job.signal(signal.Signals[f"SIG{name}"])
        elif command == "bkill":
            job.delete()
        elif command == "bstop" and job.phase == "waiting":
            job.file("held").write_text("")
        elif command == "bstop":
            job.file("stopped").write_text("")
            job.signal(signal.SIGSTOP)
        elif job.phase == "held":
            job.file("held").unlink()
        else:
            job.file("stopped").unlink(missing_ok=True)
            job.signal(signal.SIGCONT)
    sys.exit(code)


def main() -> None:
    command, argv = sys.argv[2], sys.argv[3:]
    how = mode(command)
    advance()
    if command == "lsid":
        print(words("lsid.out"), end="")
    elif command == "bsub":
        bsub(argv, how)
    elif command == "bjobs":
        bjobs(argv, how)
    elif command == "bhist":
        bhist(argv)
    else:
        change(command, argv)


main()
