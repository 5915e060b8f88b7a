"""How many events of usage are taken: nobody is logged in who sends them, and losing some harms nobody.

A bucket per address (IPv6 by its /64) and one for the whole process, in memory alone: no address is written down.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from radrelay.errors import RadrelayError
from radrelay.identity.throttle import address_key

PER_ADDRESS, PER_ADDRESS_S = 600, 600 / 60  # events at once, and each second: a ward may stand behind one address
PER_PROCESS, PER_PROCESS_S = 6_000, 20.0
REMEMBERED = 5_000


class TooManyEvents(RadrelayError):
    """So many events are not counted; what is over is dropped."""

    code = "too-many-events"
    http_status = 429


class UsageDoor:
    """Counts what comes in; thread-safe."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._all = (float(PER_PROCESS), now_s())
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, events: int) -> None:
        """Take so many events of an address, or raise `TooManyEvents` and take none."""
        key, now = address_key(address), self._now_s()
        with self._lock:
            left = _filled(self._known.pop(key, (float(PER_ADDRESS), now)), now, PER_ADDRESS, PER_ADDRESS_S)
            whole = _filled(self._all, now, PER_PROCESS, PER_PROCESS_S)
            allowed = min(left, whole) >= events
            self._known[key] = (left - events if allowed else left, now)
            self._all = (whole - events if allowed else whole, now)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        if not allowed:
            raise TooManyEvents


def _filled(bucket: tuple[float, float], now: float, most: int, each_s: float) -> float:
    left, at = bucket
    return min(float(most), left + max(0.0, now - at) * each_s)
