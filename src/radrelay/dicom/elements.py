"""Data elements by their places: one bounded walk over the top level of a data set (PS3.5 7.1).

In: the bytes of a data set and its transfer syntax. Out: tag → place and VR, and the few typed reads that
pixels need. Values are never copied until they are asked for; nothing is decoded that nobody asks for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from radrelay.dicom.characters import DEFAULT, character_set
from radrelay.dicom.dialects import (
    DEPTH_LIMIT,
    ELEMENT_LIMIT,
    ITEM,
    ITEM_END,
    LONG_VRS,
    MEMORY_LIMIT,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
    Dialect,
    dialect,
    met_dialect,
)
from radrelay.dicom.dictionary import vr_of
from radrelay.dicom.errors import Malformed
from radrelay.dicom.syntaxes import Syntax

CHARACTER_SET = 0x00080005
PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_PIXEL_DATA = 0x7FE00009
PIXEL_TAGS = frozenset({PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA})

_ENCODED_TEXT = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT", b"UN", b"OB"))
_FORMATS = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d", b"OW": "H", b"UV": "Q", b"SV": "q"}

Buffer = bytes | bytearray | memoryview


class Element(NamedTuple):
    """Where one data element stands: `start` of its tag, `value`'s offset and length, `end` of all of it."""

    tag: int
    vr: bytes
    start: int
    value: int
    length: int
    end: int
    undefined: bool


class Attributes(Protocol):
    """What pixel code asks of a header: typed values by tag (0xGGGGEEEE), and the items of sequences."""

    def texts(self, tag: int) -> list[str]:
        """Return the values of a text attribute, stripped; empty when absent."""

    def integers(self, tag: int) -> list[int]:
        """Return the values of a whole-number attribute (US, SS, IS, …); empty when absent or bad."""

    def numbers(self, tag: int) -> list[float]:
        """Return the values of a numeric attribute (DS, FD, US, …); empty when absent or bad."""

    def raw(self, tag: int) -> bytes:
        """Return the bytes of the value, words in little endian order; empty when absent."""

    def items(self, tag: int) -> Sequence[Attributes]:
        """Return the items of a sequence; empty when absent."""

    def __contains__(self, tag: object) -> bool: ...


@lru_cache(maxsize=8192)
def implicit_vr(tag: int, signed: bool = False) -> bytes:
    """Return the VR that the data dictionary gives a tag; UN when it knows none (PS3.6).

    `signed` settles "US or SS"; words whose size is left open are OW.
    """
    named = vr_of(tag)
    if " " not in named:
        return named.encode()
    return b"OW" if "OW" in named else b"SS" if signed else b"US"


def _header(data: Buffer, at: int, end: int, explicit: bool, order: str) -> tuple[int, bytes, int, int]:
    """Return (tag, vr, value offset, length) of the element at `at`."""
    if at + 8 > end:
        raise Malformed(f"An element header at offset {at} is cut off.")
    group, number = struct.unpack_from(order + "HH", data, at)
    tag = group << 16 | number
    if not explicit or group == 0xFFFE:
        return tag, b"", at + 8, struct.unpack_from(order + "I", data, at + 4)[0]
    vr = bytes(data[at + 4 : at + 6])
    if vr in SHORT_VRS:
        return tag, vr, at + 8, struct.unpack_from(order + "H", data, at + 6)[0]
    if vr in LONG_VRS or vr.isalpha():
        if at + 12 > end:
            raise Malformed(f"The element ({group:04X},{number:04X}) at offset {at} is cut off.")
        return tag, vr, at + 12, struct.unpack_from(order + "I", data, at + 8)[0]
    # why: some writers slip implicit elements (VR missing) into explicit data sets
    return tag, b"", at + 8, struct.unpack_from(order + "I", data, at + 4)[0]


