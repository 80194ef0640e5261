"""Hands keys to the screen one after the other: what one of them leads to is there before the next is looked at.

On a slow line keys arrive in bursts. Textual hands them on through the queues of widgets, where one overtakes another:
a key behind Enter would still go into the field that Enter closes, or a letter get lost that a dialog was to have.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import anyio
from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.widgets import Input

# A key goes from a field up to the app, its action's messages go up again, and so may theirs.
_ROUNDS = 3
# Seconds that the queues may take on a busy machine: a key handed on before its dialog is there is lost.
_PATIENCE = 10.0
# Seconds between two looks whether a dialog is being closed, which drops what was put into its queue.
_LOOK = 0.05

Typed = events.Key | events.Paste


class Typist:
    """The keys of one app. A key that the app can do something with at once takes no detour."""

    def __init__(
        self, app: App[None], at_once: Callable[[str], bool], hand_on: Callable[[Typed], Awaitable[None]]
    ) -> None:
        """``at_once`` does what a key stands for, if it stands for anything; ``hand_on`` gives it to Textual."""
        self._app, self._at_once, self._hand_on = app, at_once, hand_on
        self._waiting: deque[Typed] = deque()
        self._calm = True

    def take(self, typed: Typed) -> None:
        """Take a key, or pasted text; in the loop of the app."""
        if self._waiting or not self._calm or not self._done(typed):
            self._waiting.append(typed)
            if len(self._waiting) == 1:
                self._app.run_worker(self._work())

    def _done(self, typed: Typed) -> bool:
        """Do what it stands for, if that is possible at once."""
        done = isinstance(typed, events.Key) and self._at_once(typed.key)
        # A dialog or a field that was opened has to be there before it can be given a key.
        self._calm = done and len(self._app.screen_stack) == 1 and not isinstance(self._app.focused, Input)
        return done

    async def _work(self) -> None:
        while self._waiting and self._app.screen_stack:
            if not self._calm:
                await self._settle()
            if not self._done(self._waiting[0]):
                await self._hand_on(self._waiting[0])
                await self._settle()
            self._waiting.popleft()

    async def _settle(self) -> None:
        """Wait until all that is concerned has dealt with what it was told."""
        with anyio.move_on_after(_PATIENCE):
            for _ in range(_ROUNDS):
                if not self._app.screen_stack:
                    # It is being left.
                    return
                pump: MessagePump | None = self._app.focused or self._app.screen
                while pump is not None:
                    await _through(pump)
                    pump = pump._parent  # pyright: ignore[reportPrivateUsage]
        stack = self._app.screen_stack
        self._calm = len(stack) == 1 and not isinstance(stack[0].focused, Input)


async def _through(pump: MessagePump) -> None:
    """Wait until a message pump has dealt with all that is in its queue now."""
    done = asyncio.Event()
    waits = pump.call_later(done.set)
    while waits and not done.is_set():
        with anyio.move_on_after(_LOOK):
            await done.wait()
        waits = not (pump._closing or pump._closed)  # pyright: ignore[reportPrivateUsage]
