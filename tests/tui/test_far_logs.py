"""Logs of jobs on another machine as the command line and the log pane show them; the machine is a stand-in's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobtui.core import WorkDir
from jobtui.core.links import Link
from jobtui.core.logcopy import Far
from jobtui.tui.fetching import lacking_words
from jobtui.tui.log.faraway import Away
from jobtui.tui.screen.linkwords import link_words

Until = Callable[..., Any]
Jobtui = Callable[..., subprocess.CompletedProcess[str]]
FAKE = Path(__file__).parents[1] / "backends" / "fake_ssh.sh"
LOST = "ssh: connect to host far port 22: No route to host"


class Machine:
    """The other machine: a home of its own, and a way there that can be cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "home").mkdir(parents=True)
        (folder / "bin").mkdir()
        (folder / "bin" / "ssh").symlink_to(FAKE)

    def cut(self) -> None:
        (self.folder / "down").write_text(f"{LOST}\n")

    def mend(self) -> None:
        (self.folder / "down").unlink()

    def log(self, job: int) -> Path | None:
        return next(self.folder.glob(f"home/.local/state/jobtui/*/{job}.1/job.stdout"), None)


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workdir: WorkDir) -> Iterator[Machine]:
    machine = Machine(tmp_path / "far")
    monkeypatch.setenv("PATH", f"{machine.folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SSH", str(machine.folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(machine.folder))
    yield machine


def test_a_log_is_printed_followed_and_kept_when_the_link_is_lost(
    far: Machine, jobtui: Jobtui, workdir: WorkDir, tmp_path: Path, until: Until
) -> None:
    go = tmp_path / "go"
    line = f"seq 300000; echo oops >&2; until [ -e {go} ]; do sleep 0.1; done; echo last"
    jobtui("submit", "-b", "ssh@far", "--shell", line, check=0)
    until(lambda: (log := far.log(1)) is not None and log.stat().st_size == 1988895)
    text = "".join(f"{number}\n" for number in range(1, 300001))
    # The end alone, as little as is asked for.
    assert jobtui("logs", "-n", "2", "1", check=0).stdout == "299999\n300000\n"
    assert os.path.getsize(f"{workdir.metadir(1)}/job.stdout") < 2**20
    assert jobtui("logs", "--stderr", "1", check=0).stdout == "oops\n"
    far.cut()
    done = jobtui("logs", "1", check=1)
    assert text.endswith(done.stdout) and done.stdout
    assert re.fullmatch(
        r"jobtui: far: .*No route to host: this is what it held \S+ ago, without its first \S+ \S+\n", done.stderr
    )
    doctor = jobtui("doctor").stdout
    assert "link to far: lost for" in doctor and "No route to host" in doctor
    far.mend()
    # A machine that could not be reached is tried again after a while only.
    until(lambda: jobtui("logs", "-n", "1", "1").returncode == 0, timeout=120.0)
    follower = subprocess.Popen(
        [Path(sys.executable).with_name("jobtui"), "logs", "-f", "1"],
        env={**os.environ, "JOBTUI_WORKDIR": workdir.path, "XDG_CONFIG_HOME": str(tmp_path / "config")},
        stdout=subprocess.PIPE,
    )
    try:
        until(lambda: os.path.getsize(f"{workdir.metadir(1)}/job.stdout") == len(text), timeout=120.0)
        go.touch()
        assert follower.communicate(timeout=120)[0].decode() == f"{text}last\n"
    finally:
        follower.kill()
    assert jobtui("ls", "--json", check=0).stdout.count('"finished"') == 1
    # All is here, and nothing more is to come: nobody is asked.
    far.cut()
    assert jobtui("logs", "1", check=0).stdout == f"{text}last\n"


def test_a_log_of_which_nothing_is_here_says_so(far: Machine, jobtui: Jobtui, workdir: WorkDir, until: Until) -> None:
    far.cut()
    jobtui("submit", "-b", "ssh@far", "--", "true", check=0)
    done = jobtui("logs", "1", check=1)
    assert done.stdout == "" and done.stderr == f"jobtui: nothing of it is here: far: {LOST}\n"


def test_what_is_missing_is_said_in_one_line() -> None:
    def words(far: Far | None, here: int, trouble: str, *, short: bool) -> str:
        return lacking_words("far", far, here, trouble, short, 1000.0)

    whole, cut = Far("far", 1, 0, 100, 940.0), Far("far", 1, 2048, 4096, 940.0)
    assert words(whole, 100, "", short=True) == ""
    assert words(cut, 2048, "", short=False) == ""
    assert words(cut, 2048, "", short=True) == "its first 2.0 KiB are on far only; without --lines all of it is fetched"
    assert words(None, 0, "lost", short=True) == "nothing of it is here: far: lost"
    assert words(cut, 1024, "lost", short=True) == (
        "far: lost: this is what it held 1m00s ago, without its first 2.0 KiB, without the last 1.0 KiB of then"
    )


def test_the_title_says_how_much_of_a_log_is_here() -> None:
    assert Away("far", looked=True).words("B") == ""
    assert Away("far", 2**20, looked=True).words("B") == "the first 1.0 MiB are on far; B fetches them"
    assert Away("far", 2**20, 2**19, looked=True, fetching=True).words("B") == "fetching the first 1.0 MiB: 512.0 KiB"
    lost = Away("far", 2**20, looked=True, trouble="no route", as_of="14:32:10")
    assert lost.words("B") == "far is silent: as of 14:32:10, without the first 1.0 MiB"
    assert Away("far", looked=True, trouble="it cannot be read there").words("B") == "far: it cannot be read there"
    assert Away("far", trouble="no route").empty_words() == "Nothing of it is here: no route"
    assert Away("far").empty_words() == "Being fetched from far ..."


def test_links_are_told_by_times_and_only_while_they_matter() -> None:
    now = time.time()
    good, lost = Link("ssh@one", now - 500, now, now), Link("slurm@two", now - 60, now - 90, now, "no route")
    old = Link("ssh@three", now - 9000, now - 9000, now - 9000, "no route")
    words = link_words([good, lost, old], now)
    assert [link.lost for link in words] == [True, False]
    assert words[0].words.startswith("two lost since ") and words[1].words == "one connected"
    # Nothing is painted while nothing changes.
    assert link_words([good, lost, old], now + 100) == words
