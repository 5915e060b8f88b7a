"""Pages of paper as a PDF (ISO 32000-1): text in the standard fonts, and squares, such as a QR code's.

In: what stands where, in points from the lower left corner of an A4 page. Out: the file. Standard fonts need no font
file; their letters are named one by one, and those that viewers have not are put together or asked of the viewer's
system (`paper_letters`), so that Łódź, Çağla and 山田 can be written as well as Öhringen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal

from radrelay.web.paper_letters import Composed, Ordering, collection, collection_objects, composed, plainer

WIDTH, HEIGHT = 595, 842  # A4 in points
Font = Literal["plain", "bold", "fixed"]
_FONTS: dict[Font, tuple[str, str]] = {
    "plain": ("F1", "Helvetica"),
    "bold": ("F2", "Helvetica-Bold"),
    "fixed": ("F3", "Courier"),
}
# Widths of Helvetica's letters from the space to the tilde, in thousandths of the font's size (Adobe AFM).
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
_BOLD, _FIXED, _ACCENT = 1.07, 0.6, 333
_NAMES = {
    "ß": "germandbls", "æ": "ae", "Æ": "AE", "ø": "oslash", "Ø": "Oslash", "œ": "oe", "Œ": "OE", "ł": "lslash",
    "Ł": "Lslash", "Đ": "Eth", "ð": "eth", "Ð": "Eth", "þ": "thorn", "Þ": "Thorn", "ı": "dotlessi",
    "–": "endash", "—": "emdash", "’": "quoteright", "‘": "quoteleft", "„": "quotedblbase", "“": "quotedblleft",
    "”": "quotedblright", "…": "ellipsis", "·": "periodcentered", "«": "guillemotleft", "»": "guillemotright",
    "§": "section", "°": "degree", "×": "multiply",
}  # fmt: skip
FIRST_NAMED = 128
Kind = Ordering | Literal["named", "composed"]


def can_write(text: str) -> bool:
    """Say whether every letter of a text can be written."""
    return all(_is_plain(char) or _name(char) or composed(char) or collection(plainer(char)) for char in text)


def width_of(text: str, size: float, font: Font = "plain") -> float:
    """Return how long a text is, in points."""
    if font == "fixed":
        return len(text) * size * _FIXED
    return sum(map(_width, text)) * size / 1000 * (_BOLD if font == "bold" else 1)


def _width(char: str) -> int:
    bare = unicodedata.normalize("NFD", char)[0]
    if _is_plain(bare):
        return _WIDTHS[ord(bare) - 32]
    return 1000 if collection(char) else 556


def lines_of(text: str, size: float, width: float, font: Font = "plain", *, split: bool = False) -> list[str]:
    """Break a text into lines of at most `width` points, between words.

    A word that is longer stands alone, or with `split` is broken where the line ends: Japanese has no spaces.
    """
    lines: list[str] = []
    words = (part for word in text.split() for part in (_parts(word, size, width, font) if split else (word,)))
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _parts(word: str, size: float, width: float, font: Font) -> list[str]:
    parts = [""]
    for char in word:
        if parts[-1] and width_of(parts[-1] + char, size, font) > width:
            parts.append("")
        parts[-1] += char
    return parts


class Paper:
    """A page that is being written."""

    def __init__(self) -> None:
        self._drawn: list[bytes] = []
        self._codes: dict[str, int] = {}
        self.collections: set[Ordering] = set()
        """Which of the viewer's own fonts are asked for."""

    def text(self, x: float, y: float, text: str, size: float, font: Font = "plain", grey: float = 0.1) -> None:
        """Write a line that begins at `x` and stands on `y`; `grey` is 0 for black and 1 for white."""
        drawn = b" ".join(self._run(kind, "".join(run), size, font) for kind, run in groupby(map(plainer, text), _kind))
        self._drawn.append(b"BT %.2f g %.2f %.2f Td %b ET" % (grey, x, y, drawn))

    def _run(self, kind: Kind, text: str, size: float, font: Font) -> bytes:
        """Return how letters of one kind are written that follow each other."""
        begun = b"/%b %.2f Tf " % (_FONTS[font][0].encode(), size)
        if kind == "named":
            return begun + b"<%b> Tj" % bytes(self._code(char) for char in text).hex().encode()
        if kind == "composed":
            return begun + b" ".join(self._together(char, one, size) for char in text if (one := composed(char)))
        self.collections.add(kind)
        return b"/%b %.2f Tf <%b> Tj" % (kind.encode(), size, text.encode("utf-16-be").hex().encode())

    def _together(self, char: str, one: Composed, size: float) -> bytes:
        """Write an accent onto its base, and note which letter that is for who searches or copies the text."""
        base, mark = _WIDTHS[ord(one.base) - 32], _ACCENT
        ogonek = (base - mark) // 2 - 20 if one.mark == "ogonek" else 0  # which hangs at the right
        back, on = (base + mark) // 2 - ogonek, (base - mark) // 2 - ogonek
        name = b"/Span << /ActualText <feff%b> >> BDC" % char.encode("utf-16-be").hex().encode()
        code = self._named(one.mark)
        return b"%b [<%02x> %d] TJ %.2f Ts [<%02x> %d] TJ 0 Ts EMC" % (
            name, ord(one.base), back, size * one.rise, code, -on,
        )  # fmt: skip

    def squares(self, x: float, y: float, size: float, rows: Sequence[Sequence[int]]) -> None:
        """Draw a matrix of black and white squares; `x` and `y` are its lower left corner, `size` its side."""
        one = size / len(rows)
        self._drawn.append(b"0 g")
        for line, row in enumerate(rows):
            for begin, length in _runs(row):
                left, low = x + begin * one, y + size - (line + 1) * one
                self._drawn.append(b"%.3f %.3f %.3f %.3f re" % (left, low, length * one, one))
        self._drawn.append(b"f")

    def rule(self, x: float, y: float, width: float) -> None:
        """Draw a fine line."""
        self._drawn.append(b"0.8 G 0.75 w %.2f %.2f m %.2f %.2f l S" % (x, y, x + width, y))

    def _code(self, char: str) -> int:
        if _is_plain(char):
            return ord(char)
        return self._named(_name(char)) if _name(char) else ord("?")

    def _named(self, name: str) -> int:
        if name not in self._codes and FIRST_NAMED + len(self._codes) < 256:
            self._codes[name] = FIRST_NAMED + len(self._codes)
        return self._codes.get(name, ord("?"))

    def pdf(self, title: str, language: str) -> bytes:
        """Return the file of this page alone."""
        return bound([self], title, language)

    def _objects(self, first: int, collections: Mapping[Ordering, int]) -> list[bytes]:
        """Return the page's objects, numbered from `first`: itself, what is drawn, and its fonts with its letters."""
        named = " ".join(f"{code} /{name}" for name, code in self._codes.items())
        encoding = f"<< /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [{named}] >>"
        fonts = " ".join(f"/{key} {first + 2 + place} 0 R" for place, (key, _) in enumerate(_FONTS.values()))
        fonts += "".join(f" /{name} {collections[name]} 0 R" for name in sorted(self.collections))
        page = f"/Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {first + 1} 0 R"
        content = b"\n".join(self._drawn)
        return [
            f"<< {page} /Resources << /Font << {fonts} >> >> >>".encode(),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            *(
                f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding {encoding} >>".encode()
                for _, name in _FONTS.values()
            ),
        ]


