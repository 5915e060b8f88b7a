"""Reading instances: the data set as received, its head, its frames, wherever the bytes lie.

An instance moves from its landing record into a pack, and on when that is rewritten. A reader that finds it gone
looks up its new place and reads on there; only then is it missing.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TypeVar

from radrelay.archive.instances import InstanceRef, PackPlace, find_instances
from radrelay.archive.layout import Entry, TableOfContents, decode_table
from radrelay.archive.recent import Recent
from radrelay.clock import Clock
from radrelay.dicom.encapsulated import FrameRanges, buffered, frame_ranges, locate, reader_of
from radrelay.dicom.enclose import enclose
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.htj2k import Recipe, restore_frames
from radrelay.dicom.pixels import BrokenPixels, FrameDescriptor, NotViewable, PixelsTooLarge, describe
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.walk import inflate
from radrelay.errors import NotFound, RadrelayError
from radrelay.storage.database import Database
from radrelay.storage.packs import PackDamaged, PackRef, PackStore
from radrelay.storage.segments import RecordLocation, SegmentReader

HEAD_BYTES = 256 << 10
HEADER_LIMIT = 64 << 20  # what is read of a header that goes on and on, such as contours
INFLATED_LIMIT = 512 << 20
TABLES_KEPT_BYTES = 12 << 20  # as encoded; unpacked they take about five times as much
LAYOUTS_KEPT_BYTES = 64 << 20
MOVES = 4  # an instance moves into a pack, and again when that is rewritten
FRAMES_AT_ONCE = 32
FRAME_BYTES_AT_ONCE = 8 << 20
WHOLE_BYTES = 2 << 20  # an instance that takes less in its pack is read at once
END_BYTES = 64  # within which a code stream's end marker stands; what follows it is padding
_END_MARKED = frozenset({"jpeg", "jpeg-lossless", "jpeg-ls", "j2k", "htj2k"})

Result = TypeVar("Result")


class InstanceGone(NotFound):
    """The instance is no longer here."""

    code = "instance-gone"


class FrameNotThere(NotFound):
    """The instance has no such frame."""

    code = "frame-not-there"


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One frame as it is kept; `descriptor.ts` is the transfer syntax of `data`.

    `recipe` tells how a frame that is kept as HTJ2K becomes the bytes that were received.
    """

    data: bytes
    descriptor: FrameDescriptor
    bit_offset: int = 0
    recipe: Recipe | None = None

    @property
    def own(self) -> bool:
        """Return whether Radrelay wrote these bytes itself, so that no decoder can be harmed by them."""
        return self.recipe is not None

    @property
    def missing(self) -> float:
        """Return the share (0 to 1) of the frame's bytes that never came; of code streams it is not known."""
        if self.own or self.descriptor.syntax.codec != "native":
            return 0.0
        expected = (self.descriptor.frame_bits + self.bit_offset + 7) // 8
        return max(0.0, 1 - len(self.data) / expected)

    @property
    def cut(self) -> bool:
        """Return whether the frame's end never came: bytes are missing, or a code stream's end marker (FFD9) is."""
        if self.missing or self.own or self.descriptor.syntax.codec not in _END_MARKED:
            return self.missing > 0
        return b"\xff\xd9" not in self.data[-END_BYTES:].rstrip(b"\0")

    def as_received(self) -> bytes:
        """Return the frame's bytes as they stood in the data set that was received."""
        return next(restore_frames([self.data], self.recipe)) if self.recipe is not None else self.data


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where frames stand in a data set kept as received; `inflated` is a deflated one's content."""

    descriptor: FrameDescriptor
    ranges: FrameRanges
    inflated: bytes | None = None

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""
        return len(self.inflated or b"") + self.ranges.weight


