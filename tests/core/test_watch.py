"""Hints of changed files: by events, and by looking where events do not come or the machine has none left."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
import watchfiles

from jobtui.core import watch
from jobtui.core.identity import FileSystem


async def _sees_an_append(folder: Path) -> bool:
    """Whether a change of a file is told well before the heartbeat."""
    file = folder / "journal"
    file.write_text("one\n")
    looks = watch.changes_in([str(folder), str(file)], heartbeat=60.0)
    with anyio.move_on_after(10):
        async with anyio.create_task_group() as tasks:

            async def append_until_seen() -> None:
                while True:
                    with file.open("a") as out:
                        out.write("more\n")
                    await anyio.sleep(0.1)

            tasks.start_soon(append_until_seen)
            await anext(looks)
            tasks.cancel_scope.cancel()
            return True
    return False


def test_an_event_tells_of_a_change(tmp_path: Path) -> None:
    assert anyio.run(_sees_an_append, tmp_path)


def test_a_shared_file_system_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> object:
        pytest.fail("events of a shared file system tell only of this machine's own changes")

    monkeypatch.setattr(watchfiles, "awatch", refuse)
    monkeypatch.setattr(watch, "file_system", lambda path: FileSystem("nfs4", False))
    assert anyio.run(_sees_an_append, tmp_path)


def test_without_a_change_the_heartbeat_comes_and_a_vanished_folder_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    async def two_beats() -> None:
        looks = watch.changes_in([str(folder)], heartbeat=0.2)
        with anyio.fail_after(10):
            await anext(looks)
            folder.rmdir()
            for _ in range(3):
                await anext(looks)

    anyio.run(two_beats)
