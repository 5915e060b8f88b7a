"""Where each frame's bytes stand in a data set: native frames by arithmetic, encapsulated ones by their fragments.

In: a frame descriptor, the place of the pixel data and a way to read bytes of the data set. Out: byte ranges per
frame (PS3.5 8.1.1, A.4; offset tables A.4.1, extended offset table PS3.3 C.7.6.3.1.8). Also writes fragments.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from radrelay.dicom.dialects import ITEM, LONG_VRS, SEQUENCE_END, SHORT_VRS, UNDEFINED
from radrelay.dicom.elements import PIXEL_DATA, PIXEL_TAGS, Buffer, DataElements
from radrelay.dicom.header import Header
from radrelay.dicom.pixels import MAX_SHORTFALL, BrokenPixels, FrameDescriptor, NotViewable

Read = Callable[[int, int], Buffer]
"""Reads (start, length) of the data set; may return fewer bytes at the end."""

EXTENDED_TABLES = (0x7FE00001, 0x7FE00002)
"""Extended Offset Table and its lengths."""
MAX_FRAGMENTS = 4_000_000
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


def reader_of(data: Buffer) -> Read:
    """Return a `Read` over bytes in memory, without copies."""
    view = memoryview(data)
    return lambda start, length: view[start : start + length]


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


def native_ranges(descriptor: FrameDescriptor, offset: int, available: int) -> list[FrameRange]:
    """Return the ranges of the native frames that are there; the count is bounded by the bytes available.

    A last frame that lacks some of its bytes is included while at least 1/16 of it is there.
    """
    bits = descriptor.frame_bits
    present = min(descriptor.frames, -(-available * 8 // bits))
    ranges = []
    for number in range(present):
        begins = number * bits
        first, last = begins // 8, (begins + bits + 7) // 8
        if descriptor.word_swapped:
            first, last = first & ~1, last + 1 & ~1
        there = min(last, available) - first
        if there * MAX_SHORTFALL < last - first:
            break
        ranges.append(FrameRange(((offset + first, there),), begins - first * 8, last - first - there))
    if not ranges:
        raise BrokenPixels(
            f"The pixel data holds {available} bytes; one frame needs {descriptor.frame_bytes}.",
        )
    return ranges


def fragments(read: Read, offset: int) -> tuple[list[tuple[int, int]], int]:
    """Return (start, length) of each item of encapsulated pixel data, the offset table first, and the end's offset.

    Data that stops before the delimiter gives what is there.
    """
    found: list[tuple[int, int]] = []
    at = offset
    while len(found) <= MAX_FRAGMENTS:
        header = read(at, 8)
        if len(header) < 8:
            return found, at
        group, number, length = struct.unpack("<HHI", header)
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return found, at + 8
        if tag != ITEM or length == 0xFFFFFFFF:
            if found:
                return found, at
            raise BrokenPixels(f"Encapsulated pixel data begins with ({group:04X},{number:04X}) instead of an item.")
        found.append((at + 8, length))
        at += 8 + length
    raise BrokenPixels(f"Encapsulated pixel data has more than {MAX_FRAGMENTS} fragments.")


def frame_ranges(
    descriptor: FrameDescriptor,
    location: PixelLocation,
    read: Read,
    available: int,
) -> list[FrameRange]:
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
        return [FrameRange(((location.offset, min(location.length, available - location.offset)),))]
    if not descriptor.syntax.encapsulated:
        raise BrokenPixels("Native pixel data has an undefined length.")
    items, _ = fragments(read, location.offset)
    if not items:
        raise BrokenPixels("Encapsulated pixel data has no fragment.")
    table, pieces = items[0], items[1:]
    extended = _extended(location, table[0] + table[1], available)
    if extended:
        return extended
    pieces = [(start, min(length, available - start)) for start, length in pieces if start < available and length]
    if not pieces:
        raise BrokenPixels("Encapsulated pixel data has no fragment.")
    return _group(descriptor.frames, pieces, bytes(read(*table)), table[0] + table[1], read)


def _extended(location: PixelLocation, base: int, available: int) -> list[FrameRange]:
    offsets, lengths = location.extended_offsets, location.extended_lengths
    count = len(offsets) // 8
    if not count or len(lengths) < count * 8:
        return []
    starts = struct.unpack_from(f"<{count}Q", offsets)
    sizes = struct.unpack_from(f"<{count}Q", lengths)
    ranges = [FrameRange(((base + start + 8, size),)) for start, size in zip(starts, sizes, strict=True)]
    return ranges if all(item.pieces[0][0] + item.pieces[0][1] <= available for item in ranges) else []


def _group(frames: int, pieces: list[tuple[int, int]], table: bytes, base: int, read: Read) -> list[FrameRange]:
    """Share fragments out to frames: by the offset table, one each, or where code streams begin."""
    if len(pieces) == 1 or frames == 1:
        return [FrameRange(tuple(pieces))]
    if len(pieces) == frames:
        return [FrameRange((piece,)) for piece in pieces]
    offsets = list(struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4]))
    at = {start - 8 - base: index for index, (start, _) in enumerate(pieces)}
    if len(offsets) > 1 and offsets[0] == 0 and all(offset in at for offset in offsets):
        begins = [at[offset] for offset in offsets]
    else:
        begins = [n for n, (start, _) in enumerate(pieces) if bytes(read(start, 8)).startswith(_STARTS)]
        if not begins or begins[0] != 0:
            begins = list(range(len(pieces)))
    begins = sorted(set(begins))[:frames]
    ends = [*begins[1:], len(pieces)]
    return [FrameRange(tuple(pieces[begin:end])) for begin, end in zip(begins, ends, strict=True)]


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
