"""Whether what follows in a data set is all there: its elements stepped over as they pass, none of them kept.

A header says where bulk data begin; what ends them, and what vendors put behind (group 7FE1, padding), is looked at
here piece by piece. Only what an element's own length or an open sequence says is missing counts as cut off
(PS3.5 7.1, 7.5, A.4). What cannot be understood is let be: behind the images some write what is no element.
"""

from __future__ import annotations

from radrelay.dicom.dialects import (
    DEPTH_LIMIT,
    ITEM,
    ITEM_END,
    KNOWN_VRS,
    LONG_VRS,
    SEQUENCE_END,
    UNDEFINED,
    Dialect,
    dialect,
)

_SHORT_HEADER, _LONG_HEADER = 8, 12


class Ending:
    """Steps over elements from the beginning of one on; `feed` takes the bytes as they come."""

    def __init__(self, written: Dialect) -> None:
        self._open: list[tuple[str, Dialect]] = [("elements", written)]
        self._skip, self._left = 0, b""
        self._last, self._lost = 0, False

    def feed(self, piece: bytes | memoryview) -> None:
        """Step over what came."""
        if self._lost:
            return
        if self._skip >= len(piece):
            self._skip -= len(piece)
            return
        data, at = (self._left + bytes(piece[self._skip :]) if self._left or self._skip else bytes(piece)), 0
        self._skip, self._left = 0, b""
        while not self._lost:
            step = self._step(data, at)
            if step is None:
                self._left = data[at:]
                return
            at += step
            if at >= len(data):
                self._skip = at - len(data)
                return

    @property
    def is_whole(self) -> bool:
        """Say whether nothing lacks of what was begun, as far as it could be understood."""
        return self._lost or (self._skip == 0 and len(self._open) == 1 and len(self._left) < _SHORT_HEADER)

    def _step(self, data: bytes, at: int) -> int | None:
        """Return how many bytes lead to the next header; none where this one is not all here."""
        if len(data) - at < _SHORT_HEADER:
            return None
        form, written = self._open[-1]
        tag = written.tag(data, at)
        if tag in (ITEM, ITEM_END, SEQUENCE_END):
            return self._delimited(tag, form, written, written.u32(data, at + 4)[0])
        if form == "items":
            return self._give_up()
        return self._element(data, at, tag, written)

    def _delimited(self, tag: int, form: str, written: Dialect, length: int) -> int:
        if tag == ITEM and form == "items":
            if length != UNDEFINED:
                return _SHORT_HEADER + length
            return self._enter("elements", written, _SHORT_HEADER)
        closes = "items" if tag == SEQUENCE_END else "elements"
        if tag == ITEM or form != closes or len(self._open) == 1:
            return self._give_up()
        self._open.pop()
        return _SHORT_HEADER + length

    def _element(self, data: bytes, at: int, tag: int, written: Dialect) -> int | None:
        on_top = len(self._open) == 1
        if on_top and tag <= self._last:  # no element of a data set: they rise
            return self._give_up()
        vr = data[at + 4 : at + 6] if written.explicit else b""
        if written.explicit and vr not in KNOWN_VRS:
            return self._give_up()
        head = _LONG_HEADER if vr in LONG_VRS else _SHORT_HEADER
        if len(data) - at < head:
            return None
        length = written.u16(data, at + 6)[0] if vr and vr not in LONG_VRS else written.u32(data, at + head - 4)[0]
        if on_top:
            self._last = tag
        if length != UNDEFINED:
            return head + length
        within = dialect(explicit=False, little=True) if vr == b"UN" else written  # PS3.5 6.2.2
        return self._enter("items", within, head)

    def _enter(self, form: str, written: Dialect, head: int) -> int:
        if len(self._open) > DEPTH_LIMIT:
            return self._give_up()
        self._open.append((form, written))
        return head

    def _give_up(self) -> int:
        self._lost = True
        return 0
