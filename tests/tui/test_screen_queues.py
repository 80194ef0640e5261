"""The view of queues and nodes: what it shows, filters, sorts, and how it says that there is nothing to show."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from screen_kit import Site, line_with, lines, on_screen, press, presses, until
from textual.pilot import Pilot

from jobtui.core import JobManager, State, WorkDir
from jobtui.core.queues import Capacity, Node, Queue, Share
from jobtui.core.seen import Seen, SeenQueues, keep_queues, keep_seen
from jobtui.core.wants import Want
from jobtui.tui.queues.board import age_words, board, missing_words, node_counts
from jobtui.tui.queues.columns import NODE_COLUMNS, QUEUE_COLUMNS, bar, fit
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.queuescreen import QueueScreen

GIB = 2**30
QUEUES = (
    Queue("main", "up", default=True, used=12, free=20, total=40, nodes=3, time_limit=86400.0),
    Queue("short", "up", used=1, free=7, total=8, nodes=1, time_limit=600.0),
    Queue("old", "down", usable=False, used=0, free=0, total=4, nodes=0),
)
NODES = (
    Node("n10", "idle", True, 0, 16, 0, 8 * GIB, queues=("main",)),
    Node("n2", "mixed", True, 12, 16, GIB, 8 * GIB, 1, 2, queues=("main", "short")),
    Node("n1", "drained", False, 0, 8, 0, 8 * GIB, reason="new [red]disks[/] \x1b[31m", queues=("main",)),
)


class Clients(JobManager):
    """A manager in whose work directory one scheduler is looked at, and no engine is started."""

    near: tuple[str, ...] = ("slurm",)

    def __init__(self, workdir: WorkDir) -> None:
        super().__init__(workdir)
        self.wants: list[Want] = []

    async def nearby(self, env: Mapping[str, str]) -> list[str]:
        return list(self.near)

    async def ensure_engine(self) -> bool:
        return True

    async def look_at(self, part: str, want: Want) -> None:
        self.wants.append(want)


@pytest.fixture
def manager(tmp_path: Path) -> Clients:
    site = Site(tmp_path / "jobs")
    site.add("alpha", State.FINISHED)
    site.save()
    return Clients(site.workdir)


def tell(workdir: WorkDir, *, at: float | None = None, trouble: str = "", nodes: tuple[Node, ...] = NODES) -> None:
    now = time.time() if at is None else at
    keep_queues(workdir, SeenQueues("slurm", "Slurm 24", now, now, trouble, Capacity(QUEUES, nodes)))
    keep_seen(workdir, Seen("slurm", "Slurm 24", now, now, mine={"main": Share(3, 2), "short,old": Share(0, 1)}))


def names(desk: JobScreen, head: str) -> list[str]:
    """The first words of the lines below a head, as they are painted."""
    painted = lines(desk)
    at = next(n for n, line in enumerate(painted) if line.strip().startswith(head))
    found: list[str] = []
    for line in painted[at + 1 :]:
        if not line.strip(" >") or line.startswith(" Nodes"):
            break
        found.append(line.removeprefix(">").split()[0])
    return found


def view(desk: JobScreen) -> QueueScreen:
    screen = desk.app.screen
    assert isinstance(screen, QueueScreen)
    return screen


@presses("queues")
def test_queues_and_nodes_are_shown_with_what_is_mine_and_what_is_down(manager: Clients) -> None:
    tell(manager.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "Q")
        await until(pilot, lambda: line_with(desk, "main*") and line_with(desk, "old", "down"))
        main = line_with(desk, "main*").split()
        assert main[2:5] == ["up", "███××·····", "12/40"] and main[-3:] == ["3", "2", "1d00h"]
        assert line_with(desk, "short", "up", "10m").split()[-2:] == ["1", "10m"]
        assert line_with(desk, "old", "down")
        assert names(desk, "NODE") == ["n10", "n2", "n1"]
        assert line_with(desk, "n1 ", "drained", "new [red]disks[/]")
        assert "\x1b" not in "".join(lines(desk))
        assert line_with(desk, "3 nodes: 1 idle, 1 mixed, 1 drained")
        assert line_with(desk, "Queues", "Slurm 24, as of ")
        assert manager.wants[0].queues == ("slurm",)
        await press(pilot, "escape")
        assert desk.app.screen is desk
        await until(pilot, lambda: manager.wants[-1] == Want())

    on_screen(manager, body)


@presses("queues")
def test_it_filters_as_one_types_sorts_and_shows_the_nodes_of_one_queue(manager: Clients) -> None:
    tell(manager.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "Q")
        await until(pilot, lambda: line_with(desk, "main*") and line_with(desk, "old", "down"))
        await press(pilot, "down", "enter")
        assert names(desk, "NODE") == ["n2"] and line_with(desk, "Nodes of short")
        await press(pilot, "escape")
        assert names(desk, "NODE") == ["n10", "n2", "n1"]
        await press(pilot, "tab", "greater_than_sign")
        assert names(desk, "NODE") == ["n1", "n2", "n10"]
        await press(pilot, "I")
        assert names(desk, "NODE") == ["n10", "n2", "n1"]
        await press(pilot, "slash", *"DISKS dr")
        assert names(desk, "NODE") == ["n1"] and line_with(desk, "1 of 3: DISKS dr")
        await press(pilot, "enter", "escape")
        assert names(desk, "NODE") == ["n10", "n2", "n1"] and isinstance(desk.app.screen, QueueScreen)
        await press(pilot, "slash", *"nowhere")
        assert line_with(desk, "none of 3 has that")
        await press(pilot, "escape", "q")
        assert desk.app.screen is desk

    on_screen(manager, body)


@presses("queues")
def test_news_come_by_themselves_and_the_cursor_stays_on_its_line(manager: Clients) -> None:
    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "Q")
        await until(pilot, lambda: line_with(desk, "slurm has told nothing yet"))
        tell(manager.workdir)
        await until(pilot, lambda: line_with(desk, "main*") and line_with(desk, "old", "down"))
        await press(pilot, "tab", "end")
        assert view(desk).nodes.current and view(desk).nodes.current.node.name == "n1"
        more = tuple(Node(f"a{n}", "idle") for n in range(50))
        tell(manager.workdir, nodes=more + NODES)
        await until(pilot, lambda: line_with(desk, "53 nodes"))
        assert view(desk).nodes.current.node.name == "n1" and line_with(desk, "> n1")
        tell(manager.workdir, at=time.time() - 600, trouble="no answer from the controller")
        await until(pilot, lambda: line_with(desk, "no answer from the controller", "10m ago"))
        assert names(desk, "NODE") == ["n10", "n2", "n1"]

    on_screen(manager, body)


@presses("queues")
def test_schedulers_that_tell_nothing_are_named(manager: Clients) -> None:
    async def alone(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "Q")
        await until(pilot, lambda: line_with(desk, "No scheduler was found"))

    async def unable(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "Q")
        await until(pilot, lambda: line_with(desk, "local does not tell of its queues and nodes"))

    manager.near = ()
    on_screen(manager, alone)
    manager.near = ("local",)
    on_screen(manager, unable, size=(80, 24))


@presses("queues")
def test_five_thousand_nodes_are_a_window_and_nothing_new_paints_nothing(manager: Clients) -> None:
    tell(manager.workdir, nodes=tuple(Node(f"n{n}", "idle", True, 0, 64, queues=("main",)) for n in range(5000)))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "Q")
        await until(pilot, lambda: line_with(desk, "5000 nodes"))
        nodes = view(desk).nodes
        await press(pilot, "tab", "end")
        assert nodes.current and nodes.current.node.name == "n4999" and line_with(desk, "> n4999")
        await press(pilot, "slash", *"n499", "enter")
        assert len(nodes.lines) == 11
        refreshed: list[object] = []
        nodes.refresh = lambda *regions, **_: refreshed.append(regions)  # type: ignore[method-assign, assignment]
        tell(manager.workdir, nodes=tuple(Node(f"n{n}", "idle", True, 0, 64, queues=("main",)) for n in range(4999)))
        await until(pilot, lambda: nodes.total == 4999)
        assert len(refreshed) == 1
        refreshed.clear()
        nodes.fill(view(desk)._shown.nodes)
        assert refreshed == []

    on_screen(manager, body)


def test_several_schedulers_stand_in_one_table_each_line_with_its_own() -> None:
    told = [
        SeenQueues("slurm", "Slurm", 1.0, 1.0, "", Capacity((Queue("main", used=1, total=2),))),
        SeenQueues("sge", "Grid Engine", 1.0, 1.0, "", Capacity((Queue("main"),), (Node("n1"),))),
    ]
    shown = board(told, [Seen("sge", "", 1.0, 1.0, mine={"main": Share(1, 0)})])
    assert [(line.backend, line.mine.running) for line in shown.queues] == [("slurm", 0), ("sge", 1)]
    assert shown.queues[0].key != shown.queues[1].key
    assert missing_words(["slurm", "pbs"], ["x"], told, 0.0) == [
        "x does not tell of its queues and nodes",
        "pbs has told nothing yet",
    ]
    assert node_counts(shown.nodes) == "1 node: 1 ?"


def test_what_is_old_says_how_old_it_is() -> None:
    fresh = SeenQueues("slurm", "Slurm 24", 1000.0, 1000.0)
    assert age_words(fresh, 1030.0).startswith("Slurm 24, as of ") and "ago" not in age_words(fresh, 1030.0)
    assert "(10m ago)" in age_words(fresh, 1600.0)
    assert age_words(SeenQueues("slurm", "", 0.0, 9.0, "no answer"), 10.0) == "slurm: no answer"


def test_bars_show_used_free_and_neither_and_never_hide_a_single_job() -> None:
    assert bar(5, 5, 10, ascii=True) == "#####....."
    assert bar(0, 5, 10, ascii=True) == "xxxxx....."
    assert bar(1, 999, 1000, ascii=True) == "#........."
    assert bar(30, 0, 10, ascii=True) == "##########"
    assert bar(None, None, 10, ascii=True) == bar(1, 0, 0, ascii=True) == ""


def test_columns_that_have_no_room_go_and_the_name_stays() -> None:
    wanted = {column.id: 10 for column in NODE_COLUMNS if column.id != "backend"} | {"reason": 80}
    wide = fit(NODE_COLUMNS, wanted, 200)
    assert [column.id for column, _ in wide][-1] == "reason" and wide[-1][1] == 80
    narrow = [column.id for column, _ in fit(NODE_COLUMNS, wanted, 60)]
    assert narrow == ["name", "state", "reason"]
    assert [column.id for column, _ in fit(QUEUE_COLUMNS, {"name": 30, "state": 5}, 10)] == ["name"]
