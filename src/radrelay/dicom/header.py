"""A data set's attributes: parsed once into places, decoded when asked for.

In: the bytes of a data set or of its head, and the transfer syntax. Out: texts, numbers, dates, names and items by
tag, and DICOM JSON. A bad value never raises: it reads as absent or as well as can be and is named in `problems`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import date, time

from radrelay.dicom import dialects, dictionary
from radrelay.dicom.characters import DEFAULT, CharacterSet, character_set
from radrelay.dicom.dialects import LONG_VRS
from radrelay.dicom.errors import Malformed, tag_text
from radrelay.dicom.reading import Block, Place, Source, read_block, read_items
from radrelay.dicom.syntaxes import Syntax, syntax_of
from radrelay.dicom.values import parse_date, parse_integer, parse_number, parse_time, trim_name
from radrelay.dicom.walk import HEAD_BYTES, inflate

CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
INFLATE_LIMIT = 64 << 20
"""Most bytes that a deflated data set is inflated to by `parse`."""

_FORMATS = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d", "OW": "H", "OF": "f",
    "OD": "d", "OL": "I", "OV": "Q",
}  # fmt: skip
_ENCODED_TEXT = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT", "UN", "OB"))
_ONE_VALUE = frozenset(("ST", "LT", "UT", "UR"))
_WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, **{vr: struct.calcsize(f) for vr, f in _FORMATS.items()}}
_VALUES_LIMIT = 1 << 20
_ELEMENT_HEADER = 12


class Header:
    """The attributes of a data set or of an item, by tag as 0xGGGGEEEE.

    Attributes
    ----------
    transfer_syntax : Syntax
        As declared; `explicit` says how the elements really are.
    """

    __slots__ = ("_block", "_charset", "_items", "_parent", "_source", "transfer_syntax")

    def __init__(self, source: Source, block: Block, syntax: Syntax, parent: Header | None = None) -> None:
        self._source = source
        self._block = block
        self._parent = parent
        self._charset: CharacterSet | None = None
        self._items: dict[int, list[Header]] = {}
        self.transfer_syntax = syntax

    def __contains__(self, tag: object) -> bool:
        return tag in self._block.places

    def __iter__(self) -> Iterator[int]:
        """Yield the tags as they stand in the data set."""
        return iter(self._block.places)

    def __len__(self) -> int:
        return len(self._block.places)

    @property
    def problems(self) -> list[str]:
        """Return what was wrong and was read all the same."""
        return self._source.problems

    @property
    def truncated(self) -> bool:
        """Return whether an element runs beyond the end of the bytes given."""
        return self._source.truncated

    @property
    def explicit(self) -> bool:
        """Return whether the elements carry their VR, whatever the transfer syntax declares."""
        return self._block.dialect.explicit

    @property
    def little_endian(self) -> bool:
        """Return whether numbers are little endian."""
        return self._block.dialect.little

    @property
    def data(self) -> bytes:
        """Return the bytes that places point into; they are inflated ones if the syntax is deflated."""
        return self._source.data

    @property
    def bulk(self) -> tuple[int, int, int] | None:
        """Return (tag, offset of its header, length as declared) of the first element of group 7FE0 or above."""
        source = self._source
        return (source.bulk_tag, source.bulk_offset, source.bulk_length) if source.bulk_tag else None

    @property
    def bulk_vr(self) -> str:
        """Return the VR of that element, empty when there is none."""
        source = self._source
        if not source.bulk_tag:
            return ""
        vr = source.data[source.bulk_offset + 4 : source.bulk_offset + 6]
        return vr.decode("ascii") if self.explicit and vr in LONG_VRS else "OW"

    @property
    def charset(self) -> CharacterSet:
        """Return the character set in force: an item's own, or the one around it (PS3.3 C.12.1.1.2)."""
        if self._charset is None:
            place = self._block.places.get(CHARACTER_SET)
            if place is None:
                self._charset = self._parent.charset if self._parent else DEFAULT
            else:
                self._charset = character_set(self._bytes(place))
                if self._charset.unknown:
                    self._source.problem(f"unknown character set {', '.join(self._charset.unknown)[:100]!r}")
        return self._charset

    def _bytes(self, place: Place) -> bytes:
        return self._source.data[place[1] : place[1] + place[2]]

    def place(self, tag: int) -> Place | None:
        """Return (VR, offset, length) of a value within `data`, none when absent."""
        return self._block.places.get(tag)

    def encapsulated(self, tag: int) -> bool:
        """Return whether the value of `tag` consists of fragments (PS3.5 A.4)."""
        return tag in self._block.fragments

    def vr(self, tag: int) -> str:
        """Return the VR of an element, ambiguous ones settled by PixelRepresentation (PS3.5 A.1); empty when absent."""
        place = self._block.places.get(tag)
        if place is None:
            return ""
        if place[0] == "US or SS":
            return "SS" if self._signed() else "US"
        return "OB" if tag in self._block.fragments else place[0]

    def _signed(self) -> bool:
        header: Header | None = self
        while header is not None:
            place = header._block.places.get(PIXEL_REPRESENTATION)
            if place is not None:
                return header._bytes(place)[:2] in (b"\1\0", b"\0\1")
            header = header._parent
        return False

    def encoded(self, tags: Sequence[int]) -> list[tuple[int, str, bytes]]:
        """Return tag, VR and value of those of `tags` that are there, to tell whether two data sets agree in them."""
        places, data = self._block.places, self._source.data
        found = [(tag, places[tag]) for tag in tags if tag in places]
        return [(tag, vr, data[start : start + length]) for tag, (vr, start, length) in found]

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a value, words in little endian order; empty when absent."""
        place = self._block.places.get(tag)
        if place is None:
            return b""
        value = self._bytes(place)
        size = 0 if self._block.dialect.little else _WORDS.get(self.vr(tag), 0)
        if not size:
            return value
        whole = len(value) - len(value) % size
        swapped = bytearray(value)
        for index in range(size):
            swapped[index:whole:size] = value[size - 1 - index : whole : size]
        return bytes(swapped)

    def text(self, tag: int) -> str:
        """Return a value as text, all its values with backslashes in between; empty when absent."""
        place = self._block.places.get(tag)
        if place is None or not place[2]:
            return ""
        vr, start, length = place
        if vr in _FORMATS or vr in ("US or SS", "AT", "SQ"):
            return "\\".join(self.texts(tag))
        raw = self._source.data[start : start + length]
        if raw.isascii() and b"\x1b" not in raw:
            text = raw.decode("ascii")
        elif vr in _ENCODED_TEXT:
            text = self.charset.decode(raw, name=vr == "PN")
        else:
            text = DEFAULT.decode(raw)
        if "\0" in text:
            text = text.rstrip("\0 ").replace("\0", "")
        return text.rstrip(" ") if vr in _ONE_VALUE else text.strip(" ")

    def texts(self, tag: int) -> list[str]:
        """Return the values of an attribute as text, each without padding; empty when absent."""
        place = self._block.places.get(tag)
        if place is None or not place[2]:
            return []
        if place[0] == "AT":
            return [f"{number:08X}" for number in self._tags(place)]
        if place[0] in _FORMATS or place[0] == "US or SS":
            return [f"{number:g}" if isinstance(number, float) else str(number) for number in self._binary(tag)]
        if place[0] == "SQ":
            return []
        text = self.text(tag)
        if not text:
            return []
        return [text] if place[0] in _ONE_VALUE else [part.strip(" ") for part in text.split("\\")]

    def _tags(self, place: Place) -> list[int]:
        count = min(place[2] // 4, _VALUES_LIMIT)
        return [self._block.dialect.tag(self._source.data, place[1] + 4 * index) for index in range(count)]

    def _binary(self, tag: int) -> tuple[int | float, ...]:
        vr = self.vr(tag)
        _, start, length = self._block.places[tag]
        form = _FORMATS[vr]
        count = min(length // struct.calcsize(form), _VALUES_LIMIT)
        return struct.unpack_from(f"{self._block.dialect.order}{count}{form}", self._source.data, start)

    def numbers(self, tag: int) -> list[float]:
        """Return the values of a numeric attribute; empty when absent, those that are no numbers left out."""
        place = self._block.places.get(tag)
        if place is None:
            return []
        if place[0] in _FORMATS or place[0] == "US or SS":
            return [float(number) for number in self._binary(tag)]
        found: list[float] = []
        for text in self.texts(tag):
            number = parse_number(text)
            if number is not None:
                found.append(number)
            elif text:
                self._bad(tag, text)
        return found

    def integers(self, tag: int) -> list[int]:
        """Return the values of a whole-number attribute; empty when absent, those that are none left out."""
        place = self._block.places.get(tag)
        if place is None:
            return []
        if place[0] in _FORMATS or place[0] == "US or SS":
            return [int(number) for number in self._binary(tag) if math.isfinite(number)]
        found: list[int] = []
        for text in self.texts(tag):
            number = parse_integer(text)
            if number is not None:
                found.append(number)
            elif text:
                self._bad(tag, text)
        return found

    def number(self, tag: int) -> float | None:
        """Return the first number of an attribute."""
        found = self.numbers(tag)
        return found[0] if found else None

    def integer(self, tag: int) -> int | None:
        """Return the first whole number of an attribute."""
        found = self.integers(tag)
        return found[0] if found else None

    def date(self, tag: int) -> date | None:
        """Return the date of a DA or DT; none when absent or no date."""
        text = self.text(tag)
        found = parse_date(text) if text else None
        if text and found is None:
            self._bad(tag, text)
        return found

    def time(self, tag: int) -> time | None:
        """Return the time of a TM; none when absent or no time."""
        text = self.text(tag)
        found = parse_time(text) if text else None
        if text and found is None:
            self._bad(tag, text)
        return found

    def person_name(self, tag: int) -> str:
        """Return the first person name, with its ideographic and phonetic groups, without empty ends."""
        text = self.text(tag)
        return trim_name(text.partition("\\")[0]) if text else ""

    def _bad(self, tag: int, text: str) -> None:
        # why: the value may be a person's; problems are shown to people who may see the object, never logged
        self._source.problem(f"{dictionary.keyword_of(tag)} {tag_text(tag)} has no valid value: {text[:40]!r}")

    def items(self, tag: int) -> list[Header]:
        """Return the items of a sequence; empty when absent or when the element is no sequence."""
        found = self._items.get(tag)
        if found is None:
            place = self._block.places.get(tag)
            if place is None or place[0] != "SQ":
                return []
            found = [Header(self._source, block, self.transfer_syntax, self) for block in self._blocks(tag, place)]
            self._items[tag] = found
        return found

    def _blocks(self, tag: int, place: Place) -> list[Block]:
        blocks = self._block.sequences.get(tag)
        if blocks is None:
            try:
                blocks, _ = read_items(
                    self._source, place[1], place[1] + place[2], self._block.dialect, self._depth() + 1, delimited=False
                )
            except Malformed as broken:
                self._source.problem(f"{tag_text(tag)} cannot be read: {broken.message}")
                blocks = []
            self._block.sequences[tag] = blocks
        return blocks

    def _depth(self) -> int:
        depth, header = 0, self._parent
        while header is not None:
            depth, header = depth + 1, header._parent
        return depth

    def to_json(self, bulk: Callable[[str], str] | None = None) -> dict[str, object]:
        """Return the DICOM JSON Model object (PS3.18 F); see `dicom_json.to_json`."""
        from radrelay.dicom.dicom_json import to_json  # noqa: PLC0415 - it knows Header

        return to_json(self, bulk)

    def value_at(self, path: str) -> bytes | None:
        """Return the bytes that a bulk data path of `to_json` names, none when nothing is there."""
        header = self
        *outer, last = path.split("/")
        if len(outer) % 2:
            return None
        try:
            for tag, index in zip(outer[::2], outer[1::2], strict=True):
                header = header.items(int(tag, 16))[int(index)]
            return header.raw(int(last, 16)) if int(last, 16) in header else None
        except (ValueError, IndexError):
            return None


def parse(head: bytes | bytearray | memoryview, transfer_syntax_uid: str, *, truncated_ok: bool = True) -> Header:
    """Parse a data set or its head.

    Parameters
    ----------
    head
        Bytes from the data set's first element on, as received. Deflated ones are inflated: as far as the bulk data
        when they may be cut off, else to the end within `INFLATE_LIMIT`.
    truncated_ok
        Whether the last element may be cut off; it is left out then.

    Raises
    ------
    Malformed
        The structure cannot be followed, or ends too early and must not.
    """
    syntax = syntax_of(transfer_syntax_uid)
    if not syntax.deflated:
        return _parse(bytes(head), syntax, truncated_ok=truncated_ok)
    if truncated_ok:
        begun = _parse(inflate(bytes(head), HEAD_BYTES), syntax, truncated_ok=True)
        if begun.bulk:
            return begun
    data = inflate(bytes(head), INFLATE_LIMIT)
    if len(data) >= INFLATE_LIMIT and not truncated_ok:
        raise Malformed(f"the deflated data set is larger than {INFLATE_LIMIT} bytes")
    return _parse(data, syntax, truncated_ok=truncated_ok)


def _parse(data: bytes, syntax: Syntax, *, truncated_ok: bool) -> Header:
    source = Source(data, truncated_ok=truncated_ok)
    declared = dialects.dialect(explicit=syntax.explicit, little=syntax.little_endian)
    try:
        block, _ = read_block(source, 0, len(data), declared, 0, delimited=False)
    except Malformed as broken:
        if not source.bulk_tag or not truncated_ok:
            raise
        # why: what is broken behind the pixels takes nothing from what stands before them
        source = Source(data[: source.bulk_offset + _ELEMENT_HEADER])
        block, _ = read_block(source, 0, len(source.data), declared, 0, delimited=False)
        source.problem(f"what stands behind the pixel data cannot be read: {broken.message}")
    if block.dialect is not declared:
        source.problem(f"the elements are not encoded as the transfer syntax {syntax.uid} says")
    return Header(source, block, syntax)


def head_of(header: Header) -> int:
    """Return where the bulk of a parsed data set begins, its length if it has none (PS3.5 7FE0 and above)."""
    return header.bulk[1] if header.bulk else len(header.data)
