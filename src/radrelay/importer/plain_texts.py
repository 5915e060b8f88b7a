"""Plain texts as words, where nobody has to guess in which character set they are.

In: a file's bytes. Out: its text; none for what may be read in several ways, and for what is no text.
"""

from __future__ import annotations

import re

TEXTS = (".txt", ".text")
LARGEST_TEXT = 1 << 20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LINES = re.compile(r"\r\n?|\n|\f")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_LETTERS = "ÄÖÜäöüßàâáãåæçèéêëìíîïñòóôõøùúûÿÀÂÁÅÆÇÈÉÊËÍÑÓÔØÚÛ"
_SIGNS = "§°µ²³¹½¼¾·±×÷«»–—‘’‚“”„…•€™®©´\xa0\xad"
_WESTERN = re.compile(f"[\x00-\x7f{_LETTERS}{_SIGNS}]*")
_RUN = re.compile("[^\x00-\x7f]{3}")
_AMID = re.compile(f"[A-Za-z{_LETTERS}][„“”‚§¹³][A-Za-z{_LETTERS}]")
"""Signs that stand in no word: ä, ö and é of DOS, ß of Mac OS, ą and ł of Windows-1250 would be read so."""


def text_of(content: bytes) -> str | None:
    """Return a text with DICOM's ends of lines (CR LF), as UTF-8 or UTF-16 says it, or by Western letters among others.

    Windows-1252 is believed where all that is not ASCII is a letter or sign of Western languages, never stands three
    in a row, and no sign stands in a word: read so, Cyrillic, Greek or Japanese of other character sets has rows of
    them, and Western texts of others have signs for letters.
    """
    if len(content) > LARGEST_TEXT:
        return None
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = _western(content)
    if _CONTROLS.search(text):
        return None
    return _LINES.sub("\r\n", text.strip("\ufeff \r\n\t\f")) or None


def _western(content: bytes) -> str:
    """Return a Windows-1252 text; nothing for what is hardly one."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    return text if _WESTERN.fullmatch(text) and not (_RUN.search(text) or _AMID.search(text)) else ""
