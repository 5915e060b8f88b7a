"""The DICOM JSON Model (PS3.18 Annex F) of a header.

In: a `Header`. Out: a dict that any JSON encoder takes. Small binary values stand in it as InlineBinary, large ones
and pixel data as BulkDataURI made by the caller from the value's path (`7FE00010`, or `TAG/item/TAG` within items).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any

from radrelay.dicom.characters import OURS
from radrelay.dicom.dialects import BULK_GROUP
from radrelay.dicom.header import CHARACTER_SET, Header
from radrelay.dicom.values import parse_integer, parse_number

INLINE_BYTES = 1024
"""Binary values up to this many bytes stand inline."""

_BINARY = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_WHOLE = frozenset(("US", "SS", "UL", "SL", "UV", "SV"))
_TEXT = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"))
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

Bulk = Callable[[str], str]


def to_json_of(header: Header, tags: tuple[int, ...]) -> dict[str, object]:
    """Return the DICOM JSON of the attributes of `tags` that `header` has, without bulk data."""
    found: dict[str, object] = {f"{tag:08X}": _attribute(header, tag, None, "") for tag in tags if tag in header}
    if CHARACTER_SET in header:
        found["00080005"] = {"vr": "CS", "Value": [OURS]}
    return found


def to_json(header: Header, bulk: Bulk | None = None, path: str = "") -> dict[str, object]:
    """Return `header` as a DICOM JSON Model object (PS3.18 F.2), text in UTF-8.

    Group lengths and groups below 0008 are left out. Without `bulk`, values too large to stand inline are named by
    their VR alone.
    """
    found: dict[str, object] = {}
    if bulk is not None and not path and header.bulk and header.bulk[0] not in header:
        found[f"{header.bulk[0]:08X}"] = {"vr": header.bulk_vr, "BulkDataURI": bulk(f"{header.bulk[0]:08X}")}
    for tag in sorted(header):
        if not tag & 0xFFFF or tag < 0x00080000:
            continue
        key = f"{tag:08X}"
        found[key] = _attribute(header, tag, bulk, path + key)
    if CHARACTER_SET in header:
        found["00080005"] = {"vr": "CS", "Value": [OURS]}
    return found


def _attribute(header: Header, tag: int, bulk: Bulk | None, path: str) -> dict[str, object]:
    place = header.place(tag)
    if place is not None and place[0] in _TEXT:
        raw = header.data[place[1] : place[1] + place[2]]
        if raw.isascii():
            text = raw.decode("ascii").rstrip("\0 ").lstrip(" ")
            if "\x1b" not in text and "\0" not in text:
                return _of_texts(place[0], [part.strip(" ") for part in text.split("\\")]) if text else {"vr": place[0]}
    vr = header.vr(tag)
    if place is None or not place[2]:
        if bulk is not None and place is not None and header.encapsulated(tag):
            return {"vr": vr, "BulkDataURI": bulk(path)}
        return {"vr": vr}
    if vr in _BINARY:
        return _binary(header, tag, vr, bulk, path)
    values = _values(header, tag, vr, bulk, path)
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _binary(header: Header, tag: int, vr: str, bulk: Bulk | None, path: str) -> dict[str, object]:
    place = header.place(tag)
    size = place[2] if place else 0
    if size > INLINE_BYTES or tag >> 16 >= BULK_GROUP or header.encapsulated(tag):
        return {"vr": vr, "BulkDataURI": bulk(path)} if bulk else {"vr": vr}
    return {"vr": vr, "InlineBinary": base64.b64encode(header.raw(tag)).decode("ascii")}


def _values(header: Header, tag: int, vr: str, bulk: Bulk | None, path: str) -> list[Any]:
    if vr == "SQ":
        return [to_json(item, bulk, f"{path}/{index}/") for index, item in enumerate(header.items(tag))]
    if vr in _WHOLE:
        return list(header.integers(tag))
    if vr in ("FL", "FD"):
        return [number if math.isfinite(number) else _not_finite(number) for number in header.numbers(tag)]
    return list(_converted(vr, header.texts(tag)))


def _of_texts(vr: str, texts: list[str]) -> dict[str, object]:
    return {"vr": vr, "Value": _converted(vr, texts)}


def _converted(vr: str, texts: list[str]) -> Sequence[object]:
    """Return the values of a text attribute as JSON has them."""
    if vr == "PN":
        return [_person_name(text) for text in texts]
    if vr in ("IS", "DS"):
        read = parse_integer if vr == "IS" else parse_number
        return [_number(text, read(text)) for text in texts]
    return [text or None for text in texts]


def _not_finite(number: float) -> str:
    return "NaN" if math.isnan(number) else "inf" if number > 0 else "-inf"


def _number(text: str, number: float | None) -> float | str | None:
    """Return the number, the text itself when it is none (PS3.18 F.2.3 lets DS and IS be strings)."""
    if number is None:
        return text or None
    return number


def _person_name(text: str) -> dict[str, str] | None:
    groups = {name: group.strip() for name, group in zip(_GROUPS, text.split("="), strict=False) if group.strip()}
    return groups or None
