"""Names and texts folded for search: what a person types finds what a device wrote.

In: a person name with its groups, or any text. Out: lower case without accents, kana in one form, Arabic without
vowel signs, words apart by single spaces. `muller`, `mueller`, `MÜLLER` and `Müller` find each other when the
`search_forms` of what is stored are searched for any of the `query_forms`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SEPARATORS = re.compile(r"[\s^=\\,;.\-_/'’`´‐-―・·]+")
_TRANSLATION = {
    **dict.fromkeys((223, 7838), "ss"),
    **{ord(small): plain for small, plain in {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th",
                                              "ı": "i", "ħ": "h", "ŧ": "t", "ĸ": "k", "ŋ": "n"}.items()},
    # Greek: final sigma is a sigma
    0x03C2: "σ",
    # Arabic: tatweel goes; alef with hamza, madda or wasla is alef; alef maqsura is yeh; teh marbuta is heh
    0x0640: None,
    **dict.fromkeys((1570, 1571, 1573, 1649, 1650, 1651), "ا"),
    0x0649: "ي",
    0x06CC: "ي",
    0x0629: "ه",
    0x0624: "و",
    0x0626: "ي",
    0x06A9: "ك",
    **{0x0660 + digit: str(digit) for digit in range(10)},
    **{0x06F0 + digit: str(digit) for digit in range(10)},
    # katakana to hiragana; the long vowel sign stays, it is one of both
    **{code: chr(code - 0x60) for code in range(0x30A1, 0x30F7)},
    # zero width characters, byte order mark, directional marks
    **dict.fromkeys((8203, 8204, 8205, 8206, 8207, 65279, *range(8234, 8239))),
}  # fmt: skip
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_PLAIN = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae",
    "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ł": "l", "Ł": "L", "þ": "th",
    "Þ": "Th", "ı": "i", "–": "-", "—": "-", "’": "'",
})  # fmt: skip
_KANA_MARKS = "\u3099\u309a"
_VOWELS = ((0x900, 0x109F), (0x1700, 0x17FF), (0x1900, 0x1AAD), (0x1B00, 0x1CCF), (0xA800, 0xABFF), (0x11000, 0x11FFF))
"""From Devanagari to Myanmar, and what is written likewise: marks stand for vowels and tones there."""
_TRIMMED = re.compile(r"(?<=[aou])e")


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return `text` in the one form that search compares (see the module's docstring).

    ä, ö and ü lose their dots; texts with ae, oe, ue keep them: `query_forms` bridges the two.
    """
    if text.isascii():
        return _SEPARATORS.sub(" ", text.lower()).strip()
    # NFKD takes ligatures and half-width kana apart, compatibility ideographs become the unified ones; what it makes
    # capitals of (mathematical letters, say) has a case only then, and what has one may come apart again
    lower = unicodedata.normalize("NFKD", text.casefold()).casefold()
    apart = unicodedata.normalize("NFKD", lower.translate(_TRANSLATION)).translate(_TRANSLATION)
    plain = "".join(
        letter for letter in apart if _is_letter(letter) or unicodedata.category(letter) not in ("Mn", "Me", "Cf")
    )
    # NFC puts Hangul syllables and voiced kana together again
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFC", plain)).strip()


def _is_letter(mark: str) -> bool:
    """Say whether a mark is a letter of its own: a voiced kana's, a vowel of Thai or Devanagari and their like."""
    return mark in _KANA_MARKS or any(first <= ord(mark) <= last for first, last in _VOWELS)


@lru_cache(maxsize=4096)
def search_forms(text: str) -> tuple[str, ...]:
    """Return the folded forms under which `text` is stored, so that any spelling of a query finds it.

    `Müller` gives `muller` and `mueller`; so does `Mueller`; `Muller` gives itself alone.
    """
    plain = fold(text)
    forms = (plain, _spelled(text), _TRIMMED.sub("", plain))
    return tuple(dict.fromkeys(form for form in forms if form))


def plain_ascii(text: str) -> str:
    """Return `text` with its Latin letters in ASCII, as `Studie Groesse` for `Studie Größe`; others stay."""
    umlauts = unicodedata.normalize("NFC", text).translate(_PLAIN)
    apart = unicodedata.normalize("NFKD", umlauts)
    if not all(letter.isascii() or unicodedata.category(letter) == "Mn" for letter in apart):
        return umlauts
    return "".join(letter for letter in apart if letter.isascii())


def spellings(text: str) -> frozenset[str]:
    """Return the folded forms of `text` that say the same: `Müller` gives `muller` and `mueller`.

    Unlike what `search_forms` gives, no letter is left out that was typed: Goethe and Gothe are two people.
    """
    return frozenset(form for form in (fold(text), _spelled(text)) if form)


def _spelled(text: str) -> str:
    if text.isascii():
        return fold(text)
    return fold(unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS))


def query_forms(text: str) -> list[str]:
    """Return the folded forms that a search for `text` tries, any of which may match, the likeliest first.

    The form as typed; for umlauts also the one with ae, oe, ue; for ae, oe, ue also the one without e, because
    `Mueller` is how some devices write `Müller`.
    """
    return list(search_forms(text)) or [""]
