"""Buffers whose memory is bounded whatever arrives: what objects are collected in, and what they are encrypted into.

They are anonymous mappings, apart from the heap: a heap that large blocks come from and go back to, in as many
threads as there are associations, keeps several times their size.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SMALL_BYTES = 2 << 20
_FORGET = getattr(mmap, "MADV_DONTNEED", None)


class Reserve:
    """A buffer of fixed length that takes memory only where it was written, and can give it back."""

    def __init__(self, length: int) -> None:
        self._map = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.view = memoryview(self._map)

    def give_back(self, start: int) -> None:
        """Let go of the memory from `start`, a multiple of the page's size, on; what was there reads as zeros."""
        if _FORGET is not None and start < len(self.view):
            self._map.madvise(_FORGET, start)


class ScratchPool:
    """A fixed number of buffers; who finds none free waits. Holding one does not last: encrypt, write, return.

    Of records above `SMALL_BYTES` one at a time is encrypted, into a buffer of `largest` bytes: they are written
    one after another anyway.
    """

    def __init__(self, count: int, largest: int) -> None:
        self._free = [Reserve(SMALL_BYTES).view for _ in range(count)]
        self._permits = threading.BoundedSemaphore(count)
        self._large = Reserve(max(largest, SMALL_BYTES))
        self._large_lock = threading.Lock()

    @contextmanager
    def one(self, length: int) -> Iterator[memoryview]:
        """Hold `length` bytes for the length of a block."""
        if length > SMALL_BYTES:
            with self._large_lock:
                yield self._large.view[:length]
            return
        with self._permits:
            scratch = self._free.pop()  # the last one used is still in the processor's cache
            try:
                yield scratch[:length]
            finally:
                self._free.append(scratch)
