"""A segment that a reader holds open, with the cipher of its epoch: a file of this machine, or of another node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.storage.keys import Keyring, UnwrapFailed
from radrelay.storage.landing_format import (
    PAGE,
    SegmentGone,
    SegmentHeader,
    parse_segment_page,
    segment_context,
)


class LandingFile(Protocol):
    """Bytes of a file in a landing directory, wherever that is. Thread-safe."""

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes at `offset`."""
        ...

    def ahead(self, offset: int) -> LandingFile:
        """Return the same file, made ready for several small reads from `offset` on."""
        ...


class DiskFile:
    """A file of this machine; closed when the last thread that uses it lets go."""

    def __init__(self, path: Path) -> None:
        self._handle = -1  # for __del__, if the file is not there
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes at `offset`."""
        return os.pread(self._handle, length, offset)

    def ahead(self, offset: int) -> LandingFile:
        """Return the file itself: the kernel reads ahead."""
        del offset
        return self


class OpenSegment:
    """A segment open for reading."""

    def __init__(self, file: LandingFile, keyring: Keyring) -> None:
        self.file = file
        self._keyring = keyring
        self._ciphers: dict[int, AESGCM] = {}
        self._size: int | None = None

    @property
    def size(self) -> int:
        """The segment's size in bytes, by its header."""
        if self._size is None:
            self._size = self.header().size
        return self._size

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes at `offset`."""
        return self.file.pread(length, offset)

    def header(self) -> SegmentHeader:
        """Read the header anew: it is sealed, or freed, by others."""
        header = parse_segment_page(self.pread(PAGE, 0))
        if header is None:
            raise SegmentGone
        return header

    def cipher(self, epoch: int) -> AESGCM:
        """Return the segment's cipher, provided that it is still of `epoch`."""
        cipher = self._ciphers.get(epoch)
        if cipher is None:
            try:
                key = self._key(epoch)
            except UnwrapFailed:  # wrapped anew while it was read, and the older version destroyed
                key = self._key(epoch)
            cipher = self._ciphers[epoch] = AESGCM(key)
        return cipher

    def _key(self, epoch: int) -> bytes:
        header = self.header()
        if header.epoch != epoch:
            raise SegmentGone
        return self._keyring.unwrap(header.wrapped_key, segment_context(header.number, header.epoch))


def first_page(path: Path) -> bytes:
    """Return a segment file's first page."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(handle, PAGE, 0)
    finally:
        os.close(handle)
