"""The options that describe a job, for submit, run and resubmit, and the spec that they make."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from ..core.conditions import AfterJob, AfterTime, Condition, Ending, all_of
from ..core.filters import FilterError, parse_ids
from ..core.job import JobSpec, Resources, Retry
from ..core.units import parse_duration, parse_signal, parse_size, parse_time

_F = TypeVar("_F", bound=Callable[..., Any])


class _Read(click.ParamType):
    """A parameter read by a function that raises ValueError with words for a person."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        if name not in os.environ:
            raise ValueError(f"write it as NAME=VALUE; '{name}' is not set here either")
        value = os.environ[name]
    return name, value


DURATION = _Read("duration", parse_duration)
SIZE = _Read("size", parse_size)
TIME = _Read("time", lambda text: parse_time(text, time.time()))
IDS = _Read("ids", parse_ids)
VARIABLE = _Read("name=value", _variable)
SIGNAL = _Read("signal", parse_signal)

_OPTIONS = [
    click.option("--name", help="Name of the job [default: its program's name]."),
    click.option("--tag", "tags", multiple=True, help="A tag, to find the job by; may be repeated."),
    click.option("--cwd", metavar="DIR", help="Directory to run in [default: this one; on another machine its home]."),
    click.option("--env", type=VARIABLE, multiple=True, metavar="K=V", help="Set a variable (K alone: as it is here)."),
    click.option("--secret", type=VARIABLE, multiple=True, metavar="K=V", help="Like --env, but never shown."),
    click.option("--stdin", metavar="FILE", help="Read standard input from a file [default: nothing]."),
    click.option("--shell", is_flag=True, help="Give the command to sh as one line."),
    click.option("--timeout", type=DURATION, help="Stop the job after this time (90s, 2h)."),
    click.option("--grace", type=DURATION, help="Time between TERM and KILL when it is stopped [default: 10s]."),
    click.option("--priority", type=int, help="Jobs with a higher one start first [default: 0]."),
    click.option("--cpus", type=click.IntRange(1), help="Cores that it needs [default: 1]."),
    click.option("--mem", type=SIZE, help="Memory that it needs (4G)."),
    click.option("--gpus", type=click.IntRange(0), help="GPUs that it needs."),
    click.option("--retries", type=click.IntRange(0), help="Try again up to N times when it ends badly."),
    click.option("--retry-delay", type=DURATION, help="Wait before trying again."),
    click.option("--retry-backoff", type=click.Choice(["constant", "exponential"]), help="How the wait grows."),
    click.option("--retry-cap", type=DURATION, help="The longest wait [default: 1h]."),
    click.option("--retry-on", metavar="LIST", help="Which endings: exit-code,signal,timeout,lost,exit:75 ..."),
    click.option(
        "--after", type=IDS, multiple=True, metavar="IDS", help="Start when these have finished (3,4 or 3-9)."
    ),
    click.option(
        "--after-any", type=IDS, multiple=True, metavar="IDS", help="Start when these have ended, well or not."
    ),
    click.option("--after-fail", type=IDS, multiple=True, metavar="IDS", help="Start when these have ended badly."),
    click.option("--at", type=TIME, help="Start not before a time (18:30, 2026-12-01T08:00, +2h)."),
    click.option("--hold", is_flag=True, help="Do not start it before it is released."),
    click.option(
        "-b",
        "--backend",
        help="Where it runs: local, slurm, auto (a scheduler if there is one), ssh@HOST, slurm@HOST [default: local].",
    ),
    click.option("--queue", "--partition", "queue", help="Queue or partition of the scheduler."),
    click.option("--account", help="Account that the scheduler books it on."),
    click.option("--time", type=DURATION, help="Time asked of the scheduler [default: what --timeout needs]."),
    click.option("--extra", multiple=True, metavar="OPTION", help="An option handed to the scheduler as it is."),
]


