"""The package: what is in a wheel, and what importing the core and listing jobs do not load."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
JOBTUI = str(Path(sys.executable).with_name("jobtui"))
HEAVY = {"textual", "rich", "watchfiles", "asyncio", "anyio"}


def _can_build() -> bool:
    try:
        setuptools = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        return False
    return importlib.util.find_spec("build") is not None and int(setuptools.split(".")[0]) >= 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built of a copy of the source, so that nothing is left in the tree."""
    if not _can_build():
        pytest.skip("building a wheel needs build and setuptools 77 in this environment")
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True)
    for name in tracked.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = out.iterdir()
    return found


def test_a_wheel_holds_jobtui_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"jobtui"}
    assert len(tops) == 2
    assert {name.split("/")[1] for name in names if name.startswith("jobtui/")} == {"core", "backends", "tui"}
    sources = {
        str(path.relative_to(ROOT)) for part in ("core", "backends", "tui") for path in (ROOT / part).rglob("*.py")
    }
    assert sources <= {name.removeprefix("jobtui/") for name in names}
    assert {"jobtui/core/py.typed", "jobtui/backends/py.typed", "jobtui/tui/py.typed"} <= set(names)


def test_a_wheel_gives_the_command_and_the_back_end(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    (entry_points,) = tmp_path.glob("*.dist-info/entry_points.txt")
    assert "jobtui = jobtui.tui.cli:entry" in entry_points.read_text()
    assert "local = jobtui.backends.local:LocalBackend" in entry_points.read_text()
    code = "import jobtui.core, jobtui.backends.local; from jobtui.tui.cli import main; print(jobtui.core.__file__)"
    code += "; main(['submit', '--help'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path}/jobtui/core/__init__.py\nUsage: jobtui submit")


def loaded(code: str) -> set[str]:
    """The top-level modules that are loaded after running ``code`` in a fresh interpreter."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_core_loads_no_screen_no_command_line_and_no_event_loop() -> None:
    assert not loaded("import jobtui.core") & {*HEAVY, "click", "platformdirs", "sqlite3", "msgspec"}


def test_the_blocking_face_of_the_core_loads_no_event_loop() -> None:
    code = "from jobtui.core import BlockingJobManager, JobSpec; BlockingJobManager('/tmp/x')"
    assert not loaded(code) & {*HEAVY, "click"}


def test_every_public_name_of_the_core_is_there() -> None:
    import jobtui.core

    assert len(jobtui.core.__all__) == len(set(jobtui.core.__all__)) > 20
    for name in jobtui.core.__all__:
        assert getattr(jobtui.core, name).__name__ == name
        assert getattr(jobtui.core, name).__module__.startswith("jobtui.core.")
    with pytest.raises(AttributeError, match="no attribute 'Nope'"):
        _ = jobtui.core.Nope


def _imports(arguments: list[str], workdir: Path) -> set[str]:
    """The top-level modules that the real command loads."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", JOBTUI, *arguments],
        env={**os.environ, "JOBTUI_WORKDIR": str(workdir)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-500:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize(
    "arguments", [["ls"], ["ls", "--json"], ["show", "1"], ["queue"], ["cancel", "1"], ["submit", "--help"]]
)
def test_a_quick_command_loads_nothing_slow(tmp_path: Path, arguments: list[str]) -> None:
    from jobtui.core.job import JobSpec
    from jobtui.core.settings import write_settings
    from jobtui.core.workdir import WorkDir

    workdir = WorkDir(tmp_path / "w")
    workdir.create()
    write_settings(workdir, {"autostart": False})
    workdir.add([JobSpec(command=("true",), hold=True, tag="jttag")])
    modules = _imports(arguments, tmp_path / "w")
    assert {"jobtui", "click"} <= modules, "the imports were seen at all"
    assert not modules & HEAVY
