"""Identifiers of queries: bytes into keys, matches into bytes (PS3.4 C.2.2, PS3.5 7.1).

Reading is bounded in depth and by the bytes there are; text is decoded once, here. What is written is in
ISO_IR 192 and says so wherever anything but ASCII occurs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, calcsize, pack, unpack
from struct import error as StructError  # noqa: N812 - reads as the class it is

from radrelay.dicom.characters import DEFAULT, CharacterSet, character_set
from radrelay.dicom.dictionary import vr_of
from radrelay.errors import Invalid
from radrelay.network.limits import IDENTIFIER_BYTES, IDENTIFIER_DEPTH
from radrelay.network.ports import Element, Key
from radrelay.network.sop_classes import DEFLATED_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE

SPECIFIC_CHARACTER_SET, QUERY_LEVEL, RETRIEVE_AE = 0x00080005, 0x00080052, 0x00080054
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
CHARACTER_VRS = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN", "UN"})
NUMBER_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "SV": "q", "UV": "Q"}


class IdentifierMalformed(Invalid):
    """The identifier cannot be read."""

    code = "identifier-malformed"


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a transfer syntax writes elements."""

    explicit: bool
    order: str
    tag: Struct
    u16: Struct
    u32: Struct


@lru_cache(maxsize=8)
def syntax_of(transfer_syntax: str) -> Syntax:
    """Return the rules of a transfer syntax."""
    order = ">" if transfer_syntax == EXPLICIT_BIG else "<"
    return Syntax(
        transfer_syntax != IMPLICIT_LITTLE, order, Struct(order + "HH"), Struct(order + "H"), Struct(order + "I")
    )


def decode(data: bytes, transfer_syntax: str, longest: int = IDENTIFIER_BYTES) -> tuple[Key, ...]:
    """Read a small data set into keys, in the order they stand; raises `IdentifierMalformed`.

    The character set, group lengths and what has no place in an identifier (pixel data, overlays) are left out.
    """
    if transfer_syntax == DEFLATED_LITTLE:
        data = _inflate(data, longest)
    try:
        keys, _ = _Reader(data, syntax_of(transfer_syntax)).keys(0, len(data), DEFAULT, 0, inside_item=False)
    except (StructError, RecursionError) as error:
        raise IdentifierMalformed("the identifier is cut short") from error
    return keys


