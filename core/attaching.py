"""Taking a job over that was submitted without jobtui: from then on the work directory keeps its history."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from functools import partial

from . import metadir
from .backend import Foreign, Shown
from .catalog import Catalog
from .job import ENDED, Accepted, Attached, JobRow, JobSpec, Resources, Submitting
from .workdir import WorkDir, new_tag

# Seconds that the same submission's time may differ by from one answer to another.
_SAME = 2.0
# Seconds by which a scheduler's clock and ours may differ.
_CLOCKS_DIFFER = 3600.0
_OURS = re.compile(r"jt[0-9a-f]{18}\.\d+(?:\[\d+\])?")
# A whole array, of which some schedulers tell as of a job: what is in the brackets is no single number.
_WHOLE = re.compile(r".*\[(?!\d+\]).*\].*")


def not_attachable(found: Sequence[Foreign]) -> str:
    """Why these listed jobs, which one name stands for, cannot be taken over as one; "" if they can."""
    if len(found) > 1 or _WHOLE.fullmatch(found[0].jid):
        tasks = [other.jid for other in found if not _WHOLE.fullmatch(other.jid)]
        example = f", as {tasks[0]}" if tasks else ""
        return f"it is an array: attach its tasks one by one{example}"
    if _OURS.fullmatch(found[0].mark):
        return "jobtui submitted it from another work directory; open that one with -w"
    return ""


def is_same(row: JobRow, backend: str, other: Foreign) -> bool:
    """Whether a job of a work directory is this listed one: ids of schedulers are used again."""
    if row.backend != backend or row.jid != other.jid:
        return False
    if row.state not in ENDED:
        # Put back into the queue, some get another time of submission.
        return True
    return bool(other.submitted) and abs((row.submitted or 0.0) - other.submitted) <= (
        _SAME if row.attached else _CLOCKS_DIFFER
    )


def there_already(workdir: WorkDir, backend: str, other: Foreign) -> int | None:
    """Under which number the work directory has this job already. Blocks; raises OSError."""
    try:
        return next((row.id for row in Catalog(workdir).all() if is_same(row, backend, other)), None)
    except FileNotFoundError:
        return None


def attached_spec(backend: str, other: Foreign, told: Shown | None, env_ref: str, now: float) -> JobSpec:
    """What is known of a listed job, as a spec; ``told``: what its scheduler tells when asked for it alone."""
    more = told or Shown()
    return JobSpec(
        shell=more.command or other.command or None,
        name=other.name or more.name or other.jid,
        cwd=more.cwd or other.cwd,
        resources=more.resources if told is not None else Resources(queue=other.queue or None),
        backend=backend,
        env_ref=env_ref,
        created=other.submitted or now,
        tag=new_tag(),
        attached=Attached(more.stdout, more.stderr),
    )


def take_over(workdir: WorkDir, spec: JobSpec, other: Foreign, script: str = "") -> int:
    """Make the job folder of a listed job; returns its number. Blocks; raises OSError, and then there is none.

    ``script``: its job script, "" where its scheduler does not give it back.
    """
    return workdir.adopt(spec, partial(_fill, spec, other, script))


def _fill(spec: JobSpec, other: Foreign, script: str, folder: str) -> None:
    if script:
        metadir.write_atomic(f"{folder}/{metadir.GIVEN}", script.encode("utf-8", "surrogateescape"))
    sent = other.submitted or spec.created
    lines = (Submitting(1, spec.tag, sent), Accepted(1, other.jid, spec.backend, sent))
    metadir.write_atomic(f"{folder}/{metadir.JID}", b"".join(map(metadir.encode, lines)))
    assert spec.attached is not None
    for name, path in _logs(spec.attached).items():
        os.symlink(path, f"{folder}/{name}")


def _logs(attached: Attached) -> dict[str, str]:
    """The names of logs in the job folder, each with the file that it leads to. What is no file is left out."""
    paths = {metadir.STDOUT: attached.stdout}
    if attached.stderr != attached.stdout:
        paths[metadir.STDERR] = attached.stderr
    return {name: path for name, path in paths.items() if _is_path(path) and _may_be_a_file(path)}


def _is_path(text: str) -> bool:
    return os.path.isabs(text) and "\0" not in text


def _may_be_a_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        # Not there yet, or not to be seen from here.
        return True
