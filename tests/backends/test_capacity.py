"""Queues and nodes as schedulers tell of them: recorded answers, and whatever else may come."""

from __future__ import annotations

import pytest
from backend_kit import recorded
from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.dialect import Queues, Reply, Site
from jobtui.backends.lsf import Lsf
from jobtui.backends.pbs import Pbs
from jobtui.backends.sge import Sge
from jobtui.backends.slurm import Slurm
from jobtui.core.queues import Capacity, Node, Queue, Share, share_of, shares

US = "\x1f"
GIB = 2**30


def slurm() -> Capacity:
    return Slurm().read_capacity([recorded("slurm", "sinfo-partitions"), recorded("slurm", "scontrol-show-node")])


def by_name(nodes: tuple[Node, ...]) -> dict[str, Node]:
    return {node.name: node for node in nodes}


def test_slurms_partitions_with_what_is_used_free_and_neither() -> None:
    told = slurm()
    assert told.trouble == ""
    main, short, gpu, _ = told.queues
    assert main == Queue(
        "main", "up", True, True, used=11, free=21, total=40, nodes=10, gpus_used=1, gpus=2, time_limit=86400.0
    )
    assert (short.name, short.default, short.time_limit) == ("short", False, 600.0)
    assert (gpu.total, gpu.gpus, gpu.time_limit) == (4, 2, None)


def test_slurms_nodes_with_their_states_and_why_they_are_out_of_service() -> None:
    nodes = by_name(slurm().nodes)
    assert nodes["n1"].state == "allocated" and nodes["n1"].usable
    assert (nodes["n2"].used, nodes["n2"].total) == (3, 4)
    assert nodes["n3"] == Node(
        "n3",
        "drained",
        False,
        0,
        4,
        0,
        8000 * 2**20,
        reason="maintenance at noon: new disks, ask ops",
        queues=("main", "short", "scavenge"),
    )
    assert (nodes["n4"].state, nodes["n4"].usable, nodes["n4"].reason) == ("down*", False, "fan, dead")
    assert (nodes["n6"].state, nodes["n6"].usable) == ("planned", True)
    assert (nodes["n10"].gpus_used, nodes["n10"].gpus) == (1, 2)


@pytest.mark.parametrize(
    ("word", "state", "usable"),
    [
        ("IDLE", "idle", True),
        ("MIXED+DRAIN", "draining", False),
        ("IDLE+DRAIN", "drained", False),
        ("DOWN+DRAIN", "drained", False),
        ("IDLE*", "idle*", False),
        ("IDLE+CLOUD+POWERED_DOWN", "cloud", True),
        ("ALLOCATED+RESERVED", "allocated+reserved", True),
        ("IDLE+MAINT", "maint", False),
        ("DOWN+NOT_RESPONDING", "down*", False),
        ("FUTURE", "future", False),
        ("SOMETHING_NEW", "something_new", True),
    ],
)
def test_slurms_words_for_a_nodes_state(word: str, state: str, usable: bool) -> None:
    line = f"NodeName=n1 CPUAlloc=0 CPUTot=4 Gres=(null) RealMemory=10 State={word} Partitions=p \n"
    (node,) = Slurm().read_capacity([Reply(0, "", ""), Reply(0, line, "")]).nodes
    assert (node.state, node.usable) == (state, usable)


@pytest.mark.parametrize(
    ("gres", "used", "gpus", "gpus_used"),
    [
        ("gpu:2", "gpu:1(IDX:0)", 2, 1),
        ("gpu:a100:4(S:0-1),gpu:v100:2(S:0,1)", "gpu:a100:3(IDX:0-2),gpu:v100:0(IDX:N/A)", 6, 3),
        ("gpu:4g.20gb:2,nvme:900G", "gpu:4g.20gb:1(IDX:0),nvme:0", 2, 1),
        ("(null)", "gpu:0", None, None),
        ("fpga:2", "fpga:1", None, None),
    ],
)
def test_slurms_graphics_processors(gres: str, used: str, gpus: int | None, gpus_used: int | None) -> None:
    line = f"NodeName=n1 CPUAlloc=0 CPUTot=4 Gres={gres} GresDrain=N/A GresUsed={used} State=IDLE Partitions=p\n"
    (node,) = Slurm().read_capacity([Reply(0, "", ""), Reply(0, line, "")]).nodes
    assert (node.gpus, node.gpus_used) == (gpus, gpus_used)


