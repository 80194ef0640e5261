"""A scripted stand-in for PBS's commands: it tells of jobs in the recorded words of a real one."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from pathlib import Path

from fake_kit import Job, advance, fail, jobs, mode, take

CAPTURES = Path(__file__).parent / "captures" / "pbs"
REFUSED = (CAPTURES / "no-server.err").read_text().split("real")[0]
# Which recorded job tells of one in this phase.
TEMPLATES = {
    "waiting": "64.vm", "held": "47.vm", "running": "46.vm", "stopped": "63.vm", "never": "56.vm", "failed": "43.vm",
    "done": "42.vm", "deleted": "55.vm", "timeout": "41.vm",
}  # fmt: skip


def record(job: Job) -> str:
    """What qstat -f says of a job."""
    kind, code = job.phase, job.code
    if kind == "ended":
        deleted = job.file("deleted").exists()
        kind = "timeout" if code == "limit" else "deleted" if deleted else "done" if code == "0" else "failed"
    text = (CAPTURES / "qstat-x-f.out").read_text()
    text = text.partition(f"Job Id: {TEMPLATES[kind]}\n")[2].partition("\nJob Id: ")[0].rstrip("\n") + "\n"
    now = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(job.told["at"]))
    text = re.sub(r"^    Job_Name = .*$", f"    Job_Name = {job.told['name']}", text, flags=re.MULTILINE)
    text = re.sub(r"= \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}$", f"= {now}", text, flags=re.MULTILINE)
    if kind != "timeout":
        text = re.sub(r"^    Exit_status = .*$", f"    Exit_status = {code}", text, flags=re.MULTILINE)
    marked = f"PBS_O_HOST=localhost,\n\tJOBTUI_MARK={job.told['mark']}"
    return f"Job Id: {job.jid}.vm\n" + text.replace("PBS_O_HOST=localhost", marked) + "\n"


def qsub(argv: list[str], how: str) -> None:
    if how == "refuse":
        fail(REFUSED.replace("qstat", "qsub"))
    if "nosuch" in argv:
        fail((CAPTURES / "qsub-bad-queue.err").read_text(), 170)
    options = dict(zip(argv[::2], argv[1::2], strict=True))
    limit = re.search(r"walltime=(\d+)", " ".join(argv))
    mark = options["-v"].partition("=")[2]
    env, tasks = {"PBS_JOBID": "%.vm", "JOBTUI_MARK": mark}, [None]
    if "-J" in options:
        low, high = map(int, options["-J"].split("-"))
        tasks, env = range(low, high + 1), {"PBS_JOBID": "%[#].vm", "PBS_ARRAY_INDEX": "#", "JOBTUI_MARK": mark}
    text = sys.stdin.buffer.read()
    job = take(text, float(limit[1]) if limit else 0, env, tasks, name=options["-N"], mark=mark)
    if how == "lie":
        fail("qsub: End of File", 1)
    if how != "silent":
        print(f"{job.number}{'[]' if '-J' in options else ''}.vm")


def qstat(argv: list[str], how: str) -> None:
    if how == "fail":
        fail(REFUSED)
    if how == "hang":
        time.sleep(600)
    if argv == ["--version"]:
        print((CAPTURES / "version.out").read_text(), end="")
        return
    if argv == ["-B", "-f"]:
        server = json.loads((CAPTURES / "qstat-B-f-json.out").read_text())["Server"]["vm"]
        settings = [f"    {name} = {value}\n" for name, value in server.items() if not isinstance(value, dict)]
        print("Server: vm\n" + "".join(settings))
        return
    known, text, code = {f"{jid}.vm": job for jid, job in jobs().items()}, "", 0
    for jid in [word for word in argv if word[0] != "-"]:
        tasks = [job for one, job in known.items() if re.sub(r"\[\d+\]", "[]", one) == jid and "[]" in jid]
        asked = [known[jid]] if jid in known else tasks
        if not asked:
            sys.stderr.write(f"qstat: Unknown Job Id {jid}\n")
            code = 153
        elif "-x" not in argv and all(job.phase in ("ended", "never") for job in asked):
            sys.stderr.write(f"qstat: {jid} Job has finished, use -x or -H to obtain historical job information\n")
            code = 35
        else:
            text += "".join(record(job) for job in asked)
            # The array itself, which qstat tells of too.
            text += record(asked[0]).replace(f"{asked[0].jid}.vm", jid) if tasks else ""
    if how == "partial":
        text = text[: len(text) * 2 // 3]
    if how == "garbage":
        text = text[::-1]
    if how != "empty":
        sys.stdout.write(text)
    sys.exit(code)


def qselect(argv: list[str], how: str) -> None:
    if how == "fail":
        fail(REFUSED.replace("qstat", "qselect"))
    told = [jid for jid, job in jobs().items() if job.phase not in ("ended", "never") or "-x" in argv]
    for jid in dict.fromkeys(re.sub(r"\[\d+\]", "[]", one) for one in told):
        print(f"{jid}.vm")


def change(command: str, argv: list[str]) -> None:
    """qdel, qhold, qrls, qsig."""
    known, code = jobs(), 0
    name = argv[argv.index("-s") + 1] if "-s" in argv else ""
    for jid in [word for word in argv if re.fullmatch(r"\d+(\[\d+\])?\.vm", word)]:
        job = known.get(jid.removesuffix(".vm"))
        if job is None:
            sys.stderr.write(f"{command}: Unknown Job Id {jid}\n")
            code = 153
        elif job.phase in ("ended", "never"):
            sys.stderr.write(f"{command}: Job has finished {jid}\n")
            code = 35
        elif command == "qdel":
            job.delete()
        elif command == "qsig" and name in ("suspend", "resume"):
            sys.stderr.write(f"qsig: Unauthorized Request  {jid}\n")
            code = 159
        elif command == "qsig":
            job.signal(signal.Signals[f"SIG{name}"])
        elif command == "qhold":
            job.file("held").write_text("")
        else:
            job.file("held").unlink(missing_ok=True)
    sys.exit(code)


def main() -> None:
    command, argv = sys.argv[2], sys.argv[3:]
    how = mode(command)
    advance()
    if command == "qsub":
        qsub(argv, how)
    elif command == "qstat":
        qstat(argv, how)
    elif command == "qselect":
        qselect(argv, how)
    else:
        change(command, argv)


main()