class InstanceReader:
    """Reads instances for every face. Thread-safe."""

    def __init__(self, database: Database, clock: Clock, segments: SegmentReader, packs: PackStore) -> None:
        self._database = database
        self._clock = clock
        self._segments = segments
        self._packs = packs
        self._tables: Recent[PackRef, tuple[TableOfContents, int]] = Recent(TABLES_KEPT_BYTES, lambda kept: kept[1])
        self._layouts: Recent[uuid.UUID, _Layout] = Recent(LAYOUTS_KEPT_BYTES, lambda layout: layout.weight)
        self._inflating = threading.Lock()  # one at a time: a few megabytes can become `INFLATED_LIMIT`

    def data_set(self, ref: InstanceRef) -> bytes:
        """Return the data set, byte for byte as received (without file meta information)."""
        return b"".join(self.pieces(ref))

    def received(self, ref: InstanceRef) -> bytes:
        """Return the data set byte for byte as received, for whom writes it anew."""
        return b"".join(self._anywhere(ref, lambda r: list(self._pieces(r))))

    def pieces(self, ref: InstanceRef) -> list[bytes]:
        """Return the data set as received in the pieces in which it lies, for whom writes it out at once."""
        return self._anywhere(ref, lambda r: list(self._pieces(r)))

    def enclosed(self, ref: InstanceRef) -> bytes | None:
        """Return the data set with its kept HTJ2K frames in it, undecoded; none if they do not conform as they are."""
        return self._anywhere(ref, self._enclosed)

    def stream(self, ref: InstanceRef) -> Iterator[bytes]:
        """Yield the data set as received in pieces; memory stays at a few frames whatever the size.

        If the instance moves meanwhile, the stream goes on from its new place: the bytes are the same.
        """
        return self.received_stream(ref)

    def measured(self, ref: InstanceRef) -> tuple[int, Iterator[bytes]]:
        """Return how many bytes the data set has that is handed out, and its pieces as `stream` gives them."""
        return ref.size, self.stream(ref)

    def mark(self, ref: InstanceRef) -> bytes:
        """Return what changes with any byte of the data set that is handed out."""
        return ref.sha256

    def received_stream(self, ref: InstanceRef, start: int = 0) -> Iterator[bytes]:
        """Yield the data set byte for byte as received, from `start` on, as `stream` does."""
        done, here = start, ref
        for left in reversed(range(MOVES)):
            try:
                for piece in _skipped(self._pieces(here), done):
                    done += len(piece)
                    yield piece
                return
            except (RadrelayError, OSError) as error:
                here = self._moved(here, error)
                if not left:
                    raise

    def require(self, refs: Iterable[InstanceRef]) -> None:
        """Raise `NodeAway` if a machine that holds some of them is away, before an answer begins that could not end."""
        self._segments.require(ref.place.owner for ref in refs if isinstance(ref.place, RecordLocation))

    def head(self, ref: InstanceRef) -> bytes:
        """Return the data set's beginning: up to its pixel data, or as much as was landed as its head.

        It is still deflated if the data set is. `header` reads on where this is not enough.
        """
        return self._anywhere(ref, self._head)

    def header(self, ref: InstanceRef) -> Header:
        """Return all attributes before the pixel data; raises `Malformed` when they cannot be read."""
        return self.received_header(ref)

    def received_header(self, ref: InstanceRef) -> Header:
        """Return all attributes before the pixel data as they were received; raises as `header` does."""
        head = self._anywhere(ref, self._head)
        while True:
            header = parse(head, ref.transfer_syntax_uid)
            if header.bulk is not None or len(head) >= min(ref.size, HEADER_LIMIT):
                return header
            wanted = min(max(HEAD_BYTES, len(head) * 8), HEADER_LIMIT)
            head = self._anywhere(ref, lambda r, wanted=wanted: bytes(self._range_reader(r)(0, wanted)))  # type: ignore[misc]

    def table(self, ref: PackRef) -> TableOfContents:
        """Return a pack's table of contents."""
        found = self._tables.get(ref)
        if found is None:
            found = decode_table(self._packs.toc(ref)), ref.toc_length
            self._tables.put(ref, found)
        return found[0]

    def frame(self, ref: InstanceRef, number: int) -> StoredFrame:
        """Return frame `number`, counted from 1; raises `FrameNotThere`, `NotViewable` or `BrokenPixels`."""
        return self._anywhere(ref, lambda r: self._frames(r, [number])[0])

    def frames(self, ref: InstanceRef, numbers: Sequence[int]) -> Iterator[StoredFrame]:
        """Yield frames in the order asked for, counted from 1, read a few at once."""
        each = max(1, ref.size // max(1, ref.frames))
        step = max(1, min(FRAMES_AT_ONCE, FRAME_BYTES_AT_ONCE // each))
        for start in range(0, len(numbers), step):
            wanted = numbers[start : start + step]
            yield from self._anywhere(ref, lambda r, wanted=wanted: self._frames(r, wanted))  # type: ignore[misc]

    def frame_count(self, ref: InstanceRef) -> int:
        """Return how many frames can be read; raises `NotViewable` or `BrokenPixels` where there are none."""
        return self._anywhere(ref, self._count)

    def film_bytes(self, ref: InstanceRef) -> int:
        """Return the length of the stream that a video object's fragments make up (PS3.5 8.2.5)."""
        return self._anywhere(ref, lambda r: sum(length for _, length in self._fragments(r)))

    def film(self, ref: InstanceRef, start: int, length: int) -> bytes:
        """Return part of that stream."""
        return self._anywhere(ref, lambda r: self._film(r, start, length))

    def _anywhere(self, ref: InstanceRef, read: Callable[[InstanceRef], Result]) -> Result:
        for _ in range(MOVES):
            try:
                return read(ref)
            except (BrokenPixels, FrameNotThere, NotViewable, PixelsTooLarge, Malformed):
                raise
            except (RadrelayError, OSError) as error:
                ref = self._moved(ref, error)
        return read(ref)

    def _moved(self, ref: InstanceRef, error: Exception) -> InstanceRef:
        """Return the instance at its new place; raises `error` if it did not move, `InstanceGone` if it is gone."""
        with self._database.read() as session:
            found = find_instances(
                session,
                self._clock.now(),
                organisation_id=ref.organisation_id,
                instance_ids=[ref.id],
                current=False,
            )
        if not found:
            raise InstanceGone from error
        if found[0].place == ref.place:
            raise error
        return found[0]

    def _entry(self, ref: InstanceRef, pack: PackRef) -> Entry:
        return entry_of(self.table(pack), ref)

    def _pieces(self, ref: InstanceRef) -> Iterator[bytes]:
        if isinstance(ref.place, RecordLocation):
            yield from self._segments.stream(ref.place)
            return
        entry = self._entry(ref, ref.place.ref)
        pack = ref.place.ref
        if entry.recipe is None:
            yield from self._packs.stream(pack, entry.start, entry.length)
            return
        if entry.length <= WHOLE_BYTES:
            parts = self._parted(pack, entry)
            yield parts[0]
            yield from restore_frames(parts[1:-1], entry.recipe)
            yield parts[-1]
            return
        yield self._packs.read(pack, entry.start, entry.prefix)
        yield from restore_frames(self._stored_frames(pack, entry), entry.recipe)
        if entry.suffix:
            yield self._packs.read(pack, entry.start + entry.length - entry.suffix, entry.suffix)

    def _parted(self, pack: PackRef, entry: Entry) -> list[bytes]:
        """Return prefix, frames and suffix of an instance from one reading."""
        whole = self._packs.read(pack, entry.start, entry.length)
        lengths = (entry.prefix, *entry.frame_lengths, entry.suffix)
        return [whole[end - length : end] for end, length in zip(accumulate(lengths), lengths, strict=True)]

    def _enclosed(self, ref: InstanceRef) -> bytes | None:
        if not isinstance(ref.place, PackPlace):
            return None
        entry = self._entry(ref, ref.place.ref)
        if entry.recipe is None or entry.descriptor is None:
            return None
        prefix, *frames, suffix = self._parted(ref.place.ref, entry)
        return enclose(prefix, frames, suffix, entry.descriptor, entry.recipe, ref.transfer_syntax_uid)

    def _stored_frames(self, pack: PackRef, entry: Entry) -> Iterator[bytes]:
        """Yield the HTJ2K frames of an instance, several small ones from one reading."""
        at = entry.start + entry.prefix
        run: list[tuple[int, int]] = []
        for length in entry.frame_lengths:
            run.append((at, length))
            at += length
            if len(run) == FRAMES_AT_ONCE or at - run[0][0] >= FRAME_BYTES_AT_ONCE:
                yield from self._packs.read_many(pack, run)
                run = []
        yield from self._packs.read_many(pack, run)

    def _head(self, ref: InstanceRef) -> bytes:
        if isinstance(ref.place, RecordLocation):
            return next(self._segments.stream(ref.place), b"")  # the head lies apart from the body
        entry = self._entry(ref, ref.place.ref)
        length = entry.prefix if entry.recipe is not None else min(entry.length, entry.pixel_offset or HEAD_BYTES)
        return self._packs.read(ref.place.ref, entry.start, min(length, HEADER_LIMIT))

    def _count(self, ref: InstanceRef) -> int:
        if isinstance(ref.place, PackPlace):
            entry = self._entry(ref, ref.place.ref)
            if entry.frame_lengths or entry.frames:
                return len(entry.frame_lengths) or len(entry.frames)
        return len(self._layout(ref).ranges)

    def _frames(self, ref: InstanceRef, numbers: Sequence[int]) -> list[StoredFrame]:
        if isinstance(ref.place, PackPlace):
            entry = self._entry(ref, ref.place.ref)
            if entry.descriptor is not None and (entry.frames or entry.frame_lengths):
                return self._packed_frames(ref.place.ref, entry, entry.descriptor, numbers)
        layout = self._layout(ref)
        read = reader_of(layout.inflated) if layout.inflated is not None else self._range_reader(ref)
        return [
            StoredFrame(bytes(chosen.read(read)), layout.descriptor, chosen.bit_offset)
            for chosen in (_numbered(layout.ranges, number) for number in numbers)
        ]

    def _packed_frames(
        self, pack: PackRef, entry: Entry, descriptor: FrameDescriptor, numbers: Sequence[int]
    ) -> list[StoredFrame]:
        if entry.recipe is not None:
            starts = list(accumulate(entry.frame_lengths, initial=entry.start + entry.prefix))
            wanted = [(_numbered(starts[:-1], n), _numbered(entry.frame_lengths, n)) for n in numbers]
            return [StoredFrame(data, descriptor, recipe=entry.recipe) for data in self._packs.read_many(pack, wanted)]
        places = [_numbered(entry.frames, number) for number in numbers]
        pieces = [(entry.start + start, length) for place in places for start, length in place.pieces]
        parts = iter(self._packs.read_many(pack, pieces))
        return [StoredFrame(b"".join(islice(parts, len(p.pieces))), descriptor, p.bit_offset) for p in places]

    def _fragments(self, ref: InstanceRef) -> list[tuple[int, int]]:
        if isinstance(ref.place, PackPlace) and (frames := self._entry(ref, ref.place.ref).frames):
            return [piece for frame in frames for piece in frame.pieces]
        return [piece for frame in self._layout(ref).ranges for piece in frame.pieces]

    def _film(self, ref: InstanceRef, start: int, length: int) -> bytes:
        read = self._range_reader(ref)
        parts, at, end = [], 0, start + length
        for begin, size in self._fragments(ref):
            first, last = max(start, at), min(end, at + size)
            if first < last:
                parts.append(read(begin + first - at, last - first))
            at += size
        return b"".join(parts)

    def _layout(self, ref: InstanceRef) -> _Layout:
        """Find frames in a data set kept as received, by its header and the fragments' headers."""
        found = self._layouts.get(ref.id)
        if found is None:
            with self._inflating if syntax_of(ref.transfer_syntax_uid).deflated else nullcontext():
                found = self._layouts.get(ref.id) or self._find_layout(ref)
                self._layouts.put(ref.id, found)
        return found

    def _find_layout(self, ref: InstanceRef) -> _Layout:
        inflated: bytes | None = None
        if syntax_of(ref.transfer_syntax_uid).deflated:
            inflated = inflate(b"".join(self._pieces(ref)), INFLATED_LIMIT)
            header = parse(inflated, EXPLICIT_LE)
            read, available = reader_of(inflated), len(inflated)
        else:
            header, read, available = self.received_header(ref), self._range_reader(ref), ref.size
        location = locate(header, buffered(read))
        stands_in = EXPLICIT_LE if inflated is not None else ref.transfer_syntax_uid
        descriptor = describe(header, stands_in, location.vr)
        ranges = frame_ranges(descriptor, location, buffered(read), available)
        return _Layout(descriptor, ranges, inflated)

    def _range_reader(self, ref: InstanceRef) -> Callable[[int, int], bytes]:
        if isinstance(ref.place, RecordLocation):
            location = ref.place
            return lambda start, length: self._segments.read(location, start, min(length, max(0, ref.size - start)))
        pack, entry = ref.place.ref, self._entry(ref, ref.place.ref)
        return lambda start, length: self._packs.read(
            pack, entry.start + start, min(length, max(0, entry.length - start))
        )


def entry_of(table: TableOfContents, ref: InstanceRef) -> Entry:
    """Return the entry of `ref` in its pack's table; raises `PackDamaged` if another instance's stands in its place."""
    number = ref.place.entry if isinstance(ref.place, PackPlace) else -1
    if not 0 <= number < len(table.entries) or table.entries[number].instance_id != ref.id.bytes:
        raise PackDamaged(f"entry {number} of the pack is not of instance {ref.id}")
    return table.entries[number]


def _numbered(items: Sequence[Result], number: int) -> Result:
    if not 1 <= number <= len(items):
        raise FrameNotThere
    return items[number - 1]


def _skipped(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Yield what follows the first `count` bytes."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:] if count else piece
        count = max(0, count - len(piece))
