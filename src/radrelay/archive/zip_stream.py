"""A ZIP that is written as it is sent, and work on what goes into it a few pieces ahead (APPNOTE 6.3.9)."""

from __future__ import annotations

import io
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

AHEAD = 3
PIECE = 1 << 20
Item = TypeVar("Item")
Done = TypeVar("Done")
LOCAL_BYTES, LISTED_BYTES, END_BYTES = 30 + 20, 46 + 28, 56 + 20 + 22
"""What a member takes before its content and in the central directory, beside its name each time; and the end."""


@dataclass(slots=True)
class Member:
    """A member as the central directory lists it."""

    name: bytes
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    flags: int


@dataclass(frozen=True, slots=True)
class Packed:
    """An object that is ready to be written."""

    crc: int
    size: int
    body: bytes


def ahead(executor: Executor, items: Iterable[Item], work: Callable[[Item], Done]) -> Iterator[tuple[Item, Done]]:
    """Yield items with what `work` makes of them, in order, a few worked on ahead."""
    waiting: deque[tuple[Item, Future[Done]]] = deque()
    try:
        for item in items:
            waiting.append((item, executor.submit(work, item)))
            if len(waiting) > AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


class ZipStream:
    """Writes a ZIP that is never seeked (APPNOTE 4.3.9): sizes before the data where known, else in a descriptor."""

    def __init__(self, now: datetime, *, deflate: bool) -> None:
        self._deflate = deflate
        self._members: list[Member] = []
        self._at = 0
        self._time = now.hour << 11 | now.minute << 5 | now.second // 2
        self._date = max(0, now.year - 1980) << 9 | now.month << 5 | now.day

    def pack(self, whole: bytes) -> Packed:
        """Compress a member; safe to call from any thread."""
        crc = zlib.crc32(whole)
        if not self._deflate:
            return Packed(crc, len(whole), whole)
        squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
        return Packed(crc, len(whole), squeeze.compress(whole) + squeeze.flush())

    def add_packed(self, name: str, packed: Packed) -> Iterator[bytes]:
        """Yield a member whose bytes are ready."""
        method = 8 if self._deflate else 0
        member = Member(name.encode(), method, packed.crc, len(packed.body), packed.size, self._at, 0x0800)
        header = self._local(member)
        self._members.append(member)
        self._at += len(header) + len(packed.body)
        yield header + packed.body if len(packed.body) < PIECE else header
        if len(packed.body) >= PIECE:
            yield packed.body

    def add_stream(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a member as its bytes come; its sizes follow in a ZIP64 data descriptor."""
        member = Member(name.encode(), 8 if self._deflate else 0, 0, 0, 0, self._at, 0x0808)
        header = self._local(member)
        yield header
        squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
        for piece in pieces:
            member.crc = zlib.crc32(piece, member.crc)
            member.size += len(piece)
            packed = squeeze.compress(piece) if self._deflate else piece
            member.packed += len(packed)
            if packed:
                yield packed
        if self._deflate:
            packed = squeeze.flush()
            member.packed += len(packed)
            yield packed
        descriptor = struct.pack("<IIQQ", 0x08074B50, member.crc, member.packed, member.size)
        yield descriptor
        self._members.append(member)
        self._at += len(header) + member.packed + len(descriptor)

    def add_stored(self, name: str, size: int, crc: int) -> tuple[Member, bytes]:
        """Return a member that is not compressed and what stands before its content, which the caller writes.

        Its `crc` may be put right until the end is written, where nobody is sent what stands before the content.
        """
        member = Member(name.encode(), 0, crc, size, size, self._at, 0x0800)
        header = self._local(member)
        self._members.append(member)
        self._at += len(header) + size
        return member, header

    def finish(self) -> bytes:
        """Return the central directory."""
        out = io.BytesIO()
        for member in self._members:
            out.write(self._central(member))
        size = out.tell()
        total = len(self._members)
        out.write(struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, total, total, size, self._at))
        out.write(struct.pack("<IIQI", 0x07064B50, 0, self._at + size, 1))
        count = min(len(self._members), 0xFFFF)
        out.write(
            struct.pack(
                "<IHHHHIIH", 0x06054B50, 0, 0, count, count, min(size, 0xFFFFFFFF), min(self._at, 0xFFFFFFFF), 0
            )
        )
        return out.getvalue()

    def _local(self, member: Member) -> bytes:
        extra = struct.pack("<HHQQ", 1, 16, member.size, member.packed)
        return (
            struct.pack(
                "<IHHHHHIIIHH",
                0x04034B50,
                45,
                member.flags,
                member.method,
                self._time,
                self._date,
                member.crc,
                0xFFFFFFFF,
                0xFFFFFFFF,
                len(member.name),
                len(extra),
            )
            + member.name
            + extra
        )

    def _central(self, member: Member) -> bytes:
        extra = struct.pack("<HHQQQ", 1, 24, member.size, member.packed, member.offset)
        return (
            struct.pack(
                "<IHHHHHHIIIHHHHHII",
                0x02014B50,
                45,
                45,
                member.flags,
                member.method,
                self._time,
                self._date,
                member.crc,
                0xFFFFFFFF,
                0xFFFFFFFF,
                len(member.name),
                len(extra),
                0,
                0,
                0,
                0,
                0xFFFFFFFF,
            )
            + member.name
            + extra
        )
