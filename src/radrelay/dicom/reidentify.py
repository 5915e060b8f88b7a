"""A data set given another identity: UIDs and patient attributes replaced, what they were noted in the data set.

In: a data set, its transfer syntax and the new values. Out: the data set with them and an item of the Original
Attributes Sequence (PS3.3 C.12.1.1.9); all other elements as they were. Big endian becomes little endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from radrelay.dicom.characters import character_set, encode
from radrelay.dicom.elements import Buffer, DataElements, Element, implicit_vr, item_places
from radrelay.dicom.errors import Malformed, NotWritable
from radrelay.dicom.recode import CHARACTER_SET, to_utf8
from radrelay.dicom.rewrite import NewElement, Rules, element_header, item, rewrite
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import deflate, inflate, transcode
from radrelay.dicom.walk import usable_uid
from radrelay.dicom.writing import pad

ORIGINAL_ATTRIBUTES, MODIFIED_ATTRIBUTES = 0x04000561, 0x04000550
VRS = {
    0x00080015: "DT", 0x00080016: "UI", 0x00080018: "UI", 0x0020000D: "UI", 0x0020000E: "UI",
    0x00080050: "SH", 0x00080090: "PN", 0x00081030: "LO", 0x00200010: "SH",
    0x00100010: "PN", 0x00100020: "LO", 0x00100021: "LO", 0x00100030: "DA", 0x00100040: "CS",
}  # fmt: skip
"""The attributes that can be given another value."""
_NONCONFORMING, _VALUE, _SELECTOR = 0x04000551, 0x04000552, 0x00720026
Edit = NewElement | None
"""What an element becomes; none takes it out."""
_ASCII_ONLY = ("", "ISO_IR 6", "ISO 2022 IR 6")


@dataclass(frozen=True, slots=True)
class Modification:
    """Who changes attributes, when and why: `reason` is a defined term of (0400,0565)."""

    at: datetime
    system: str
    source: str
    reason: Literal["COERCE", "CORRECT"]


class Further(Protocol):
    """What else is written of a data set: sequences, and what is taken out."""

    @property
    def texts(self) -> Sequence[str]:
        """The texts that it writes, which the object's character set has to hold."""

    def __call__(self, data_set: Buffer, rules: Rules, terms: tuple[str, ...]) -> Mapping[int, Edit]:
        """Return edits of a data set whose texts are in the character set of `terms` already."""


def reidentify(
    data_set: Buffer, ts: str, values: Mapping[int, str], change: Modification, further: Further | None = None
) -> tuple[bytes, str]:
    """Return the data set with other values, and its transfer syntax.

    Parameters
    ----------
    data_set, ts
        The data set without file meta information, and its transfer syntax.
    values
        New values by tag, of `VRS`.
    change
        What the Original Attributes Sequence says of it.
    further
        Edits beside the values; the originals of these are kept, too.

    Raises
    ------
    NotWritable
        When the object's character set does not have a letter of the values, and the object cannot become UTF-8.
    Malformed, NotTranscodable
        When the data set cannot be followed to its end.
    """
    syntax = syntax_of(ts)
    if syntax.deflated:
        data_set = inflate(data_set)
    elif not syntax.little_endian:
        data_set, ts, syntax = transcode(data_set, ts, EXPLICIT_LE), EXPLICIT_LE, syntax_of(EXPLICIT_LE)
    elements = DataElements.of(data_set, syntax)
    if not elements.little_endian:
        raise Malformed("The data set stands in big endian order, against its transfer syntax.")
    rules = Rules(elements.explicit)
    terms, new = _character_set(elements, values, further.texts if further else ())
    if new:
        values = {CHARACTER_SET: terms[0], **values}
    received = memoryview(data_set)
    if new:
        data_set = to_utf8(data_set, rules, character_set(elements.raw(CHARACTER_SET)))
    edits: dict[int, Edit] = {}
    if further:
        edits |= further(data_set, rules, terms)
    changes = _changes(received, elements, [*values, *edits], change, rules)  # in the character set as it was
    for tag, text in values.items():
        vr = _vr(tag)
        edits[tag] = NewElement(tag, vr.encode(), pad(encode(text, terms), vr))
    edits[ORIGINAL_ATTRIBUTES] = _original_attributes(data_set, rules, changes)
    whole = b"".join(rewrite(data_set, rules, rules, edits))
    return (deflate(whole) if syntax.deflated else whole), ts


