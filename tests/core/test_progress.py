"""How far a running job is: read from what programs really print, and no answer rather than a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobtui.core.job import JobRow, State
from jobtui.core.progress import ProgressReader, with_progress
from jobtui.core.progresstext import share_in
from jobtui.core.workdir import WorkDir

CURL = (
    "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    "                                 Dload  Upload   Total   Spent    Left  Speed\n"
    "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"
    "\r 45 1000M   45  450M    0     0  10.0M      0  0:01:40  0:00:45  0:00:55 10.1M"
)
RSYNC = (
    "sending incremental file list\none.bin\n  9,238,099 100%  146.38MB/s    0:00:08 (xfr#5, to-chk=169/396)\n"
    "two.bin\n    500,000  12%   10.00MB/s    0:00:01\r"
)
SNAKEMAKE = (
    "[Mon Jan  5 10:00:00 2026]\nFinished job 3.\n3 of 8 steps (38%) done\nSelect jobs to execute...\n\n"
    "rule align:\n    input: data/4.fq\n    output: out/4.bam\n"
)
SHOWN = [
    ("45%\n", 0.45),
    ("45.25 %\n", 0.4525),
    ("45% done, next file\n", 0.45),
    ("Progress: 45%\n", 0.45),
    ("\x1b[32mprogress\x1b[0m = [45%]\n", 0.45),
    ("\rtraining   45%  loss 0.123", 0.45),
    ("[ 45%] Building CXX object src/a.o\n", 0.45),
    ("[12/40] Linking target\n", 0.3),
    ("Processed 123/500 files\n", 0.246),
    ("iteration 1,234/5,000\n", 0.2468),
    ("INFO 10:00:00 12 of 40 samples\n", 0.3),
    ("12 of 40\n", 0.3),
    ("processing file 3 of 6\n", 2 / 6),
    (" 45%|████▌     | 225/500 [00:12<00:15, 18.2it/s]", 0.45),
    ("reads:  45%|####5     | 225/500 [00:12<00:15, 18.2it/s]", 0.45),
    ("file.iso   45%[=========>          ] 450M  10MB/s  eta 55s", 0.45),
    (" 450K .......... .......... .......... 45% 1.2M 3s\n", 0.45),
    ("\r##########              45.3%", 0.453),
    ("     ━━━━━━━━╸━━━━━━━━━ 4.5/10.0 MB 1.2 MB/s eta 0:00:05", 0.45),
    ("     ━━━━━━━━╸━━━━━━━━━ 512.0 kB/1.0 MB 1.2 MB/s", 0.5),
    ("Receiving objects:  45% (450/1000), 1.2 MiB | 2 MiB/s\r", 0.45),
    (CURL, 0.45),
    ("  1,238,099  45%  146.38kB/s    0:00:08\r", 0.45),
    (RSYNC, (396 - 169) / 396),
    (SNAKEMAKE, 3 / 8),
    ("Epoch 3/10\n", 0.2),
    ("Epoch 3/10 - loss: 0.34\n", 0.3),
    ("epoch 3 of 10: loss 0.34\nvalidation loss 0.4\n", 0.3),
    ("Epoch [3/10], Step [50/100], Loss: 0.3\n", 0.25),
    ("Epoch 2/10:  45%|████▌     | 225/500 [00:12<00:15, 18.2it/s]", 0.145),
    ("Epoch 3/10\n225/500 [=====>.......] - ETA: 3s - loss: 0.3\r", 0.245),
]
NOT_SHOWN = [
    "",
    "\n\r\n",
    "accuracy: 93.5%\n",
    "98.5% of reads mapped\n",
    "CPU 45% of a core\n",
    "95% confidence interval\n",
    "Mapped reads: 45% (450/1000)\n",
    "### accuracy 93%\n",
    "| 45% | --- |\n",
    "2024/12/25 started\n",
    "11/21 13:05:22 INFO ready\n",
    "rank 3/8 is ready\n",
    "/data/3/8 is written\n",
    "version 1/2.5\n",
    "12/0 files\n",
    "45/12 files\n",
    "250%\n",
    "progress 45% of 60%\n",
    # One of several, of which nobody knows how many there are.
    "Epoch 3:  45%|████▌     | 225/500 [00:12<00:15, 18.2it/s]",
    "225/500 [=====>.......] - ETA: 3s - loss: 0.3\r",
    "100%|██████████| 500/500 [00:12<00:00]\n\r 10%|█         | 50/500 [00:01<00:09]",
    "one ━━━━━━━━ 10.0/10.0 MB 1.2 MB/s\ntwo ━━━ 4.5/10.0 MB 1.2 MB/s eta 0:00:05",
    "a 10%|#   | 1/10 [\x1b[A\x1b[2Ka  45%|##  | 4/9 [00:1]\nb  80%|### | 4/5 [00:1]\n",
    # All of it, while the job still runs: this was not the whole.
    "100%\n",
    "Processed 500/500 files\n",
    # Too long ago.
    "45% done\n" + "line\n" * 8,
]


@pytest.mark.parametrize(("text", "share"), SHOWN, ids=lambda value: repr(value)[-40:])
def test_the_share_is_read_from_what_programs_print(text: str, share: float) -> None:
    assert share_in(text) == pytest.approx(share)
    assert share_in("an earlier line\n" + text) == pytest.approx(share)


@pytest.mark.parametrize("text", NOT_SHOWN, ids=lambda value: repr(value)[-40:])
def test_no_share_is_better_than_a_wrong_one(text: str) -> None:
    assert share_in(text) is None


def test_a_number_that_may_be_cut_is_not_believed() -> None:
    assert share_in("Processed 1/4") is None
    assert share_in("\rProcessed 1/40\rProcessed 2/4") == 1 / 40
    assert share_in("5% done\n", whole=False) is None, "it may have been 45%"
    assert share_in("line\n5% done\n", whole=False) == 0.05


COUNTS = st.tuples(st.integers(0, 10**6), st.integers(2, 10**6)).filter(lambda pair: pair[0] < pair[1])
FORMATS = [
    "Processed {a}/{b} files\n",
    "[{a}/{b}] work\n",
    "step {a} of {b}\n",
    "\r{a}/{b}\r",
    "{a:,}/{b:,} samples\n",
    "\r{p:3.0f}%|###   | {a}/{b} [00:12<00:15, 18.2it/s]",
    "\r[####      ] {p:.1f}%",
    "progress: {p:.2f}%\n",
]
NOISE = st.lists(
    st.sampled_from(["loading", "warning: x", "", "10:00:00 INFO ok", "a/b/c", "\x1b[1mbold\x1b[0m"]), max_size=6
)


@given(COUNTS, st.sampled_from(FORMATS), NOISE)
def test_counting_up_is_followed(counts: tuple[int, int], form: str, noise: list[str]) -> None:
    a, b = counts
    text = "".join(f"{line}\n" for line in noise)
    for done in sorted({0, a // 2, a}):
        text += form.format(a=done, b=b, p=100 * done / b)
    found = share_in(text)
    # A rounded percentage may be full a moment too early.
    assert found == pytest.approx(a / b, abs=0.006) or (found is None and a / b > 0.99)


@given(st.text(alphabet="0123456789%/.,:|[]#=> \r\n\x1bAofepchstdn█━", max_size=300), st.booleans())
@example("\x1b[", True)
@example("epoch 9/3 " * 9, False)
def test_anything_may_be_printed(text: str, whole: bool) -> None:
    share = share_in(text, whole=whole)
    assert share is None or 0.0 <= share < 1.0


# -- the reader


@pytest.fixture
def place(tmp_path: Path) -> WorkDir:
    directory = WorkDir(tmp_path)
    for job in (1, 2):
        os.mkdir(directory.metadir(job))
    return directory


def write(place: WorkDir, name: str, text: str, job: int = 1) -> None:
    Path(place.metadir(job), name).write_text(text)


def test_what_the_job_says_itself_comes_before_its_output_and_stdout_before_stderr(place: WorkDir) -> None:
    reader = ProgressReader(place)
    assert reader.of([1, 2, 3]) == {}
    write(place, "job.stderr", "\r 10%|#   | 1/10 [")
    assert reader.of([1, 2]) == {1: 0.1}
    write(place, "job.stdout", "20% done\n")
    assert reader.of([1]) == {1: 0.2}
    write(place, "job.progress", "30\n")
    assert reader.of([1]) == {1: 0.3}
    write(place, "job.progress", '{"percent": 100}')
    assert reader.of([1]) == {1: 1.0}
    write(place, "job.progress", "no number")
    assert reader.of([1]) == {1: 0.2}


def test_only_the_end_of_a_long_output_is_read_and_only_when_it_has_changed(
    place: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, count, at: reads.append(count) or pread(fd, count, at))
    reader = ProgressReader(place)
    write(place, "job.stdout", "90% done\n" + "x" * 9000 + "\n40% done\n")
    assert [reader.of([1]), reader.of([1])] == [{1: 0.4}, {1: 0.4}]
    assert len(reads) == 1 and reads[0] <= 4096
    with open(f"{place.metadir(1)}/job.stdout", "a") as file:
        file.write("41% done\n")
    assert reader.of([1]) == {1: 0.41}


def test_a_share_that_falls_back_was_not_that_of_the_whole_job(place: WorkDir) -> None:
    reader = ProgressReader(place)
    log = Path(place.metadir(1), "job.stdout")
    seen = []
    for line in ("80% done", *["and now the second part"] * 400, "10% done", "20% done"):
        with log.open("a") as file:
            file.write(line + "\n")
        seen.append(reader.of([1]).get(1))
    assert seen[0] == 0.8 and seen[-2:] == [None, None]
    # The next attempt begins anew.
    log.rename(f"{log}.1")
    log.write_text("5% done\n")
    assert reader.of([1]) == {1: 0.05}


def test_odd_things_in_the_place_of_an_output_do_no_harm(place: WorkDir) -> None:
    os.mkfifo(f"{place.metadir(1)}/job.stdout")
    os.mkdir(f"{place.metadir(2)}/job.stderr")
    Path(place.metadir(2), "job.stdout").write_bytes(b"\xff\xfe 45%\n\x80 20% done\n")
    assert ProgressReader(place).of([1, 2]) in ({}, {2: 0.2})


def test_only_running_jobs_get_their_present_progress(place: WorkDir) -> None:
    for job in (1, 2):
        write(place, "job.stdout", "20% done\n", job)
    rows = [JobRow(id=1, name="", state=State.RUNNING, progress=0.9), JobRow(id=2, name="", state=State.FAILED)]
    assert [row.progress for row in with_progress(rows, ProgressReader(place))] == [0.2, None]
