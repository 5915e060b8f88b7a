"""A segment file that a reader holds open, with the cipher of its epoch."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.storage.keys import Keyring, UnwrapFailed
from radrelay.storage.landing_format import (
    PAGE,
    SegmentGone,
    SegmentHeader,
    parse_segment_page,
    segment_context,
)


class OpenSegment:
    """A segment file open for reading; closed when the last thread that uses it lets go."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._handle = -1
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise SegmentGone from error
        self.size = os.fstat(self._handle).st_size
        self._keyring = keyring
        self._ciphers: dict[int, AESGCM] = {}

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes at `offset`."""
        return os.pread(self._handle, length, offset)

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
