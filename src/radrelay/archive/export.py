"""Studies as a ZIP: the file-set of IHE PDI with DICOMDIR, DICOM files, README and INDEX, streamed as it is made.

Objects are read and packed on threads a few ahead; memory stays at a few objects whatever the study's size.
Files that came along (PDF, pictures) stand under EXTRAS.
"""

from __future__ import annotations

import html
import io
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.dicom.errors import Malformed
from radrelay.dicom.fileset import FileSet
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import file_meta

AHEAD = 3
LARGE = 16 << 20  # larger objects are streamed by the writer itself
PIECE = 1 << 20

Compression = Literal["deflate", "none"]


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """A file that came with the study."""

    name: str
    size: int
    content: Callable[[], Iterable[bytes]]


@dataclass(slots=True)
class _Member:
    """A member as the central directory lists it."""

    name: bytes
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    flags: int


@dataclass(frozen=True, slots=True)
class _Packed:
    """An object that is ready to be written."""

    crc: int
    size: int
    body: bytes


Ready = tuple[Header | None, _Packed | None]
Item = TypeVar("Item")
Done = TypeVar("Done")


class _Named(Protocol):
    """What is known of an object without reading it."""

    @property
    def sop_class_uid(self) -> str: ...
    @property
    def sop_uid(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...


class ReadyObject(_Named, Protocol):
    """An object that is at hand."""

    @property
    def data_set(self) -> bytes:
        """The data set without file meta information."""
        ...


def stream_zip(
    reader: InstanceReader,
    refs: Sequence[InstanceRef],
    executor: Executor,
    now: datetime,
    *,
    extras: Sequence[ExtraFile] = (),
    compression: Compression = "deflate",
) -> Iterator[bytes]:
    """Yield a ZIP (with ZIP64 where needed) of `refs` as a DICOM file-set.

    `compression` deflate is the quick level; none is faster on a fast line. Objects keep the transfer syntax in
    which they were received.
    """
    archive = _ZipStream(now, deflate=compression == "deflate")
    files = FileSet()
    count = unread = 0
    for ref, ready in _ahead(executor, refs, lambda ref: _pack(reader, ref, archive)):
        if ready is None:
            continue
        header, packed = ready
        count, unread = count + 1, unread + (header is None)
        path = "/".join(_file_id(files, header, ref, unread))
        if packed is not None:
            yield from archive.add_packed(path, packed)
        else:
            yield from archive.add_stream(path, _file(reader, ref))
    for name, extra in zip(_extra_names(extras), extras, strict=True):
        yield from archive.add_stream(f"EXTRAS/{name}", extra.content())
    yield from _contents(archive, files, count, [e.name for e in extras], now)


def stream_copies(
    copies: Iterable[ReadyObject], executor: Executor, now: datetime, *, compression: Compression = "deflate"
) -> Iterator[bytes]:
    """Yield the same ZIP of objects that are made as they are asked for, such as de-identified ones."""
    archive = _ZipStream(now, deflate=compression == "deflate")
    files = FileSet()
    count = unread = 0
    for one, ready in _ahead(executor, copies, lambda one: _pack_ready(one, archive)):
        header, packed = ready
        count, unread = count + 1, unread + (header is None)
        yield from archive.add_packed("/".join(_file_id(files, header, one, unread)), packed)
    yield from _contents(archive, files, count, [], now)


def _contents(archive: _ZipStream, files: FileSet, count: int, extras: Sequence[str], now: datetime) -> Iterator[bytes]:
    """Yield what stands beside the objects, and the end."""
    yield from archive.add_stream("DICOMDIR", [files.dicomdir()])
    yield from archive.add_stream("README.TXT", [_readme(count, now)])
    yield from archive.add_stream("INDEX.HTM", [_index(count, extras, now)])
    yield archive.finish()


def part10(reader: InstanceReader, ref: InstanceRef) -> Iterator[bytes]:
    """Yield an instance as a DICOM file in the transfer syntax in which it was received."""
    return _file(reader, ref)


def _file(reader: InstanceReader, ref: InstanceRef) -> Iterator[bytes]:
    yield file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid)
    yield from reader.stream(ref)


