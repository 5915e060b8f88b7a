"""Objects that come one after the other, written as one ZIP into the sink that also takes the ZIPs of other portals.

Nothing is packed and nothing held: an object passes as it comes. One that broke off is in the ZIP's bytes but not in
its directory (APPNOTE.TXT 4.3.12), so that what comes again later is there once. A ZIP has the same bytes for the same
objects in the same order.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from radrelay.importer.downloading import Sink
from radrelay.importer.errors import ParcelTooLarge

LONG_AGO = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100600

Write = Callable[[bytes], None]


class ObjectZip:
    """One ZIP on its way; raises `ParcelTooLarge` beyond `most` bytes."""

    def __init__(self, sink: Sink, host: str, most: int) -> None:
        self._out = _Out(sink, host, most)
        self._archive = zipfile.ZipFile(self._out, "w", zipfile.ZIP_STORED)
        self.count = 0

    @property
    def size(self) -> int:
        """Return how many bytes were written."""
        return self._out.size

    @property
    def sha256(self) -> str:
        """Return the digest of what was written."""
        return self._out.digest.hexdigest()

    @contextmanager
    def member(self) -> Iterator[Write]:
        """Give what takes an object; it counts only if nothing is raised meanwhile."""
        info = zipfile.ZipInfo(f"{self.count + 1:06}.dcm", LONG_AGO)
        info.external_attr = FILE_MODE << 16
        whole = False
        try:
            with self._archive.open(info, "w", force_zip64=True) as file:

                def write(piece: bytes) -> None:
                    file.write(piece)

                yield write
                whole = True
        finally:
            if not whole:
                self._archive.filelist[:] = [one for one in self._archive.filelist if one is not info]
                self._archive.NameToInfo.pop(info.filename, None)
        self.count += 1

    def finish(self) -> None:
        """Write the directory; nothing can be added afterwards."""
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._archive.fp = None  # what was not finished is left as it is: closing it would write on


class _Out(io.RawIOBase):
    """Writes on and never back."""

    def __init__(self, sink: Sink, host: str, most: int) -> None:
        self._sink, self._host, self._most = sink, host, most
        self.size, self.digest = 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, piece: bytes, /) -> int:  # type: ignore[override]  # only bytes come
        if not self.size:
            self._sink.begin()
        if self.size + len(piece) > self._most:
            words = f"{self._host} sends more than the limit of {self._most} bytes"
            raise ParcelTooLarge(words, host=self._host, limit=self._most)
        self._sink.write(piece)
        self.digest.update(piece)
        self.size += len(piece)
        return len(piece)
