"""Character sets by MSH-18 (HL7 table 0211), in the spellings that senders use.

What declares nothing is ASCII by the standard. Where such a message holds other bytes, UTF-8 is told by its form, and
ISO 8859-1 is the usual rest of Europe's.
"""

from __future__ import annotations

import re
from functools import lru_cache

from radrelay.hl7.errors import CharactersBroken, CharactersUnknown

BY_ISO_IR = {
    "6": "ascii", "13": "shift_jis", "14": "iso2022_jp", "58": "gb2312", "87": "iso2022_jp", "100": "iso8859_1",
    "101": "iso8859_2", "109": "iso8859_3", "110": "iso8859_4", "126": "iso8859_7", "127": "iso8859_6",
    "138": "iso8859_8", "144": "iso8859_5", "148": "iso8859_9", "149": "euc_kr", "159": "iso2022_jp_2",
    "166": "tis_620", "192": "utf_8", "203": "iso8859_15",
}  # fmt: skip
BY_NAME = {
    "ASCII": "ascii", "USASCII": "ascii", "UNICODE": "utf_8", "UNICODEUTF8": "utf_8", "UTF8": "utf_8",
    "GB180302000": "gb18030", "GB18030": "gb18030", "GBK": "gbk", "KSX1001": "euc_kr", "BIG5": "big5",
    "CNS116431992": "big5", "ANSI": "cp1252", "LATIN1": "iso8859_1", "LATIN9": "iso8859_15",
}  # fmt: skip
_PARTS = re.compile(r"[ISO]*0*8859([0-9]{1,2})")
_WINDOWS = re.compile(r"(?:WINDOWS|CP)(125[0-8]|437|850)")
_ISO_IR = re.compile(r"ISOIR([0-9]{1,3})")


@lru_cache(maxsize=256)
def codec_of(name: str) -> str | None:
    """Return Python's codec for a character set by any of its names, None for one that is not known."""
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    if plain in BY_NAME:
        return BY_NAME[plain]
    if found := _PARTS.fullmatch(plain):
        return f"iso8859_{found[1]}" if int(found[1]) in (*range(1, 12), *range(13, 17)) else None
    if found := _WINDOWS.fullmatch(plain):
        return f"cp{found[1]}"
    found = _ISO_IR.fullmatch(plain)
    return BY_ISO_IR.get(found[1]) if found else None


def decode(raw: bytes, declared: str, default: str = "", *, trust: bool = True) -> tuple[str, str]:
    """Return the text of `raw` and the codec that it was read by.

    `declared` is MSH-18, whose first repetition counts; `default` is what is set for the sender. It stands in where
    nothing is declared, and takes the place of what is declared if that is not to be trusted.
    Raises `CharactersUnknown` and `CharactersBroken`.
    """
    name = declared if declared and (trust or not default) else default
    if not name:
        return _guessed(raw)
    codec = codec_of(name)
    if codec is None:
        raise CharactersUnknown(f"the character set {name[:40]!r} is not known", "MSH-18")
    try:
        return raw.decode(codec), codec
    except UnicodeDecodeError as error:
        raise CharactersBroken(f"the byte at {error.start} is not in the character set {name[:40]}") from error


def _guessed(raw: bytes) -> tuple[str, str]:
    if raw.isascii():
        return raw.decode("ascii"), "ascii"
    try:
        return raw.decode("utf_8"), "utf_8"
    except UnicodeDecodeError:
        return raw.decode("iso8859_1"), "iso8859_1"
