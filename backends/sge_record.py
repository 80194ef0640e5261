"""What Grid Engine tells of one job (``qstat -j``), above all where it writes."""

from __future__ import annotations

import os
import re

from ..core.backend import Shown
from ..core.job import Resources

_LINE = re.compile(r"^([a-z][\w ]*):[ \t]+(.*)$", re.MULTILINE)
# The pseudo variables of qsub's option -o.
_VARIABLE = re.compile(r"\$(HOME|USER|JOB_ID|JOB_NAME|HOSTNAME|TASK_ID)\b")


def shown(jid: str, text: str) -> Shown | None:
    """What the answer tells; None if it tells of no job."""
    found: dict[str, str] = {}
    for name, value in _LINE.findall(text):
        found.setdefault(name, value.strip())
    number, _, task = jid.partition(".")
    if found.get("job_number") != number:
        return None
    name = found.get("job_name", "")
    values = {
        "HOME": found.get("sge_o_home", ""),
        "USER": found.get("owner", ""),
        "JOB_ID": number,
        "JOB_NAME": name,
        # Grid Engine does not tell the node here.
        "HOSTNAME": "",
        "TASK_ID": task or "undefined",
    }
    cwd = found.get("cwd") or values["HOME"]
    part = f".{task}" if task else ""
    stdout, host = _path(found.get("stdout_path_list", ""), f"{name}.o{number}{part}", values, cwd)
    stderr, _ = _path(found.get("stderr_path_list", ""), f"{name}.e{number}{part}", values, cwd)
    return Shown(
        stdout=stdout,
        stderr=stdout if found.get("merge") == "y" else stderr,
        host=host,
        name=name,
        command=found.get("script_file", ""),
        cwd=cwd,
        resources=Resources(queue=found.get("hard_queue_list") or None),
    )


def _path(listed: str, usual: str, values: dict[str, str], cwd: str) -> tuple[str, str]:
    """The path in ``cell:host:path``, the first of several, and its host; "" where it is not known."""
    first = listed.partition(",")[0].split(":", 2)
    host = first[1] if len(first) == 3 and first[1] != "NONE" else ""
    path = first[2] if len(first) == 3 else usual
    if any(not values[name] for name in _VARIABLE.findall(path)):
        return "", host
    path = _VARIABLE.sub(lambda match: values[match[1]], path)
    if path.endswith("/"):
        path += usual
    return (os.path.join(cwd, path) if cwd or path.startswith("/") else ""), host
