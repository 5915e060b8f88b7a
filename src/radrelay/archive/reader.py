"""Reading instances: the data set as received, its head, its frames, wherever the bytes lie.

An instance moves once in its life, from its landing record into a pack. A reader that finds it gone looks up
its new place and reads again; only then is it missing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from radrelay.archive.instances import InstanceRef, PackPlace, find_instances
from radrelay.archive.layout import Entry, TableOfContents, decode_table
from radrelay.clock import Clock
from radrelay.dicom.elements import DataElements
from radrelay.dicom.encapsulated import frame_ranges, locate, reader_of
from radrelay.dicom.htj2k import restore_frames
from radrelay.dicom.pixels import BrokenPixels, FrameDescriptor, describe
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.walk import inflate
from radrelay.errors import NotFound, RadrelayError
from radrelay.storage.database import Database
from radrelay.storage.packs import PackRef, PackStore
from radrelay.storage.segments import RecordLocation, SegmentReader

HEAD_BYTES = 256 << 10
INFLATED_LIMIT = 2 << 30
TABLES_KEPT = 64
PIECE = 1 << 20

Result = TypeVar("Result")


class InstanceGone(NotFound):
    """The instance is no longer here."""

    code = "instance-gone"


class FrameNotThere(NotFound):
    """The instance has no such frame."""

    code = "frame-not-there"


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One frame as it is kept; `descriptor.ts` is the transfer syntax of `data`."""

    data: bytes
    descriptor: FrameDescriptor
    bit_offset: int = 0


