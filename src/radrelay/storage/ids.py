"""Identifiers: UUIDs that grow with time (RFC 9562 version 7), so that new rows sit side by side in an index."""

from __future__ import annotations

import os
import threading
import time
import uuid

MOST_AHEAD_MS = 10_000
_STEP_BITS = 48  # a step within a millisecond is random, so that an id does not tell the next one


class IdMaker:
    """Makes version 7 UUIDs, each above the one before (RFC 9562, 6.2, method 2).

    48 bits are milliseconds; 74 bits are random where the millisecond is new, a random step above the last elsewhere.
    Where the clock goes back by less than `MOST_AHEAD_MS`, the ids go on in the millisecond in which they stood.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ms = self._random = 0

    def __call__(self) -> uuid.UUID:
        """Return a new UUID."""
        ms = time.time_ns() // 1_000_000
        drawn = int.from_bytes(os.urandom(10), "big")
        with self._lock:
            if ms > self._ms or ms < self._ms - MOST_AHEAD_MS:
                self._ms, self._random = ms, drawn >> 7  # 73 bits: room above for steps
            else:
                self._random += 1 + (drawn >> (80 - _STEP_BITS))
                if self._random >> 74:
                    self._ms, self._random = self._ms + 1, drawn >> 7
            ms, random = self._ms, self._random
        high, low = random >> 62, random & ((1 << 62) - 1)
        return uuid.UUID(int=ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


_made = IdMaker()


def new_id() -> uuid.UUID:
    """Return a new version 7 UUID, above all that this process has made before."""
    return _made()
