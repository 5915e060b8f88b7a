"""How a message is written: the characters that part it (HL7 v2.5 2.5.4), and its character set."""

from __future__ import annotations

import string
from typing import NamedTuple

from radrelay.hl7.errors import HeaderBroken

FORBIDDEN = frozenset(string.ascii_letters + string.digits + '\r\n\0\x0b\x1c \t"')
SHORTEST, LONGEST = 1, 5


class Encoding(NamedTuple):
    """The delimiters, empty where the header names none, and Python's name of the character set."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    codec: str = "utf_8"

    @property
    def characters(self) -> str:
        """Return MSH-2."""
        return f"{self.component}{self.repetition}{self.escape}{self.subcomponent}{self.truncation}"


STANDARD = Encoding()


def encoding_of(field: str, characters: str, codec: str) -> Encoding:
    """Return the encoding that MSH-1 and MSH-2 name; raises `HeaderBroken`."""
    if not SHORTEST <= len(characters) <= LONGEST:
        raise HeaderBroken(f"MSH-2 has {len(characters)} characters, not 1 to 5", "MSH-2")
    every = field + characters
    if len(set(every)) != len(every) or not FORBIDDEN.isdisjoint(every) or not every.isascii():
        raise HeaderBroken(f"{every!r} cannot part fields", "MSH-2")
    named = [characters[place : place + 1] for place in range(LONGEST)]
    return Encoding(field, named[0], named[1], named[2], named[3], named[4], codec)
