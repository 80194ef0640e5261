"""What Slurm tells of one job (``scontrol show job``), above all where it writes."""

from __future__ import annotations

import os
import re

from ..core.backend import Shown
from ..core.job import Resources
from .dialect import number

_NONE = frozenset({"", "(null)", "N/A", "None", "UNLIMITED", "Partition_Limit"})
# These stand on lines of their own, to whose end they reach; all others hold no blank.
_LINE = re.compile(r"^   (Command|WorkDir|StdErr|StdIn|StdOut|TresPerNode)=(.*)$", re.MULTILINE)
_WORD = re.compile(r"(?:^|\s)([A-Za-z:/]+)=(\S*)")
_PATTERN = re.compile(r"%(\d*)([%AaJjNnstux])")
_SIZES = {"": 2**20, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_TIME = re.compile(r"(?:(\d+)-)?(\d+):(\d+):(\d+)")
_GPUS = re.compile(r"gres[:/]gpu(?::[^:,\s]+)?[:=](\d+)")


def shown(jid: str, text: str) -> Shown | None:
    """The first record in an answer; None if there is none."""
    if not text.startswith("JobId="):
        return None
    record = text.split("\n\n", 1)[0]
    words = dict(reversed(_WORD.findall(record)))
    lines = {name: "" if value in _NONE else value for name, value in _LINE.findall(record)}
    name = record.partition("\n")[0].partition(" JobName=")[2]
    array, _, task = jid.partition(";")[0].partition("_")
    values = {
        "%": "%",
        "A": array,
        "a": task or "4294967294",
        "j": words.get("JobId", ""),
        "J": words.get("JobId", ""),
        "N": words.get("BatchHost", "").partition(".")[0],
        "n": "0",
        "s": "batch",
        "t": "0",
        "u": words.get("UserId", "").partition("(")[0],
        "x": name,
    }
    cwd = lines.get("WorkDir", "")
    gpus = _GPUS.search(record)
    return Shown(
        stdout=_filled(lines.get("StdOut", ""), values, cwd),
        stderr=_filled(lines.get("StdErr", ""), values, cwd),
        name=name,
        command=lines.get("Command", ""),
        cwd=cwd,
        resources=Resources(
            cpus=max(1, int(number(words.get("NumCPUs", "1").partition("-")[0]))),
            memory=_size(words.get("MinMemoryNode", "")),
            gpus=int(gpus[1]) if gpus is not None else 0,
            time=_seconds(words.get("TimeLimit", "")),
            queue=words.get("Partition", "") or None,
            account=None if words.get("Account", "") in _NONE else words["Account"],
        ),
    )


def _filled(path: str, values: dict[str, str], cwd: str) -> str:
    """A path with the patterns filled in that Slurm left, as for a job of one task; "" where one is not known yet."""
    if not path:
        return ""
    for _, letter in _PATTERN.findall(path):
        if not values[letter]:
            return ""
    filled = _PATTERN.sub(lambda match: values[match[2]].rjust(int(match[1] or 0), "0"), path)
    return os.path.join(cwd, filled)


def _size(text: str) -> int | None:
    match = re.fullmatch(r"(\d+)([KMGT]?)", text)
    return int(match[1]) * _SIZES[match[2]] or None if match is not None else None


def _seconds(text: str) -> float | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
