"""What was used last, kept within a weight: for headers, tables, thumbnails and other things that are made again.

Thread-safe. A value that is heavier than the whole limit is not kept.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A mapping that forgets what was not used for longest once it weighs more than `limit`.

    With `seconds`, it also forgets what was put there longer ago than that, whether anybody asks for it or not.
    """

    def __init__(
        self,
        limit: int,
        weight: Callable[[Value], int],
        seconds: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._weight = weight
        self._seconds = seconds
        self._now = now
        self._kept: OrderedDict[Key, tuple[Value, int, float]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()
        self._sweeping = False

    def get(self, key: Key) -> Value | None:
        """Return what is kept under `key`, if it still is."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if self._is_old(found[2]):
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Key, value: Value) -> None:
        """Keep `value`, in place of what was under `key`."""
        weight = self._weight(value)
        with self._lock:
            self._drop(key)
            if weight > self._limit:
                return
            self._kept[key] = (value, weight, self._now())
            self._total += weight
            while self._total > self._limit:
                _, (_, gone, _) = self._kept.popitem(last=False)
                self._total -= gone
            self._sweep_later()

    def sweep(self) -> None:
        """Forget what has become too old."""
        with self._lock:
            for key in [key for key, (_, _, since) in self._kept.items() if self._is_old(since)]:
                self._drop(key)
            self._sweeping = False
            self._sweep_later()

    def _is_old(self, since: float) -> bool:
        return self._seconds is not None and self._now() - since >= self._seconds

    def _drop(self, key: Key) -> None:
        gone = self._kept.pop(key, None)
        self._total -= gone[1] if gone is not None else 0

    def _sweep_later(self) -> None:
        if self._seconds is None or self._sweeping or not self._kept:
            return
        self._sweeping = True
        timer = threading.Timer(self._seconds, self.sweep)
        timer.daemon = True
        timer.start()

    @property
    def weight(self) -> int:
        """Return what all that is kept weighs."""
        return self._total
