"""Studies as a ZIP: the file-set of IHE PDI with DICOMDIR, DICOM files, README and INDEX, streamed as it is made.

Objects are read and packed on threads a few ahead; memory stays at a few objects whatever the study's size.
Files that came along (PDF, pictures) stand under EXTRAS.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from urllib.parse import quote

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.archive.zip_stream import Packed, ZipStream, ahead
from radrelay.dicom.errors import Malformed
from radrelay.dicom.fileset import FileSet
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import file_meta

LARGE = 16 << 20  # larger objects are streamed by the writer itself

Compression = Literal["deflate", "none"]


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """A file that came with the study."""

    name: str
    size: int
    content: Callable[[], Iterable[bytes]]


Ready = tuple[Header | None, Packed | None]


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
    archive = ZipStream(now, deflate=compression == "deflate")
    files = FileSet()
    count = unread = 0
    for ref, ready in ahead(executor, refs, lambda ref: _pack(reader, ref, archive)):
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
    archive = ZipStream(now, deflate=compression == "deflate")
    files = FileSet()
    count = unread = 0
    for one, ready in ahead(executor, copies, lambda one: _pack_ready(one, archive)):
        header, packed = ready
        count, unread = count + 1, unread + (header is None)
        yield from archive.add_packed("/".join(_file_id(files, header, one, unread)), packed)
    yield from _contents(archive, files, count, [], now)


def _contents(archive: ZipStream, files: FileSet, count: int, extras: Sequence[str], now: datetime) -> Iterator[bytes]:
    """Yield what stands beside the objects, and the end."""
    yield from archive.add_stream("DICOMDIR", [files.dicomdir()])
    yield from archive.add_stream("README.TXT", [readme(count, now)])
    yield from archive.add_stream("INDEX.HTM", [index_page(count, extras, now)])
    yield archive.finish()


def part10(reader: InstanceReader, ref: InstanceRef) -> Iterator[bytes]:
    """Yield an instance as a DICOM file in the transfer syntax in which it was received."""
    return _file(reader, ref)


def _file(reader: InstanceReader, ref: InstanceRef) -> Iterator[bytes]:
    yield file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid)
    yield from reader.stream(ref)


def _pack(reader: InstanceReader, ref: InstanceRef, archive: ZipStream) -> Ready | None:
    """Return an object's header and, unless it is large, its packed bytes; none if it was deleted meanwhile."""
    try:
        if ref.size > LARGE:
            return parsed(reader.head(ref), ref), None
        data_set = reader.data_set(ref)
    except InstanceGone:
        return None
    whole = file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid) + data_set
    return parsed(data_set, ref), archive.pack(whole)


def _pack_ready(one: ReadyObject, archive: ZipStream) -> tuple[Header | None, Packed]:
    data_set = one.data_set
    meta = file_meta(one.sop_class_uid, one.sop_uid, one.transfer_syntax_uid)
    return parsed(data_set, one), archive.pack(meta + data_set)


def parsed(data_set: bytes, ref: _Named) -> Header | None:
    """Return an object's header, none if it cannot be read."""
    try:
        return parse(data_set, ref.transfer_syntax_uid)
    except Malformed:
        return None


def _file_id(files: FileSet, header: Header | None, ref: _Named, unread: int) -> tuple[str, ...]:
    if header is None:
        return ("DICOM", "UNREAD", f"U{unread:07d}")
    return files.add(header, ref.transfer_syntax_uid, sop_class_uid=ref.sop_class_uid, sop_uid=ref.sop_uid)


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


def readme(count: int, now: datetime) -> bytes:
    """Return what a medium's README.TXT says."""
    text = (
        f"DICOM images, {count} objects, written {now:%Y-%m-%d %H:%M} UTC by Radrelay.\r\n\r\n"
        "DICOMDIR is the table of contents for DICOM viewers (IHE Portable Data for Imaging);\r\n"
        "the objects are in the folder DICOM, other files that came along in EXTRAS.\r\n"
    )
    return text.encode("ascii")


def index_page(count: int, extras: Sequence[str], now: datetime, reports: Sequence[str] = ()) -> bytes:
    """Return a medium's INDEX.HTM; `extras` stand in their folder, `reports` are paths."""
    items = "".join(f"<li>{html.escape(name)}</li>" for name in extras)
    links = "".join(f'<li><a href="{quote(path)}">{html.escape(path)}</a></li>' for path in reports)
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>DICOM images</title></head><body>'
        f"<h1>DICOM images</h1><p>{count} objects, written {now:%Y-%m-%d %H:%M} UTC by Radrelay.</p>"
        '<p>Open <a href="DICOMDIR">DICOMDIR</a> with a DICOM viewer.</p>'
        + (f"<h2>Reports</h2><ul>{links}</ul>" if links else "")
        + (f"<h2>Other files (folder EXTRAS)</h2><ul>{items}</ul>" if items else "")
        + "</body></html>"
    )
    return page.encode()
