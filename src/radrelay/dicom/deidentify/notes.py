"""Notes that encoders leave beside coded pictures: comments, camera and place (JPEG's COM and APPn segments).

In: pixel data in fragments (PS3.5 A.4). Out: the same code streams without such segments; where there are none the
source's own bytes. Offsets into what has become shorter are left out, which the standard allows.
"""

from __future__ import annotations

import struct

from radrelay.dicom.dialects import ITEM
from radrelay.dicom.elements import Buffer, Element
from radrelay.dicom.syntaxes import Syntax

_CODECS = frozenset(("jpeg", "jpeg-lossless", "jpeg-ls"))
_KEPT = frozenset({0xE0, 0xE2, 0xEE, 0xE8})
"""JFIF, colour profile, Adobe's colour transform, SPIFF: without these colours change."""
_COMMENT, _START_OF_SCAN = 0xFE, 0xDA
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def without_notes(view: memoryview, place: Element, syntax: Syntax) -> list[Buffer] | None:
    """Return the value of encapsulated pixel data without notes, its delimiter included; none when it has none."""
    if syntax.codec not in _CODECS or not place.undefined:
        return None
    fragments = _fragments(view, place)
    plain = [_stripped(fragment) for fragment in fragments[1:]]
    if all(len(one) == len(other) for one, other in zip(plain, fragments[1:], strict=True)):
        return None
    out: list[Buffer] = [struct.pack("<HHI", 0xFFFE, 0xE000, 0)]
    for fragment in plain:
        odd = len(fragment) & 1
        out += [struct.pack("<HHI", 0xFFFE, 0xE000, len(fragment) + odd), fragment, b"\0" * odd]
    return [*out, _SEQUENCE_END]


def _fragments(view: memoryview, place: Element) -> list[memoryview]:
    found = []
    at = place.value
    while at + 8 <= place.end:
        group, element, length = struct.unpack_from("<HHI", view, at)
        if group << 16 | element != ITEM:
            break
        found.append(view[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def _stripped(fragment: memoryview) -> Buffer:
    """Return a code stream without its notes; a fragment that begins in mid-stream as it is."""
    if bytes(fragment[:2]) != b"\xff\xd8":
        return fragment
    parts: list[Buffer] = [fragment[:2]]
    at = 2
    while at + 4 <= len(fragment) and fragment[at] == 0xFF and fragment[at + 1] != _START_OF_SCAN:
        marker = fragment[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        after = at + 2 + struct.unpack_from(">H", fragment, at + 2)[0]
        if marker != _COMMENT and not (0xE0 <= marker <= 0xEF and marker not in _KEPT):
            parts.append(fragment[at:after])
        at = after
    parts.append(fragment[at:])
    return fragment if sum(map(len, parts)) == len(fragment) else b"".join(parts)
