"""What the ``#SBATCH`` lines of a job script ask for that Slurm does not tell of the job, to be asked for again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import msgspec

from ..core.job import Resources
from .dialect import number

_DIRECTIVE = re.compile(r"^#SBATCH\s+(.*)$", re.MULTILINE)
_LONG = {
    "-J": "--job-name", "-o": "--output", "-e": "--error", "-i": "--input", "-D": "--chdir", "-t": "--time",
    "-p": "--partition", "-A": "--account", "-c": "--cpus-per-task", "-a": "--array", "-d": "--dependency",
    "-H": "--hold", "-b": "--begin", "-W": "--wait", "-Q": "--quiet", "-M": "--clusters", "-n": "--ntasks",
    "-N": "--nodes", "-G": "--gpus", "-q": "--qos", "-C": "--constraint", "-w": "--nodelist", "-x": "--exclude",
    "-L": "--licenses", "-F": "--nodefile", "-k": "--no-kill", "-s": "--oversubscribe", "-O": "--overcommit",
    "-m": "--distribution", "-B": "--extra-node-info", "-S": "--core-spec", "-v": "--verbose",
}  # fmt: skip
# Told of the job itself, ours to say, or about one submission only.
_LEFT_OUT = frozenset({
    "--job-name", "--output", "--error", "--input", "--chdir", "--time", "--partition", "--account", "--mem",
    "--cpus-per-task", "--array", "--dependency", "--hold", "--begin", "--wait", "--quiet", "--clusters", "--comment",
    "--open-mode", "--parsable", "--requeue", "--no-requeue", "--export", "--export-file", "--get-user-env",
    "--test-only", "--verbose", "--deadline", "--kill-on-invalid-dep", "--signal",
})  # fmt: skip


def needs(script: str, told: Resources) -> Resources:
    """What a job with this script is to ask for, where ``told`` is what Slurm tells of the one that had it."""
    options = list(_options(script))
    extra = tuple(name if value is None else f"{name}={value}" for name, value in options if name not in _LEFT_OUT)
    named = {name: value or "" for name, value in options}
    changes: dict[str, object] = {"extra": extra}
    if any(name.startswith(("--ntasks", "--nodes", "--extra-node-info")) for name in named):
        # What is told is the sum over all tasks.
        changes["cpus"] = max(1, int(number(named.get("--cpus-per-task", ""))))
    if any(name.startswith(("--gres", "--gpus")) for name in named):
        changes["gpus"] = 0
    if "--mem-per-cpu" in named or "--mem-per-gpu" in named:
        changes["memory"] = None
    return msgspec.structs.replace(told, **changes)


def _options(script: str) -> Iterator[tuple[str, str | None]]:
    """The options in the lines before the first command, by their long names, each with its value."""
    for line in script.split("\n"):
        if line.strip() and not line.startswith("#"):
            return
        match = _DIRECTIVE.match(line)
        if match is None:
            continue
        try:
            words = shlex.split(match[1], comments=True)
        except ValueError:
            continue
        yield from _grouped(words)


def _grouped(words: list[str]) -> Iterator[tuple[str, str | None]]:
    name: str | None = None
    for word in words:
        if not word.startswith("-"):
            if name is not None:
                yield name, word
            name = None
            continue
        if name is not None:
            yield name, None
        name, _, value = word.partition("=") if word.startswith("--") else (word[:2], "", word[2:])
        name = _LONG.get(name, name)
        if value:
            yield name, value
            name = None
    if name is not None:
        yield name, None
