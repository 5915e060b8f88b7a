"""Bytes that an archive is read from at any place: a file, memory, a landing record, or an unlinked scratch file.

The scratch file holds an archive found inside an archive. It has no name, and its key lives in this process alone:
after a crash nothing readable and nothing at all is left of it.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.storage.segments import RecordLocation, SegmentReader

BLOCK_BYTES = 1 << 20
TAG_BYTES = 16
WHOLE_RECORD_BYTES = 8 << 20


class ByteSource(Protocol):
    """Bytes with random access, from any thread."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def read(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`; fewer only at the end."""
        ...


class MemorySource:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    def read(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`."""
        return self._data[start : start + length]


class FileSource:
    """An ordinary file, open for reading; close it after use."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size

    def read(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`."""
        return os.pread(self._descriptor, length, start)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class RecordSource:
    """A landing record's payload, a block of it kept at hand; a small one whole."""

    def __init__(self, reader: SegmentReader, location: RecordLocation) -> None:
        self._reader = reader
        self._location = location
        self.size = location.length
        self._block_bytes = self.size if self.size <= WHOLE_RECORD_BYTES else BLOCK_BYTES
        self._blocks: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def read(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`."""
        with self._lock:
            return _read_blocks(self._block, self._block_bytes, self.size, start, length)

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            start = number * self._block_bytes
            block = self._reader.read(self._location, start, min(self._block_bytes, self.size - start))
            _remember(self._blocks, number, block)
        return block


class ScratchSource:
    """What `chunks` gave, encrypted in a file without a name."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 — closed by close()
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._blocks: dict[int, bytes] = {}
        self._lock = threading.Lock()
        self.size = 0

    @classmethod
    def fill(cls, directory: Path, chunks: Iterable[bytes]) -> Self:
        """Return a source over everything that `chunks` gives; what they raise goes through."""
        source = cls(directory)
        try:
            pending = bytearray()
            for chunk in chunks:
                pending += chunk
                while len(pending) >= BLOCK_BYTES:
                    source._append(bytes(pending[:BLOCK_BYTES]))
                    del pending[:BLOCK_BYTES]
            if pending:
                source._append(bytes(pending))
        except BaseException:
            source.close()
            raise
        return source

    def _append(self, block: bytes) -> None:
        number = self.size // BLOCK_BYTES
        self._file.write(self._cipher.encrypt(number.to_bytes(12, "big"), block, None))
        self.size += len(block)

    def read(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`."""
        with self._lock:
            return _read_blocks(self._block, BLOCK_BYTES, self.size, start, length)

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            stored = BLOCK_BYTES + TAG_BYTES
            sealed = os.pread(self._file.fileno(), stored, number * stored)
            block = self._cipher.decrypt(number.to_bytes(12, "big"), sealed, None)
            _remember(self._blocks, number, block)
        return block

    def close(self) -> None:
        """Give the file up, and its key with it."""
        self._file.close()


class _Blocks(Protocol):
    def __call__(self, number: int) -> bytes: ...


def _read_blocks(block: _Blocks, block_bytes: int, size: int, start: int, length: int) -> bytes:
    end = min(size, start + length)
    if start >= end or start < 0:
        return b""
    first, last = start // block_bytes, (end - 1) // block_bytes
    whole = b"".join(block(number) for number in range(first, last + 1)) if last > first else block(first)
    return whole[start - first * block_bytes : end - first * block_bytes]


def _remember(blocks: dict[int, bytes], number: int, block: bytes) -> None:
    """Keep the three last read blocks: the directory's, the member's, the one before."""
    while len(blocks) >= 3:
        del blocks[next(iter(blocks))]
    blocks[number] = block
