"""What clients look at: the engine hears of it, stays for it, and forgets clients that are gone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobtui.core import Engine, JobManager, Settings, WorkDir, WorkDirError
from jobtui.core.lease import is_held, read_lease
from jobtui.core.wants import STALE, LogWant, Looking, Want, Wants

SLURM = Want(schedulers=("slurm",), env={"PATH": "/bin"})


def files(workdir: WorkDir) -> list[Path]:
    folder = Path(workdir.path, "wants")
    return sorted(folder.iterdir()) if folder.exists() else []


def test_the_engine_sees_who_looks_at_what_until_they_look_away(workdir: WorkDir) -> None:
    wants, one, two = Wants(workdir), Looking(workdir), Looking(workdir)
    assert not wants.look(0.0)
    one.at(SLURM)
    two.at(Want(queues=("sge",), logs=(LogWant(3, "stdout", 1, whole=True),)))
    assert wants.look(0.0)
    assert set(wants.schedulers) == {"slurm", "sge"}
    assert wants.schedulers["slurm"] == {"PATH": "/bin"}
    assert wants.queues == {"sge"}
    assert wants.logs == {LogWant(3, "stdout", 1, whole=True)}
    two.close()
    one.at(Want(schedulers=("pbs",)))
    assert wants.look(0.1)
    assert set(wants.schedulers) == {"pbs"}
    one.at(Want())
    assert wants.look(0.2)
    assert wants.all == ()
    assert files(workdir) == []


def test_a_client_that_does_not_renew_is_forgotten_and_its_file_goes(workdir: WorkDir) -> None:
    wants, looking = Wants(workdir), Looking(workdir)
    looking.at(SLURM)
    wants.look(0.0)
    (file,) = files(workdir)
    os.utime(file, (time.time() + 1, time.time() + 1))
    wants.look(STALE - 1)
    assert wants.all == (SLURM,)
    wants.look(2 * STALE - 2)
    assert wants.all == (SLURM,)
    wants.look(2 * STALE)
    assert wants.all == ()
    assert files(workdir) == []
    looking.renew()
    assert wants.look(2 * STALE + 3)
    assert wants.all == (SLURM,)


def test_what_a_killed_client_left_keeps_no_engine_but_a_clock_that_is_wrong_does_no_harm(workdir: WorkDir) -> None:
    looking = Looking(workdir)
    looking.at(SLURM)
    (file,) = files(workdir)
    os.utime(file, (1e9, 1e9))
    wants = Wants(workdir)
    wants.look(0.0)
    assert wants.all == ()
    os.utime(file, (1e9 + 10, 1e9 + 10))
    wants.look(5.0)
    assert wants.all == (SLURM,)


@pytest.mark.parametrize("content", [b"", b"{", b'"text"', b'{"schedulers": 3}', b"{}"])
def test_a_want_that_makes_no_sense_is_none(workdir: WorkDir, content: bytes) -> None:
    workdir.create()
    Path(workdir.path, "wants").mkdir()
    Path(workdir.path, "wants", "x").write_bytes(content)
    wants = Wants(workdir)
    assert not wants.look(0.0)
    assert wants.all == ()


def test_where_the_directory_cannot_be_written_wanting_says_so(workdir: WorkDir) -> None:
    workdir.create()
    Path(workdir.path, "wants").write_text("in the way of the folder")
    with pytest.raises(OSError):
        Looking(workdir).at(SLURM)
    assert not Wants(workdir).look(0.0)
    beneath = WorkDir(Path(workdir.path, "wants", "jobs"))
    with pytest.raises(WorkDirError):
        Looking(beneath).at(SLURM)


def test_an_engine_stays_while_somebody_looks_and_ends_afterwards(workdir: WorkDir, until: Callable[..., Any]) -> None:
    workdir.create()

    async def scenario() -> None:
        manager = JobManager(workdir)
        await manager.look_at("test", Want(schedulers=("nothing-like-this",)))
        async with anyio.create_task_group() as tasks:
            ended = anyio.Event()

            async def drive() -> None:
                await Engine(workdir, Settings(linger=0.1)).run()
                ended.set()

            tasks.start_soon(drive)
            with anyio.move_on_after(1.0):
                await ended.wait()
            assert not ended.is_set()
            assert is_held(read_lease(workdir))
            manager.look_away()
            with anyio.fail_after(20):
                await ended.wait()

    anyio.run(scenario)
