"""Frames of MLLP (HL7 v2.5 implementation guide, appendix C): <VT> message <FS><CR>.

Rubbish before a start block is skipped. A start block in mid-message that a header follows tells that the message
before it was broken off: senders exist that forget the end block when they are restarted.
"""

from __future__ import annotations

import re
from typing import NamedTuple

START, END = b"\x0b", b"\x1c"
HEAD_KEPT = 4096
"""Of a message that is too large so much is kept, for the answer to name it."""
_BEGUN_ANEW = re.compile(rb"\x0b(?=(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS))")


class Frame(NamedTuple):
    """A message's bytes, and whether its end block came."""

    content: bytes
    ended: bool
    too_large: bool = False


def framed(content: bytes) -> bytes:
    """Return a message in its frame."""
    return START + content + END + b"\r"


class Frames:
    """Takes bytes of one connection as they come, and gives the frames that are complete."""

    __slots__ = ("_buffer", "_inside", "_limit", "_overflown", "_searched")

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes
        self._buffer = bytearray()
        self._inside = False
        self._overflown = False
        self._searched = 0

    @property
    def held(self) -> int:
        """Return how many bytes wait for the rest of their frame."""
        return len(self._buffer)

    @property
    def inside(self) -> bool:
        """Say whether a message has begun and not ended."""
        return self._inside

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """Return the frames that `data` completes, in their order."""
        self._buffer += data
        found: list[Frame] = []
        while True:
            if not self._inside and not self._find_start():
                return found
            end = self._buffer.find(END, self._searched)
            if end < 0:
                self._searched = len(self._buffer)
                if len(self._buffer) > self._limit or self._overflown:
                    if not self._overflown:
                        found.append(Frame(bytes(self._buffer[:HEAD_KEPT]), ended=False, too_large=True))
                    self._overflown = True
                    self._buffer.clear()
                    self._searched = 0
                return found
            content = bytes(memoryview(self._buffer)[:end])
            del self._buffer[: end + 1]
            self._inside, self._searched = False, 0
            if self._overflown:
                self._overflown = False
            else:
                found += self._checked(content)

    def broken_off(self) -> Frame | None:
        """Return what has begun and will not end, and begin anew."""
        begun = Frame(bytes(self._buffer), ended=False) if self._inside and not self._overflown else None
        self._buffer.clear()
        self._inside = self._overflown = False
        self._searched = 0
        return begun

    def _find_start(self) -> bool:
        start = self._buffer.find(START)
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[: start + 1]
        self._inside, self._searched = True, 0
        return True

    def _checked(self, content: bytes) -> list[Frame]:
        if len(content) > self._limit:
            return [Frame(content[:HEAD_KEPT], ended=False, too_large=True)]
        pieces = _BEGUN_ANEW.split(content) if START in content else [content]
        return [Frame(piece, ended=False) for piece in pieces[:-1] if piece] + [Frame(pieces[-1], ended=True)]
