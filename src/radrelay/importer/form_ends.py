"""Whether a file ends as files of its form end: for downloads of which nobody says how long they are.

PDF: its last KiB holds `%%EOF` (ISO 32000-1 7.5.5, Annex H.3). ZIP: the end record of its directory, which stands right
after that (APPNOTE.TXT 4.3.16). JPEG and PNG: their last marker. Of other forms nothing is known by their end.

Some programs write PDFs without their mark, or words of their own behind it: such a one cannot be told from one that
was cut off, unless it comes again and is the same. A ZIP or a picture that was cut off says so when it is opened.
"""

from __future__ import annotations

import struct

from radrelay.importer.contents import Content

TAIL = 22 + 0xFFFF
LAST = 1024
_MARKS: dict[Content, bytes] = {"pdf": b"%%EOF", "jpeg": b"\xff\xd9", "png": b"IEND"}
UNMARKED: frozenset[Content] = frozenset({"pdf"})
"""Forms that are taken without their end where they come twice alike; a person is told of it."""
_END = struct.Struct("<4s4H2LH")
_SIGNATURE, _ELSEWHERE = b"PK\x05\x06", 0xFFFFFFFF
_ZIP64 = 128


def ends_well(content: Content, tail: bytes, size: int) -> bool:
    """Tell whether a file of `size` bytes whose last bytes (`TAIL` of them, or all) are `tail` may be whole."""
    if content == "zip":
        return _ends_as_zip(tail, size)
    return content not in _MARKS or _MARKS[content] in tail[-LAST:]


def _ends_as_zip(tail: bytes, size: int) -> bool:
    at = tail.rfind(_SIGNATURE)
    while at >= 0:
        if at + _END.size <= len(tail):
            *_, length, offset, comment = _END.unpack_from(tail, at)
            gap = size - len(tail) + at - offset - length  # of an archive within an archive it is large
            placed = _ELSEWHERE in (length, offset) or 0 <= gap < _ZIP64
            if placed and at + _END.size + comment <= len(tail):
                return True
        at = tail.rfind(_SIGNATURE, 0, at)
    return False
