"""Writing data elements in Explicit VR Little Endian (PS3.5 7.1.2).

In: a tag, a VR and Python values. Out: the element's bytes, padded to even length. Text is in UTF-8 unless a
character set is given.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from datetime import date, time

from radrelay.dicom.characters import OURS, encode
from radrelay.dicom.dialects import LONG_VRS

Value = str | int | float | bytes | date | time
Elements = dict[int, bytes]
"""Encoded elements by tag."""

_PACKED = {
    "US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "UV": "<Q", "SV": "<q", "FL": "<f", "FD": "<d", "OF": "<f",
    "OD": "<d", "OL": "<I",
}  # fmt: skip
_ENCODED = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
_LONG = frozenset(vr.decode() for vr in LONG_VRS)


def element(tag: int, vr: str, *values: Value, charset: tuple[str, ...] = (OURS,)) -> bytes:
    """Return one element; no values make an empty one. Raises `ValueError` when a value is too long for its VR."""
    if vr in _PACKED:
        encoded = b"".join(struct.pack(_PACKED[vr], value) for value in values)
    elif vr == "AT":
        encoded = b"".join(struct.pack("<HH", int(value) >> 16, int(value) & 0xFFFF) for value in values)  # type: ignore[arg-type]
    elif values and isinstance(values[0], bytes):
        encoded = values[0]
    else:
        text = "\\".join(_text(value) for value in values)
        encoded = encode(text, charset) if vr in _ENCODED else text.encode("ascii", "replace")
    return header(tag, vr, len(encoded) + len(encoded) % 2) + pad(encoded, vr)


def _text(value: Value) -> str:
    if isinstance(value, float):
        return decimal_string(value)
    if isinstance(value, date):
        return f"{value:%Y%m%d}"
    return f"{value:%H%M%S}" if isinstance(value, time) else str(value)


def decimal_string(value: float) -> str:
    """Return a number as a DS of at most 16 characters (PS3.5 6.2)."""
    for digits in range(12, 5, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.5g}"


def pad(encoded: bytes, vr: str) -> bytes:
    """Return a value of even length (PS3.5 7.1.1)."""
    if len(encoded) % 2 == 0:
        return encoded
    return encoded + (b"\0" if vr in ("UI", "OB", "UN") else b" ")


def header(tag: int, vr: str, length: int) -> bytes:
    """Return the header of an element whose value has `length` bytes."""
    if vr in _LONG:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    if length > 0xFFFF:
        raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr} cannot hold {length} bytes")
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def sequence(tag: int, items: Sequence[Iterable[bytes]]) -> bytes:
    """Return a sequence of items with defined lengths, each of elements in ascending order."""
    bodies = [b"".join(item) for item in items]
    content = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body for body in bodies)
    return header(tag, "SQ", len(content)) + content


def code(value: str, scheme: str, meaning: str) -> list[bytes]:
    """Return the elements of a coded entry (PS3.3 8.8)."""
    return [element(0x00080100, "SH", value), element(0x00080102, "SH", scheme), element(0x00080104, "LO", meaning)]


def join(elements: Elements) -> bytes:
    """Return the elements in ascending order of their tags."""
    return b"".join(encoded for _, encoded in sorted(elements.items()))


def derived_uid(*parts: object) -> str:
    """Return a UID that follows from `parts` (PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"