def bound(pages: Sequence[Paper], title: str, language: str) -> bytes:
    """Return the file of several pages."""
    wanted = sorted({name for page in pages for name in page.collections})
    collections = {name: 3 + 3 * place for place, name in enumerate(wanted)}
    begin, each = 3 + 3 * len(wanted), 2 + len(_FONTS)
    firsts = [begin + place * each for place in range(len(pages))]
    kids = " ".join(f"{first} 0 R" for first in firsts)
    shown = "/ViewerPreferences << /DisplayDocTitle true >>"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /Lang ({language}) {shown} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(one for name, first in collections.items() for one in collection_objects(name, first)),
        *(one for page, first in zip(pages, firsts, strict=True) for one in page._objects(first, collections)),
        b"<< /Title <feff%s> >>" % title.encode("utf-16-be").hex().encode(),
    ]
    return _file(objects)


def _file(objects: Iterable[bytes]) -> bytes:
    """Put numbered objects, the first the catalogue and the last the information, into a file (ISO 32000-1 7.5)."""
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table, count = len(out), len(places) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % count
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, count - 1, table)
    return bytes(out)


def _runs(row: Sequence[int]) -> Iterable[tuple[int, int]]:
    begin = None
    for place, dark in enumerate([*row, 0]):
        if dark and begin is None:
            begin = place
        elif not dark and begin is not None:
            yield begin, place - begin
            begin = None


def _is_plain(char: str) -> bool:
    return " " <= char <= "~"


def _kind(char: str) -> Kind:
    """Return how a character is written: by name, put together, or by a collection; what cannot be, as by name."""
    if _is_plain(char) or _name(char):
        return "named"
    return "composed" if composed(char) else collection(char) or "named"


def _name(char: str) -> str:
    """Return the name of a letter of the standard Latin set (ISO 32000-1 Annex D.2), empty for another."""
    if char in _NAMES:
        return _NAMES[char]
    one = composed(char) if _is_standard(char) else None
    return "" if one is None else one.base + one.mark


def _is_standard(char: str) -> bool:
    """Say whether a letter is in the code page of Western European Windows, which the standard set has whole."""
    try:
        char.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True
