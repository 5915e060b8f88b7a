"""Lookup tables of the standard: modality and VOI tables, and palettes with their segments.

In: descriptor and data of a table as they stand in a header. Out: numpy tables (PS3.3 C.11.1.1, C.11.2.1.1,
C.7.6.3.1.5, C.7.9.2). Their sizes are bounded by the data that is there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from radrelay.dicom.elements import Attributes
from radrelay.dicom.pixels import BrokenPixels, Pixels

_MOST_ENTRIES = 65536


@dataclass(frozen=True, slots=True)
class LookupTable:
    """Entries for input values from `first` on; values beyond either end take the nearest entry."""

    first: int
    bits: int
    entries: Pixels

    def apply(self, values: Pixels) -> Pixels:
        """Return the entry of each value, shape as given."""
        last = len(self.entries) - 1
        index = np.clip(values.astype(np.int64, copy=False) - self.first, 0, last)
        looked_up: Pixels = self.entries[index]
        return looked_up


@dataclass(frozen=True, slots=True)
class Palette:
    """Three tables of one size; `bits` of their entries, 8 or 16."""

    first: int
    bits: int
    entries: Pixels

    def rgb8(self, indices: Pixels) -> Pixels:
        """Return RGB of 8 bits, shape (…, 3), for palette indices."""
        shown = self.entries if self.bits <= 8 else self.entries >> (self.bits - 8)
        index = np.clip(indices.astype(np.int64, copy=False) - self.first, 0, len(self.entries) - 1)
        rgb: Pixels = shown.astype(np.uint8)[index]
        return rgb


def _descriptor(attributes: Attributes, tag: int, signed: bool) -> tuple[int, int, int]:
    """Return (entries, first mapped value, bits) of a LUT Descriptor."""
    values = attributes.integers(tag)
    if len(values) < 3:
        raise BrokenPixels("A lookup table has no descriptor.")
    count = values[0] & 0xFFFF or _MOST_ENTRIES
    first = values[1] & 0xFFFF if not signed else (values[1] + 0x8000 & 0xFFFF) - 0x8000
    return count, first, min(max(values[2] & 0xFFFF, 1), 16)


def lookup_table(item: Attributes, *, signed: bool) -> LookupTable:
    """Read a Modality or VOI LUT item: LUT Descriptor (0028,3002), LUT Data (0028,3006).

    `signed` tells whether the input values, and so the first of them, may be negative.
    """
    count, first, bits = _descriptor(item, 0x00283002, signed)
    entries = _entries(item.raw(0x00283006), count, bits)
    return LookupTable(first, bits, entries)


def _entries(data: bytes, count: int, bits: int) -> Pixels:
    """Return the entries of a table: words, or bytes where 8-bit entries are packed (PS3.3 C.11.1.1.1)."""
    if len(data) >= 2 * count or bits > 8:
        found = np.frombuffer(data[: len(data) & ~1], "<u2")[:count]
    else:
        found = np.frombuffer(data, np.uint8)[:count].astype(np.uint16)
    if not len(found):
        raise BrokenPixels("A lookup table has no data.")
    return found


def palette(attributes: Attributes, *, signed: bool) -> Palette:
    """Read red, green and blue palette tables, plain (0028,1201…) or segmented (0028,1221…).

    Raises
    ------
    BrokenPixels
        When a table is absent or does not unfold.
    """
    columns = []
    first, bits = 0, 8
    for number in range(3):
        count, first, bits = _descriptor(attributes, 0x00281101 + number, signed)
        plain = attributes.raw(0x00281201 + number)
        if plain:
            columns.append(_entries(plain, count, bits))
        else:
            columns.append(_segments(attributes.raw(0x00281221 + number), count, bits))
    size = min(map(len, columns))
    table = np.stack([column[:size] for column in columns], axis=-1)
    # Some writers name 16 bits and fill only the lower eight.
    bits = 8 if bits > 8 and int(table.max()) < 256 else bits
    return Palette(first, bits, table)


def _segments(data: bytes, count: int, bits: int) -> Pixels:
    """Unfold a segmented palette: discrete, linear and indirect segments (PS3.3 C.7.9.2)."""
    words = struct.unpack(f"<{len(data) // 2}H", data[: len(data) & ~1]) if bits > 8 else tuple(data)
    found: list[int] = []
    at = 0
    while at + 2 <= len(words) and len(found) < count:
        kind, length = words[at], words[at + 1]
        if kind == 2:
            at = _indirect(words, at, found, count)
            continue
        at += 2
        at = _unfold(words, at, kind, length, found)
    if not found:
        raise BrokenPixels("A segmented palette has no data.")
    return np.array(found[:count], np.uint16)


def _unfold(words: tuple[int, ...], at: int, kind: int, length: int, found: list[int]) -> int:
    if kind == 0:
        found.extend(words[at : at + length])
        return at + length
    if kind != 1 or at >= len(words) or not found:
        raise BrokenPixels("A segmented palette has a segment of an unknown kind.")
    begin, end = found[-1], words[at]
    found.extend(round(begin + (end - begin) * step / length) for step in range(1, length + 1))
    return at + 1


def _indirect(words: tuple[int, ...], at: int, found: list[int], count: int) -> int:
    """Repeat earlier segments: their number, then the byte offset of the first, low half first."""
    if at + 4 > len(words):
        raise BrokenPixels("A segmented palette is cut off.")
    copies = words[at + 1]
    wide = max(words) > 255
    offset = words[at + 2] | words[at + 3] << (16 if wide else 8)
    inner = offset // 2 if wide else offset
    for _ in range(copies):
        if inner + 2 > at or words[inner] == 2 or len(found) >= count:
            raise BrokenPixels("A segmented palette repeats segments that are not before it.")
        inner = _unfold(words, inner + 2, words[inner], words[inner + 1], found)
    return at + 4
