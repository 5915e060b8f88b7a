"""Whose object it is, in that person's and the staff's own words, so that these are found wherever else they stand.

In: the values that de-identification takes away. Out: needles: the names split at their delimiters, numbers, dates in
the usual ways of writing, in every encoding in which a device may have put them elsewhere (a private element, a
comment, a description), and a pattern that takes them out of a text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from radrelay.dicom.characters import encode
from radrelay.dicom.names import spellings

SHORTEST = 3
"""Letters of the shortest value that is searched for; ideographs tell more, two are enough."""
_SHORTEST_NUMBER = 5
_WITHOUT_BOUNDS = 5
_PARTS = re.compile(r"[\\^=\s,;.]+")
_MARKS = re.compile(r"[\s./_-]+")
_TELLING_NOTHING = frozenset((
    "unknown", "none", "anonymous", "anonymized", "anonymised", "removed", "default", "other", "yes", "not", "name",
    "dr.", "prof", "med", "mrs", "herr", "frau", "test", "patient", "original", "primary", "secondary", "derived",
    "axial", "localizer", "monochrome1", "monochrome2", "rgb", "palette", "head", "chest", "abdomen", "hfs", "ffs",
    "hfp", "ffp", "iso_ir", "utc", "mod", "unk", "n/a", "staff", "doctor", "physician", "operator", "hospital",
    "clinic", "radiology",
))  # fmt: skip
_ESCAPE = re.compile(rb"\x1b(?:\$[()]?[@-~]|[()\-][@-~])")
_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")


@dataclass(frozen=True, slots=True)
class Needles:
    """What is searched for: bytes, ASCII letters in lower case, and a pattern for decoded text."""

    encoded: tuple[bytes, ...]
    pattern: re.Pattern[str] | None

    def within(self, lowered: bytes, least: int = 1) -> bool:
        """Return whether one of at least `least` bytes may stand in bytes whose ASCII letters are in lower case."""
        return any(len(needle) >= least and needle in lowered for needle in self.encoded)

    def narrowed(self, lowered: bytes) -> Needles:
        """Return those that are in `lowered`, which is the whole of what they will be searched for in."""
        return Needles(tuple(needle for needle in self.encoded if needle in lowered), self.pattern)

    def taken_out(self, text: str) -> str:
        """Return a text without them."""
        return self.pattern.sub("", text) if self.pattern is not None else text


class Identity:
    """Collects the values that an object loses."""

    __slots__ = ("found", "places", "uids")

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.places: set[str] = set()
        self.uids: set[str] = set()

    def add_name(self, text: str) -> None:
        """Take a person's name apart: any of its parts, in whatever order, may stand elsewhere."""
        self.found.update(part for part in _PARTS.split(text) if _tells(part))
        for group in re.split(r"[=\\]", text):
            first, second = (*_PARTS.split(group.strip(" ^")), "")[:2]
            if second:  # run together, each part may be too short to be searched for
                self.found.update(joined for joined in (first + second, second + first) if _tells(joined))
        self.found.update(value for value in text.split("\\") if _tells(value.strip(" ^")))

    def add_value(self, text: str) -> None:
        """Take an identifier, address or other text, each of its values as a whole."""
        self.found.update(value.strip() for value in text.split("\\") if _tells(value.strip()))

    def add_place(self, text: str) -> None:
        """Take what names an institution, a room or a device: a device's own name may be a part of its model's."""
        self.places.update(value.strip() for value in text.split("\\") if _tells(value.strip()))

    def add_date(self, text: str) -> None:
        """Take the dates of a DA or DT."""
        for value in text.split("\\"):
            digits = value.strip().replace(".", "")[:8]
            if len(digits) == 8 and digits.isdecimal() and digits not in ("19000101", "00000000"):
                self.found.add(digits)

    def needles(self, terms: tuple[str, ...], maker: str) -> Needles:
        """Return what to search for in an object whose character set is `terms`.

        `maker` is manufacturer and model: what only repeats these, such as a station called like its model, stays.
        """
        makers = maker.casefold()
        places = {value for value in self.places if value.casefold() not in makers}
        return _needles(frozenset(self.found | places), terms)


def _tells(value: str) -> bool:
    if value.casefold() in _TELLING_NOTHING:
        return False
    bare = _MARKS.sub("", value)
    if bare.isdecimal():
        return len(bare) >= _SHORTEST_NUMBER and len(set(bare)) > 1
    return len(bare) >= (SHORTEST if bare.isascii() else SHORTEST - 1)


@lru_cache(maxsize=256)
def _needles(values: frozenset[str], terms: tuple[str, ...]) -> Needles:
    forms = sorted({form for value in values for form in _forms(value)}, key=lambda form: (-len(form), form))
    if not forms:
        return Needles((), None)
    encoded = {needle for form in forms for needle in _encodings(form, terms)}
    pattern = "|".join(_bounded(form) for form in forms)
    return Needles(tuple(sorted(encoded)), re.compile(pattern, re.IGNORECASE))


def _forms(value: str) -> set[str]:
    """Return the ways in which a value may be written elsewhere."""
    if len(value) == 8 and value.isdecimal():
        year, month, day = value[:4], value[4:6], value[6:]
        return {
            value,
            f"{year}-{month}-{day}",
            f"{day}.{month}.{year}",
            f"{month}/{day}/{year}",
            f"{year}.{month}.{day}",
        }
    forms = {value, value.upper(), value.casefold(), *spellings(value)}
    forms.update(unicodedata.normalize(form, value) for form in ("NFC", "NFD", "NFKC"))
    bare = _MARKS.sub("", value)
    if any(letter.isdigit() for letter in bare):
        forms.add(bare)
    return {form for form in forms if _tells(form)}


def _encodings(form: str, terms: tuple[str, ...]) -> set[bytes]:
    found: set[bytes] = set()
    for spelled in {form, form.lower(), form.upper(), form.title()}:
        for encoding in _ENCODINGS:
            found.add(spelled.encode(encoding, "ignore"))
        if not spelled.isascii() and terms:
            coded = encode(spelled, terms)
            found |= {coded, _ESCAPE.sub(b"", coded)}  # amid other letters of its set no escape stands before it
    return {needle.lower() for needle in found if len(needle.strip(b"?")) > 1}


def _bounded(form: str) -> str:
    quoted = re.escape(form)
    if form.isdecimal():
        return rf"(?<!\d){quoted}(?!\d)"
    if len(form) >= _WITHOUT_BOUNDS or not form.isascii():
        return quoted
    return rf"(?<![^\W\d_]){quoted}(?![^\W\d_])"
