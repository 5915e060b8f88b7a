"""Pages of paper as a PDF (ISO 32000-1): text in the standard fonts, and squares, such as a QR code's.

In: what stands where, in points from the lower left corner of an A4 page. Out: the file. Standard fonts need no font
file; their letters are named one by one, so that all of Latin can be written, Łódź as well as Öhringen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

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
_BOLD, _FIXED = 1.07, 0.6
_MARKS = {
    0x300: "grave", 0x301: "acute", 0x302: "circumflex", 0x303: "tilde", 0x304: "macron", 0x306: "breve",
    0x307: "dotaccent", 0x308: "dieresis", 0x30A: "ring", 0x30B: "hungarumlaut", 0x30C: "caron", 0x326: "commaaccent",
    0x327: "cedilla", 0x328: "ogonek",
}  # fmt: skip
_NAMES = {
    "ß": "germandbls", "æ": "ae", "Æ": "AE", "ø": "oslash", "Ø": "Oslash", "œ": "oe", "Œ": "OE", "ł": "lslash",
    "Ł": "Lslash", "đ": "dcroat", "Đ": "Dcroat", "ð": "eth", "Ð": "Eth", "þ": "thorn", "Þ": "Thorn", "ı": "dotlessi",
    "–": "endash", "—": "emdash", "’": "quoteright", "‘": "quoteleft", "„": "quotedblbase", "“": "quotedblleft",
    "”": "quotedblright", "…": "ellipsis", "·": "periodcentered", "«": "guillemotleft", "»": "guillemotright",
    "§": "section", "°": "degree",
}  # fmt: skip
FIRST_NAMED = 128


def can_write(text: str) -> bool:
    """Say whether every letter of a text has a place in the standard fonts."""
    return all(_is_plain(char) or _name(char) for char in text)


def width_of(text: str, size: float, font: Font = "plain") -> float:
    """Return how long a text is, in points."""
    if font == "fixed":
        return len(text) * size * _FIXED
    bare = (unicodedata.normalize("NFD", char)[0] for char in text)
    total = sum(_WIDTHS[ord(char) - 32] if _is_plain(char) else 556 for char in bare)
    return total * size / 1000 * (_BOLD if font == "bold" else 1)


def lines_of(text: str, size: float, width: float, font: Font = "plain") -> list[str]:
    """Break a text into lines of at most `width` points, between words; a word that is longer stands alone."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class Paper:
    """A page that is being written."""

    def __init__(self) -> None:
        self._drawn: list[bytes] = []
        self._codes: dict[str, int] = {}

    def text(self, x: float, y: float, text: str, size: float, font: Font = "plain", grey: float = 0.1) -> None:
        """Write a line that begins at `x` and stands on `y`; `grey` is 0 for black and 1 for white."""
        shown = self._encoded(text)
        self._drawn.append(
            b"BT %.2f g /%s %.2f Tf %.2f %.2f Td <%s> Tj ET"
            % (grey, _FONTS[font][0].encode(), size, x, y, shown.hex().encode())
        )

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

    def _encoded(self, text: str) -> bytes:
        return bytes(ord(char) if _is_plain(char) else self._code(char) for char in text)

    def _code(self, char: str) -> int:
        if not _name(char):
            return ord("?")
        if char not in self._codes and FIRST_NAMED + len(self._codes) < 256:
            self._codes[char] = FIRST_NAMED + len(self._codes)
        return self._codes.get(char, ord("?"))

    def pdf(self, title: str, language: str) -> bytes:
        """Return the file of this page alone."""
        return bound([self], title, language)

    def _objects(self, first: int) -> list[bytes]:
        """Return the page's objects, numbered from `first`: itself, what is drawn, and its fonts with its letters."""
        named = " ".join(f"{code} /{_name(char)}" for char, code in self._codes.items())
        encoding = f"<< /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [{named}] >>"
        fonts = " ".join(f"/{key} {first + 2 + place} 0 R" for place, (key, _) in enumerate(_FONTS.values()))
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
    each = 2 + len(_FONTS)
    firsts = [3 + place * each for place in range(len(pages))]
    kids = " ".join(f"{first} 0 R" for first in firsts)
    shown = "/ViewerPreferences << /DisplayDocTitle true >>"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /Lang ({language}) {shown} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(one for page, first in zip(pages, firsts, strict=True) for one in page._objects(first)),
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


def _name(char: str) -> str:
    """Return the name of a letter (Adobe Glyph List), empty for one that the standard fonts have not."""
    if char in _NAMES:
        return _NAMES[char]
    base, *marks = list(unicodedata.normalize("NFD", char))
    if len(marks) == 1 and base.isascii() and base.isalpha() and ord(marks[0]) in _MARKS:
        return base + _MARKS[ord(marks[0])]
    return ""
