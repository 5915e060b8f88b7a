"""Writing one pack: instances of a series, parted by the lossless recipe where that is proven, then the metadata.

In: refs and a way to read their data sets. Out: the pack's table and a row for it. Encoding runs on threads a few
instances ahead of the writer, bounded by their bytes, so memory stays bounded whatever the series' size.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import structlog

from radrelay.archive.instances import InstanceRef
from radrelay.archive.layout import VERSION, Entry, FramePlace, TableOfContents, encode_table
from radrelay.archive.metadata import instance_json
from radrelay.archive.reader import InstanceGone
from radrelay.dicom.elements import DataElements
from radrelay.dicom.encapsulated import frame_ranges, locate, reader_of
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.htj2k import Split, split
from radrelay.dicom.pixels import BrokenPixels, FrameDescriptor, NotViewable, PixelsTooLarge, describe
from radrelay.dicom.syntaxes import syntax_of
from radrelay.errors import NotFound, RadrelayError
from radrelay.storage.landing_format import RecordDamaged
from radrelay.storage.packs import PackDamaged, PackInfo, PackStore, PackWriter

log = structlog.get_logger(__name__)

AHEAD = 6
AHEAD_BYTES = 192 << 20  # of data sets that wait or are being encoded; one alone may be larger
IN_MEMORY = 256 << 20  # larger data sets are copied as they are, piece by piece
MOST_PLACES = 1 << 16  # pieces of frames that a table of contents lists for one instance
LONGEST_HEAD = 16 << 20  # of those


class ObjectDamaged(RadrelayError):
    """The stored bytes are not those that were received."""

    code = "object-damaged"


@dataclass(frozen=True)
class Source:
    """How data sets are had: whole, or in pieces when they are large."""

    whole: Callable[[InstanceRef], bytes]
    pieces: Callable[[InstanceRef], Iterator[bytes]]


@dataclass(frozen=True)
class _Prepared:
    """An instance ready to be written."""

    ref: InstanceRef
    metadata: bytes
    parted: Split | None = None
    data_set: bytes | None = None
    descriptor: FrameDescriptor | None = None
    frames: tuple[FramePlace, ...] = ()
    pixel_offset: int = 0


@dataclass
class _Metadata:
    """The compressed metadata as it grows."""

    squeeze: zlib._Compress = field(default_factory=lambda: zlib.compressobj(3, zlib.DEFLATED, 31))
    parts: list[bytes] = field(default_factory=list)
    plain: int = 0

    def add(self, text: bytes) -> tuple[int, int]:
        """Append an object; returns its place in the plain text."""
        if self.plain:
            self.parts.append(self.squeeze.compress(b","))
            self.plain += 1
        start = self.plain
        self.parts.append(self.squeeze.compress(text))
        self.plain += len(text)
        return start, len(text)

    def finish(self) -> bytes:
        """Return the gzip member."""
        self.parts.append(self.squeeze.flush())
        return b"".join(self.parts)


def write_pack(
    packs: PackStore,
    pack_id: uuid.UUID,
    refs: Sequence[InstanceRef],
    source: Source,
    executor: Executor,
) -> tuple[PackInfo, TableOfContents]:
    """Write `refs`, all of one series and holding, into a new pack, in their order.

    Raises
    ------
    ObjectDamaged
        When a data set read back has another SHA-256 than at receipt. Nothing is left behind then.
    """
    writer = packs.create(pack_id, refs[0].study_id)
    try:
        metadata = _Metadata()
        entries = [_write(writer, prepared, metadata, source) for prepared in _prepare_all(refs, source, executor)]
        squeezed = metadata.finish()
        start = writer.add(squeezed)
        table = TableOfContents(VERSION, tuple(entries), start, len(squeezed), metadata.plain)
        return writer.finish(encode_table(table)), table
    except BaseException:
        writer.abort()
        raise


def _prepare_all(refs: Sequence[InstanceRef], source: Source, executor: Executor) -> Iterator[_Prepared]:
    waiting: deque[tuple[Future[_Prepared], int]] = deque()
    held = 0
    try:
        for ref in refs:
            weight = 0 if ref.size > IN_MEMORY else ref.size
            while waiting and (len(waiting) >= AHEAD or held + weight > AHEAD_BYTES):
                future, freed = waiting.popleft()
                yield future.result()
                held -= freed
            waiting.append((executor.submit(_prepare, ref, source), weight))
            held += weight
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        for future, _ in waiting:
            future.cancel()


def _prepare(ref: InstanceRef, source: Source) -> _Prepared:
    try:
        return _prepared(ref, source)
    except InstanceGone:
        raise
    except (NotFound, PackDamaged, RecordDamaged, Malformed, BrokenPixels) as error:
        raise ObjectDamaged(error.message, instance_id=str(ref.id)) from error


def _prepared(ref: InstanceRef, source: Source) -> _Prepared:
    if ref.size > IN_MEMORY:
        return _Prepared(ref, instance_json(ref, _beginning(ref, source)))
    data_set = source.whole(ref)
    if hashlib.sha256(data_set).digest() != ref.sha256:
        raise ObjectDamaged(instance_id=str(ref.id))
    metadata = instance_json(ref, data_set)
    parted = split(data_set, ref.transfer_syntax_uid, sha256=ref.sha256)
    if parted is not None:
        return _Prepared(ref, metadata, parted=parted, descriptor=parted.descriptor)
    descriptor, frames, pixel_offset = frame_places(data_set, ref.transfer_syntax_uid)
    return _Prepared(ref, metadata, None, data_set, descriptor, frames, pixel_offset)


def frame_places(data_set: bytes, syntax_uid: str) -> tuple[FrameDescriptor | None, tuple[FramePlace, ...], int]:
    """Return how frames are to be read from a data set kept as received; nothing where there is no picture.

    Of more than `MOST_PLACES` frames the places are left to be found by whom reads them: a table of contents is held
    in memory whole, and a header can name thousands of millions of frames.
    """
    syntax = syntax_of(syntax_uid)
    if syntax.deflated:
        return None, (), 0
    try:
        elements = DataElements.of(data_set, syntax)
        location = locate(elements, reader_of(data_set))
        descriptor = describe(elements, syntax_uid)
        ranges = frame_ranges(descriptor, location, reader_of(data_set), len(data_set))
    except (Malformed, NotViewable, BrokenPixels, PixelsTooLarge):
        return None, (), 0
    if ranges.piece_count > MOST_PLACES:
        return descriptor, (), location.offset
    return descriptor, tuple(FramePlace(r.pieces, r.bit_offset) for r in ranges), location.offset


def _write(writer: PackWriter, prepared: _Prepared, metadata: _Metadata, source: Source) -> Entry:
    ref = prepared.ref
    at, length = metadata.add(prepared.metadata)
    if prepared.parted is not None:
        parted = prepared.parted
        start = writer.add(parted.prefix)
        for frame in parted.frames:
            writer.add(frame)
        if parted.suffix:
            writer.add(parted.suffix)
        return Entry(
            ref.id.bytes,
            start,
            parted.stored_bytes,
            ref.size,
            ref.sha256,
            at,
            length,
            parted.descriptor,
            parted.recipe,
            len(parted.prefix),
            tuple(map(len, parted.frames)),
            len(parted.suffix),
        )
    start = _copy(writer, prepared, source)
    return Entry(
        ref.id.bytes,
        start,
        ref.size,
        ref.size,
        ref.sha256,
        at,
        length,
        prepared.descriptor,
        frames=prepared.frames,
        pixel_offset=prepared.pixel_offset,
    )


def _copy(writer: PackWriter, prepared: _Prepared, source: Source) -> int:
    if prepared.data_set is not None:
        return writer.add(prepared.data_set)
    digest = hashlib.sha256()
    start = -1
    for piece in source.pieces(prepared.ref):
        digest.update(piece)
        at = writer.add(piece)
        start = at if start < 0 else start
    if digest.digest() != prepared.ref.sha256:
        raise ObjectDamaged(instance_id=str(prepared.ref.id))
    return start


def _beginning(ref: InstanceRef, source: Source) -> bytes:
    """Return a large data set's bytes up to its pixel data, as far as `LONGEST_HEAD`."""
    head = bytearray()
    for piece in source.pieces(ref):
        head += piece
        try:
            if len(head) >= LONGEST_HEAD or parse(head, ref.transfer_syntax_uid).bulk is not None:
                break
        except Malformed:
            break
    return bytes(head)