def encode(elements: Sequence[Element], transfer_syntax: str) -> bytes:
    """Return elements as a data set, sorted by tag; the character set is added when text needs it."""
    writer = _Writer(syntax_of(transfer_syntax))
    body = writer.elements(elements)
    if writer.needs_character_set:
        body = writer.elements([*elements, (SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192")])
    return _deflate(body) if transfer_syntax == DEFLATED_LITTLE else body


class _Reader:
    """Walks a data set of one syntax."""

    def __init__(self, data: bytes, syntax: Syntax) -> None:
        self._data = data
        self._syntax = syntax

    def keys(
        self, position: int, end: int, characters: CharacterSet, depth: int, *, inside_item: bool
    ) -> tuple[tuple[Key, ...], int]:
        """Return the keys up to `end`, or up to the item's delimiter, and where they end."""
        if depth > IDENTIFIER_DEPTH:
            raise IdentifierMalformed("sequences are nested too deeply")
        found: list[Key] = []
        while position < end:
            tag, vr, length, position = self._head(position)
            if tag == ITEM_END:
                if not inside_item:
                    raise IdentifierMalformed("an item ends that did not begin")
                break
            if vr == "SQ" or length == UNDEFINED:
                items, position = self._items(position, length, end, characters, depth)
                found.append(Key(tag, "SQ", "", items))
                continue
            if position + length > end:
                raise IdentifierMalformed(
                    f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) claims more bytes than there are"
                )
            raw = self._data[position : position + length]
            position += length
            if tag == SPECIFIC_CHARACTER_SET:
                characters = character_set(raw)
            elif tag & 0xFFFF:
                found.append(Key(tag, vr, self._text(raw, vr, characters)))
        return tuple(found), position

    def _head(self, position: int) -> tuple[int, str, int, int]:
        data, syntax = self._data, self._syntax
        group, element = syntax.tag.unpack_from(data, position)
        tag = group << 16 | element
        position += 4
        if not syntax.explicit or group == 0xFFFE:
            vr = vr_of(tag)[:2] if group != 0xFFFE else ""
            return tag, vr, syntax.u32.unpack_from(data, position)[0], position + 4
        raw_vr = data[position : position + 2]
        if raw_vr in LONG_VRS:
            return tag, raw_vr.decode("ascii"), syntax.u32.unpack_from(data, position + 4)[0], position + 8
        if not (raw_vr.isalpha() and raw_vr.isupper()):
            raise IdentifierMalformed(f"element ({group:04X},{element:04X}) has no value representation")
        return tag, raw_vr.decode("ascii"), syntax.u16.unpack_from(data, position + 2)[0], position + 4

    def _items(
        self, position: int, length: int, end: int, characters: CharacterSet, depth: int
    ) -> tuple[tuple[tuple[Key, ...], ...], int]:
        stop = end if length == UNDEFINED else position + length
        if stop > end:
            raise IdentifierMalformed("a sequence claims more bytes than there are")
        items: list[tuple[Key, ...]] = []
        while position < stop:
            tag, _, item_length, position = self._head(position)
            if tag == SEQUENCE_END:
                break
            if tag != ITEM:
                raise IdentifierMalformed("a sequence holds something else than items")
            item_end = stop if item_length == UNDEFINED else position + item_length
            if item_end > stop:
                raise IdentifierMalformed("an item claims more bytes than there are")
            keys, position = self.keys(position, item_end, characters, depth + 1, inside_item=True)
            items.append(keys)
        return tuple(items), position

    def _text(self, raw: bytes, vr: str, characters: CharacterSet) -> str:
        if vr in CHARACTER_VRS:
            text = characters.decode(raw, name=vr == "PN")
        elif vr in NUMBER_FORMATS:
            return "\\".join(str(value) for value in unpack(*self._numbers(raw, vr)))
        elif vr == "AT":
            whole = len(raw) & ~3
            return "\\".join(f"{g:04X}{e:04X}" for g, e in self._syntax.tag.iter_unpack(raw[:whole]))
        elif vr in ("OB", "OW", "OD", "OF", "OL", "OV"):
            return ""
        else:
            text = raw.decode("latin_1")
        return "\\".join(value.strip(" \0") for value in text.split("\\"))

    def _numbers(self, raw: bytes, vr: str) -> tuple[str, bytes]:
        code = NUMBER_FORMATS[vr]
        count = len(raw) // calcsize("=" + code)
        return f"{self._syntax.order}{count}{code}", raw[: count * calcsize("=" + code)]


class _Writer:
    """Writes elements of one syntax, and remembers whether any text went beyond ASCII."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self.needs_character_set = False

    def elements(self, elements: Iterable[Element]) -> bytes:
        """Return elements as bytes, sorted by tag."""
        return b"".join([self._element(element) for element in sorted(elements, key=_tag)])

    def _element(self, element: Element) -> bytes:
        tag, vr, value = element
        if isinstance(value, str):
            raw = self._encode_text(vr, value)
        elif isinstance(value, bytes):
            raw = value
        else:
            raw = b"".join(self._item(item) for item in value)
        if len(raw) & 1:
            raw += b"\0" if vr in ("UI", "OB", "UN") else b" "
        syntax = self._syntax
        head = syntax.tag.pack(tag >> 16, tag & 0xFFFF)
        if not syntax.explicit:
            return b"".join((head, syntax.u32.pack(len(raw)), raw))
        code = vr.encode("ascii")
        if code in LONG_VRS:
            return head + code + b"\0\0" + syntax.u32.pack(len(raw)) + raw
        if len(raw) > 0xFFFE:
            return head + b"UN\0\0" + syntax.u32.pack(len(raw)) + raw  # PS3.5 6.2.2 note 5
        return head + code + syntax.u16.pack(len(raw)) + raw

    def _item(self, item: Sequence[Element]) -> bytes:
        body = self.elements(item)
        return self._syntax.tag.pack(0xFFFE, 0xE000) + self._syntax.u32.pack(len(body)) + body

    def _encode_text(self, vr: str, text: str) -> bytes:
        if not text:
            return b""
        if vr in NUMBER_FORMATS:
            return self._encode_numbers(vr, text)
        if vr == "AT":
            tags = [int(part, 16) for part in text.split("\\") if part]
            return b"".join(self._syntax.tag.pack(tag >> 16, tag & 0xFFFF) for tag in tags)
        if not text.isascii():
            self.needs_character_set = True
        return text.encode()

    def _encode_numbers(self, vr: str, text: str) -> bytes:
        """Return numbers in binary; empty when the text holds something else, as a stored bad value may."""
        parts = list(filter(None, text.split("\\")))
        convert = float if vr in ("FL", "FD") else int
        try:
            return pack(f"{self._syntax.order}{len(parts)}{NUMBER_FORMATS[vr]}", *[convert(part) for part in parts])
        except (ValueError, StructError):
            return b""


def _tag(element: Element) -> int:
    return element[0]


def _inflate(data: bytes, longest: int) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = stream.decompress(data, longest)
    except zlib.error as error:
        raise IdentifierMalformed("the identifier cannot be inflated") from error
    if stream.unconsumed_tail:
        raise IdentifierMalformed(f"the identifier inflates to more than {longest} bytes")
    return inflated


def _deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()
