"""What was used last, kept within a weight: for headers, tables, thumbnails and other things that are made again.

Thread-safe. A value that is heavier than the whole limit is not kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A mapping that forgets what was not used for longest once it weighs more than `limit`."""

    def __init__(self, limit: int, weight: Callable[[Value], int]) -> None:
        self._limit = limit
        self._weight = weight
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return what is kept under `key`, if it still is."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Key, value: Value) -> None:
        """Keep `value`, in place of what was under `key`."""
        weight = self._weight(value)
        with self._lock:
            old = self._kept.pop(key, None)
            self._total -= old[1] if old is not None else 0
            if weight > self._limit:
                return
            self._kept[key] = (value, weight)
            self._total += weight
            while self._total > self._limit:
                _, (_, gone) = self._kept.popitem(last=False)
                self._total -= gone

    @property
    def weight(self) -> int:
        """Return what all that is kept weighs."""
        return self._total
