"""Buffers that objects are encrypted into: few, reused, so that memory stays flat whatever arrives."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SCRATCH_BYTES = 1 << 20


class Scratch:
    """A page-aligned buffer; grows to the largest object it met."""

    def __init__(self) -> None:
        self._view = memoryview(mmap.mmap(-1, SCRATCH_BYTES))

    def view(self, length: int) -> memoryview:
        """Return its first `length` bytes."""
        if length > len(self._view):
            self._view = memoryview(mmap.mmap(-1, -(-length // SCRATCH_BYTES) * SCRATCH_BYTES))
        return self._view[:length]


class ScratchPool:
    """A fixed number of buffers; who finds none free waits. Holding one does not last: encrypt, write, return."""

    def __init__(self, count: int) -> None:
        self._free = [Scratch() for _ in range(count)]
        self._permits = threading.BoundedSemaphore(count)

    @contextmanager
    def one(self) -> Iterator[Scratch]:
        """Hold a buffer for the length of a block."""
        with self._permits:
            scratch = self._free.pop()  # the last one used is still in the processor's cache
            try:
                yield scratch
            finally:
                self._free.append(scratch)
