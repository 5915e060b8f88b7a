"""Where each frame's bytes stand in a data set: native frames by arithmetic, encapsulated ones by their fragments.

In: a frame descriptor, the place of the pixel data and a way to read bytes of the data set. Out: byte ranges per
frame (PS3.5 8.1.1, A.4; offset tables A.4.1, extended offset table PS3.3 C.7.6.3.1.8). Also writes fragments.
"""

from __future__ import annotations

import struct
import sys
from abc import abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import overload

from radrelay.dicom.dialects import ITEM, LONG_VRS, SEQUENCE_END, SHORT_VRS, UNDEFINED
from radrelay.dicom.elements import PIXEL_DATA, PIXEL_TAGS, Buffer, DataElements
from radrelay.dicom.header import Header
from radrelay.dicom.pixels import MAX_SHORTFALL, BrokenPixels, FrameDescriptor, NotViewable

Read = Callable[[int, int], Buffer]
"""Reads (start, length) of the data set; may return fewer bytes at the end."""

EXTENDED_TABLES = (0x7FE00001, 0x7FE00002)
"""Extended Offset Table and its lengths."""
MAX_FRAGMENTS = 4_000_000
_FARTHEST = 1 << 62
_BYTES_OF_RANGES = 400
_AROUND = 64 << 10
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ", b"\x00\x00\x00\x0cJXL ")


@dataclass(frozen=True, slots=True)
class PixelLocation:
    """Where the value of the pixel data stands in the data set; `length` None when encapsulated (undefined)."""

    tag: int
    vr: bytes
    offset: int
    length: int | None
    extended_offsets: bytes = b""
    extended_lengths: bytes = b""


@dataclass(frozen=True, slots=True)
class FrameRange:
    """The bytes of one frame: (start, length) pieces of the data set, in order."""

    pieces: tuple[tuple[int, int], ...]
    bit_offset: int = 0
    missing: int = 0
    """Bytes that the data set lacks of this frame; they decode as zeros."""

    @property
    def length(self) -> int:
        """Return the bytes of all pieces."""
        return sum(length for _, length in self.pieces)

    def read(self, read: Read) -> Buffer:
        """Return the frame's bytes, in one buffer."""
        if len(self.pieces) == 1:
            return read(*self.pieces[0])
        return b"".join(bytes(read(start, length)) for start, length in self.pieces)


class FrameRanges(Sequence[FrameRange]):
    """The ranges of an object's frames, each made when it is asked for."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> FrameRange: ...
    @overload
    def __getitem__(self, index: slice) -> list[FrameRange]: ...
    def __getitem__(self, index: int | slice) -> FrameRange | list[FrameRange]:
        found = range(len(self))[index]
        return self.at(found) if isinstance(found, int) else list(map(self.at, found))

    @abstractmethod
    def at(self, number: int) -> FrameRange:
        """Return the range of frame `number`, from 0."""

    @property
    @abstractmethod
    def piece_count(self) -> int:
        """Return how many pieces all frames have together."""

    @property
    @abstractmethod
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""


@dataclass(frozen=True, slots=True)
class NativeFrames(FrameRanges):
    """The ranges of the `present` native frames, worked out when they are asked for, however many a header names."""

    descriptor: FrameDescriptor
    offset: int
    available: int
    present: int

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""
        return _BYTES_OF_RANGES

    @property
    def piece_count(self) -> int:
        """Return how many pieces all frames have together."""
        return self.present

    def __len__(self) -> int:
        return self.present

    def at(self, number: int) -> FrameRange:
        """Return the range of one frame."""
        bits = self.descriptor.frame_bits
        begins = number * bits
        first, last = begins // 8, (begins + bits + 7) // 8
        if self.descriptor.word_swapped:
            first, last = first & ~1, last + 1 & ~1
        there = min(last, self.available) - first
        return FrameRange(((self.offset + first, there),), begins - first * 8, last - first - there)


@dataclass(frozen=True, slots=True)
class FragmentFrames(FrameRanges):
    """The ranges of encapsulated frames: those of all fragments, and the number of the first one of each frame."""

    starts: array[int]
    lengths: array[int]
    begins: array[int]

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""
        return _BYTES_OF_RANGES + 8 * (len(self.starts) + len(self.lengths) + len(self.begins))

    @property
    def piece_count(self) -> int:
        """Return how many pieces all frames have together."""
        return len(self.starts)

    def __len__(self) -> int:
        return len(self.begins)

    def at(self, number: int) -> FrameRange:
        """Return the range of one frame."""
        begin = self.begins[number]
        end = self.begins[number + 1] if number + 1 < len(self.begins) else len(self.starts)
        return FrameRange(tuple(zip(self.starts[begin:end], self.lengths[begin:end], strict=True)))


@dataclass(frozen=True, slots=True)
class Fragments:
    """Where the items of encapsulated pixel data stand, in order, and how long they are."""

    starts: array[int]
    lengths: array[int]

    def behind_table(self, available: int) -> Fragments:
        """Return the fragments that hold something, without the offset table; the last may be cut off."""
        pairs = zip(self.starts[1:], self.lengths[1:], strict=True)
        kept = [number for number, (start, length) in enumerate(pairs, 1) if start < available and length]
        starts = array("Q", (self.starts[number] for number in kept))
        lengths = array("Q", (min(self.lengths[number], available - self.starts[number]) for number in kept))
        return Fragments(starts, lengths)

    def find(self, start: int) -> int | None:
        """Return which fragment begins at `start`, none if none does."""
        place = bisect_left(self.starts, start)
        return place if place < len(self.starts) and self.starts[place] == start else None


def reader_of(data: Buffer) -> Read:
    """Return a `Read` over bytes in memory, without copies."""
    view = memoryview(data)
    return lambda start, length: view[start : start + length]


def buffered(read: Read) -> Read:
    """Return a reader that serves small reads near each other, as of fragments' headers, from one larger one."""
    begin, kept = 0, b""

    def near(start: int, length: int) -> Buffer:
        nonlocal begin, kept
        if length > _AROUND // 4:
            return read(start, length)
        if not begin <= start <= start + length <= begin + len(kept):
            begin, kept = start, bytes(read(start, _AROUND))
        return kept[start - begin : start - begin + length]

    return near


