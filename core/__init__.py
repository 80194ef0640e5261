"""The async core of jobtui: submit, run, watch, cancel and retry jobs. Names are loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blocking import BlockingJobManager
    from .catalog import Detail
    from .conditions import AfterJob, AfterTime, AllOf, AnyOf
    from .engine import Engine
    from .filters import FilterError
    from .job import ArrayTask, JobRow, JobSpec, Outcome, Reason, Resources, Retry, SpecError, State
    from .journal import Change
    from .logfile import LogFile
    from .manager import Feed, JobManager
    from .settings import Settings, SettingsError
    from .supervisor import EngineFailedError
    from .workdir import WorkDir, WorkDirError

_PLACES = {
    "AfterJob": "conditions",
    "AfterTime": "conditions",
    "AllOf": "conditions",
    "AnyOf": "conditions",
    "ArrayTask": "job",
    "BlockingJobManager": "blocking",
    "Change": "journal",
    "Detail": "catalog",
    "Engine": "engine",
    "EngineFailedError": "supervisor",
    "Feed": "manager",
    "FilterError": "filters",
    "JobManager": "manager",
    "JobRow": "job",
    "JobSpec": "job",
    "LogFile": "logfile",
    "Outcome": "job",
    "Reason": "job",
    "Resources": "job",
    "Retry": "job",
    "Settings": "settings",
    "SettingsError": "settings",
    "SpecError": "job",
    "State": "job",
    "WorkDir": "workdir",
    "WorkDirError": "workdir",
}

__all__ = [
    "AfterJob",
    "AfterTime",
    "AllOf",
    "AnyOf",
    "ArrayTask",
    "BlockingJobManager",
    "Change",
    "Detail",
    "Engine",
    "EngineFailedError",
    "Feed",
    "FilterError",
    "JobManager",
    "JobRow",
    "JobSpec",
    "LogFile",
    "Outcome",
    "Reason",
    "Resources",
    "Retry",
    "Settings",
    "SettingsError",
    "SpecError",
    "State",
    "WorkDir",
    "WorkDirError",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used: listing jobs must not load the engine."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = value
    return value
