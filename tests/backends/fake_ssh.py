"""A scripted stand-in for ssh: the far machine is this one, with a home of its own, and the link misbehaves as told.

Called as ``fake_ssh.py HOME ARGUMENT...``. HOME is the folder of its state: ``home`` is the far home, ``modes`` holds
the modes of its calls, over and over again; ``calls`` counts them, and ``argv`` has the words of the last one.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

HOME = Path(sys.argv[1])


def mode() -> str:
    words = (HOME / "modes").read_text().split() if (HOME / "modes").exists() else ["good"]
    with (HOME / "calls").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = len(file.read())
        file.write("x")
    return words[number % len(words)]


def fail(words: str) -> None:
    sys.stderr.write(words + "\r\n")
    sys.stderr.flush()
    os._exit(255)


def feed(child: subprocess.Popen[bytes]) -> None:
    """Hand on what the caller says, and its end."""
    assert child.stdin is not None
    try:
        while data := os.read(0, 65536):
            child.stdin.write(data)
            child.stdin.flush()
        child.stdin.close()
    except BrokenPipeError:
        return


def converse(line: str, how: str) -> None:
    if how == "noisy":
        sys.stdout.write("Welcome to far!\nno newline at the end")
        sys.stderr.write("tput: No value for $TERM\n")
        sys.stdout.flush()
        sys.stderr.flush()
    child = subprocess.Popen(
        ["/bin/sh", "-c", line],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=HOME / "home",
        env={"HOME": str(HOME / "home"), "PATH": "/usr/local/bin:/usr/bin:/bin", "SQUEUE_FORMAT": "odd"},
        start_new_session=True,
    )
    assert child.stdout is not None
    sys.stdout.buffer.write(child.stdout.readline())
    sys.stdout.buffer.flush()
    if how == "drop":
        # Before anything was sent over.
        child.kill()
        fail("client_loop: send disconnect: Broken pipe")
    threading.Thread(target=feed, args=(child,), daemon=True).start()
    out = child.stdout.read()
    if how in ("cut", "lose"):
        # The far side did it all, and the answer got lost: half of it, or all.
        sys.stdout.buffer.write(out[: len(out) // 2] if how == "cut" else b"")
        sys.stdout.buffer.flush()
        fail("Connection to far closed by remote host.")
    sys.stdout.buffer.write(out)
    sys.stdout.buffer.flush()
    os._exit(child.wait())


def main() -> None:
    words = sys.argv[2:]
    if "-G" in words:
        print((HOME / "config").read_text() if (HOME / "config").exists() else "controlmaster false")
        return
    if "-O" in words:
        fail("Control socket connect: No such file or directory")
    (HOME / "argv").write_text("\n".join(words))
    how = mode()
    if how == "refuse":
        fail("ssh: connect to host far port 22: Connection refused")
    if how == "deny":
        fail("me@far: Permission denied (publickey).")
    if how == "hang":
        time.sleep(600)
    converse(words[-1], how)


main()
