"""multipart/related bodies (RFC 2387): written part by part, read as a stream without holding a part in memory."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from radrelay.errors import Invalid, TooLarge

MAX_HEADER_BYTES = 16 << 10
MAX_PARTS = 100_000


class BadMultipart(Invalid):
    """The body is not the multipart/related that its header announces."""

    code = "bad-multipart"


@dataclass(frozen=True, slots=True)
class Part:
    """One part to be written: its headers, ready, and its content in pieces."""

    headers: tuple[tuple[str, str], ...]
    content: Iterable[bytes | memoryview]


def new_boundary() -> str:
    """Return a boundary that no content holds, by its randomness."""
    return f"radrelay-{secrets.token_hex(16)}"


def write_parts(parts: Iterable[Part], boundary: str) -> Iterator[bytes | memoryview]:
    """Yield the body; a body without parts is the closing delimiter alone."""
    for part in parts:
        head = "".join(f"{name}: {value}\r\n" for name, value in part.headers)
        yield f"--{boundary}\r\n{head}\r\n".encode()
        yield from part.content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


@dataclass(slots=True)
class PartStarted:
    """A part begins; header names are in lower case."""

    headers: dict[str, str]


@dataclass(slots=True)
class PartEnded:
    """The part that began is complete."""


PartEvent = PartStarted | bytes | PartEnded


def read_parts(body: Iterator[bytes], boundary: str) -> Iterator[PartEvent]:
    """Yield each part's start, its content in pieces, and its end; raises `BadMultipart` when the body is cut off."""
    reader = _Reader(body, boundary.encode("latin-1"))
    reader.skip_preamble()
    for _ in range(MAX_PARTS):
        if reader.finished:
            return
        yield PartStarted(reader.headers())
        yield from reader.content()
        yield PartEnded()
    raise TooLarge(f"the body has more than {MAX_PARTS} parts")


class _Reader:
    def __init__(self, body: Iterator[bytes], boundary: bytes) -> None:
        self._body = body
        self._opening = b"--" + boundary
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray()
        self._ended = False
        self.finished = False

    def _more(self) -> bool:
        for chunk in self._body:
            if chunk:
                self._buffer += chunk
                return True
        self._ended = True
        return False

    def _need(self, mark: bytes, limit: int) -> int:
        """Return where `mark` stands in the buffer, reading at most `limit` bytes for it."""
        searched = 0
        while True:
            at = self._buffer.find(mark, max(0, searched - len(mark)))
            if at >= 0:
                return at
            searched = len(self._buffer)
            if searched > limit:
                raise BadMultipart("a part's header is too long, or the boundary is missing")
            if not self._more():
                raise BadMultipart("the body ends before its last part does")

    def skip_preamble(self) -> None:
        at = self._need(self._opening, MAX_HEADER_BYTES)
        del self._buffer[: at + len(self._opening)]
        self._after_delimiter()

    def _after_delimiter(self) -> None:
        while len(self._buffer) < 2 and self._more():
            pass
        if self._buffer[:2] == b"--":
            self.finished = True
            return
        at = self._need(b"\r\n", 256)
        del self._buffer[: at + 2]

    def headers(self) -> dict[str, str]:
        while len(self._buffer) < 2 and self._more():
            pass
        if self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
            return {}
        at = self._need(b"\r\n\r\n", MAX_HEADER_BYTES)
        lines = bytes(self._buffer[:at]).decode("utf-8", "replace").split("\r\n")
        del self._buffer[: at + 4]
        found = {}
        for line in lines:
            name, _, value = line.partition(":")
            found[name.strip().lower()] = value.strip()
        return found

    def content(self) -> Iterator[bytes]:
        keep = len(self._delimiter) - 1
        while True:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                if at:
                    yield bytes(self._buffer[:at])
                del self._buffer[: at + len(self._delimiter)]
                self._after_delimiter()
                return
            if len(self._buffer) > keep:
                piece = bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
                yield piece
            if not self._more():
                raise BadMultipart("the body ends in the middle of a part")
