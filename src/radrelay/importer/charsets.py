"""Whether an object's texts are read by guess: bytes of no declared character set, or that the declared one has not.

In: a parsed header. Such texts are read as Western European (Latin-1) unless their form is UTF-8's; a person looks
whether that is right before they are filed, for they are written so where the local name needs UTF-8.
"""

from __future__ import annotations

from radrelay.dicom.characters import CharacterSet
from radrelay.dicom.header import Header

_TOLD = frozenset(["PN", "LO", "SH", "LT", "ST", "UC", "UT", "SQ"])
_MOST_DEPTH = 8


def is_guessed(header: Header, depth: int = 0) -> bool:
    """Say whether any text of an object, those in its sequences too, is read by guess."""
    for tag in header:
        place = header.place(tag)
        if place is None or place[0] not in _TOLD:
            continue
        if place[0] == "SQ":
            if depth < _MOST_DEPTH and any(is_guessed(one, depth + 1) for one in header.items(tag)):
                return True
            continue
        raw = header.raw(tag)
        if not raw.isascii() and _is_guess(raw, header.charset, name=place[0] == "PN"):
            return True
    return False


def _is_guess(raw: bytes, charset: CharacterSet, *, name: bool) -> bool:
    if not charset.codec and b"\x1b" not in raw:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            return True
        return False
    return any(letter == "\ufffd" or "\x80" <= letter <= "\x9f" for letter in charset.decode(raw, name=name))
