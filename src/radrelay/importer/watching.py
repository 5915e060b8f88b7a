"""Whether what is fetched is still wanted: looked at while nothing comes, too, so that giving up frees all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SLICE_S = 1.0
Look = Callable[[], None]


def _wanted() -> None:
    """Nobody gives it up."""


_look: ContextVar[Look] = ContextVar("look", default=_wanted)


@contextmanager
def watched(look: Look) -> Iterator[None]:
    """Have every wait within ask `look`, which raises once what is waited for is not wanted any more."""
    before = _look.set(look)
    try:
        yield
    finally:
        _look.reset(before)


def look() -> None:
    """Raise what whoever watches raises once it is not wanted any more."""
    _look.get()()


def pause(seconds: float) -> None:
    """Wait, in slices."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, SLICE_S))
        look()
