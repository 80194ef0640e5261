"""Which work directories a person has used is remembered, whoever writes at the same time, and harms nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobtui.core.blocking import BlockingJobManager
from jobtui.core.job import JobSpec
from jobtui.core.places import known, places_folder, remember


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def folder(root: Path, name: str) -> str:
    (root / name).mkdir(parents=True, exist_ok=True)
    return str(root / name)


def used(path: str, days_ago: float) -> None:
    """Make a place one that was used so long ago."""
    remember(path)
    then = time.time() - days_ago * 86400
    for file in Path(places_folder()).iterdir():
        if os.fsdecode(file.read_bytes()) == f"{path}\n":
            os.utime(file, (then, then))


def test_the_one_used_last_comes_first_and_each_once(tmp_path: Path) -> None:
    assert known() == []
    one, two, three = (folder(tmp_path, name) for name in ("one", "two", "three"))
    used(one, 2)
    used(two, 1)
    used(three, 3)
    assert known() == [two, one, three]
    remember(three)
    assert known() == [three, two, one]


def test_removed_ones_are_forgotten_but_not_what_is_out_of_reach_now(tmp_path: Path) -> None:
    paths = [folder(tmp_path, name) for name in ("one", "two", "disk/three")]
    for path in paths:
        remember(path)
    os.rmdir(paths[1])
    os.rename(tmp_path / "disk", tmp_path / "unmounted")
    assert known() == [paths[0]]
    os.rename(tmp_path / "unmounted", tmp_path / "disk")
    os.mkdir(paths[1])
    assert known() == [paths[2], paths[0]]


def test_only_the_newest_hundred_are_kept(tmp_path: Path) -> None:
    paths = [folder(tmp_path, str(number)) for number in range(103)]
    used(paths[0], 1)
    for path in paths[1:]:
        remember(path)
    assert len(known()) == len(os.listdir(places_folder())) == 100
    assert paths[0] not in known() and paths[-1] in known()


def test_a_damaged_file_is_a_place_that_is_not_there(tmp_path: Path) -> None:
    remember(folder(tmp_path, "one"))
    Path(places_folder(), "0").write_bytes(b"\xff\x00\x00garbage")
    Path(places_folder(), "1").write_bytes(b"")
    assert known() == [str(tmp_path / "one")]


def test_where_nothing_can_be_written_nothing_is_harmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nope")
    remember(folder(tmp_path, "one"))
    assert known() == []


def test_a_path_that_is_no_text_is_remembered(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\nodd")
    os.mkdir(path)
    remember(path)
    assert known() == [path]


def test_writers_at_the_same_time_do_not_lose_each_others_places(tmp_path: Path) -> None:
    paths = [folder(tmp_path, str(number)) for number in range(8)]
    code = "import sys; from jobtui.core.places import remember; [remember(path) for path in sys.argv[1:]]"
    writers = [subprocess.Popen([sys.executable, "-c", code, *paths[i::2]]) for i in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert set(known()) == set(paths)


def test_submitting_remembers_the_work_directory(tmp_path: Path) -> None:
    manager = BlockingJobManager(tmp_path / "jobs")
    manager.configure({"autostart": False})
    assert known() == []
    manager.submit(JobSpec(command=("true",)))
    assert known() == [manager.workdir.path]
    shutil.rmtree(manager.workdir.path)
    assert known() == []