def test_a_partition_told_of_in_several_lines_is_one() -> None:
    lines = [US.join(parts) for parts in (("p*", "up", "30:00", "1/1/0/2", "4/4/0/8"),) * 2]
    (queue,) = Slurm().read_capacity([Reply(0, "\n".join(lines), ""), Reply(0, "", "")]).queues
    assert (queue.used, queue.free, queue.total, queue.nodes, queue.time_limit) == (8, 8, 16, 4, 1800.0)


def test_a_scheduler_that_refuses_says_why_in_its_own_words() -> None:
    refused = Reply(1, "", "slurm_load_node error: Access/permission denied\n")
    told = Slurm().read_capacity([recorded("slurm", "sinfo-partitions"), refused])
    assert len(told.queues) == 4
    assert told.nodes == ()
    assert "permission denied" in told.trouble


def test_grid_engines_queues_and_hosts_and_that_a_queue_is_disabled() -> None:
    told = Sge().read_capacity([recorded("sge", "qhost-queues"), recorded("sge", "qconf-sq")])
    assert told.trouble == ""
    short, everything = told.queues
    assert short == Queue("short.q", "disabled", False, used=0, free=0, total=2, nodes=1, time_limit=600.0)
    assert everything == Queue("all.q", "ok", True, used=1, free=7, total=8, nodes=1, time_limit=86400.0)
    (host,) = told.nodes
    assert (host.name, host.state, host.usable, host.used, host.total) == ("host", "ok", True, 1, 8)
    assert (host.reason, host.queues) == ("short.q disabled", ("short.q", "all.q"))
    assert host.memory is not None and host.memory > 23 * GIB


@pytest.mark.parametrize(
    ("letters", "state", "usable"),
    [
        ("", "ok", True),
        ("a", "ok", True),
        ("d", "disabled", False),
        ("au", "unreachable", False),
        ("E", "error", False),
    ],
)
def test_grid_engines_letters_for_the_state_of_a_queue(letters: str, state: str, usable: bool) -> None:
    text = recorded("sge", "qhost-queues").out.replace("'state_string'>d<", "'state_string'><")
    start = text.index("<queue name='all.q'>")
    text = text[:start] + text[start:].replace("name='state_string'><", f"name='state_string'>{letters}<", 1)
    queues = {queue.name: queue for queue in Sge().read_capacity([Reply(0, text, ""), Reply(1, "", "")]).queues}
    assert (queues["all.q"].state, queues["all.q"].usable) == (state, usable)
    assert queues["all.q"].free == (7 if usable else 0) and queues["all.q"].time_limit is None


def test_a_host_of_grid_engine_that_is_gone() -> None:
    text = """<qhost><host name='n1'><hostvalue name='load_avg'>-</hostvalue>
      <queue name='a.q'><queuevalue qname='a.q' name='slots'>4</queuevalue>
      <queuevalue qname='a.q' name='state_string'>au</queuevalue></queue></host></qhost>"""
    (host,) = Sge().read_capacity([Reply(0, text, ""), Reply(0, "", "")]).nodes
    assert (host.state, host.usable, host.memory) == ("unreachable", False, None)


def test_pbs_queues_and_nodes() -> None:
    told = Pbs().read_capacity([recorded("pbs", "qstat-Q-f"), recorded("pbs", "pbsnodes")])
    assert told.trouble == ""
    assert told.queues == (
        Queue("workq", "open", used=11, running=11, waiting=9),
        Queue("short", "open", used=1, running=1, waiting=0, time_limit=600.0),
    )
    assert told.nodes == (Node("vm", "job-busy", True, 12, 8, 512000 * 1024, 16 * GIB),)


