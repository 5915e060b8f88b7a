"""Escape sequences in text (HL7 v2.5 2.7): both ways.

Read: delimiters, hexadecimal data, line breaks; highlighting and indenting leave nothing behind. What is no escape
sequence stays as it stands: senders exist that write paths with backslashes. Written: delimiters and line breaks.
"""

from __future__ import annotations

import re
from functools import lru_cache

from radrelay.hl7.message.encoding import Encoding

_FORMAT = re.compile(r"\.(br|sp|ce|fi|nf|in|ti|sk)\s*([+-]?\d{1,3})?")
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
_SILENT = frozenset({"H", "N"})
MOST_BLANKS = 80
LONGEST = 1 << 16
"""An escape sequence longer than this is none; ED data may hold a whole line of hexadecimal digits."""


def unescape(raw: str, encoding: Encoding) -> str:
    """Return the text that `raw` stands for."""
    mark = encoding.escape
    if not mark or mark not in raw:
        return raw
    parts = raw.split(mark)
    found = [parts[0]]
    place = 1
    while place < len(parts):
        meant = _meant(parts[place], encoding) if place + 1 < len(parts) else None
        if meant is None:
            found.append(mark + parts[place])
            place += 1
        else:
            found.append(meant + parts[place + 1])
            place += 2
    return "".join(found)


def _meant(sequence: str, encoding: Encoding) -> str | None:
    """Return what stands between two escape characters, None where that is no escape sequence."""
    if len(sequence) < 2:
        return _delimiter(sequence, encoding) if sequence else None
    if found := _FORMAT.fullmatch(sequence):
        return _formatted(found[1], int(found[2] or 1))
    if len(sequence) <= LONGEST and (found := _HEX.fullmatch(sequence)):
        return bytes.fromhex(found[1]).decode(encoding.codec, "replace")
    return None


def _delimiter(letter: str, encoding: Encoding) -> str | None:
    if letter in _SILENT:
        return ""
    meant = {
        "F": encoding.field,
        "S": encoding.component,
        "T": encoding.subcomponent,
        "R": encoding.repetition,
        "E": encoding.escape,
        "P": encoding.truncation,
        "L": encoding.truncation,
    }.get(letter)
    return meant or None


def _formatted(command: str, count: int) -> str:
    if command in ("br", "ce"):
        return "\n"
    if command == "sp":
        return "\n" * min(max(count, 1), MOST_BLANKS)
    return " " * min(max(count, 1), MOST_BLANKS) if command == "sk" else ""


@lru_cache(maxsize=64)
def _table(encoding: Encoding) -> dict[int, str]:
    mark = encoding.escape
    meant = {
        encoding.field: "F",
        encoding.component: "S",
        encoding.subcomponent: "T",
        encoding.repetition: "R",
        encoding.escape: "E",
        encoding.truncation: "P",
    }
    table = {ord(character): f"{mark}{letter}{mark}" for character, letter in meant.items() if character}
    return table | {ord("\n"): f"{mark}.br{mark}", ord("\r"): f"{mark}X0D{mark}"}


def escape(text: str, encoding: Encoding) -> str:
    """Return `text` as it stands in a message; without an escape character what cannot be said becomes a space."""
    if not encoding.escape:
        lost = encoding.field + encoding.component + encoding.subcomponent + encoding.repetition + "\r\n"
        return text.translate(dict.fromkeys(map(ord, lost), " "))
    return text.translate(_table(encoding))