def spec_options(command: _F) -> _F:
    """Give a command the options that describe a job; they arrive as one dictionary ``options``."""
    import functools

    names = [option(lambda: None).__click_params__[0].name for option in _OPTIONS]  # type: ignore[attr-defined]

    @functools.wraps(command)
    def gather(*args: Any, **values: Any) -> Any:
        options = {name: values.pop(name) for name in names}
        return command(*args, options=options, **values)

    for option in reversed(_OPTIONS):
        gather = option(gather)
    return gather  # type: ignore[return-value]


def fields(options: dict[str, Any], old: JobSpec | None = None) -> dict[str, Any]:
    """The fields of JobSpec that the options set; ``old`` is the spec that they change."""
    base = old or JobSpec()
    found: dict[str, Any] = {}
    for name in ("name", "cwd", "stdin", "timeout", "grace", "priority", "backend"):
        if options[name] is not None:
            found[name] = options[name]
    if options["tags"]:
        found["tags"] = tuple(options["tags"])
    if options["hold"]:
        found["hold"] = True
    if options["env"] or options["secret"]:
        found["env"] = {**base.env, **dict(options["env"]), **dict(options["secret"])}
        found["secret"] = tuple(sorted({*base.secret, *dict(options["secret"])} - dict(options["env"]).keys()))
    needs = {
        "cpus": options["cpus"],
        "memory": options["mem"],
        "gpus": options["gpus"],
        "time": options["time"],
        "queue": options["queue"],
        "account": options["account"],
        "extra": tuple(options["extra"]) or None,
    }
    found |= _changed("resources", base.resources, needs)
    on = options["retry_on"]
    retry = {
        "limit": options["retries"],
        "delay": options["retry_delay"],
        "backoff": options["retry_backoff"],
        "cap": options["retry_cap"],
        "on": None if on is None else tuple(word.strip() for word in on.split(",")),
    }
    found |= _changed("retry", base.retry, retry)
    after = _condition(options)
    if after is not None:
        found["after"] = after
    return found


def _changed(name: str, old: Resources | Retry, values: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    given = {key: value for key, value in values.items() if value is not None}
    return {name: msgspec.structs.replace(old, **given)} if given else {}


def _condition(options: dict[str, Any]) -> Condition | None:
    kinds: list[tuple[str, Ending]] = [("after", "ok"), ("after_any", "any"), ("after_fail", "fail")]
    parts: list[Condition] = [AfterJob(job, ending) for name, ending in kinds for ids in options[name] for job in ids]
    if options["at"] is not None:
        parts.append(AfterTime(options["at"]))
    return all_of(parts)


def command_fields(words: Sequence[str], *, shell: bool) -> dict[str, Any]:
    """The command as given: arguments, or with ``shell`` one line for sh."""
    if shell:
        return {"shell": " ".join(words), "command": ()}
    return {"command": tuple(words), "shell": None}


def check_retry_on(options: dict[str, Any]) -> None:
    """Refuse endings that there are not; raises click.UsageError."""
    try:
        check_endings((options["retry_on"] or "").split(","))
    except ValueError as error:
        raise click.UsageError(f"--retry-on: {error}") from error


def check_endings(words: Sequence[str]) -> None:
    """Refuse words that are no ending after which a job can be tried again; raises ValueError."""
    from ..core.job import Reason

    for word in words:
        plain = word.strip()
        if plain and plain not in set(Reason) and not (plain.startswith("exit:") and plain[5:].isdigit()):
            known = "exit-code, signal, timeout, out-of-memory, node-failure, preempted, launch, lost, exit:N"
            raise ValueError(f"there is no ending '{plain}'; there are {known}")


def parse_array(text: str) -> list[int]:
    """The indices of ``1-100``, ``0-20:5`` and lists of those with commas; raises FilterError."""
    wrong = FilterError(f"'{text}' is not an array; write 1-100, 0-20:5 or 1,4,9")
    found: list[int] = []
    for part in text.split(","):
        span, colon, step = part.partition(":")
        if colon and not (step.isascii() and step.isdigit() and int(step) > 0):
            raise wrong
        try:
            ids = parse_ids(span)
        except FilterError:
            raise wrong from None
        found += ids[:: int(step)] if colon else ids
    return list(dict.fromkeys(found))