def skip_sequence(data: Buffer, at: int, end: int, explicit: bool, order: str, depth: int = 0) -> int:
    """Return the offset after the delimiter of an undefined-length sequence whose first item is at `at`."""
    if depth > DEPTH_LIMIT:
        raise Malformed(f"Sequences nest deeper than {DEPTH_LIMIT} at offset {at}.")
    while at + 8 <= end:
        group, number, length = struct.unpack_from(order + "HHI", data, at)
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return at + 8
        if tag != ITEM:
            raise Malformed(f"An item was expected at offset {at}, found ({group:04X},{number:04X}).")
        at = at + 8 + length if length != UNDEFINED else _skip_item(data, at + 8, end, explicit, order, depth)
    if at >= end:
        return end
    raise Malformed(f"A sequence is cut off at offset {at}.")


def _skip_item(data: Buffer, at: int, end: int, explicit: bool, order: str, depth: int) -> int:
    while at + 8 <= end:
        tag, vr, value, length = _header(data, at, end, explicit, order)
        if tag == ITEM_END:
            return value
        if length != UNDEFINED:
            at = value + length
        else:
            inner = explicit and vr != b"UN"
            at = skip_sequence(data, value, end, inner, order if inner else "<" if explicit else order, depth + 1)
    return end


_Header = tuple[int, bytes, int, int]
_MET: dict[tuple[bool, bool], dict[bytes, _Header]] = {}
"""Headers met before, with (tag, VR, header bytes, length): devices repeat themselves from slice to slice."""


def walk(
    data: Buffer, explicit: bool, little_endian: bool, start: int = 0, stop: int | None = None
) -> Iterator[Element]:
    """Yield the elements between two offsets, in order, stepping over sequences.

    The last element may be longer than the data: its place is cut to what is there.

    Raises
    ------
    Malformed
        When headers are cut off, sequences do not close (PS3.5 7.5), or there are more than `ELEMENT_LIMIT` elements.
    """
    left = ELEMENT_LIMIT
    order = "<" if little_endian else ">"
    met = _MET.setdefault((explicit, little_endian), {})
    end = len(data) if stop is None else stop
    at = start
    new = tuple.__new__
    while at + 8 <= end:
        key = bytes(data[at : at + 8])
        known = met.get(key)
        if known is None:
            tag, vr, value, length = _header(data, at, end, explicit, order)
            if value - at == 8 and length != UNDEFINED:
                if len(met) >= MEMORY_LIMIT:
                    met.clear()
                met[key] = (tag, vr, 8, length)
        else:
            tag, vr, size, length = known
            value = at + size
        if tag in (ITEM_END, SEQUENCE_END):
            return
        left -= 1
        if left < 0:
            raise Malformed(f"The data set has more than {ELEMENT_LIMIT} elements.")
        if length == UNDEFINED:
            inner = explicit and vr != b"UN"
            after = skip_sequence(data, value, end, inner, order if inner or not explicit else "<")
            yield Element(tag, vr, at, value, after - value, after, True)
        else:
            after = min(value + length, end)
            yield new(Element, (tag, vr, at, value, after - value, after, False))
        at = after


