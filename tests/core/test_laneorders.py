"""Orders to a scheduler: what it refuses is known, in its own words, until the next order for that job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import anyio

from jobtui.core.backend import Handle
from jobtui.core.laneorders import Orders


class Refuses:
    """Says no to all that is asked, until it is told otherwise."""

    name = "slurm"
    words = "Access/permission denied"

    async def order(self, verb: str, handles: Sequence[Handle]) -> dict[int, str]:
        return {handle.job: self.words for handle in handles if self.words}

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        return {handle.job: self.words for handle in handles if self.words}


def handle(job: int) -> Handle:
    return Handle(job, 1, f"jt{job}", str(job), f"/w/{job}", None)


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(15):
        while not condition():
            await anyio.sleep(0.005)


def test_what_a_scheduler_refuses_to_do_once_is_told_until_something_else_is_asked() -> None:
    told: list[int] = []

    def tell(jobs: Iterable[int]) -> None:
        told.extend(jobs)

    async def main() -> None:
        scheduler = Refuses()
        orders = Orders(scheduler, tell)  # type: ignore[arg-type]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(orders.run)
            orders.once(("suspend", ""), handle(1))
            orders.once(("signal", "USR1"), handle(2))
            await until(lambda: set(told) == {1, 2})
            assert orders.refusal(1) == "could not suspend it: Access/permission denied"
            assert orders.refusal(2) == "could not send USR1 to it: Access/permission denied"
            assert orders.refusal(3) == ""
            scheduler.words = ""
            orders.once(("suspend", ""), handle(1))
            assert orders.refusal(1) == ""
            orders.drop(2)
            assert orders.refusal(2) == ""
            tasks.cancel_scope.cancel()

    anyio.run(main)