def _character_set(
    elements: DataElements, values: Mapping[int, str], others: Sequence[str]
) -> tuple[tuple[str, ...], bool]:
    """Return the terms that the new values are written in, and whether they are to be set anew.

    A data set that lacks letters becomes UTF-8, unless nobody knows what its texts are in.
    """
    terms = tuple(elements.texts(CHARACTER_SET)) or ("",)
    if all(text.isascii() for text in (*values.values(), *others)):
        return terms if terms != ("",) else ("ISO_IR 6",), False
    if len(terms) == 1 and terms[0] in _ASCII_ONLY:
        return ("ISO_IR 192",), True
    written = character_set(elements.raw(CHARACTER_SET))
    if written.unknown:
        raise NotWritable(f"The object's character set, {terms[0]}, is not known.")
    lacks = any(written.decode(encode(text, terms), name=VRS.get(tag) == "PN") != text for tag, text in values.items())
    lacks = lacks or any(written.decode(encode(text, terms)) != text for text in others)
    return (("ISO_IR 192",), True) if lacks else (terms, False)


def _original_attributes(data_set: Buffer, rules: Rules, changes: bytes) -> NewElement:
    """Return the sequence as it was with one more item, all items of defined length."""
    return NewElement(ORIGINAL_ATTRIBUTES, b"SQ", items_of(data_set, ORIGINAL_ATTRIBUTES, rules) + item(changes))


def items_of(data_set: Buffer, tag: int, rules: Rules) -> bytes:
    """Return the items of a sequence of a data set, all of defined length; nothing where it has none."""
    view = memoryview(data_set)
    place = place_of(data_set, tag, rules)
    if place is None:
        return b""
    inner = Rules(rules.explicit and place.vr != b"UN")  # what is of unknown VR is implicit inside (PS3.5 6.2.2)
    found = item_places(view, place, inner.explicit, little_endian=True)
    return b"".join(item(b"".join(rewrite(view[start:stop], inner, rules, {}))) for start, stop, _ in found)


def place_of(data_set: Buffer, tag: int, rules: Rules) -> Element | None:
    """Return where an element stands, none where it does not; a data set without the tag's bytes is not walked."""
    if isinstance(data_set, bytes) and struct.pack("<HH", tag >> 16, tag & 0xFFFF) not in data_set:
        return None
    return DataElements(data_set, rules.explicit, little_endian=True).places.get(tag)


def _changes(view: memoryview, elements: DataElements, tags: list[int], change: Modification, rules: Rules) -> bytes:
    modified, nonconforming = [], []
    for tag in sorted(tags):
        place = elements.places.get(tag)
        if place is not None and (place.undefined or elements.vr(tag) == b"SQ"):
            modified.append(bytes(view[place.start : place.end]))
            continue
        value = bytes(view[place.value : place.end]) if place is not None and not place.undefined else b""
        vr = _vr(tag).encode()
        bare = value.strip(b"\0 ")
        if vr == b"UI" and bare and not usable_uid(bare):
            selector = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
            nonconforming.append(
                item(_element(_SELECTOR, b"AT", selector, rules) + _element(_VALUE, b"OB", value, rules))
            )
        else:
            modified.append(_element(tag, vr, pad(value, vr.decode()), rules))
    moment = f"{change.at.astimezone(UTC):%Y%m%d%H%M%S.%f}+0000"
    parts = [_element(MODIFIED_ATTRIBUTES, b"SQ", item(b"".join(modified)), rules)]
    if nonconforming:
        parts.append(_element(_NONCONFORMING, b"SQ", b"".join(nonconforming), rules))
    for tag, vr, text in (
        (0x04000562, b"DT", moment),
        (0x04000563, b"LO", change.system),
        (0x04000564, b"LO", change.source),
        (0x04000565, b"CS", change.reason),
    ):
        parts.append(_element(tag, vr, pad(text.encode("ascii", "replace")[:64], vr.decode()), rules))
    return b"".join(parts)


def _vr(tag: int) -> str:
    return VRS.get(tag) or implicit_vr(tag).decode()


def _element(tag: int, vr: bytes, value: bytes, rules: Rules) -> bytes:
    value = value + b"\0" * (len(value) & 1)
    return element_header(tag, vr, len(value), rules) + value
