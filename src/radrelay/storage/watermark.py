"""The durable watermark: how far an owner's landing is safe on disk, told to the machine's other processes.

One page of shared memory in a file beside the segments: segment, epoch and durable offset under a CRC-32.
It only ever moves after a sync, so it is never ahead of the disk; after a power loss it may lie behind.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "watermark"
PAGE = 4096
MAGIC = b"RRwmark1"
_mark = struct.Struct("<8sQQQ")
_crc = struct.Struct("<I")
_BYTES = _mark.size + _crc.size
READ_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Watermark:
    """Everything before byte `offset` of the segment, and all earlier segments, is durable."""

    segment: int
    epoch: int
    offset: int


class WatermarkWriter:
    """The owner's side. Not thread-safe: only the leader of a sync moves it."""

    def __init__(self, directory: Path) -> None:
        path = directory / FILE_NAME
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(handle).st_size < PAGE:
                os.pwrite(handle, bytes(PAGE), 0)
            self._map = mmap.mmap(handle, PAGE)
        finally:
            os.close(handle)

    def move(self, segment: int, epoch: int, offset: int) -> None:
        """Say that everything before `offset` is durable."""
        mark = _mark.pack(MAGIC, segment, epoch, offset)
        self._map[:_BYTES] = mark + _crc.pack(zlib.crc32(mark))

    def close(self) -> None:
        """Let the shared memory go; the file stays."""
        self._map.close()


def read_watermark(directory: Path) -> Watermark | None:
    """Return an owner's watermark, or none if it has not landed anything yet."""
    try:
        handle = os.open(directory / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        for _ in range(READ_TRIES):  # a read may meet a write halfway: the CRC tells, and the next read is whole
            data = os.pread(handle, _BYTES, 0)
            if len(data) < _BYTES or data[:8] != MAGIC:
                return None
            if _crc.unpack_from(data, _mark.size)[0] == zlib.crc32(data[: _mark.size]):
                _, segment, epoch, offset = _mark.unpack_from(data)
                return Watermark(segment, epoch, offset)
    finally:
        os.close(handle)
    return None
