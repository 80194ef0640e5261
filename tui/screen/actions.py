"""Every action of the screen. Key bindings, footer, help, command palette and docs are made from this one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .action import Action, Group, Pane
from .orders import (
    ATTACH,
    CANCEL,
    HOLD,
    PRIORITY,
    RELEASE,
    REMOVE,
    REQUEUE,
    RESUBMIT,
    RESUME,
    RETRY,
    SIGNAL,
    SUSPEND,
    Order,
)

if TYPE_CHECKING:
    from .desk import JobScreen

Run = Callable[["JobScreen"], None]

_TABLE: tuple[Pane, ...] = ("table",)
_LIST: tuple[Pane, ...] = ("table", "detail")
_LOG: tuple[Pane, ...] = ("log",)
_TEXT: tuple[Pane, ...] = ("log", "detail")


def _order(order: Order, key: str, help: str, panes: tuple[Pane, ...] = _LIST, short: str = "") -> Action:
    return Action(
        order.id,
        order.verb.capitalize(),
        help,
        (key,),
        lambda desk: desk.giver.order(order),
        "Jobs",
        panes,
        short,
        lambda desk: desk.giver.refusal(order),
    )


def _asking(order: Order, title: str, key: str, help: str, run: Run) -> Action:
    return Action(order.id, title, help, (key,), run, "Jobs", _LIST, "", lambda desk: desk.giver.refusal(order))


def _go(where: str, title: str, help: str, *keys: str) -> Action:
    return Action(where, title, help, keys, lambda desk: desk.go(where), "Move")


def _log(id: str, title: str, help: str, keys: tuple[str, ...], run: Run, short: str = "") -> Action:
    return Action(f"log.{id}", title, help, keys, run, "Log", _LOG, short, _no_log)


def _no_log(desk: JobScreen) -> str:
    return "" if desk.table.jobs.current is not None else "there is no job"


def _view(id: str, title: str, help: str, keys: tuple[str, ...], run: Run, short: str = "") -> Action:
    return Action(id, title, help, keys, run, "View", short=short)


def _list(id: str, title: str, help: str, keys: tuple[str, ...], run: Run, short: str = "") -> Action:
    group: Group = "List"
    return Action(id, title, help, keys, run, group, _TABLE, short)


JOB_ACTIONS = (
    _order(
        CANCEL, "c", "Stop the job; asks first and names what it would stop", ("table", "log", "detail"), short="cancel"
    ),
    _order(RETRY, "r", "Run an ended job again, as a new attempt; of an array, the tasks that failed", short="retry"),
    _order(RESUBMIT, "s", "Submit the job once more, as a new job", short="resubmit"),
    _order(REQUEUE, "B", "Put a job that was started back: stop it, and run it again as its next attempt; asks first"),
    Action(
        "edit",
        "Edit and resubmit",
        "Change the job's spec in your editor, look at the difference, and submit it as a new job",
        ("e",),
        lambda desk: desk.giver.edit(),
        "Jobs",
        _LIST,
        "edit",
        lambda desk: desk.giver.no_single_job(),
    ),
    Action(
        "submit",
        "Submit a new job",
        "Fill in a form and submit a new job",
        ("n",),
        lambda desk: desk.giver.submit(),
        "Jobs",
        _LIST,
        "new",
    ),
    _order(
        ATTACH, "A", "Take a job over that sbatch, qsub or bsub made: the work directory keeps its history from then on"
    ),
    _order(HOLD, "H", "Keep a waiting job from starting"),
    _order(RELEASE, "U", "Let a held job start"),
    _asking(PRIORITY, "Set priority", "equals_sign", "Move a waiting job in the queue", lambda d: d.giver.priority()),
    _asking(SIGNAL, "Send a signal", "X", "Send a signal, or kill at once", lambda d: d.giver.signal()),
    _order(SUSPEND, "T", "Stop a running job for a while"),
    _order(RESUME, "Y", "Let a suspended job go on"),
    _order(REMOVE, "D", "Delete an ended job with its output; asks first"),
)

LIST_ACTIONS = (
    _list(
        "mark",
        "Mark",
        "Mark the job, or unmark it; orders go to marked jobs",
        ("space",),
        lambda d: d.lists.mark(),
    ),
    _list(
        "mark-range", "Mark a range", "Mark from the last mark to the cursor", ("v",), lambda d: d.lists.mark_range()
    ),
    _list("mark-all", "Mark all shown", "Mark all jobs shown, or none", ("a",), lambda d: d.lists.mark_all()),
    _list("filter", "Filter", "Show only jobs that match", ("slash",), lambda d: d.lists.filter(), "filter"),
    _list("filters", "Named filters", "Choose one of your named filters", ("F",), lambda d: d.tools.choose_filter()),
    _list("sort", "Sort", "Choose what to sort by", ("S",), lambda d: d.lists.choose_sort(), "sort"),
    _list(
        "sort-next",
        "Sort by the next column",
        "Sort by the column to the right",
        ("greater_than_sign",),
        lambda d: d.lists.sort_step(1),
    ),
    _list(
        "sort-previous",
        "Sort by the column before",
        "Sort by the column to the left",
        ("less_than_sign",),
        lambda d: d.lists.sort_step(-1),
    ),
    _list("sort-reverse", "Reverse the order", "Sort the other way round", ("I",), lambda d: d.lists.sort_reverse()),
    _list("expand", "Unfold an array", "Show the tasks of an array, or hide them", ("x",), lambda d: d.lists.unfold()),
    _list(
        "foreign",
        "Foreign jobs",
        "Show your jobs that sbatch, qsub or bsub made too, or hide them",
        ("O",),
        lambda d: d.others.toggle(),
    ),
    _list("columns", "Columns", "Choose and order the columns", ("C",), lambda d: d.lists.choose_columns()),
)

LOG_ACTIONS = (
    Action(
        "log.stream",
        "Next output stream",
        "Show stdout, stderr, or both merged",
        ("o",),
        lambda desk: desk.log_pane.switch_stream(),
        "Log",
        ("table", "log"),
        "stream",
        _no_log,
    ),
    Action(
        "log.follow",
        "Follow",
        "Follow the end of the log, or stop",
        ("f",),
        lambda desk: desk.log_pane.toggle_follow(),
        "Log",
        ("table", "log"),
        "follow",
        _no_log,
    ),
    _log("wrap", "Wrap lines", "Wrap long lines, or cut them", ("w",), lambda d: d.log_pane.toggle_wrap(), "wrap"),
    _log(
        "search",
        "Search",
        "Search the log; n and N go on",
        ("slash",),
        lambda d: d.log_pane.start_search(),
        "search",
    ),
    _log("next", "Next match", "Go to the next match", ("n",), lambda d: d.log_pane.next_match(1)),
    _log("previous", "Previous match", "Go to the match before", ("N",), lambda d: d.log_pane.next_match(-1)),
    _log(
        "filter",
        "Only matching lines",
        "Hide the other lines",
        ("ampersand",),
        lambda d: d.log_pane.start_filter(),
    ),
    _log(
        "jump",
        "Jump",
        "Go to a line or a percentage (50%)",
        ("L", "ctrl+g"),
        lambda d: d.log_pane.start_jump(),
    ),
    _log(
        "next-error",
        "Next error",
        "Go to the next line that tells of an error",
        ("right_square_bracket",),
        lambda d: d.log_pane.next_error(1),
    ),
    _log(
        "previous-error",
        "Previous error",
        "Go to the error before",
        ("left_square_bracket",),
        lambda d: d.log_pane.next_error(-1),
    ),
    _log(
        "attempt-previous",
        "Previous attempt",
        "Show the attempt before",
        ("left_parenthesis",),
        lambda d: d.log_pane.other_attempt(-1),
    ),
    _log(
        "attempt-next",
        "Next attempt",
        "Show the attempt after",
        ("right_parenthesis",),
        lambda d: d.log_pane.other_attempt(1),
    ),
    Action(
        "log.fetch",
        "Fetch all of the log",
        "Fetch the beginning of a log from the machine where it is; its end is always fetched",
        ("B",),
        lambda desk: desk.say(desk.log_pane.fetch()),
        "Log",
        _LOG,
        "",
        lambda desk: desk.log_pane.no_fetch(),
    ),
    _log(
        "states",
        "Unfold a progress line",
        "Show all states of a progress bar",
        ("x",),
        lambda d: d.log_pane.toggle_states(),
    ),
)

VIEW_ACTIONS = (
    Action(
        "open", "Open", "Unfold an array; go into the output of a job", ("enter",), lambda d: d.open(), "View", _TABLE
    ),
    _view("pane", "Next pane", "Give the keys to the next pane", ("tab",), lambda d: d.panes.step(1), "pane"),
    _view("pane-back", "Previous pane", "Give the keys to the pane before", ("shift+tab",), lambda d: d.panes.step(-1)),
    _view("view-table", "Table", "Give the keys to the table", ("1",), lambda d: d.panes.focus("table")),
    _view("view-log", "Log", "Show the output of the job", ("2",), lambda d: d.panes.focus("log")),
    _view("view-detail", "Detail", "Show all about the job", ("3",), lambda d: d.panes.focus("detail")),
    _view(
        "detail",
        "Detail or log",
        "Show all about the job in place of its log, and back",
        ("i",),
        lambda d: d.panes.swap(),
        "info",
    ),
    _view(
        "zoom",
        "Zoom",
        "Give the pane the whole screen, without borders, and back",
        ("z",),
        lambda d: d.panes.zoom(),
        "zoom",
    ),
    _view(
        "layout",
        "Layout",
        "Panes one above the other, side by side, or one alone",
        ("vertical_line",),
        lambda d: d.panes.next_layout(),
    ),
    _view("grow", "Larger table", "Give the table more room", ("plus",), lambda d: d.panes.grow(1)),
    _view("shrink", "Smaller table", "Give the table less room", ("minus",), lambda d: d.panes.grow(-1)),
    _view(
        "queues",
        "Queues and nodes",
        "Show the queues and nodes of the schedulers: what is free, what is yours, what is down",
        ("Q",),
        lambda d: d.tools.queues(),
    ),
    _view("pause", "Pause", "Stop all updates of the screen, and go on", ("P",), lambda d: d.pause()),
    _view(
        "refresh",
        "Refresh",
        "Read all jobs again and repaint the screen",
        ("R", "f5", "ctrl+r", "ctrl+l"),
        lambda d: d.reload(),
    ),
    _view(
        "mouse",
        "Mouse",
        "Leave the mouse to the terminal, to select text, and take it back",
        ("m",),
        lambda d: d.tools.mouse(),
    ),
    _view("theme", "Theme", "Use the next colour theme", (), lambda d: d.tools.next_theme()),
)

GENERAL_ACTIONS = (
    Action("copy", "Copy", "Copy the id, a path, the command or the log", ("y",), lambda d: d.tools.copy(), "General"),
    Action(
        "pager",
        "Open in the pager",
        "Open the file in $PAGER at this line",
        ("p",),
        lambda d: d.tools.pager(),
        "General",
    ),
    Action(
        "editor",
        "Open in the editor",
        "Open the file in $EDITOR at this line",
        ("E",),
        lambda d: d.tools.editor(),
        "General",
    ),
    Action(
        "command-log",
        "Command log",
        "What the screen did, as commands",
        ("at",),
        lambda d: d.tools.show_commands(),
        "General",
    ),
    Action(
        "palette",
        "Command palette",
        "Find any action by its name",
        ("colon", "ctrl+p"),
        lambda d: d.tools.palette(),
        "General",
    ),
    Action("help", "Help", "All keys", ("question_mark", "f1"), lambda d: d.tools.help(), "General", short="help"),
    Action(
        "unmark",
        "Back",
        "Close, clear the filter, clear the marks: in this order",
        ("escape",),
        lambda d: d.clear(),
        "General",
    ),
    Action(
        "quit",
        "Quit",
        "Back to the table; there: close the screen. The jobs go on",
        ("q",),
        lambda d: d.back(),
        "General",
        short="quit",
    ),
    Action(
        "quit-now", "Quit now", "Close the screen at once; the jobs go on", ("ctrl+c",), lambda d: d.quit(), "General"
    ),
    Action(
        "suspend-app",
        "To the shell",
        "Leave the screen to the shell; fg brings it back",
        ("ctrl+z",),
        lambda d: d.tools.to_shell(),
        "General",
    ),
)

MOVES = (
    _go("up", "Up", "A line up", "up", "k"),
    _go("down", "Down", "A line down", "down", "j"),
    _go("page-up", "Page up", "A page up", "pageup"),
    _go("page-down", "Page down", "A page down", "pagedown"),
    _go("half-up", "Half a page up", "Half a page up", "ctrl+u"),
    _go("half-down", "Half a page down", "Half a page down", "ctrl+d"),
    _go("home", "First", "To the first line", "home", "g"),
    _go("end", "Last", "To the last line; of a log, which is followed then", "end", "G"),
    _go("left", "Left", "Log: to the left; table: fold an array", "left", "h"),
    _go("right", "Right", "Log: to the right; table: unfold an array", "right", "l"),
)

ACTIONS: tuple[Action, ...] = (
    *JOB_ACTIONS,
    *LIST_ACTIONS,
    *LOG_ACTIONS,
    *VIEW_ACTIONS,
    *GENERAL_ACTIONS,
    *MOVES,
)
BY_ID = {action.id: action for action in ACTIONS}
