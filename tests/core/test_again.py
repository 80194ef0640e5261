"""Job scripts of other hands as jobs of ours: what runs is the same text, by the same program, with the same words."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core.again import again, foreign_again
from jobtui.core.backend import Shown
from jobtui.core.job import Attached, JobSpec, Resources, SpecError

BASE = JobSpec(name="theirs", cwd="/", backend="slurm", attached=Attached())


def run(script: str, command: str | None = None) -> str:
    spec = again(JobSpec(shell=command), script)
    assert spec.shell is not None and spec.attached is None
    argv = ["/bin/sh", "-c", spec.shell]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ('#!/bin/sh\n#SBATCH -n 1\necho "$0 $# $2"\n', "/x/run.sh 2 b\n"),
        ("#!/bin/bash\nx=(1 2)\necho \"${x[1]} $1 'END_OF_SCRIPT'\"", "2 a 'END_OF_SCRIPT'\n"),
        ("#! /bin/bash -e\ncase $- in *e*) echo strict ;; esac", "strict\n"),
        ("#!/usr/bin/env python3\nimport sys\nprint('''it's''', sys.argv[1:])\n", "it's ['a', 'b']\n"),
        ('#!/usr/bin/perl\nprint "$ARGV[1]\\n";\n', "b\n"),
    ],
)
def test_the_text_runs_by_its_own_program_with_its_own_words(script: str, out: str) -> None:
    assert run(script, "/x/run.sh a b") == out


@settings(max_examples=25)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=60))
def test_whatever_stands_in_a_script_reaches_its_program(text: str) -> None:
    assert run(f"#!/usr/bin/env python3\nprint({text!a})\n") == f"{text}\n"


def test_a_plain_script_for_sh_stays_as_it_is() -> None:
    assert again(BASE, "#!/bin/sh\nwork\n").shell == "#!/bin/sh\nwork\n"


@pytest.mark.parametrize("script", ["work\n", "#!\n", "#!/bin/tcsh\nwork\n", "#!/bin/sh\n" + "x" * 100_001])
def test_what_cannot_be_run_as_a_text_says_so(script: str) -> None:
    with pytest.raises(SpecError, match="its script"):
        again(BASE, script)


def test_what_the_scheduler_tells_is_in_the_new_spec_and_a_task_is_no_job() -> None:
    told = Shown("/out", "", "", "theirs", "", "/x", Resources(cpus=4, queue="main"))
    spec = foreign_again("slurm", "4711", "#!/bin/sh\nwork\n", told)
    assert (spec.name, spec.cwd, spec.backend, spec.resources) == ("theirs", "/x", "slurm", told.resources)
    with pytest.raises(SpecError, match="task of an array"):
        foreign_again("slurm", "4711_3", "#!/bin/sh\nwork\n", told)
