"""Cyrillic names in the ways in which they are written in Latin letters: a weak hint, for a person to look at.

In: a name in Cyrillic. Out: its spellings by ISO 9, by ICAO 9303 (passports), in English and in German, in small
letters without marks, evened out where the schemes differ in i, j and y alone.
"""

from __future__ import annotations

import re

_ALIKE = dict(zip("абвгдезиклмнопрстуфыэ", "abvgdeziklmnoprstufye", strict=True)) | {"ъ": "", "ь": ""}
_UKRAINIAN = {"і": "i", "ґ": "g", "'": "", "’": ""}
_ISO_9 = _ALIKE | _UKRAINIAN | dict(zip("ёжйхцчшщюяїє", "ezjhccssuaie", strict=True))
_ICAO = _ALIKE | _UKRAINIAN | {
    "ё": "e", "ж": "zh", "й": "i", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "iu", "я": "ia",
    "ї": "i", "є": "ie", "ъ": "ie",
}  # fmt: skip
_ENGLISH = _ICAO | {"ё": "yo", "й": "y", "ю": "yu", "я": "ya", "ї": "yi", "є": "ye", "ъ": ""}
_SCIENTIFIC = _ISO_9 | {"х": "ch", "щ": "sc", "ю": "ju", "я": "ja", "ё": "jo", "є": "je"}
_GERMAN = _ENGLISH | {
    "в": "w", "ё": "jo", "ж": "sch", "з": "s", "х": "ch", "ц": "z", "ч": "tsch", "ш": "sch", "щ": "schtsch", "ю": "ju",
    "я": "ja",
}  # fmt: skip
_SCHEMES = tuple(
    scheme | also
    for scheme in (_ISO_9, _ICAO, _ENGLISH, _SCIENTIFIC, _GERMAN)
    for also in ({}, {"г": "h", "и": "y"})  # as Ukrainian is read
)
_EVEN = re.compile("[iyj]+")


def latin_spellings(name: str) -> tuple[str, ...]:
    """Return the spellings of a name in Cyrillic, each once; other letters stay."""
    lower = name.casefold()
    spelt = ("".join(scheme.get(letter, letter) for letter in lower) for scheme in _SCHEMES)
    return tuple(dict.fromkeys(evened(one) for one in spelt))


def evened(name: str) -> str:
    """Return a name in small letters with i, j and y as one: Juli, Yuliy and Iulii are alike."""
    return _EVEN.sub("i", name.casefold())
