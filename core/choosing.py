"""Which back end ``auto`` stands for: the first scheduler that answers here, or this machine where none does."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping

import anyio
import msgspec

from .backend import BackendMissingError, Probe, Surroundings, here, load, split
from .job import LOCAL


class Prospect(msgspec.Struct, frozen=True):
    """A back end that was looked for: whether it can be used here, and in words what was found."""

    name: str
    usable: bool
    words: str


async def prospects(env: Mapping[str, str], others: Iterable[str] = ()) -> list[Prospect]:
    """Probe all back ends of this machine and ``others`` (``kind@host``) at the same time; in order of their names.

    ``env``: the environment in which they are asked.
    """
    found: dict[str, Prospect] = {}

    async def look(name: str) -> None:
        try:
            probe = await load(name)(Surroundings(env, host=split(name)[1])).probe()
        except BackendMissingError as error:
            probe = Probe(False, str(error))
        found[name] = Prospect(name, probe.usable, probe.words)

    async with anyio.create_task_group() as tasks:
        for name in {*here(), *others}:
            tasks.start_soon(look, name)
    return [found[name] for name in sorted(found)]


def within_reach(env: Mapping[str, str]) -> list[str]:
    """The schedulers whose commands are on the PATH of ``env``: a cheap look, which runs nothing."""
    path = env.get("PATH", "")
    return [
        name
        for name in sorted(here())
        if (programs := load(name).programs) and all(shutil.which(program, path=path) for program in programs)
    ]


def choose(env: Mapping[str, str]) -> str:
    """The name of the back end that ``auto`` stands for in the environment ``env``. Blocks; may take seconds."""
    from anyio.from_thread import start_blocking_portal

    # Works in a notebook too, whose thread has an event loop already.
    with start_blocking_portal() as portal:
        there = portal.call(prospects, env)
    return chosen(there)


def chosen(there: list[Prospect]) -> str:
    """The first scheduler of these that can be used, or this machine."""
    return next((one.name for one in there if one.usable and one.name != LOCAL), LOCAL)
