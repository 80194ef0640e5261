"""What can be set of an engine: slots, budgets, what an error does; per work directory, over a person's defaults."""

from __future__ import annotations

import glob
import os
from typing import Any, Literal

import msgspec

from . import metadir
from .decoding import convert
from .workdir import SETTINGS, WorkDir


class SettingsError(Exception):
    """A settings file cannot be used; the text says which and why."""


class Settings(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The settings of one engine. None stands for what the machine has.

    ``slots``: jobs at once. ``cpus``, ``memory`` (bytes), ``gpus``: budgets that the running jobs' requests must fit
    into. ``on_error``: "ignore" goes on, "retry" tries failed jobs again up to ``retries`` times (unless the
    job says otherwise), "halt" cancels everything else after the first failure. ``submission_batch``: attempts
    handed to a back end in one call. ``queued``: jobs at once in each scheduler's queue, waiting and running.
    ``linger``: seconds that an engine without work stays. ``autostart``:
    whether submitting starts an engine.
    """

    slots: int | None = None
    cpus: int | None = None
    memory: int | None = None
    gpus: int | None = None
    on_error: Literal["ignore", "retry", "halt"] = "ignore"
    retries: int = 3
    submission_batch: int = 16
    queued: int = 10_000
    linger: float = 10.0
    autostart: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that no engine can work with (ValueError)."""
        least = {
            "slots": 1,
            "cpus": 1,
            "memory": 1,
            "gpus": 0,
            "retries": 0,
            "submission_batch": 1,
            "queued": 1,
            "linger": 0,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise ValueError(f"{name} must be at least {bound}")


def default_retries(settings: Settings) -> int:
    """How often a failed job that does not say itself is tried again."""
    return settings.retries if settings.on_error == "retry" else 0


class Budget(msgspec.Struct, frozen=True):
    """How much may be in use at once, in jobs, cores, bytes and devices."""

    slots: int
    cpus: int
    memory: int
    gpus: int


def budget(settings: Settings) -> Budget:
    """The settings with what this machine has in place of None."""
    cores = len(os.sched_getaffinity(0))
    slots = settings.slots if settings.slots is not None else cores
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Budget(
        slots=slots,
        # More slots than cores is a person's word that the jobs do not fill a core each.
        cpus=settings.cpus if settings.cpus is not None else max(slots, cores),
        memory=settings.memory if settings.memory is not None else memory,
        gpus=settings.gpus if settings.gpus is not None else len(glob.glob("/dev/nvidia[0-9]*")),
    )


def queue_budget(settings: Settings) -> Budget:
    """The budget of a scheduler's jobs: it counts them, and leaves their needs to the scheduler."""
    return Budget(slots=settings.queued, cpus=settings.queued, memory=0, gpus=0)


class FileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[files]``: how a person's clients follow files.

    ``watch``: "events" of the kernel, "poll" for looking at them again and again, or "auto" by the file system.
    """

    watch: Literal["auto", "events", "poll"] = "auto"


def config_path() -> str:
    """The person's own settings file (TOML; tables ``[engine]`` and ``[files]``, and those of the screen)."""
    from platformdirs import user_config_path

    return str(user_config_path("jobtui") / "config.toml")


def _table(name: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """One table of the person's settings file, which makes a ``kind``; raises SettingsError."""
    path = config_path()
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    import tomllib

    try:
        table = tomllib.loads(text.decode("utf-8")).get(name, {})
        convert(table, kind)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {error}") from error
    return table


def _personal() -> dict[str, Any]:
    return _table("engine", Settings)


def file_settings() -> tuple[FileSettings, str]:
    """The settings of ``[files]`` in force, and in words why those are the defaults although others were set."""
    try:
        return convert(_table("files", FileSettings), FileSettings), ""
    except SettingsError as error:
        return FileSettings(), str(error)
    except OSError as error:
        return FileSettings(), f"{error.filename}: {error.strerror}"


def own_settings(workdir: WorkDir) -> dict[str, Any]:
    """What was set for this work directory alone; raises SettingsError."""
    path = workdir.file(SETTINGS)
    try:
        with open(path, "rb") as file:
            values = msgspec.json.decode(file.read(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, ValueError) as error:
        raise SettingsError(f"{path}: {error}; remove the file or set the values again") from error
    return values


def read_settings(workdir: WorkDir) -> Settings:
    """The settings in force for a work directory; raises SettingsError."""
    try:
        return convert({**_personal(), **own_settings(workdir)}, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{workdir.file(SETTINGS)}: {error}") from error


def write_settings(workdir: WorkDir, values: dict[str, Any]) -> Settings:
    """Set some values for a work directory (None: back to the default); raises SettingsError or OSError."""
    merged = {name: value for name, value in {**own_settings(workdir), **values}.items() if value is not None}
    try:
        settings = convert({**_personal(), **merged}, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from error
    metadir.write_atomic(workdir.file(SETTINGS), msgspec.json.encode(merged) + b"\n")
    return settings