class DataElements:
    """The top level of one data set (or item): places by tag, typed reads on demand. Implements `Attributes`."""

    __slots__ = ("_data", "_order", "explicit", "little_endian", "places")

    def __init__(
        self, data: Buffer, explicit: bool, little_endian: bool, start: int = 0, stop: int | None = None
    ) -> None:
        self._data = memoryview(data)
        self.explicit = explicit
        self.little_endian = little_endian
        self._order = "<" if little_endian else ">"
        self.places: dict[int, Element] = {}
        for element in walk(self._data, explicit, little_endian, start, stop):
            self.places.setdefault(element.tag, element)  # of two the first one counts, as in `Header`

    @classmethod
    def of(cls, data: Buffer, syntax: Syntax) -> DataElements:
        """Walk a data set that is not (or no longer) deflated."""
        return cls(data, *_met_rules(data, syntax))

    def __contains__(self, tag: object) -> bool:
        return tag in self.places

    def vr(self, tag: int) -> bytes:
        """Return the VR that the element carries, or the dictionary's."""
        place = self.places[tag]
        return place.vr if place.vr not in (b"", b"UN") else implicit_vr(tag)

    def texts(self, tag: int) -> list[str]:
        """Return the values of a text attribute, stripped, byte by byte; empty when absent.

        For codes, UIDs and numbers. What a person wrote is read by `decoded`.
        """
        place = self.places.get(tag)
        if place is None:
            return []
        text = bytes(self._data[place.value : place.end]).decode("latin-1").rstrip("\0 ")
        return [part.strip() for part in text.split("\\")] if text else []

    def decoded(self, tag: int) -> list[str]:
        """Return the values of a text attribute of a data set by its character set, as `Header.texts` reads them."""
        place = self.places.get(tag)
        if place is None:
            return []
        raw, vr = bytes(self._data[place.value : place.end]), self.vr(tag)
        charset = character_set(self.raw(CHARACTER_SET)) if CHARACTER_SET in self.places else DEFAULT
        text = (charset if vr in _ENCODED_TEXT else DEFAULT).decode(raw, name=vr == b"PN")
        text = text.replace("\0", "").strip(" ")
        return [part.strip(" ") for part in text.split("\\")] if text else []

    def numbers(self, tag: int) -> list[float]:
        """Return the values of a numeric attribute; empty when absent or bad."""
        if tag not in self.places:
            return []
        form = _FORMATS.get(self.vr(tag))
        if form is None:
            try:
                return [float(text) for text in self.texts(tag) if text]
            except ValueError:
                return []
        place = self.places[tag]
        count = min(place.length // struct.calcsize(form), 4096)
        return list(struct.unpack_from(f"{self._order}{count}{form}", self._data, place.value))

    def integers(self, tag: int) -> list[int]:
        """Return the values of a whole-number attribute; empty when absent or bad."""
        try:
            return [int(number) for number in self.numbers(tag)]
        except (ValueError, OverflowError):
            return []

    def raw(self, tag: int) -> bytes:
        """Return the bytes of the value, words in little endian order; empty when absent."""
        place = self.places.get(tag)
        if place is None:
            return b""
        value = bytes(self._data[place.value : place.end])
        if self.little_endian or self.vr(tag) not in (b"OW", b"US", b"SS"):
            return value
        even = len(value) & ~1
        swapped = bytearray(value[:even])
        swapped[0::2], swapped[1::2] = value[1:even:2], value[0:even:2]
        return bytes(swapped)

    def items(self, tag: int) -> list[DataElements]:
        """Return the items of a sequence; empty when absent."""
        place = self.places.get(tag)
        if place is None:
            return []
        explicit, little = self.explicit, self.little_endian
        if explicit and place.vr == b"UN":
            explicit, little = False, True
        return [
            DataElements(self._data, explicit, little, start, stop)
            for start, stop, _ in item_places(self._data, place, explicit, little)
        ]


def _met_rules(data: Buffer, syntax: Syntax) -> tuple[bool, bool]:
    """Return (explicit, little endian) as the data set is really written; senders exist that declare another VR."""
    declared: Dialect = dialect(explicit=syntax.explicit, little=syntax.little_endian)
    met = met_dialect(declared, bytes(data[:8]), 0)
    return met.explicit, met.little


def item_places(data: Buffer, sequence: Element, explicit: bool, little_endian: bool) -> list[tuple[int, int, bool]]:
    """Return (start, stop, undefined length) of the content of each item; the stop leaves out the item's delimiter."""
    order = "<" if little_endian else ">"
    found: list[tuple[int, int, bool]] = []
    at = sequence.value
    while at + 8 <= sequence.end:
        group, number, length = struct.unpack_from(order + "HHI", data, at)
        if (group << 16 | number) != ITEM:
            break
        if len(found) >= ELEMENT_LIMIT:
            raise Malformed(f"The sequence at offset {sequence.start} has more than {ELEMENT_LIMIT} items.")
        if length != UNDEFINED:
            stop = min(at + 8 + length, sequence.end)
            found.append((at + 8, stop, False))
            at = stop
        else:
            after = _skip_item(data, at + 8, sequence.end, explicit, order, 0)
            found.append((at + 8, max(at + 8, after - 8), True))
            at = after
    return found
