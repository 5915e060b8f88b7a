"""How fast a destination is sent to: a token bucket for each, shared by all deliveries of this process to it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence

from radrelay.routing.carriers import DeliveryItem
from radrelay.routing.models import Destination

KIB = 1024
LEAST_KIB_PER_S = 8
LONGEST_PIECE = 64 * KIB


class Bucket:
    """Lets `bytes_per_s` through on average, and what it has saved in one second at once; thread-safe."""

    def __init__(
        self, bytes_per_s: int, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.bytes_per_s = bytes_per_s
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = now()  # when all that was let through until now would have gone at this speed

    def take(self, count: int) -> None:
        """Wait until `count` bytes may go."""
        with self._lock:
            now = self._now()
            self._free_at = max(self._free_at, now - 1.0) + count / self.bytes_per_s
            wait = self._free_at - now
        if wait > 0:
            self._sleep(wait)


class Buckets:
    """The buckets of all destinations; one whose speed was changed gets a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_destination: dict[uuid.UUID, Bucket] = {}

    def paced(self, destination: Destination, item: DeliveryItem) -> DeliveryItem:
        """Return an item whose bytes come no faster than the destination shall be sent to."""
        if not destination.kib_per_s:
            return item
        wanted = destination.kib_per_s * KIB
        with self._lock:
            bucket = self._by_destination.get(destination.id)
            if bucket is None or bucket.bytes_per_s != wanted:
                bucket = self._by_destination[destination.id] = Bucket(wanted)
        return _Paced(item, bucket)


class _Paced:
    """An item that is read at the speed of a bucket."""

    def __init__(self, item: DeliveryItem, bucket: Bucket) -> None:
        self._item = item
        self._bucket = bucket
        self.instance_id = item.instance_id
        self.sop_class_uid = item.sop_class_uid
        self.sop_uid = item.sop_uid
        self.transfer_syntax = item.transfer_syntax

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        """Return the data set in pieces that are let through one by one."""
        syntax, pieces = self._item.open(accepted)
        return syntax, self._through(pieces)

    def _through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        step = max(1, min(LONGEST_PIECE, self._bucket.bytes_per_s // 2))
        for piece in pieces:
            view = memoryview(piece)
            for start in range(0, len(view), step):
                part = view[start : start + step]
                self._bucket.take(len(part))
                yield bytes(part)
