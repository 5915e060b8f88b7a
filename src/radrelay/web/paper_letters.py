"""How letters are written that not every viewer's own fonts have, without a font in the file.

A viewer brings the letters of the standard Latin set (ISO 32000-1 Annex D.2) in its standard fonts, among them accents
that stand alone: `composed` gives a letter of another Latin alphabet (ğ, ű, ą) as its base and the accent to be put on
it. For Chinese, Japanese, Korean, Greek and Cyrillic a page names one of Adobe's character collections (9.7.5.2), and
the viewer takes a font of its system that has it: `collection` says which.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

Ordering = Literal["Japan1", "GB1", "CNS1", "Korea1"]


@dataclass(frozen=True, slots=True)
class Collection:
    """A character collection: the font that is asked for by name, its encoding, and what the collection has."""

    font: str
    encoding: str
    supplement: int
    codec: str


COLLECTIONS: dict[Ordering, Collection] = {
    "Japan1": Collection("HeiseiKakuGo-W5", "UniJIS-UTF16-H", 5, "euc_jisx0213"),
    "GB1": Collection("STSong-Light", "UniGB-UTF16-H", 5, "gb2312"),
    "CNS1": Collection("MSung-Light", "UniCNS-UTF16-H", 5, "big5"),
    "Korea1": Collection("HYSMyeongJo-Medium", "UniKS-UTF16-H", 2, "euc_kr"),
}
"""In the order in which they are asked: Japanese and Chinese share ideographs."""

_MARKS = {
    0x300: "grave", 0x301: "acute", 0x302: "circumflex", 0x303: "tilde", 0x304: "macron", 0x306: "breve",
    0x307: "dotaccent", 0x308: "dieresis", 0x30A: "ring", 0x30B: "hungarumlaut", 0x30C: "caron", 0x326: "cedilla",
    0x327: "cedilla", 0x328: "ogonek",
}  # fmt: skip
_STROKED = {"đ": ("d", "macron")}
_BELOW = ("cedilla", "ogonek")
_TALL = "bdfhklt"
_CAP_RISE = 0.195  # from the height of a small letter to that of a capital, of the font's size


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter as its base and the name of the accent on it, raised by a part of the font's size."""

    base: str
    mark: str
    rise: float


def composed(char: str) -> Composed | None:
    """Return how a letter outside the standard Latin set is put together; none if it is not from these."""
    if char in _STROKED:
        return Composed(*_STROKED[char], 0.0)
    base, *marks = list(unicodedata.normalize("NFD", char))
    if len(marks) != 1 or ord(marks[0]) not in _MARKS or not (base.isascii() and base.isalpha()):
        return None
    mark = _MARKS[ord(marks[0])]
    high = mark not in _BELOW and (base.isupper() or base in _TALL)
    return Composed(base, mark, _CAP_RISE if high else 0.0)


def collection(char: str) -> Ordering | None:
    """Return the first collection that has a character; none if none has."""
    if ord(char) < 0x370:  # Latin is the standard fonts' own
        return None
    return next((name for name, one in COLLECTIONS.items() if _has(one.codec, char)), None)


def plainer(char: str) -> str:
    """Return a letter without its accents where no collection has it with them (ή), else as it is."""
    base = unicodedata.normalize("NFD", char)[0]
    return base if base != char and collection(char) is None and collection(base) is not None else char


def _has(codec: str, char: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def collection_objects(name: Ordering, first: int) -> list[bytes]:
    """Return the font of a collection as three objects of a file, numbered from `first`."""
    one = COLLECTIONS[name]
    system = f"<< /Registry (Adobe) /Ordering ({name}) /Supplement {one.supplement} >>"
    composite = f"/BaseFont /{one.font}-{one.encoding} /Encoding /{one.encoding} /DescendantFonts [{first + 1} 0 R]"
    described = f"/FontName /{one.font} /Flags 4 /FontBBox [-92 -250 1010 922] /ItalicAngle 0 /Ascent 752"
    return [
        f"<< /Type /Font /Subtype /Type0 {composite} >>".encode(),
        f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /{one.font} /CIDSystemInfo {system} /DW 1000"
        f" /FontDescriptor {first + 2} 0 R >>".encode(),
        f"<< /Type /FontDescriptor {described} /Descent -271 /CapHeight 737 /StemV 91 >>".encode(),
    ]
