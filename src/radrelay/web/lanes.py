"""A lane of threads in which quick work goes one after another, and slow work steps aside.

Threads that all want the interpreter's lock hand it to each other at every statement of the database; with many of
them that takes longer than their work (each frame changed threads some two hundred times). So one piece of work is let
in at a time. One that takes longer than `PATIENCE_S` waits for something else, a decoder, a disk, a large picture: it
goes on in its thread, and the next is let in beside it. For work that waits on other machines lanes are wide.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

PATIENCE_S = 0.06
Result = TypeVar("Result")


@dataclass(slots=True)
class _Turn:
    """A place of the lane; `held` until the work ends or has taken too long."""

    held: bool = True


class Lane:
    """Threads of one event loop, of which `width` at a time do what may be quick."""

    def __init__(self, name: str, threads: int, width: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = width
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns in one of the threads, once it is its turn."""
        loop = asyncio.get_running_loop()
        await self._turn(loop)
        turn = _Turn()
        timer = loop.call_later(PATIENCE_S, self._give, turn)
        try:
            return await loop.run_in_executor(self._threads, work)
        finally:
            timer.cancel()
            self._give(turn)

    async def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._free:
            self._free -= 1
            return
        mine = loop.create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was given the turn, and does not take it
                self._pass_on()
            raise

    def _give(self, turn: _Turn) -> None:
        """Give a turn back, once."""
        if turn.held:
            turn.held = False
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(None)
                return
        self._free += 1
