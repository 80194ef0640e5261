"""Fixtures for tests on real schedulers, which run only where JOBTUI_TEST_CLUSTERS is set (`make test-clusters`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobtui.core import BlockingJobManager, JobRow, JobSpec, WorkDir

if not os.environ.get("JOBTUI_TEST_CLUSTERS"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def manager(workdir: WorkDir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BlockingJobManager:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return BlockingJobManager(workdir)


@pytest.fixture
def row(manager: BlockingJobManager) -> Callable[[int], JobRow]:
    def read(job: int) -> JobRow:
        detail = manager.detail(job)
        assert detail is not None
        return detail.row

    return read


@pytest.fixture
def sh() -> Callable[..., JobSpec]:
    def make(line: str, **more: Any) -> JobSpec:
        return JobSpec(shell=line, backend="slurm", **more)

    return make


@pytest.fixture
def until(until: Callable[..., Any]) -> Callable[..., Any]:
    """As elsewhere, with bounds for machines that run three schedulers beside other work."""

    def wait(condition: Callable[[], Any], timeout: float = 20.0) -> Any:
        return until(condition, timeout * 5)

    return wait
