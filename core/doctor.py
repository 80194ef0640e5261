"""Checks this machine and a work directory, and says what is wrong and what to do about it."""

from __future__ import annotations

import os
import time

import anyio
import anyio.to_thread
import msgspec

from . import metadir
from .backend import here
from .catalog import Catalog
from .choosing import chosen, prospects
from .filters import id_ranges
from .index import IndexReader, IndexUnusableError
from .job import ENDED, LOCAL, State, is_far
from .lease import is_held, read_lease
from .links import Link, read_links
from .seen import read_seen
from .settings import config_path, file_settings
from .units import counted, duration
from .watch import gives_events, watching
from .workdir import INBOX, INDEX, WorkDir

_LEAST_FREE = 2**20
_LEAST_INODES = 16
_REPAIR = "put it back from a copy, or remove the job with jobtui rm"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was checked: whether it is as it should be, and in words what was found."""

    good: bool
    words: str


async def examine(workdir: WorkDir) -> list[Finding]:
    """Check the back ends, the settings, and the work directory with its engine, index and jobs."""
    return await _machine(workdir) + await anyio.to_thread.run_sync(_directory, workdir)


async def _machine(workdir: WorkDir) -> list[Finding]:
    elsewhere = await anyio.to_thread.run_sync(_elsewhere, workdir)
    there = await prospects(dict(os.environ), elsewhere)
    # A scheduler that is not here is no fault of this machine's.
    optional = set(here()) - {LOCAL}
    findings = [Finding(one.usable or one.name in optional, f"back end {one.name}: {one.words}") for one in there]
    own = [one for one in there if not is_far(one.name)]
    findings.append(Finding(True, f"back end auto: stands for {chosen(own)} here"))
    path = config_path()
    lacking = "" if os.path.exists(path) else " (not there: the defaults hold)"
    wrong = file_settings()[1]
    return [*findings, Finding(not wrong, f"your settings: {wrong or path}{lacking}")]


def _elsewhere(workdir: WorkDir) -> list[str]:
    """The back ends on other machines to which this work directory has sent jobs."""
    return [seen.backend for seen in read_seen(workdir) if is_far(seen.backend)] if workdir.exists() else []


def _directory(workdir: WorkDir) -> list[Finding]:
    if not workdir.exists():
        return [Finding(True, f"work directory {workdir.path}: not there yet; the first submit makes it")]
    space = os.statvfs(workdir.path)
    free = space.f_bavail * space.f_frsize
    roomy = free > _LEAST_FREE and (space.f_favail > _LEAST_INODES or not space.f_files)
    return [
        Finding(True, f"work directory {workdir.path} ({_followed(workdir.path)})"),
        Finding(os.access(workdir.path, os.W_OK), "writing to the work directory"),
        Finding(roomy, f"{free // 2**20} MiB free on its file system"),
        _engine(workdir),
        *_links(workdir),
        _jobs(workdir),
        _index(workdir),
    ]


def _followed(path: str) -> str:
    """What file system a work directory is on, and how its changes are noticed."""
    how = watching(path)
    kind = how.where.kind if how.where.local else f"{how.where.kind}, which other machines may write to"
    told = ", as your settings say" if how.told else ""
    if not how.events:
        return f"{kind}; changes are found by looking{told}"
    if gives_events(path):
        return f"{kind}; the kernel tells of changes{told}"
    limits = "fs.inotify.max_user_instances and fs.inotify.max_user_watches"
    return f"{kind}; changes are found by looking, because this machine gives you no more events: see {limits}"


def _engine(workdir: WorkDir) -> Finding:
    lease = read_lease(workdir)
    if lease is not None and is_held(lease):
        hints = len(os.listdir(workdir.file(INBOX)))
        return Finding(
            True,
            f"an engine drives it: pid {lease.process.pid} on {lease.host}; {counted(hints, 'hint')} not taken yet",
        )
    rows = Catalog(workdir).recent(0)
    active = sum(row.state not in ENDED and row.state is not State.HELD for row in rows)
    if active:
        have = "has" if active == 1 else "have"
        return Finding(
            False,
            f"no engine drives it, and {counted(active, 'job')} {have} not ended; start one with: jobtui engine start",
        )
    return Finding(True, "no engine runs, and none is needed")


def _links(workdir: WorkDir) -> list[Finding]:
    """How the machines answered on which jobs run; one that does not now is no fault of this machine's."""
    return [Finding(True, f"link to {link.host}: {_link(link)}") for link in read_links(workdir)]


def _link(link: Link) -> str:
    now = time.time()
    answered = f"answered {duration(max(0.0, now - link.at))} ago" if link.at else "never answered"
    if not link.trouble:
        return answered
    since = duration(max(0.0, now - link.since))
    return f"lost for {since}; {answered}; tried {duration(max(0.0, now - link.tried))} ago: {link.trouble}"


def _jobs(workdir: WorkDir) -> Finding:
    ids = workdir.ids()
    # Read, whatever the index says: a file that was damaged in place leaves no mark on its folder.
    damaged = [job for job in ids if metadir.is_spec_damaged(workdir.metadir(job))]
    if damaged:
        words = f"{counted(len(ids), 'job')}; job.json cannot be read of {id_ranges(damaged)}: {_REPAIR}"
        return Finding(False, words)
    return Finding(True, counted(len(ids), "job"))


def _index(workdir: WorkDir) -> Finding:
    try:
        with IndexReader(workdir.file(INDEX)) as index:
            return Finding(True, f"the index knows {counted(index.counts()[1], 'job')}")
    except IndexUnusableError as error:
        return Finding(True, f"no usable index ({error}); the next engine makes it anew")
