"""Sinks for what is no download of its own: documents held for reading, and files judged by their bytes."""

from __future__ import annotations

import hashlib

from radrelay.importer.contents import HEAD, Content, content_of
from radrelay.importer.downloading import Downloaded, Sink, Tell
from radrelay.importer.errors import PageForParcel, ParcelTooLarge, WrongContent

MOST_DOCUMENT = 32 << 20


class NoDocument(Exception):
    """What comes is no document that is read here; `content` says what it is."""

    def __init__(self, content: Content) -> None:
        super().__init__(content)
        self.content = content


class Document:
    """Holds what comes if it is of a kind that is read here; raises `NoDocument` at once if it is not."""

    def __init__(self, host: str, kinds: frozenset[Content]) -> None:
        self._host, self._kinds = host, kinds
        self.begin()

    def begin(self) -> None:
        """Forget what came."""
        self.bytes, self._judged = bytearray(), False

    def write(self, piece: bytes) -> None:
        """Take the next piece; raises `NoDocument`, `ParcelTooLarge`."""
        self.bytes += piece
        if not self._judged and len(self.bytes) >= HEAD:
            self._judge()
        if len(self.bytes) > MOST_DOCUMENT:
            words = f"{self._host} sends a document of more than {MOST_DOCUMENT} bytes"
            raise ParcelTooLarge(words, host=self._host, limit=MOST_DOCUMENT)

    def finish(self) -> bytes:
        """Return the document; raises `NoDocument`."""
        if not self._judged:
            self._judge()
        return bytes(self.bytes)

    def _judge(self) -> None:
        content = content_of(bytes(self.bytes[:HEAD]))
        if content not in self._kinds:
            raise NoDocument(content)
        self._judged = True


class Judged:
    """Hands on what is of a kind that is taken in; raises `PageForParcel`, `WrongContent` before any is kept."""

    def __init__(self, sink: Sink, host: str, accept: frozenset[Content], tell: Tell) -> None:
        self._sink, self._host, self._accept, self._tell = sink, host, accept, tell
        self._head, self._content = b"", None
        self._size, self._digest = 0, hashlib.sha256()

    _content: Content | None

    def begin(self) -> None:
        """Forget what came; what takes it is told when the first of it is kept."""
        if self._size:
            self._sink.begin()
        self._head, self._content, self._size, self._digest = b"", None, 0, hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        if self._content is not None:
            self._keep(piece)
            return
        self._head += piece
        if len(self._head) >= HEAD:
            self._judge()

    def finish(self, name: str, resumed: int) -> Downloaded:
        """Return what came."""
        content = self._content or self._judge()
        return Downloaded(self._size, self._digest.hexdigest(), content, name, True, resumed)

    def _judge(self) -> Content:
        content = content_of(self._head)
        if content == "page" or not self._head.strip():
            raise PageForParcel(host=self._host)
        if content not in self._accept:
            words = f"{self._host} sent content of a kind that is not taken in ({content})"
            raise WrongContent(words, host=self._host, kind=content)
        self._content = content
        self._sink.begin()
        self._keep(self._head)
        return content

    def _keep(self, piece: bytes) -> None:
        self._sink.write(piece)
        self._digest.update(piece)
        self._size += len(piece)
        self._tell(self._size, None)
