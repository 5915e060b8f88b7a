"""Text by Specific Character Set (0008,0005): PS3.3 C.12.1.1.2, PS3.5 6.1.

In: bytes of a value and the character set in force. Out: str, whatever the bytes are: what cannot be decoded becomes
U+FFFD. Code extensions (ISO 2022) are followed by the escape sequences that are there, declared or not. What Radrelay
writes itself is in ISO_IR 192 (UTF-8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

OURS = "ISO_IR 192"

_CODECS = {
    "6": "ascii",
    "13": "shift_jis",
    "58": "gb2312",
    "87": "iso2022_jp",
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "149": "euc_kr",
    "159": "iso2022_jp_2",
    "166": "tis_620",
    "192": "utf_8",
    "203": "iso8859_15",
}
_WHOLE = {"GB18030": "gb18030", "GBK": "gb18030", "ISO 2022 GBK": "gb18030", "UTF-8": "utf_8", "UTF8": "utf_8"}

# what an escape sequence designates: (is it G0, codec); G0 of two bytes each keeps the sequence for Python's codec
_DESIGNATIONS = {
    b"(B": (True, "ascii"),
    b"(J": (True, "ascii"),
    b"$B": (True, "iso2022_jp"),
    b"$@": (True, "iso2022_jp"),
    b"$(D": (True, "iso2022_jp_2"),
    b")I": (False, "shift_jis"),
    b"-A": (False, "latin_1"),
    b"-B": (False, "iso8859_2"),
    b"-C": (False, "iso8859_3"),
    b"-D": (False, "iso8859_4"),
    b"-F": (False, "iso8859_7"),
    b"-G": (False, "iso8859_6"),
    b"-H": (False, "iso8859_8"),
    b"-L": (False, "iso8859_5"),
    b"-M": (False, "iso8859_9"),
    b"-T": (False, "tis_620"),
    b"-b": (False, "iso8859_15"),
    b"$)A": (False, "gb2312"),
    b"$)C": (False, "euc_kr"),
}
_ESCAPE = re.compile(rb"\x1b(\$[()]?[@-~]|[()\-][@-~])")
_DELIMITERS = re.compile(rb"([\\\r\n\f\t])")
_NAME_DELIMITERS = re.compile(rb"([\\\r\n\f\t^=])")


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The character set of a data set or item.

    `codec` decodes values without escape sequences; it is empty when none but the default repertoire is declared.
    """

    terms: tuple[str, ...] = ()
    codec: str = ""
    extended: bool = False
    unknown: tuple[str, ...] = ()

    def decode(self, raw: bytes, *, name: bool = False) -> str:
        """Return the text of `raw`; `name` marks a person name, whose delimiters end a code extension too."""
        if b"\x1b" in raw and self.codec not in ("utf_8", "gb18030"):
            return _decode_extended(raw, self.codec, _NAME_DELIMITERS if name else _DELIMITERS)
        if raw.isascii():
            return raw.decode("ascii")
        return _decode_plain(raw, self.codec)


DEFAULT = CharacterSet()


@lru_cache(maxsize=256)
def character_set(raw: bytes) -> CharacterSet:
    """Return the character set that a value of (0008,0005), as encoded, declares; terms are taken in any spelling."""
    terms = tuple(part.strip(b"\0 ").decode("ascii", "replace") for part in raw.split(b"\\"))
    codecs = [_codec_of(term) for term in terms]
    unknown = tuple(term for term, codec in zip(terms, codecs, strict=True) if codec is None)
    first = codecs[0] or ""
    return CharacterSet(terms, "" if first == "ascii" else first, len(terms) > 1, unknown)


def _codec_of(term: str) -> str | None:
    """Return Python's codec for a defined term, empty for none, None for an unknown one."""
    if not term:
        return ""
    upper = term.upper()
    if upper in _WHOLE:
        return _WHOLE[upper]
    number = re.search(r"(\d+)$", upper)
    return _CODECS.get(number[1]) if number and "ISO" in upper else None


def _decode_plain(raw: bytes, codec: str) -> str:
    if not codec:
        # outside of the declared repertoire: UTF-8 is told by its form, Latin-1 is the usual culprit otherwise
        try:
            return raw.decode("utf_8")
        except UnicodeDecodeError:
            return raw.decode("latin_1")
    if codec in ("iso2022_jp", "iso2022_jp_2"):
        return raw.decode("shift_jis", "replace")  # no escape sequence: the G1 of ISO-IR 13 at best
    return raw.decode(codec, "replace")


def _decode_extended(raw: bytes, first: str, delimiters: re.Pattern[bytes]) -> str:
    """Decode a value with escape sequences (PS3.5 6.1.2.5): G0 and G1 as designated so far.

    A delimiter returns to the designations of the first term, unless that one has no G1 of its own: then what was
    designated stays, since senders exist that forget to repeat it.
    """
    right = first = "" if first in ("iso2022_jp", "iso2022_jp_2") else first
    left = b""
    pieces = _ESCAPE.split(raw)
    texts = [_decode_plain(pieces[0], first)]
    for escape, text in zip(pieces[1::2], pieces[2::2], strict=True):
        is_left, codec = _DESIGNATIONS.get(escape, (True, "ascii"))
        if is_left:
            left = b"" if codec == "ascii" else b"\x1b" + escape
        else:
            right = codec
        if left:
            texts.append(_decode_pairs(left, codec if is_left else "iso2022_jp_2", text, right))
            continue
        for index, part in enumerate(delimiters.split(text)):
            if index % 2:
                right = first or right
            texts.append(_decode_plain(part, right))
    return "".join(texts)


def _decode_pairs(left: bytes, codec: str, text: bytes, right: str) -> str:
    """Decode text in a G0 of two bytes a character, with single bytes of G1 in between."""
    if text.isascii():
        return (left + text).decode(codec, "replace")
    parts = re.split(rb"([\x80-\xff]+)", text)
    return "".join(
        _decode_plain(part, right) if index % 2 else (left + part).decode(codec, "replace")
        for index, part in enumerate(parts)
    )


def encode(text: str, terms: tuple[str, ...] = (OURS,)) -> bytes:
    """Return `text` in the character set of `terms`; what it lacks becomes a question mark.

    Without code extensions by the first term's codec. With them each run of text is in the first term that has it,
    designated anew after each delimiter, with ASCII active again before it (PS3.5 6.1.2.5.3).
    """
    codecs = [_codec_of(term) or "ascii" for term in terms]
    if len(codecs) == 1:
        return text.encode(codecs[0], "replace")
    return b"".join(
        part.encode("ascii") if index % 2 else _encode_run(part, codecs)
        for index, part in enumerate(re.split(r"([\\^=\r\n\f\t])", text))
    )


_RIGHT_ESCAPES = {codec: b"\x1b" + escape for escape, (left, codec) in _DESIGNATIONS.items() if not left}


def _encode_run(text: str, codecs: list[str]) -> bytes:
    for index, codec in enumerate(codecs):
        try:
            encoded = text.encode(codec)
        except UnicodeEncodeError:
            continue
        if codec == "shift_jis" and any(len(letter.encode(codec)) > 1 for letter in text):
            continue  # ISO-IR 13 is single bytes only
        if index == 0 or codec.startswith("iso2022") or encoded.isascii():
            return encoded
        return _RIGHT_ESCAPES[codec] + encoded
    return text.encode("ascii", "replace")
