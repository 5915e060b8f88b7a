"""A data set written anew in another encoding: VR explicit or implicit, little endian, single elements replaced.

In: a data set and the rules it is written in. Out: the same elements in order under the target's rules (PS3.5 7.1,
7.5, 7.8, A.1, A.2). Where the rules agree, everything but the replaced elements stays byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from radrelay.dicom.dialects import DEPTH_LIMIT, LONG_VRS, UNDEFINED
from radrelay.dicom.elements import Buffer, Element, implicit_vr, item_places, walk
from radrelay.dicom.errors import Malformed

_WORDS = {
    **dict.fromkeys((b"US", b"SS", b"OW", b"AT"), 2),
    **dict.fromkeys((b"UL", b"SL", b"FL", b"OF", b"OL"), 4),
    **dict.fromkeys((b"FD", b"OD", b"SV", b"UV", b"OV"), 8),
}
_ITEM = b"\xfe\xff\x00\xe0"
_ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


@dataclass(frozen=True, slots=True)
class Rules:
    """How elements are written."""

    explicit: bool
    little_endian: bool = True


@dataclass(frozen=True, slots=True)
class NewElement:
    """An element to be written in place of, or besides, those that are there; the value is little endian."""

    tag: int
    vr: bytes
    value: Buffer
    undefined: bool = False


def element_header(tag: int, vr: bytes, length: int, rules: Rules) -> bytes:
    """Return the little endian header of an element (PS3.5 7.1.2, 7.1.3)."""
    if not rules.explicit:
        return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length)
    if length > 0xFFFE:
        # PS3.5 6.2.2: a value too long for its VR's 16-bit length is written as UN
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"UN", 0, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)


def item(content: bytes) -> bytes:
    """Return a sequence's item of defined length (PS3.5 7.5.1)."""
    return _ITEM + struct.pack("<I", len(content)) + content


def rewrite(
    data: Buffer, source: Rules, target: Rules, edits: Mapping[int, NewElement | None], *, signed: bool = False
) -> list[Buffer]:
    """Return the data set under the target's rules, as pieces to be joined.

    Parameters
    ----------
    data
        The data set, inflated.
    source, target
        Rules of the data set and of the result; the result is little endian.
    edits
        Elements of the top level to replace or add; None takes one out.
    signed
        Whether pixels are signed, for VRs that the dictionary leaves open (US or SS).
    """
    if source == target:
        return list(_splice(data, source, target, edits))
    return list(_convert(memoryview(data), source, target, edits, signed))


def _written(new: NewElement, target: Rules) -> Iterator[Buffer]:
    padding = b"" if new.undefined or len(new.value) % 2 == 0 else b"\0"
    length = UNDEFINED if new.undefined else len(new.value) + len(padding)
    yield element_header(new.tag, new.vr, length, target)
    yield new.value
    if padding:
        yield padding


def _pending(edits: Mapping[int, NewElement | None]) -> list[tuple[int, NewElement | None]]:
    return sorted(edits.items(), key=lambda pair: pair[0])


def _splice(data: Buffer, rules: Rules, target: Rules, edits: Mapping[int, NewElement | None]) -> Iterator[Buffer]:
    """Copy spans between edited elements; the group lengths of edited groups are left out (PS3.5 7.2, retired)."""
    view = memoryview(data)
    touched = {tag >> 16 for tag in edits}
    waiting = _pending(edits)
    kept_from = 0
    for place in walk(data, rules.explicit, rules.little_endian):
        while waiting and waiting[0][0] < place.tag:
            yield view[kept_from : place.start]
            kept_from = place.start
            new = waiting.pop(0)[1]
            if new is not None:
                yield from _written(new, target)
        gone = place.tag & 0xFFFF == 0 and place.tag >> 16 in touched
        if gone or place.tag in edits:
            yield view[kept_from : place.start]
            kept_from = place.end
        if waiting and waiting[0][0] == place.tag:
            new = waiting.pop(0)[1]
            if new is not None:
                yield from _written(new, target)
    yield view[kept_from:]
    for _, new in waiting:
        if new is not None:
            yield from _written(new, target)


def _convert(
    view: memoryview, source: Rules, target: Rules, edits: Mapping[int, NewElement | None], signed: bool
) -> Iterator[Buffer]:
    waiting = _pending(edits)
    for place in walk(view, source.explicit, source.little_endian):
        while waiting and waiting[0][0] <= place.tag:
            new = waiting.pop(0)[1]
            if new is not None:
                yield from _written(new, target)
        if place.tag not in edits:
            yield from _element(view, place, source, target, signed, 0)
    for _, new in waiting:
        if new is not None:
            yield from _written(new, target)


def _element(
    view: memoryview, place: Element, source: Rules, target: Rules, signed: bool, depth: int
) -> Iterator[Buffer]:
    if place.tag & 0xFFFF == 0:
        return
    vr = place.vr or implicit_vr(place.tag, signed)
    if place.vr == b"UN" and source.explicit:
        # Unknown to the sender: its value is little endian already, and implicit inside (PS3.5 6.2.2).
        yield element_header(place.tag, vr, UNDEFINED if place.undefined else place.length, target)
        yield view[place.value : place.end]
        return
    if place.undefined or vr == b"SQ":
        vr = vr if vr in (b"OB", b"OW") and source.explicit else b"SQ"
        if vr != b"SQ":
            raise Malformed(f"Fragments stand in the native data set, at offset {place.start}.")
        content = b"".join(_items(view, place, source, target, signed, depth))
        yield element_header(place.tag, vr, UNDEFINED if place.undefined else len(content), target)
        yield content
        if place.undefined:
            yield _SEQUENCE_END
        return
    value: Buffer = view[place.value : place.end]
    if not source.little_endian:
        value = swapped(value, vr)
    yield element_header(place.tag, vr, len(value), target)
    yield value


def _items(
    view: memoryview, place: Element, source: Rules, target: Rules, signed: bool, depth: int
) -> Iterator[Buffer]:
    if depth > DEPTH_LIMIT:
        raise Malformed(f"Sequences nest deeper than {DEPTH_LIMIT} at offset {place.start}.")
    for start, stop, undefined in item_places(view, place, source.explicit, source.little_endian):
        parts: list[Buffer] = []
        for inner in walk(view, source.explicit, source.little_endian, start, stop):
            parts.extend(_element(view, inner, source, target, signed, depth + 1))
        content = b"".join(parts)
        yield _ITEM
        yield struct.pack("<I", UNDEFINED if undefined else len(content))
        yield content
        if undefined:
            yield _ITEM_END


def swapped(value: Buffer, vr: bytes) -> bytes:
    """Return a big endian value in little endian order, by the word of its VR."""
    size = _WORDS.get(vr, 1)
    whole = len(value) - len(value) % size
    if size == 1 or not whole:
        return bytes(value)
    return np.frombuffer(value[:whole], f">u{size}").byteswap().tobytes() + bytes(value[whole:])
