"""A data set's texts in UTF-8 (ISO_IR 192), whatever character set they came in (PS3.3 C.12.1.1.2, PS3.5 6.1).

In: a data set, little endian and inflated, and its character set. Out: the same elements, texts encoded anew, also in
items; items that name a character set of their own stay as they are. Private texts of unknown VR are left alone.
"""

from __future__ import annotations

from radrelay.dicom.characters import CharacterSet
from radrelay.dicom.dialects import DEPTH_LIMIT
from radrelay.dicom.elements import Buffer, DataElements, Element, item_places
from radrelay.dicom.errors import Malformed, NotWritable
from radrelay.dicom.rewrite import NewElement, Rules, item, rewrite
from radrelay.dicom.writing import pad

CHARACTER_SET = 0x00080005
_TEXTS = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))


def to_utf8(data: Buffer, rules: Rules, charset: CharacterSet, depth: int = 0) -> Buffer:
    """Return the data set with its texts in UTF-8; (0008,0005) itself is the caller's to set.

    Raises `NotWritable` where a text is not of the character set, `Malformed` where items go too deep.
    """
    if depth > DEPTH_LIMIT:
        raise Malformed("Sequences are nested too deep.")
    elements, view = DataElements(data, rules.explicit, little_endian=True), memoryview(data)
    edits: dict[int, NewElement | None] = {}
    for tag, place in elements.places.items():
        vr, value = elements.vr(tag), None
        if vr == b"SQ":
            value = _items(view, place, Rules(rules.explicit and place.vr != b"UN"), charset, depth)
        elif vr in _TEXTS and not place.undefined:
            value = _text(bytes(view[place.value : place.end]), vr, charset)
        if value is not None:
            edits[tag] = NewElement(tag, place.vr or vr, value)
    return b"".join(rewrite(data, rules, rules, edits)) if edits else data


def _text(raw: bytes, vr: bytes, charset: CharacterSet) -> bytes | None:
    if raw.isascii() and b"\x1b" not in raw:
        return None
    text = charset.decode(raw, name=vr == b"PN").rstrip("\0")
    if "\N{REPLACEMENT CHARACTER}" in text:
        raise NotWritable("A text of the object is not in the character set that it names.")
    return pad(text.encode(), vr.decode())


def _items(view: memoryview, place: Element, rules: Rules, charset: CharacterSet, depth: int) -> bytes | None:
    """Return a sequence's value with its items in UTF-8, none if nothing of it changes."""
    contents: list[Buffer] = [
        view[start:stop] for start, stop, _ in item_places(view, place, rules.explicit, little_endian=True)
    ]
    changed = [
        one
        if CHARACTER_SET in DataElements(one, rules.explicit, little_endian=True)
        else to_utf8(one, rules, charset, depth + 1)
        for one in contents
    ]
    if all(new is old for new, old in zip(changed, contents, strict=True)):
        return None
    return b"".join(item(bytes(one)) for one in changed)
