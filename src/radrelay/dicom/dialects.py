"""The three ways in which an element's header is encoded (PS3.5 7.1), as tables that the parsers share.

Each parser remembers eight-byte element headers that it met: devices repeat themselves, so one look-up of eight
bytes replaces taking a header apart. The memory is bounded and holds only ordinary elements of known length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
BULK_GROUP = 0x7FE0

SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
KNOWN_VRS = SHORT_VRS | LONG_VRS

MEMORY_LIMIT = 1 << 14
DEPTH_LIMIT = 64
ELEMENT_LIMIT = 1_000_000


class Dialect:
    """One encoding of element headers: VR explicit or not, little or big endian.

    Attributes
    ----------
    tag, u16, u32
        Read a tag as an int 0xGGGGEEEE, a 16-bit or a 32-bit length at a byte offset.
    steps
        Headers met by the survey, each with the bytes from one header to the next.
    uids
        Headers met by the survey that lead a UID it wants, each with (tag, length).
    headers
        Headers met by the header parser, each with (tag, VR, length).
    """

    __slots__ = ("_pair", "explicit", "headers", "little", "order", "steps", "u16", "u32", "uids")

    def __init__(self, *, explicit: bool, little: bool) -> None:
        self.explicit = explicit
        self.little = little
        self.order = "<" if little else ">"
        self._pair = struct.Struct(self.order + "HH").unpack_from
        self.u16: Callable[[bytes, int], tuple[int]] = struct.Struct(self.order + "H").unpack_from
        self.u32: Callable[[bytes, int], tuple[int]] = struct.Struct(self.order + "I").unpack_from
        self.steps: dict[bytes, int] = {}
        self.uids: dict[bytes, tuple[int, int]] = {}
        self.headers: dict[bytes, tuple[int, str, int]] = {}

    def tag(self, data: bytes, position: int) -> int:
        """Return the tag at `position` as 0xGGGGEEEE."""
        group, element = self._pair(data, position)
        return int(group << 16 | element)

    def learn(self, header: bytes, step: int) -> None:
        """Remember that after `header` the next one stands `step` bytes on."""
        if len(self.steps) >= MEMORY_LIMIT:
            self.steps.clear()
        self.steps[header] = step

    def learn_uid(self, header: bytes, uid: tuple[int, int]) -> None:
        """Remember that `header` leads a wanted UID: (tag, length of the value)."""
        if len(self.uids) >= MEMORY_LIMIT:
            self.uids.clear()
        self.uids[header] = uid

    def learn_element(self, header: bytes, element: tuple[int, str, int]) -> None:
        """Remember what `header` says."""
        if len(self.headers) >= MEMORY_LIMIT:
            self.headers.clear()
        self.headers[header] = element


EXPLICIT_LITTLE = Dialect(explicit=True, little=True)
IMPLICIT_LITTLE = Dialect(explicit=False, little=True)
EXPLICIT_BIG = Dialect(explicit=True, little=False)
IMPLICIT_BIG = Dialect(explicit=False, little=False)


def dialect(*, explicit: bool, little: bool) -> Dialect:
    """Return the one dialect of these rules."""
    if little:
        return EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE
    return EXPLICIT_BIG if explicit else IMPLICIT_BIG


def met_dialect(declared: Dialect, data: bytes, position: int) -> Dialect:
    """Return the dialect that the element at `position` is really in.

    Senders exist that declare one VR encoding and write the other. A declared explicit VR that is none of the
    standard's means implicit; in a declared implicit element, two letters that name a VR mean explicit (read as a
    length they would be 16 KiB and more of a first element, which is a few bytes long).
    """
    vr = data[position + 4 : position + 6]
    if len(vr) < 2 or data[position : position + 2] in (b"\xfe\xff", b"\xff\xfe"):
        return declared
    if declared.explicit:
        if vr in KNOWN_VRS or (vr.isalpha() and vr.isupper()):
            return declared
        return dialect(explicit=False, little=declared.little)
    if vr in SHORT_VRS or (vr in LONG_VRS and data[position + 6 : position + 8] == b"\0\0"):
        return dialect(explicit=True, little=declared.little)
    return declared
