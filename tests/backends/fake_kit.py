"""What the scripted stand-ins share: jobs as files in a folder, which are run at once, and calls that misbehave.

Called as ``fake_X.py HOME COMMAND ARGUMENT...``. HOME is the folder: while there is a file ``busy`` in it, jobs wait;
``modes/COMMAND`` holds the modes of that command's calls, over and over again.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

HOME = Path(sys.argv[1])


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
    """One job: what was told of it when it was submitted, and the files that say how far it is."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.told: dict[str, Any] = json.loads((HOME / f"job.{number}.json").read_text())

    @property
    def jid(self) -> str:
        """The number, or ``number[task]``."""
        return str(self.number) if self.told["index"] is None else f"{self.told['array']}[{self.told['index']}]"

    def file(self, name: str) -> Path:
        return HOME / f"{name}.{self.number}"

    @property
    def code(self) -> str:
        end = self.file("end").read_text().strip() if self.file("end").exists() else ""
        return "limit" if end and self.file("limited").exists() else end

    @property
    def phase(self) -> str:
        if self.code:
            return "ended"
        if self.file("pid").exists():
            return "stopped" if self.file("stopped").exists() else "running"
        return "never" if self.file("deleted").exists() else "held" if self.file("held").exists() else "waiting"

    def start(self) -> None:
        """Run it in the environment of a node, not that of the person."""
        line = '/bin/sh "$1" >/dev/null 2>&1; echo $? >"$2.new"; [ -e "$2" ] || mv "$2.new" "$2"'
        child = subprocess.Popen(
            ["/bin/sh", "-c", line, "sh", str(self.file("script")), str(self.file("end"))],
            env={"PATH": os.environ["PATH"], **self.told["env"]},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.file("started").write_text("")
        self.file("pid").write_text(str(child.pid))

    def signal(self, number: int) -> None:
        """To all processes of the job's session."""
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
        if self.phase == "waiting" and not (HOME / "busy").exists():
            self.start()
        limit = self.told["limit"]
        if self.phase == "running" and limit and time.time() - self.file("started").stat().st_mtime > limit:
            first = not self.file("limited").exists()
            self.file("limited").write_text("")
            if first:
                self.signal(self.told["limit_signal"])

    def delete(self) -> None:
        self.file("deleted").write_text("")
        if self.phase in ("running", "stopped"):
            self.signal(signal.SIGTERM)


def jobs() -> dict[str, Job]:
    """All jobs by their ids."""
    numbers = sorted(int(path.name.split(".")[1]) for path in HOME.glob("job.*.json"))
    return {job.jid: job for job in map(Job, numbers)}


def take(
    script: bytes, limit: float, env: Mapping[str, str], tasks: Sequence[int | None] = (None,), **told: object
) -> Job:
    """Record a new job, or the tasks of a new array; the first of them. It may run ``limit`` seconds.

    ``env``: what it finds, where ``%`` stands for its number and ``#`` for its task.
    """
    with (HOME / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        array = len(list(HOME.glob("job.*.json"))) + 1
        for number, index in enumerate(tasks, array):
            (HOME / f"script.{number}").write_bytes(script)
            own = {name: value.replace("%", str(array)).replace("#", str(index)) for name, value in env.items()}
            record = {"at": int(time.time()), "limit": limit, "limit_signal": signal.SIGTERM, "env": own, **told}
            (HOME / f"job.{number}.json").write_text(json.dumps({**record, "array": array, "index": index}))
            Job(number).advance()
        return Job(array)


def advance() -> None:
    """What the scheduler does by itself: here whenever it is called."""
    with (HOME / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for job in jobs().values():
            job.advance()
