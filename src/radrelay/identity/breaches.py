"""Passwords that were found in breaches: a file of SHA-1 hashes in order (as Have I Been Pwned delivers), or of words.

Hashes are looked for by bisection; the file is never loaded. The server does not know the passwords that people choose:
the browser asks for all hashes that begin with its own's first five digits, and compares by itself (k-anonymity).
"""

from __future__ import annotations

import hashlib
import re
import threading
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from radrelay.errors import Misconfigured

PREFIX_DIGITS, DIGITS = 5, 40
LONGEST_LINE = 200
MOST_ANSWERED = 50_000
WORDS_BYTES = 32 << 20
_LINE = re.compile(rb"([0-9A-Fa-f]{40})(:[0-9]+)?\s*")


class BreachListBroken(Misconfigured):
    """The file of passwords that nobody may choose cannot be read as one (identity.breach_file)."""

    code = "breach-list"


class BreachList:
    """One file; it may be replaced while it is in use."""

    def __init__(self, path: Path) -> None:
        """Raise `BreachListBroken` if the file is not there, or is neither hashes in order nor few enough words."""
        self._path = path
        self._lock = threading.Lock()
        self._words: list[str] | None = None
        try:
            with path.open("rb") as file:
                self._size = file.seek(0, 2)
                self.has_hashes = _LINE.fullmatch(_line_at(file, 0)) is not None
                if self.has_hashes and self._size:
                    self._require_order(file)
        except OSError as error:
            raise BreachListBroken(f"identity.breach_file {path} cannot be read: {error.strerror}") from error
        if not self.has_hashes and self._size > WORDS_BYTES:
            raise BreachListBroken(
                f"identity.breach_file {path} has more than {WORDS_BYTES >> 20} MiB of words: give it as SHA-1 hashes "
                "in order, a line each"
            )

    def suffixes(self, prefix: str) -> list[str]:
        """Return what follows five hexadecimal digits in the hashes that begin with them, in capitals."""
        key = prefix.upper()
        if not self.has_hashes:
            words = self._hashed_words()
            found = bisect_left(words, key)
            return [one[PREFIX_DIGITS:] for one in _while_begins(words, found, key)][:MOST_ANSWERED]
        try:
            with self._path.open("rb") as file:
                return [one[PREFIX_DIGITS:] for one in self._from(file, key.encode())]
        except OSError as error:
            raise BreachListBroken(f"identity.breach_file {self._path} cannot be read: {error.strerror}") from error

    def holds(self, password: str) -> bool:
        """Say whether a password that is known here, on the command line, is in the list."""
        hashed = _sha1(password.encode())
        return hashed[PREFIX_DIGITS:] in self.suffixes(hashed[:PREFIX_DIGITS])

    def _from(self, file: BinaryIO, key: bytes) -> Iterator[str]:
        low, high = 0, file.seek(0, 2)
        while low < high:
            middle = (low + high) // 2
            line = _line_at(file, middle)
            if not line or self._hash(line).encode() >= key:
                high = middle
            else:
                low = middle + 1
        line, count = _line_at(file, low), 0
        while line and self._hash(line).encode().startswith(key) and count < MOST_ANSWERED:
            yield self._hash(line)
            line, count = file.readline(LONGEST_LINE), count + 1

    def _hash(self, line: bytes) -> str:
        found = _LINE.fullmatch(line)
        if found is None:
            raise BreachListBroken(f"identity.breach_file {self._path} has a line that is no SHA-1 hash")
        return found.group(1).decode().upper()

    def _require_order(self, file: BinaryIO) -> None:
        """Look at a few places: a list in another order would find nothing, and say so to nobody."""
        seen = [self._hash(line) for part in range(64) if (line := _line_at(file, self._size * part // 64))]
        if seen != sorted(seen):
            raise BreachListBroken(f"identity.breach_file {self._path} is not in the order of its hashes")

    def _hashed_words(self) -> list[str]:
        with self._lock:
            if self._words is None:
                try:
                    lines = self._path.read_bytes()[:WORDS_BYTES].splitlines()
                except OSError as error:
                    raise BreachListBroken(f"identity.breach_file {self._path} cannot be read") from error
                self._words = sorted({_sha1(line) for line in lines if line})
            return self._words


def _line_at(file: BinaryIO, place: int) -> bytes:
    """Return the first line that begins at `place` or behind it; nothing at the end."""
    file.seek(max(place - 1, 0))
    if place:
        file.readline(LONGEST_LINE)
    return file.readline(LONGEST_LINE)


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest().upper()


def _while_begins(words: list[str], start: int, key: str) -> Iterator[str]:
    for place in range(start, len(words)):
        if not words[place].startswith(key):
            return
        yield words[place]
