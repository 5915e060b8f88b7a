"""Matches of QIDO-RS read from a stream: one object of the JSON array after the other (PS3.18 F.2).

What comes is of any size and may be rubbish: only one match is held at a time, none of more than a mebibyte. One that
cannot be read costs none of the others; an answer that is no array of objects is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from radrelay.network.errors import WebTrouble
from radrelay.network.limits import IDENTIFIER_DEPTH
from radrelay.network.ports import Key

MATCH_BYTES = 1 << 20
_MARK = re.compile(rb'["\\{}\[\]]')
_SPACE = b" \t\r\n"
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


class NoMatches(WebTrouble):
    """The answer is not the list of matches that it should be."""


def matches_of(body: Iterable[bytes]) -> Iterator[tuple[Key, ...] | None]:
    """Yield each match, none for one that cannot be read; raises `NoMatches` where the array is none, or breaks off."""
    for raw in _objects(body):
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        yield tuple(_keys(found)) if isinstance(found, dict) else None


def _objects(body: Iterable[bytes]) -> Iterator[bytes]:
    """Part the array into its objects, by brackets outside strings."""
    array = _Array()
    for chunk in body:
        yield from array.take(chunk)
    if not array.is_whole:
        raise NoMatches("the answer breaks off", reason="the list of matches breaks off")


class _Array:
    def __init__(self) -> None:
        self._held = bytearray()
        self._depth = 0
        self._quoted = False
        self._escaped = -1  # where an escaped character stands, in the chunk that comes
        self._begun = self.is_whole = False

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the objects that end in a chunk."""
        start = 0
        for mark in _MARK.finditer(chunk):
            at, sign = mark.start(), mark.group()
            if at == self._escaped:
                continue
            if self._quoted:
                self._in_string(sign, at)
                continue
            if self._depth <= 1:
                self._between(chunk[start:at], sign)
                start = at + (sign == b"[")
            if sign == b'"':
                self._quoted = True
            elif sign in b"{[":
                self._depth += 1
            elif sign != b"\\":
                self._depth -= 1
                if self._depth == 1 and sign == b"}":
                    yield bytes(self._held) + chunk[start : at + 1]
                    self._held.clear()
                    start = at + 1
                elif self._depth == 0:
                    self.is_whole, start = True, at + 1
        self._escaped -= len(chunk)
        self._keep(chunk[start:])

    def _in_string(self, sign: bytes, at: int) -> None:
        if sign == b"\\":
            self._escaped = at + 1
        elif sign == b'"':
            self._quoted = False

    def _between(self, skipped: bytes, sign: bytes) -> None:
        """Between objects stand commas and space alone, and what begins is an object."""
        expected = b"[" if not self._begun else b"{]"
        if self.is_whole or sign not in expected or skipped.strip(_SPACE + (b"," if self._begun else b"")):
            raise NoMatches("the answer is no list of matches", reason="no list of matches")
        self._begun = True

    def _keep(self, rest: bytes) -> None:
        if self._depth > 1:
            self._held += rest
        elif rest.strip(_SPACE + b","):
            raise NoMatches("the answer is no list of matches", reason="no list of matches")
        if len(self._held) > MATCH_BYTES:
            raise NoMatches("a match is too long", reason="a match of more than 1 MiB")


def _keys(match: Mapping[str, Any], depth: int = 0) -> Iterator[Key]:
    for name, element in match.items():
        if not _TAG.fullmatch(name) or not isinstance(element, dict):
            continue
        values, vr = element.get("Value"), element.get("vr")
        listed = values if isinstance(values, list) else []
        if vr == "SQ":
            items = [one for one in listed if isinstance(one, dict)] if depth < IDENTIFIER_DEPTH else []
            yield Key(int(name, 16), vr, "", tuple(tuple(_keys(one, depth + 1)) for one in items))
        else:
            yield Key(int(name, 16), vr if isinstance(vr, str) else "UN", "\\".join(map(_text, listed)))


def _text(value: object) -> str:
    """Return one value as DICOM writes it; a name by its component groups (PS3.18 F.2.2)."""
    if isinstance(value, dict):
        groups = [value.get(name) for name in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(one if isinstance(one, str) else "" for one in groups).rstrip("=")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
