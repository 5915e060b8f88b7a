"""Whether what follows in a data set is all there: its elements stepped over as they pass, none of them kept.

A header says where bulk data begin; what ends them, and what vendors put behind (group 7FE1, padding), is looked at
here piece by piece. Only what an element's own length or an open sequence says is missing counts as cut off
(PS3.5 7.1, 7.5, A.4). What cannot be understood is let be: behind the images some write what is no element, remains of
their memory or more pixels. So is what has more elements than `ELEMENT_LIMIT`.
"""

from __future__ import annotations

from dataclasses import dataclass

from radrelay.dicom.dialects import (
    BULK_GROUP,
    DEPTH_LIMIT,
    ELEMENT_LIMIT,
    ITEM,
    ITEM_END,
    KNOWN_VRS,
    LONG_VRS,
    SEQUENCE_END,
    UNDEFINED,
    Dialect,
    dialect,
    met_dialect,
)
from radrelay.dicom.errors import beyond_end, tag_text

_SHORT_HEADER, _LONG_HEADER = 8, 12
_PADDING, _FORBIDDEN = 0xFFFC, 0xFFFF  # PS3.5 7.8.1
_TRAILING = (0xFFFAFFFA, 0xFFFCFFFC)  # signatures, padding (PS3.6 6)
_BEGIN_PRIVATE = (0x0000, *range(0x0010, 0x0100))  # a group's length, its creators


@dataclass(slots=True)
class _Level:
    """What is open: the data set, or the sequence or item that began with `tag` at byte `at`.

    `met` says whether it was looked at in which dialect its elements really are.
    """

    form: str
    written: Dialect
    tag: int = 0
    at: int = 0
    met: bool = True
    fragments: int = 0


class Ending:
    """Steps over elements from the beginning of one on; `feed` takes the bytes as they come."""

    def __init__(self, written: Dialect, at: int = 0, *, met: bool = True) -> None:
        """Begin with the element at byte `at` of its data set; not `met`: in whichever dialect that is found to be."""
        self.begins = at
        self._open = [_Level("elements", written, met=met)]
        self._skip, self._left = 0, b""
        self._last, self._lost, self._steps = 0, False, 0
        self._at = at  # of the header that is looked at, or comes next
        self._said = (0, at, 0)  # tag, place and length of the last element or item

    def feed(self, piece: bytes | bytearray | memoryview) -> None:
        """Step over what came."""
        size, at = len(piece), self._skip
        if self._lost or not size:
            return
        if at >= size:
            self._skip -= size
            return
        view = memoryview(piece)
        self._skip = 0
        while not self._lost:
            if at >= size:
                self._skip, self._left = at - size, b""
                return
            left = len(self._left)
            head = self._left + bytes(view[at : at + _LONG_HEADER - left])
            step = self._step(head)
            if step is None:
                self._left = head
                return
            self._at += step
            at += step - left
            self._left = b""

    @property
    def is_whole(self) -> bool:
        """Say whether nothing lacks of what was begun, as far as it could be understood."""
        return self._lost or (self._skip == 0 and len(self._open) == 1 and len(self._left) < _SHORT_HEADER)

    @property
    def lacks(self) -> str:
        """Return what is cut off, and where it began; nothing where all is there.

        Fragments of pixel data that are all there, and lack but the mark of their end, count as whole: so are they
        shown. So does what lacks some of its padding, which means nothing (PS3.10 7.2).
        """
        tag, at, length = self._said
        if self.is_whole or tag >> 16 == _PADDING or self._ends_with_fragments():
            return ""
        inner = self._open[-1]
        if self._skip:
            what = f"{tag_text(tag)} in {tag_text(inner.tag)}" if tag == ITEM else tag_text(tag)
            return beyond_end(what, at, length)
        if len(self._open) > 1:
            return f"the data set ends within {tag_text(inner.tag)}, which begins at byte {inner.at}"
        return f"the data set ends within the header of an element, at byte {self._at}"

    @property
    def unclosed_fragments(self) -> int | None:
        """Return how many fragments of pixel data came where the mark of their end lacks; none where it is there.

        Without the table of offsets, which comes first (PS3.5 A.4): fewer than there are frames are not all of them.
        """
        return self._open[-1].fragments - 1 if not self._lost and self._ends_with_fragments() else None

    def _ends_with_fragments(self) -> bool:
        inner = self._open[-1]
        bulk = len(self._open) == 2 and inner.tag >> 16 == BULK_GROUP and inner.fragments > 1
        return bulk and not self._skip and not self._left.strip(b"\0")

    def _step(self, head: bytes) -> int | None:
        """Return how many bytes lead to the next header; none where this one is not all here."""
        if len(head) < _SHORT_HEADER:
            return None
        self._steps += 1
        if self._steps > ELEMENT_LIMIT:
            return self._give_up()
        level = self._open[-1]
        tag = level.written.tag(head, 0)
        if tag in (ITEM, ITEM_END, SEQUENCE_END):
            return self._delimited(tag, level, level.written.u32(head, 4)[0])
        if level.form == "items":
            return self._give_up()
        if not level.met:
            level.written, level.met = met_dialect(level.written, head, 0), True
        return self._element(head, tag, level.written)

    def _delimited(self, tag: int, level: _Level, length: int) -> int:
        if tag == ITEM and level.form == "items":
            level.fragments += 1
            if length != UNDEFINED:
                self._said = (tag, self._at, length)
                return _SHORT_HEADER + length
            return self._enter(_Level("elements", level.written, tag, self._at, met=False), _SHORT_HEADER)
        closes = "items" if tag == SEQUENCE_END else "elements"
        if tag == ITEM or level.form != closes or len(self._open) == 1:
            return self._give_up()
        self._open.pop()
        self._said = (tag, self._at, length)
        return _SHORT_HEADER + length

    def _element(self, head: bytes, tag: int, written: Dialect) -> int | None:
        on_top = len(self._open) == 1
        if on_top and (tag <= self._last or not self._may_be(tag, written)):  # no element of a data set: they rise
            return self._give_up()
        vr = head[4:6] if written.explicit else b""
        if written.explicit and vr not in KNOWN_VRS:
            return self._give_up()
        long = not vr or vr in LONG_VRS
        size = _LONG_HEADER if vr in LONG_VRS else _SHORT_HEADER
        if len(head) < size:
            return None
        length = written.u32(head, size - 4)[0] if long else written.u16(head, 6)[0]
        if on_top:
            self._last = tag
        if length != UNDEFINED:
            self._said = (tag, self._at, length)
            return size + length
        within = dialect(explicit=False, little=True) if vr == b"UN" else written  # PS3.5 6.2.2
        return self._enter(_Level("items", within, tag, self._at), size)

    def _may_be(self, tag: int, written: Dialect) -> bool:
        """Say whether a tag may stand in the data set: behind the pixel data only a few do, and vendors' own.

        Where no VR is written any bytes are an element: a vendor's group then has to begin as one does (PS3.5 7.8.1).
        """
        group, element = tag >> 16, tag & 0xFFFF
        if group <= BULK_GROUP or tag in _TRAILING:
            return True
        if group % 2 == 0 or group == _FORBIDDEN:
            return False
        return written.explicit or group == self._last >> 16 or element in _BEGIN_PRIVATE

    def _enter(self, level: _Level, size: int) -> int:
        if len(self._open) > DEPTH_LIMIT:
            return self._give_up()
        self._open.append(level)
        return size

    def _give_up(self) -> int:
        self._lost = True
        return 0