def _pack(reader: InstanceReader, ref: InstanceRef, archive: _ZipStream) -> Ready | None:
    """Return an object's header and, unless it is large, its packed bytes; none if it was deleted meanwhile."""
    try:
        if ref.size > LARGE:
            return _parsed(reader.head(ref), ref), None
        data_set = reader.data_set(ref)
    except InstanceGone:
        return None
    whole = file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid) + data_set
    return _parsed(data_set, ref), archive.pack(whole)


def _pack_ready(one: ReadyObject, archive: _ZipStream) -> tuple[Header | None, _Packed]:
    data_set = one.data_set
    meta = file_meta(one.sop_class_uid, one.sop_uid, one.transfer_syntax_uid)
    return _parsed(data_set, one), archive.pack(meta + data_set)


def _parsed(data_set: bytes, ref: _Named) -> Header | None:
    try:
        return parse(data_set, ref.transfer_syntax_uid)
    except Malformed:
        return None


def _file_id(files: FileSet, header: Header | None, ref: _Named, unread: int) -> tuple[str, ...]:
    if header is None:
        return ("DICOM", "UNREAD", f"U{unread:07d}")
    return files.add(header, ref.transfer_syntax_uid, sop_class_uid=ref.sop_class_uid, sop_uid=ref.sop_uid)


def _ahead(executor: Executor, items: Iterable[Item], work: Callable[[Item], Done]) -> Iterator[tuple[Item, Done]]:
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


def _extra_names(extras: Sequence[ExtraFile]) -> list[str]:
    """Return a name for each extra that is safe in a path and different from the others'."""
    taken: set[str] = set()
    names = []
    for extra in extras:
        base = "".join(c if c.isalnum() or c in " ._-()" else "_" for c in extra.name.rsplit("/", 1)[-1]).strip(". ")
        base = base[-100:] or "file"
        name, number = base, 2
        while name.casefold() in taken:
            name, number = f"{number}-{base}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _readme(count: int, now: datetime) -> bytes:
    text = (
        f"DICOM images, {count} objects, written {now:%Y-%m-%d %H:%M} UTC by Radrelay.\r\n\r\n"
        "DICOMDIR is the table of contents for DICOM viewers (IHE Portable Data for Imaging);\r\n"
        "the objects are in the folder DICOM, other files that came along in EXTRAS.\r\n"
    )
    return text.encode("ascii")


def _index(count: int, extras: Sequence[str], now: datetime) -> bytes:
    items = "".join(f"<li>{html.escape(name)}</li>" for name in extras)
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>DICOM images</title></head><body>'
        f"<h1>DICOM images</h1><p>{count} objects, written {now:%Y-%m-%d %H:%M} UTC by Radrelay.</p>"
        '<p>Open <a href="DICOMDIR">DICOMDIR</a> with a DICOM viewer.</p>'
        + (f"<h2>Other files (folder EXTRAS)</h2><ul>{items}</ul>" if items else "")
        + "</body></html>"
    )
    return page.encode()


class _ZipStream:
    """Writes a ZIP that is never seeked (APPNOTE 4.3.9): sizes before the data where known, else in a descriptor."""

    def __init__(self, now: datetime, *, deflate: bool) -> None:
        self._deflate = deflate
        self._members: list[_Member] = []
        self._at = 0
        self._time = now.hour << 11 | now.minute << 5 | now.second // 2
        self._date = max(0, now.year - 1980) << 9 | now.month << 5 | now.day

    def pack(self, whole: bytes) -> _Packed:
        """Compress a member; safe to call from any thread."""
        crc = zlib.crc32(whole)
        if not self._deflate:
            return _Packed(crc, len(whole), whole)
        squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
        return _Packed(crc, len(whole), squeeze.compress(whole) + squeeze.flush())

    def add_packed(self, name: str, packed: _Packed) -> Iterator[bytes]:
        """Yield a member whose bytes are ready."""
        method = 8 if self._deflate else 0
        member = _Member(name.encode(), method, packed.crc, len(packed.body), packed.size, self._at, 0x0800)
        header = self._local(member)
        self._members.append(member)
        self._at += len(header) + len(packed.body)
        yield header + packed.body if len(packed.body) < PIECE else header
        if len(packed.body) >= PIECE:
            yield packed.body

    def add_stream(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a member as its bytes come; its sizes follow in a ZIP64 data descriptor."""
        member = _Member(name.encode(), 8 if self._deflate else 0, 0, 0, 0, self._at, 0x0808)
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

    def _local(self, member: _Member) -> bytes:
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

    def _central(self, member: _Member) -> bytes:
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