def locate(source: DataElements | Header, read: Read) -> PixelLocation:
    """Find the pixel data behind a header; at most a few headers of group 7FE0 are read.

    Raises
    ------
    NotViewable
        When the data set holds none.
    """
    if isinstance(source, Header):
        if source.bulk is None and (place := source.place(PIXEL_DATA)) is not None:
            return PixelLocation(PIXEL_DATA, source.vr(PIXEL_DATA).encode(), place[1], place[2])
        start = source.bulk[1] if source.bulk is not None else None
    else:
        start = min((place.start for tag, place in source.places.items() if tag >> 16 == 0x7FE0), default=None)
    if start is None:
        raise NotViewable("The object holds no pixel data.")
    return _find(read, start, source.explicit, "<" if source.little_endian else ">")


def _find(read: Read, at: int, explicit: bool, order: str) -> PixelLocation:
    tables: dict[int, bytes] = {}
    for _ in range(8):
        header = bytes(read(at, 12))
        if len(header) < 8:
            break
        group, number = struct.unpack_from(order + "HH", header)
        tag = group << 16 | number
        vr = header[4:6] if explicit else b"OW"
        if explicit and vr in LONG_VRS and len(header) == 12:
            value, length = at + 12, struct.unpack_from(order + "I", header, 8)[0]
        elif explicit and vr in SHORT_VRS:
            value, length = at + 8, struct.unpack_from(order + "H", header, 6)[0]
        else:
            value, length = at + 8, struct.unpack_from(order + "I", header, 4)[0]
        if tag in PIXEL_TAGS:
            size = None if length == UNDEFINED else length
            return PixelLocation(tag, vr, value, size, *(tables.get(one, b"") for one in EXTENDED_TABLES))
        if length == UNDEFINED or length > MAX_FRAGMENTS * 8 or tag > PIXEL_DATA:
            break
        tables[tag] = bytes(read(value, length))
        at = value + length
    raise NotViewable("The object holds no pixel data.")


