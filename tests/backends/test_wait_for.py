"""How each scheduler is told what a job waits for, and what it cannot be told."""

from __future__ import annotations

import msgspec
import pytest
from backend_kit import request

from jobtui.backends.dialect import Depends, Dialect, Reply, Site
from jobtui.backends.lsf import Lsf
from jobtui.backends.pbs import Pbs
from jobtui.backends.sge import Sge
from jobtui.backends.slurm import Slurm
from jobtui.core.backend import Dependency, Parent
from jobtui.core.conditions import Ending
from jobtui.core.job import JobSpec, Reason, Resources

SITE = Site("it")


def waits(*parents: tuple[str, Ending], one_is_enough: bool = False) -> Dependency:
    return Dependency(tuple(Parent(job, 1, jid, ending) for job, (jid, ending) in enumerate(parents)), one_is_enough)


@pytest.mark.parametrize(
    ("dialect", "dependency", "words"),
    [
        (Slurm(), waits(("7", "ok"), ("8_3", "any")), "--dependency=afterok:7,afterany:8_3"),
        (Slurm(), waits(("7", "ok"), ("8", "fail"), one_is_enough=True), "--dependency=afterok:7?afternotok:8"),
        (Sge(), waits(("7", "any"), ("8", "any")), "-hold_jid 7,8"),
        (Pbs(), waits(("7.head", "ok"), ("8.head", "ok")), "-W depend=afterok:7.head,afterok:8.head"),
        (Lsf(), waits(("7", "ok"), ("8[3]", "fail")), "-w done(7) && exit(8[3])"),
        (Lsf(), waits(("7", "any"), ("8", "ok"), one_is_enough=True), "-w ended(7) || done(8)"),
    ],
)
def test_a_submission_says_what_it_waits_for(dialect: Dialect, dependency: Dependency, words: str) -> None:
    waiting = msgspec.structs.replace(request(), after=dependency)
    assert words in " ".join(dialect.submit(waiting, SITE).argv)
    assert words not in " ".join(dialect.submit(request(), SITE).argv)


def test_slurm_cancels_what_can_never_start_and_says_that_this_was_why() -> None:
    waiting = msgspec.structs.replace(request(), after=waits(("7", "ok")))
    assert "--kill-on-invalid-dep=yes" in Slurm().submit(waiting, SITE).argv
    line = "\x1e" + "\x1f".join(["9", "CANCELLED", "DependencyNeverSatisfied", *["0"] * 3, "", "p", "c", "s", "/", "n"])
    seen = Slurm().read_status(Reply(0, line + "\n", "")).entries[0].seen
    assert (seen.presence, seen.outcome, seen.reason) == ("gone", "cancelled", Reason.CONDITION)


@pytest.mark.parametrize(
    ("dialect", "dependency", "extra"),
    [
        (Slurm(), waits(("7;far", "ok")), ()),
        (Slurm(), waits(("7", "ok")), ("--dependency=singleton",)),
        (Sge(), waits(("7", "ok")), ()),
        (Sge(), waits(("7.1", "any")), ()),
        (Sge(), waits(("7", "any"), ("8", "any"), one_is_enough=True), ()),
        (Sge(), waits(("7", "any")), ("-hold_jid", "3")),
        (Pbs(), waits(("7[1].head", "ok")), ()),
        (Pbs(), waits(("7.head", "any")), ()),
        (Pbs(), waits(("7.head", "ok"), ("8.head", "ok"), one_is_enough=True), ()),
        (Pbs(), waits(("7.head", "ok")), ("-W", "depend=on:1")),
        (Lsf(), waits(("7", "ok")), ("-w", "done(3)")),
    ],
)
def test_what_a_scheduler_cannot_be_told_or_the_person_says_otherwise(
    dialect: Depends, dependency: Dependency, extra: tuple[str, ...]
) -> None:
    assert dialect.wait_for(dependency, JobSpec(resources=Resources(extra=extra))) is None
