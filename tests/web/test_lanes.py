"""Quick work goes one after another; slow work steps aside and holds nobody up."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from radrelay.web.lanes import Lane
from tests.apart import run_apart


class Counted:
    """Work that notes how much of it is under way at once."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.most = self.now = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.takes_s)
        with self._lock:
            self.now -= 1


def test_quick_work_goes_one_after_another() -> None:
    work = Counted(0.001)

    async def ask() -> None:
        lane = Lane("test", 8, 1)
        await asyncio.gather(*(lane.run(work) for _ in range(50)))

    run_apart(ask())
    assert work.most <= 3  # on a machine so busy that a millisecond took sixty


def test_slow_work_holds_nobody_up() -> None:
    slow, done = threading.Event(), []

    async def ask() -> None:
        lane = Lane("test", 4, 1)
        stuck = [asyncio.ensure_future(lane.run(slow.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        for number in range(20):
            await asyncio.wait_for(lane.run(lambda number=number: done.append(number)), 5)  # type: ignore[misc]
        slow.set()
        await asyncio.gather(*stuck)

    run_apart(ask())
    assert done == list(range(20))


def test_who_leaves_while_waiting_or_working_takes_no_turn_along() -> None:
    slow = threading.Event()

    async def ask() -> list[int]:
        lane = Lane("test", 4, 1)
        leaving = [asyncio.ensure_future(lane.run(slow.wait)) for _ in range(4)]
        await asyncio.sleep(0)
        for one in leaving:
            one.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        slow.set()
        return [await asyncio.wait_for(lane.run(lambda: 1), 5) for _ in range(10)]

    assert run_apart(ask()) == [1] * 10


def test_an_error_is_told_and_the_next_goes_on() -> None:
    def broken() -> None:
        raise OSError("gone")

    async def ask() -> int:
        lane = Lane("test", 2, 1)
        for _ in range(3):
            with pytest.raises(OSError, match="gone"):
                await lane.run(broken)
        return await lane.run(lambda: 7)

    assert run_apart(ask()) == 7
