"""A digest of what a header says, whatever encoding and character set it says it in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from radrelay.dicom.header import Header

_BULK = 0x7FE00000
_CHARACTER_SET = frozenset((0x00080005,))
_TEXTS = frozenset(
    ("AT", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "CS", "DA", "TM", "DT", "UI", "IS", "DS", "AE", "AS", "UR")
)


def digest_of(header: Header, without: frozenset[int]) -> str:
    """Return a digest of all before the pixel data, beyond the attributes `without`: SHA-256, hex."""
    made = hashlib.sha256()
    for part in _parts(header, without):
        made.update(len(part).to_bytes(4, "big"))
        made.update(part)
    return made.hexdigest()


def _parts(header: Header, without: frozenset[int]) -> Iterator[bytes]:
    for tag in sorted(header):
        if tag >= _BULK or tag in without or not tag & 0xFFFF:
            continue
        yield tag.to_bytes(4, "big")
        vr = header.vr(tag)
        if vr == "SQ":
            for one in header.items(tag):
                yield b"("
                yield from _parts(one, _CHARACTER_SET)
                yield b")"
        elif vr in _TEXTS:
            yield header.text(tag).encode("utf-8", "surrogatepass")
        else:
            yield header.raw(tag).rstrip(b"\0")
