"""The command show: one job in full."""

from __future__ import annotations

import os
import time
from datetime import datetime

import click
import msgspec

from ..core.catalog import Detail
from ..core.conditions import describe
from ..core.job import LOCAL, JobSpec, as_object
from ..core.units import duration, size
from ..core.workdir import WorkDir
from .cmd_list import elapsed
from .common import chosen, existing, print_json, workdir_option
from .text import plain

_HIDDEN = "(secret)"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs: a list of the chosen jobs.")
@workdir_option
@click.argument("jobs", nargs=-1, required=True)
def show(as_json: bool, workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Show jobs in full: command, state and why, times, resources, conditions, environment, attempts, files.

    \b
    Examples:
      jobtui show 12
      jobtui show --json 12 | jq '.[0].spec.env'
    """
    manager = existing(workdir)
    details = [detail for row in chosen(manager, jobs) if (detail := manager.detail(row.id)) is not None]
    rows = manager.with_progress([detail.row for detail in details])
    details = [msgspec.structs.replace(detail, row=row) for detail, row in zip(details, rows, strict=True)]
    if as_json:
        print_json([_as_json(detail) for detail in details])
        return
    click.echo("\n\n".join("\n".join(_lines(detail)) for detail in details))


def _shown_spec(spec: JobSpec) -> JobSpec:
    """The spec without the values that are secret."""
    env = {name: _HIDDEN if name in spec.secret else value for name, value in spec.env.items()}
    return msgspec.structs.replace(spec, env=env)


def _as_json(detail: Detail) -> dict[str, object]:
    spec = detail.facts.spec
    found: dict[str, object] = as_object(detail.row)
    found["spec"] = None if spec is None else msgspec.to_builtins(_shown_spec(spec))
    found["attempts"] = msgspec.to_builtins(detail.attempts)
    return found


def _when(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _lines(detail: Detail) -> list[str]:
    row, spec = detail.row, detail.facts.spec or JobSpec()
    state = f"{row.state}{': ' if row.detail else ''}{row.detail}"
    need = [f"{row.cpus} cpu{'s' if row.cpus > 1 else ''}", size(row.memory), f"{row.gpus} gpus" if row.gpus else ""]
    facts: list[tuple[str, str]] = [
        ("job", str(row.id)),
        ("name", row.name),
        ("state", state),
        ("command", row.command),
        ("directory", row.cwd),
        ("stdin", spec.stdin or ""),
        (
            "back end",
            row.backend
            + (f", {'process' if row.backend == LOCAL else 'job'} {row.jid}" if row.jid else "")
            + (f" on {row.host}" if row.host else ""),
        ),
        ("attached", "submitted without jobtui, taken over later" if spec.attached else ""),
        ("stdout", spec.attached.stdout if spec.attached else ""),
        ("stderr", spec.attached.stderr if spec.attached else ""),
        ("exit code", "" if row.exit_code is None else str(row.exit_code)),
        ("attempt", str(row.attempt)),
        ("created", _when(row.created)),
        ("may start", _when(row.expected)),
        ("started", _when(row.started)),
        ("ended", _when(row.ended)),
        ("progress", "" if row.progress is None else f"{row.progress:.0%}"),
        ("elapsed", duration(elapsed(row, time.time()))),
        ("resources", ", ".join(filter(None, need))),
        ("time limit", duration(spec.timeout)),
        ("priority", str(row.priority) if row.priority else ""),
        ("starts", describe(spec.after)),
        ("tags", " ".join(row.tags)),
        ("array", f"task {row.array_index} of array {row.array}" if row.array is not None else ""),
        ("resubmitted", f"from job {row.resubmitted_from}" if row.resubmitted_from is not None else ""),
        ("damaged", ", ".join(detail.facts.damaged)),
        ("folder", row.metadir),
    ]
    lines = [f"{name:<12}{plain(value)}" for name, value in facts if value]
    shown = _shown_spec(spec).env
    lines += [f"{'env' if i == 0 else '':<12}{plain(f'{k}={shown[k]}')}" for i, k in enumerate(sorted(shown))]
    for i, attempt in enumerate(detail.attempts):
        end = "no exit code" if attempt.exit_code is None else f"exit code {attempt.exit_code}"
        words = f"attempt {attempt.number}: {end}, started {_when(attempt.started)}, ended {_when(attempt.ended)}"
        lines.append(f"{'earlier' if i == 0 else '':<12}{words}")
    for i, name in enumerate(("job.stdout", "job.stderr")):
        path = f"{row.metadir}/{name}"
        if os.path.exists(path):
            lines.append(f"{'output' if i == 0 else '':<12}{plain(path)} ({size(os.stat(path).st_size)})")
    return lines
