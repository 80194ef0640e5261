"""What the detail view says of a job, as lines: state, command, needs, conditions, attempts, files, job script.

Only what exists is said. Everything from the job is data; values of secrets are left out.
"""

from __future__ import annotations

from rich.text import Text

from ...core.dossier import HIDDEN, Dossier, File, Parent
from ...core.job import ENDED, Asked, JobSpec
from ...core.units import duration, size
from ..celltext import STATE_STYLES, called, cell, one_line
from .page import Line, Page
from .timeline import add_timeline
from .words import condition_words, count, exit_words, moment, moment_ago, needs, reason_words, retries, where


def detail_lines(dossier: Dossier, now: float, width: int, *, script: bool) -> list[Line]:
    """The lines for a view of ``width`` columns at the time ``now`` (epoch seconds); ``script``: with its text."""
    page = Page(width)
    row, facts = dossier.detail.row, dossier.detail.facts
    spec = facts.spec or JobSpec()
    _add_state(page, dossier, now)
    page.add(Text())
    page.value("name", row.name)
    page.value("command", spec.command_line())
    page.value("directory", row.cwd)
    page.value("input", spec.stdin or "")
    given = facts.submitting.gpus if facts.submitting is not None else ()
    page.pairs(
        [
            ("tags", " ".join(row.tags)),
            ("needs", needs(spec.resources) if facts.spec is not None else ""),
            ("back end", where(row)),
            ("time limit", _limit(spec)),
            ("created", moment_ago(row.created, now)),
            ("retries", retries(spec.retry)),
            ("gpus given", ", ".join(map(str, given))),
            ("priority", str(row.priority) if row.priority else ""),
            ("array", f"task {row.array_index} of array {row.array}" if row.array is not None else ""),
            ("made from", f"job {row.resubmitted_from}" if row.resubmitted_from is not None else ""),
        ]
    )
    _add_attached(page, spec)
    _add_conditions(page, dossier)
    _add_intents(page, dossier, now)
    if facts.spec is not None:
        add_timeline(page, dossier.tries, _folder(dossier), now)
    _add_environment(page, dossier)
    _add_files(page, dossier, now)
    _add_script(page, dossier, shown=script)
    return page.lines


def _folder(dossier: Dossier) -> str:
    """The job's folder as its files name it."""
    files = dossier.tries[-1].files
    return files[0].path.rsplit("/", 1)[0] if files else dossier.detail.row.metadir


def _limit(spec: JobSpec) -> str:
    if spec.timeout is None:
        return ""
    return f"{duration(spec.timeout)}; {duration(spec.grace)} from TERM to KILL"


def _add_state(page: Page, dossier: Dossier, now: float) -> None:
    row = dossier.detail.row
    words = f"{row.state}{': ' if row.detail else ''}{row.detail}"
    page.value("state", words, STATE_STYLES.get(row.state, ""))
    if row.expected is not None and row.expected > now and row.started is None:
        page.value("may start", moment(row.expected, now))
    if row.detail != dossier.why:
        page.value("waits for", dossier.why)
    if row.state in ENDED:
        page.value("reason", reason_words(row.reason))
        page.value("ended", moment_ago(row.ended, now))
    if row.exit_code is not None:
        page.value("exit code", exit_words(row.exit_code, row.signal))
    if row.progress is not None:
        page.value("progress", f"{row.progress:.0%}")
    page.value("damaged", ", ".join(dossier.detail.facts.damaged), "bold red")


def _add_attached(page: Page, spec: JobSpec) -> None:
    if spec.attached is None:
        return
    page.heading("Attached")
    page.item("It was submitted without jobtui: how it ends is its scheduler's word, and it is never run again.", "dim")
    page.value("stdout", spec.attached.stdout or "not told")
    page.value("stderr", spec.attached.stderr or "not told")


def _add_conditions(page: Page, dossier: Dossier) -> None:
    spec = dossier.detail.facts.spec
    if spec is None or spec.after is None:
        return
    page.heading("Starts when")
    page.item(condition_words(spec.after))
    for parent in dossier.parents:
        page.add(_parent(parent))
    more = dossier.parent_count - len(dossier.parents)
    if more:
        page.add(Text(f"  and {count(more, 'job')} more", "dim"))


def _parent(parent: Parent) -> Text:
    if parent.row is None:
        return Text("  ").append(f"job {parent.job}  was removed", "magenta")
    row = parent.row
    text = Text("  ").append(called(row)).append("  ").append(str(row.state), STATE_STYLES.get(row.state, ""))
    return text.append(f": {one_line(row.detail)}", "dim") if row.detail else text


def _add_intents(page: Page, dossier: Dossier, now: float) -> None:
    intent = dossier.detail.facts.intent
    if intent.cancel is None and intent.retry is None and intent.hold is None:
        return
    page.heading("What was asked")
    if intent.cancel is not None:
        page.value("cancel", _asked(intent.cancel, now, "at once (KILL)" if intent.cancel.force else ""))
    if intent.retry is not None:
        page.value("retry", _asked(intent.retry, now, ""))
    if intent.hold is not None:
        page.value("hold", "held" if intent.hold else "released")


def _asked(asked: Asked, now: float, how: str) -> str:
    words = [f"by {asked.by}", moment_ago(asked.at, now), how, f"attempt {asked.attempt}"]
    words.append(reason_words(asked.reason) if asked.reason != "person" else "")
    words.append(asked.detail)
    return ", ".join(filter(None, words))


def _add_environment(page: Page, dossier: Dossier) -> None:
    spec = dossier.detail.facts.spec
    if spec is None or not (spec.env or dossier.inherited):
        return
    inherited = f", {dossier.inherited:,} inherited" if dossier.inherited is not None else ""
    page.heading("Environment", f"{count(len(spec.env), 'variable')} given with the job{inherited}")
    for name in sorted(spec.env):
        if name in spec.secret:
            page.item(f"{name}={HIDDEN}", "dim")
        else:
            page.item(f"{name}={spec.env[name]}")


def _add_files(page: Page, dossier: Dossier, now: float) -> None:
    folder = _folder(dossier)
    files = dossier.tries[-1].files
    page.heading("Files", place=(f"{folder}/job.json", None))
    page.item(folder)
    longest = max((len(file.name) for file in files), default=0)
    for file in files:
        page.add(_file(file, min(longest, 40), now), (file.path, None))


def _file(file: File, column: int, now: float) -> Text:
    text = Text("   ").append(cell(file.name, column))
    return text.append(f"  {size(file.size):>9}  {moment(file.at, now)}", "dim")


def _add_script(page: Page, dossier: Dossier, *, shown: bool) -> None:
    script = dossier.script
    if script is None:
        return
    lines = script.text.removesuffix("\n").split("\n")
    name = script.path.rsplit("/", 1)[-1]
    more = "" if script.whole else " and more"
    note = f"{name}, {count(len(lines), 'line')}{more}; Enter {'hides' if shown else 'shows'} it"
    page.heading("▾ Job script" if shown else "▸ Job script", note, fold=True, place=(script.path, None))
    if shown:
        for number, line in enumerate(lines, 1):
            page.add(Text("  " + one_line(line.expandtabs(8))), (script.path, number))
        if not script.whole:
            page.add(Text("  … the rest is in the file", "dim"), (script.path, len(lines)))