def native_ranges(descriptor: FrameDescriptor, offset: int, available: int) -> NativeFrames:
    """Return the ranges of the native frames that are there; raises `BrokenPixels` if none is.

    A last frame that lacks some of its bytes is included while at least 1/16 of it is there.
    """
    count = max(0, min(descriptor.frames, -(-available * 8 // descriptor.frame_bits)))
    frames = NativeFrames(descriptor, offset, available, count)
    last = frames[-1] if count > 0 else None
    if last is not None and last.length * MAX_SHORTFALL < last.length + last.missing:
        frames = replace(frames, present=count - 1)
    if not frames:
        raise BrokenPixels(
            f"The pixel data holds {available} bytes; one frame needs {descriptor.frame_bytes}.",
        )
    return frames


def fragments(read: Read, offset: int) -> Fragments:
    """Find the items of encapsulated pixel data, the offset table first; data that stops early gives what is there.

    Raises
    ------
    BrokenPixels
        When there is no item, or there are more than `MAX_FRAGMENTS`.
    """
    starts, lengths = array("Q"), array("Q")
    at = offset
    while len(starts) <= MAX_FRAGMENTS:
        header = read(at, 8)
        if len(header) < 8:
            return Fragments(starts, lengths)
        group, number, length = struct.unpack("<HHI", header)
        tag = group << 16 | number
        if tag != ITEM or length == UNDEFINED:
            if tag == SEQUENCE_END or starts:
                return Fragments(starts, lengths)
            raise BrokenPixels(f"Encapsulated pixel data begins with ({group:04X},{number:04X}) instead of an item.")
        starts.append(at + 8)
        lengths.append(length)
        at += 8 + length
    raise BrokenPixels(f"Encapsulated pixel data has more than {MAX_FRAGMENTS} fragments.")


def frame_ranges(
    descriptor: FrameDescriptor,
    location: PixelLocation,
    read: Read,
    available: int,
) -> FrameRanges:
    """Return the byte ranges of every frame that is there.

    Parameters
    ----------
    descriptor, location
        What the header says, and where the pixel data's value begins.
    read
        Reads bytes of the (inflated) data set.
    available
        Length of the data set in bytes.
    """
    if location.length is not None and not (descriptor.syntax.encapsulated and location.length):
        return native_ranges(descriptor, location.offset, min(location.length, available - location.offset))
    if location.length is not None:
        # why: some writers put one bare code stream into a pixel data element of defined length
        length = min(location.length, available - location.offset)
        return FragmentFrames(array("Q", [location.offset]), array("Q", [length]), array("Q", [0]))
    if not descriptor.syntax.encapsulated:
        raise BrokenPixels("Native pixel data has an undefined length.")
    items = fragments(read, location.offset)
    if not items.starts:
        raise BrokenPixels("Encapsulated pixel data has no fragment.")
    table, base = bytes(read(items.starts[0], items.lengths[0])), items.starts[0] + items.lengths[0]
    pieces = items.behind_table(available)
    if not pieces.starts:
        raise BrokenPixels("Encapsulated pixel data has no fragment.")
    return _extended(location, pieces, base) or _group(descriptor.frames, pieces, table, base, read)


def _extended(location: PixelLocation, pieces: Fragments, base: int) -> FragmentFrames | None:
    """Return the frames that the extended offset table names, none if it is not this pixel data's."""
    offsets, sizes = array("Q"), array("Q")
    count = len(location.extended_offsets) // 8
    if not count or len(location.extended_lengths) < count * 8:
        return None
    offsets.frombytes(location.extended_offsets[: count * 8])
    sizes.frombytes(location.extended_lengths[: count * 8])
    if sys.byteorder == "big":
        offsets.byteswap()
        sizes.byteswap()
    if any(offset > _FARTHEST for offset in offsets):
        return None
    starts = array("Q", (base + offset + 8 for offset in offsets))
    for start, size in zip(starts, sizes, strict=True):
        place = pieces.find(start)
        if place is None or size > pieces.lengths[place]:
            return None
    return FragmentFrames(starts, sizes, array("Q", range(count)))


def _group(frames: int, pieces: Fragments, table: bytes, base: int, read: Read) -> FragmentFrames:
    """Share fragments out to frames: by the offset table, one each, or where code streams begin."""
    count = len(pieces.starts)
    if count == 1 or frames == 1:
        begins: Iterable[int] = [0]
    elif count == frames:
        begins = range(count)
    else:
        begins = _begins(pieces, table, base, read)[:frames]
    return FragmentFrames(pieces.starts, pieces.lengths, array("Q", begins))


def _begins(pieces: Fragments, table: bytes, base: int, read: Read) -> Sequence[int]:
    """Return the number of the first fragment of each frame, ascending."""
    offsets = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    if len(offsets) > 1 and offsets[0] == 0:
        places = [pieces.find(base + offset + 8) for offset in offsets]
        named = [place for place in places if place is not None]
        if len(named) == len(offsets):
            return sorted(set(named))
    found = [n for n, start in enumerate(pieces.starts) if bytes(read(start, 8)).startswith(_STARTS)]
    return found if found and found[0] == 0 else range(len(pieces.starts))


def encapsulate(frames: Iterable[Buffer], *, offset_table: bool = True) -> bytes:
    """Return the value of encapsulated pixel data, one fragment for each frame, with its delimiter (PS3.5 A.4).

    The basic offset table is left empty when asked for so or when an offset would not fit into 32 bits.
    """
    offsets: list[int] = []
    parts: list[Buffer] = []
    at = 0
    for frame in frames:
        padded = len(frame) + (len(frame) & 1)
        offsets.append(at)
        parts += [struct.pack("<HHI", 0xFFFE, 0xE000, padded), frame, b"\0" * (padded - len(frame))]
        at += 8 + padded
    fits = offset_table and at < 0xFFFFFFFF
    table = struct.pack(f"<{len(offsets)}I", *offsets) if fits else b""
    head = struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table
    return b"".join([head, *parts, struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)])