class InstanceReader:
    """Reads instances for every face. Thread-safe."""

    def __init__(self, database: Database, clock: Clock, segments: SegmentReader, packs: PackStore) -> None:
        self._database = database
        self._clock = clock
        self._segments = segments
        self._packs = packs
        self._tables: OrderedDict[PackRef, TableOfContents] = OrderedDict()
        self._lock = threading.Lock()

    def data_set(self, ref: InstanceRef) -> bytes:
        """Return the data set, byte for byte as received (without file meta information)."""
        return self._anywhere(ref, lambda r: b"".join(self._pieces(r)))

    def stream(self, ref: InstanceRef) -> Iterator[bytes]:
        """Yield the data set as received in pieces; memory stays at a few frames whatever the size."""
        first_of: Callable[[InstanceRef], tuple[bytes, Iterator[bytes]]] = lambda r: _begun(self._pieces(r))  # noqa: E731 -- typed inline
        first, rest = self._anywhere(ref, first_of)
        yield first
        yield from rest

    def head(self, ref: InstanceRef) -> bytes:
        """Return the data set up to its pixel data, at most `HEAD_BYTES` of it; still deflated if it is."""
        return self._anywhere(ref, self._head)

    def table(self, ref: PackRef) -> TableOfContents:
        """Return a pack's table of contents."""
        with self._lock:
            found = self._tables.get(ref)
            if found is not None:
                self._tables.move_to_end(ref)
                return found
        table = decode_table(self._packs.toc(ref))
        with self._lock:
            self._tables[ref] = table
            while len(self._tables) > TABLES_KEPT:
                self._tables.popitem(last=False)
        return table

    def frame(self, ref: InstanceRef, number: int) -> StoredFrame:
        """Return frame `number`, counted from 1; raises `FrameNotThere`, `NotViewable` or `BrokenPixels`."""
        return self._anywhere(ref, lambda r: next(iter(self._frames(r, [number]))))

    def frames(self, ref: InstanceRef, numbers: Sequence[int]) -> Iterator[StoredFrame]:
        """Yield frames in the order asked for, counted from 1."""
        for number in numbers:
            yield self.frame(ref, number)

    def frame_count(self, ref: InstanceRef) -> int:
        """Return how many frames can be read; 0 for an object without a picture."""
        if isinstance(ref.place, PackPlace):
            entry = self._entry(ref.place)
            return len(entry.frame_lengths) or len(entry.frames)
        return ref.frames

    def _anywhere(self, ref: InstanceRef, read: Callable[[InstanceRef], Result]) -> Result:
        try:
            return read(ref)
        except (BrokenPixels, FrameNotThere):
            raise
        except (RadrelayError, OSError) as error:
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
                raise
            return read(found[0])

    def _entry(self, place: PackPlace) -> Entry:
        return self.table(place.ref).entries[place.entry]

    def _pieces(self, ref: InstanceRef) -> Iterator[bytes]:
        if isinstance(ref.place, RecordLocation):
            yield from self._segments.stream(ref.place)
            return
        entry = self._entry(ref.place)
        pack = ref.place.ref
        if entry.recipe is None:
            yield from self._packs.stream(pack, entry.start, entry.length)
            return
        yield self._packs.read(pack, entry.start, entry.prefix)
        yield from restore_frames(self._stored_frames(pack, entry), entry.recipe)
        if entry.suffix:
            yield self._packs.read(pack, entry.start + entry.length - entry.suffix, entry.suffix)

    def _stored_frames(self, pack: PackRef, entry: Entry) -> Iterator[bytes]:
        at = entry.start + entry.prefix
        for length in entry.frame_lengths:
            yield self._packs.read(pack, at, length)
            at += length

    def _head(self, ref: InstanceRef) -> bytes:
        if isinstance(ref.place, RecordLocation):
            head = self._segments.read(ref.place, 0, min(ref.size, HEAD_BYTES))
        else:
            entry = self._entry(ref.place)
            length = entry.prefix if entry.recipe is not None else min(entry.length, entry.pixel_offset or HEAD_BYTES)
            head = self._packs.read(ref.place.ref, entry.start, min(length, HEAD_BYTES))
        return head

    def _frames(self, ref: InstanceRef, numbers: Sequence[int]) -> Iterator[StoredFrame]:
        if isinstance(ref.place, PackPlace):
            entry = self._entry(ref.place)
            if entry.descriptor is not None and (entry.frames or entry.frame_lengths):
                yield from self._packed_frames(ref.place.ref, entry, entry.descriptor, numbers)
                return
        yield from self._located_frames(ref, numbers)

    def _packed_frames(
        self, pack: PackRef, entry: Entry, descriptor: FrameDescriptor, numbers: Sequence[int]
    ) -> Iterator[StoredFrame]:
        for number in numbers:
            if entry.recipe is not None:
                if not 1 <= number <= len(entry.frame_lengths):
                    raise FrameNotThere
                length = entry.frame_lengths[number - 1]
                yield StoredFrame(self._packs.read(pack, entry.frame_start(number - 1), length), descriptor)
            else:
                if not 1 <= number <= len(entry.frames):
                    raise FrameNotThere
                place = entry.frames[number - 1]
                ranges = [(entry.start + start, length) for start, length in place.pieces]
                yield StoredFrame(b"".join(self._packs.read_many(pack, ranges)), descriptor, place.bit_offset)

    def _located_frames(self, ref: InstanceRef, numbers: Sequence[int]) -> Iterator[StoredFrame]:
        """Find frames in a data set kept as received, by reading its head and the fragments' headers."""
        syntax = syntax_of(ref.transfer_syntax_uid)
        if syntax.deflated:
            data = inflate(b"".join(self._pieces(ref)), INFLATED_LIMIT)
            read, available, head = reader_of(data), len(data), data
        else:
            read, available, head = self._range_reader(ref), ref.size, self._whole_head(ref)
        elements = DataElements.of(head, syntax)
        descriptor = describe(elements, ref.transfer_syntax_uid)
        location = locate(elements, read)
        ranges = frame_ranges(descriptor, location, read, available)
        for number in numbers:
            if not 1 <= number <= len(ranges):
                raise FrameNotThere
            chosen = ranges[number - 1]
            yield StoredFrame(bytes(chosen.read(read)), descriptor, chosen.bit_offset)

    def _range_reader(self, ref: InstanceRef) -> Callable[[int, int], bytes]:
        if isinstance(ref.place, RecordLocation):
            location = ref.place
            return lambda start, length: self._segments.read(location, start, min(length, max(0, ref.size - start)))
        pack, entry = ref.place.ref, self._entry(ref.place)
        return lambda start, length: self._packs.read(
            pack, entry.start + start, min(length, max(0, entry.length - start))
        )

    def _whole_head(self, ref: InstanceRef) -> bytes:
        """Return enough of the data set to see where its pixel data begins, and all of it if it is small."""
        return self._range_reader(ref)(0, min(ref.size, 32 * HEAD_BYTES))


def _begun(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    return next(pieces, b""), pieces
