"""A scripted stand-in for PBS's commands: it tells of jobs in the recorded words of a real one, and runs them at once.

Called as ``fake_pbs.py HOME COMMAND ARGUMENT...``. HOME is its folder: while there is a file ``busy`` in it, jobs wait;
``modes/COMMAND`` holds the modes of that command's calls, over and over again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

HOME = Path(sys.argv[1])
CAPTURES = Path(__file__).parent / "captures" / "pbs"
REFUSED = (CAPTURES / "no-server.err").read_text().split("real")[0]
# Which recorded job tells of one in this state.
TEMPLATES = {
    "Q": "64.vm", "H": "47.vm", "R": "46.vm", "S": "63.vm", "F": "43.vm", "done": "42.vm", "deleted": "55.vm",
    "never": "56.vm", "timeout": "41.vm",
}  # fmt: skip


def fail(words: str, code: int = 255) -> NoReturn:
    sys.stderr.write(words if words.endswith("\n") else words + "\n")
    sys.exit(code)


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


class Job:
    """One job: what qsub was told of it, and the files that say how far it is."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.told = json.loads((HOME / f"job.{number}.json").read_text())

    def file(self, name: str) -> Path:
        return HOME / f"{name}.{self.number}"

    @property
    def letter(self) -> str:
        if self.file("end").exists() and self.file("end").read_text().strip():
            return "F"
        if self.file("pid").exists():
            return "S" if self.file("stopped").exists() else "R"
        return "F" if self.file("deleted").exists() else "H" if self.file("held").exists() else "Q"

    def start(self) -> None:
        line = 'sh "$1" >/dev/null 2>&1; echo $? >"$2.new"; [ -e "$2" ] || mv "$2.new" "$2"'
        child = subprocess.Popen(
            ["/bin/sh", "-c", line, "sh", str(self.file("script")), str(self.file("end"))],
            # The environment of a node, not that of the person.
            env={"PATH": os.environ["PATH"], "PBS_JOBID": f"{self.number}.vm", "JOBTUI_MARK": self.told["mark"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.file("pid").write_text(str(child.pid))
        self.file("started").write_text("")

    def signal(self, number: int) -> None:
        """To all processes of the job's session, as PBS does."""
        leader = int(self.file("pid").read_text())
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != leader:
                try:
                    if os.getsid(int(name)) == leader:
                        os.kill(int(name), number)
                except ProcessLookupError:
                    continue

    def advance(self) -> None:
        """Start it if it may, and stop it at its limit."""
        if self.letter == "Q" and not (HOME / "busy").exists():
            self.start()
        limit = self.told["limit"]
        if self.letter == "R" and limit and time.time() - self.file("started").stat().st_mtime > limit:
            self.file("end").write_text("-29")
            self.signal(signal.SIGTERM)

    def record(self) -> str:
        """What qstat -f says of it."""
        letter, code = self.letter, self.file("end").read_text().strip() if self.file("end").exists() else ""
        kind = letter
        if letter == "F":
            kind = {"": "never", "0": "done", "-29": "timeout"}.get(code, "F")
            kind = "deleted" if code and self.file("deleted").exists() else kind
        text = (CAPTURES / "qstat-x-f.out").read_text()
        record = text.partition(f"Job Id: {TEMPLATES[kind]}\n")[2].partition("\nJob Id: ")[0].rstrip("\n") + "\n"
        now = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(self.told["at"]))
        record = re.sub(r"^    Job_Name = .*$", f"    Job_Name = {self.told['name']}", record, flags=re.MULTILINE)
        record = re.sub(r"= \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}$", f"= {now}", record, flags=re.MULTILINE)
        record = re.sub(r"^    Exit_status = .*$", f"    Exit_status = {code}", record, flags=re.MULTILINE)
        record = re.sub(r"^    comment = Job held.*\n", "", record, flags=re.MULTILINE)
        marked = f"PBS_O_HOST=localhost,\n\tJOBTUI_MARK={self.told['mark']}"
        return f"Job Id: {self.number}.vm\n" + record.replace("PBS_O_HOST=localhost", marked) + "\n"


def jobs() -> dict[str, Job]:
    numbers = sorted(int(path.name.split(".")[1]) for path in HOME.glob("job.*.json"))
    return {f"{number}.vm": Job(number) for number in numbers}


def qsub(argv: list[str], how: str) -> None:
    if how == "refuse":
        fail(REFUSED.replace("qstat", "qsub"))
    if "nosuch" in argv:
        fail((CAPTURES / "qsub-bad-queue.err").read_text(), 170)
    options = dict(zip(argv[::2], argv[1::2], strict=True))
    limit = re.search(r"walltime=(\d+)", " ".join(argv))
    with (HOME / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = len(list(HOME.glob("job.*.json"))) + 1
        told = {"name": options["-N"], "mark": options["-v"].partition("=")[2], "at": int(time.time())}
        (HOME / f"script.{number}").write_bytes(sys.stdin.buffer.read())
        (HOME / f"job.{number}.json").write_text(json.dumps({**told, "limit": int(limit[1]) if limit else 0}))
        Job(number).advance()
    if how == "lie":
        fail("qsub: End of File", 1)
    if how != "silent":
        print(f"{number}.vm")


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
    known, text, code = jobs(), "", 0
    for jid in [word for word in argv if word[0] != "-"]:
        if jid not in known:
            sys.stderr.write(f"qstat: Unknown Job Id {jid}\n")
            code = 153
        elif known[jid].letter == "F" and "-x" not in argv:
            sys.stderr.write(f"qstat: {jid} Job has finished, use -x or -H to obtain historical job information\n")
            code = 35
        else:
            text += known[jid].record()
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
    for jid, job in jobs().items():
        if job.letter != "F" or "-x" in argv:
            print(jid)


def change(command: str, argv: list[str]) -> None:
    """qdel, qhold, qrls, qsig."""
    known, code = jobs(), 0
    name = argv[argv.index("-s") + 1] if "-s" in argv else ""
    for jid in [word for word in argv if re.fullmatch(r"\d+\.vm", word)]:
        job = known.get(jid)
        if job is None:
            sys.stderr.write(f"{command}: Unknown Job Id {jid}\n")
            code = 153
        elif job.letter == "F":
            sys.stderr.write(f"{command}: Job has finished {jid}\n")
            code = 35
        elif command == "qdel":
            job.file("deleted").write_text("")
            if job.letter in "RS":
                job.signal(signal.SIGTERM)
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
    with (HOME / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for job in jobs().values():
            job.advance()
    if command == "qsub":
        qsub(argv, how)
    elif command == "qstat":
        qstat(argv, how)
    elif command == "qselect":
        qselect(argv, how)
    else:
        change(command, argv)


main()
