"""Clients that follow files: by the kernel's events, or by looking where the person or the machine's limits say so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobtui.core.workdir import WorkDir

Command = Callable[..., subprocess.CompletedProcess[str]]
Until = Callable[..., object]

JOBTUI = Path(sys.executable).with_name("jobtui")

# A user namespace of its own has limits of its own, which nobody else feels.
_CONFINED = ["unshare", "--user", "--map-root-user", "sh", "-c", 'echo 0 >"/proc/sys/user/$0" && exec "$@"']
_LIMITS = ["max_inotify_instances", "max_inotify_watches"]
confinable = pytest.mark.skipif(
    subprocess.run([*_CONFINED, _LIMITS[0], "true"], capture_output=True, check=False).returncode != 0,
    reason="this machine lets nobody make user namespaces",
)


def configure(tmp_path: Path, text: str) -> None:
    (tmp_path / "config" / "jobtui").mkdir(parents=True)
    (tmp_path / "config" / "jobtui" / "config.toml").write_text(text)


def follows(jobtui: Command, workdir: WorkDir, tmp_path: Path, prefix: list[str], until: Until, eventful: bool) -> None:
    """A job's output and its end reach ``logs -f`` and ``wait`` while and when they come."""
    line = f"echo first; while ! [ -e {tmp_path}/go ]; do sleep 0.05; done; echo last; exit 3"
    job = jobtui("submit", "--shell", line, check=0).stdout.strip()
    env = {**os.environ, "JOBTUI_WORKDIR": workdir.path, "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def start(*words: str) -> subprocess.Popen[str]:
        command = [*prefix, str(JOBTUI), *words, job]
        return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    with start("logs", "-f") as logs, start("wait") as wait:
        assert logs.stdout is not None and logs.stdout.readline() == "first\n"
        if eventful:
            until(lambda: has_events(logs.pid) and has_events(wait.pid))
        else:
            assert not has_events(logs.pid) and not has_events(wait.pid)
        (tmp_path / "go").touch()
        assert logs.stdout.readline() == "last\n"
        assert logs.wait(timeout=30) == 0
        assert wait.wait(timeout=30) == 1
        assert wait.stderr is not None and "exit code 3" in wait.stderr.read()


def has_events(pid: int) -> bool:
    try:
        return any("inotify" in os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("wanted", "eventful"), [("events", True), ("poll", False)])
def test_files_are_followed_as_the_person_wants(
    jobtui: Command, workdir: WorkDir, tmp_path: Path, until: Until, wanted: str, eventful: bool
) -> None:
    configure(tmp_path, f'[files]\nwatch = "{wanted}"\n')
    follows(jobtui, workdir, tmp_path, [], until, eventful)
    told = "the kernel tells of changes" if eventful else "changes are found by looking"
    assert f"{told}, as your settings say" in jobtui("doctor").stdout


@confinable
@pytest.mark.parametrize("limit", _LIMITS)
def test_a_machine_without_events_left_is_looked_at_and_the_doctor_says_so(
    jobtui: Command, workdir: WorkDir, tmp_path: Path, until: Until, limit: str
) -> None:
    follows(jobtui, workdir, tmp_path, [*_CONFINED, limit], until, eventful=False)
    env = {**os.environ, "JOBTUI_WORKDIR": workdir.path}
    doctor = [*_CONFINED, limit, str(JOBTUI), "doctor"]
    said = subprocess.run(doctor, env=env, capture_output=True, text=True, check=False).stdout
    assert "gives you no more events" in said and "fs.inotify.max_user_watches" in said


def test_a_mistake_in_the_setting_is_named_and_nothing_stops(jobtui: Command, tmp_path: Path) -> None:
    configure(tmp_path, '[files]\nwatch = "sometimes"\n')
    job = jobtui("submit", "--", "true", check=0).stdout.strip()
    jobtui("wait", job, check=0)
    said = jobtui("doctor", check=1).stdout
    assert "WRONG  your settings: " in said and "config.toml" in said and "sometimes" in said