def test_a_queue_of_pbs_that_is_stopped_and_nodes_of_torque() -> None:
    queue = "Queue: q\n    queue_type = Route\n    enabled = False\n    started = True\n"
    node = (
        "n1\n     state = down,offline\n     np = 8\n     note = bad disk\n"
        "     jobs = 0/12.srv, 1-3/13.srv\n     status = rectime=1,physmem=1024kb,\n\tncpus=8\n     gpus = 2\n\n"
    )
    told = Pbs().read_capacity([Reply(0, queue, ""), Reply(0, node, "")])
    assert (told.queues[0].state, told.queues[0].usable) == ("closed, routes", False)
    (one,) = told.nodes
    assert (one.usable, one.used, one.total, one.reason) == (False, 4, 8, "bad disk")
    assert (one.memory, one.gpus) == (2**20, 2)


def test_lsf_queues_and_hosts() -> None:
    told = Lsf().read_capacity([recorded("lsf", "bqueues"), recorded("lsf", "bhosts")])
    assert told == Capacity(
        (
            Queue("short", "Open:Active", used=0, running=0, waiting=0),
            Queue("normal", "Open:Active", used=7, running=6, waiting=7),
        ),
        (Node("vm", "ok", True, 7, 8),),
    )


@pytest.mark.parametrize(("state", "usable"), [("closed_Full", True), ("closed_Adm", False), ("unreach", False)])
def test_a_host_of_lsf_is_full_or_taken_away(state: str, usable: bool) -> None:
    reply = recorded("lsf", "bhosts")
    closed = Reply(0, reply.out.replace(" ok ", f" {state} "), "")
    assert Lsf().read_capacity([Reply(0, "", ""), closed]).nodes[0].usable is usable


DIALECTS = [
    (Slurm(), ("slurm", "sinfo-partitions", "scontrol-show-node")),
    (Sge(), ("sge", "qhost-queues", "qconf-sq")),
    (Pbs(), ("pbs", "qstat-Q-f", "pbsnodes")),
    (Lsf(), ("lsf", "bqueues", "bhosts")),
]


@pytest.mark.parametrize(("dialect", "names"), DIALECTS, ids=[names[0] for _, names in DIALECTS])
@given(data=st.data())
def test_torn_and_senseless_answers_are_told_as_far_as_they_make_sense(
    dialect: Queues, names: tuple[str, ...], data: st.DataObject
) -> None:
    replies: list[Reply] = []
    for name in names[1:]:
        text = recorded(names[0], name).out
        start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        kind = data.draw(st.sampled_from(["torn", "hole", "noise", "whole"]))
        noise = data.draw(st.text(max_size=200))
        out = {
            "torn": text[:end],
            "hole": text[:start] + text[end:],
            "noise": text[:start] + noise + text[start:],
            "whole": text,
        }[kind]
        replies.append(Reply(data.draw(st.sampled_from([0, 1, -9])), out, data.draw(st.text(max_size=50))))
    whole = dialect.read_capacity([recorded(names[0], name) for name in names[1:]])
    told = dialect.read_capacity(replies)
    assert all(queue.name for queue in told.queues)
    assert all(node.name for node in told.nodes)
    assert all(slots is None or slots >= 0 for queue in told.queues for slots in (queue.used, queue.free, queue.total))
    assert told.trouble or told == whole or any(reply.code == 0 for reply in replies)


@pytest.mark.parametrize("dialect", [dialect for dialect, _ in DIALECTS])
@given(texts=st.lists(st.text(), min_size=2, max_size=2))
def test_no_text_whatever_is_too_much(dialect: Queues, texts: list[str]) -> None:
    count = len(dialect.capacity(Site("x")))
    told = dialect.read_capacity([Reply(0, text, "") for text in (texts * 2)[:count]])
    assert all(queue.name for queue in told.queues)


def test_a_persons_share_of_a_queue() -> None:
    mine = shares([("main", "running"), ("main", "pending"), ("short,main", "held"), ("main", "gone"), ("", "pending")])
    assert mine["main"] == Share(1, 1)
    assert share_of(Queue("main"), mine) == Share(1, 2)
    assert share_of(Queue("short"), mine) == Share(0, 1)
    assert share_of(Queue("gpu"), mine) == Share()
