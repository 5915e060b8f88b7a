"""Descriptions cleaned by an allow-list (PS3.15 E.3.5): only words known to be technique or anatomy, and small numbers.

In: a text, and the words that a site adds. Out: the text without names, dates, numbers that may identify, and words
that nobody vouched for. A name that is also an allowed word is taken out beforehand (`identity`).
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_DATE_LIKE = re.compile(r"\d{1,4}\s*[./:-]\s*\d{1,2}\s*[./:-]\s*\d{1,4}")
_LONG_NUMBER = re.compile(r"(?:\d[\s./-]*){6,}")
_WORDS = re.compile(r"([^\W_]+)")
_NUMBER = re.compile(r"\d{1,3}|\d{1,3}(?:mm|cm|s|ms|kv|mas|t|ml|mg|hu|x|min|d)|[bht]\d{1,4}[fhs]?|[clts]\d{1,2}")
_GAPS = re.compile(r"\s{2,}")
_ENDS = " \t-_/.,;:+*#()[]&'\"|~^="


_TERMS = frozenset((
    "original", "derived", "primary", "secondary", "container", "text", "num", "code", "pname", "datetime", "date",
    "uidref", "composite", "waveform", "scoord", "scoord3d", "tcoord", "contains", "has", "properties", "obs",
    "context",
    "acq", "inferred", "selected", "concept", "mod", "separate", "continuous", "other", "none", "unknown", "mixed",
    "yes", "no", "true", "false", "rcbf", "rcbv", "auto", "approved", "unapproved", "rejected", "polygon", "polyline",
    "point", "circle", "ellipse", "multipoint", "closed", "planar", "open", "uncombined", "square", "linear", "area",
))  # fmt: skip
"""Defined terms of code strings that hold a data set together, besides the words of technique."""


@cache
def allowed_words() -> frozenset[str]:
    """Return the words that come along, in lower case."""
    text = files(__package__).joinpath("allowed_words.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def is_technical(text: str) -> bool:
    """Return whether a code string is made of terms of technique alone: these stay, whatever a person is called."""
    words = [word.casefold() for word in _WORDS.findall(text)]
    return all(word in _TERMS or word in allowed_words() for word in words)


def cleaned(text: str, own_words: frozenset[str]) -> str:
    """Return `text` with allowed words only; its lines stay apart."""
    return "\n".join(_line(line, own_words) for line in text.replace("\r\n", "\n").split("\n")).strip()


def _line(line: str, own_words: frozenset[str]) -> str:
    known = allowed_words()
    plain = _LONG_NUMBER.sub(" ", _DATE_LIKE.sub(" ", line))
    kept = []
    for index, part in enumerate(_WORDS.split(plain)):
        lower = part.casefold() if index % 2 else ""
        if not index % 2 or lower in known or lower in own_words or _NUMBER.fullmatch(lower):
            kept.append(part)
    return _GAPS.sub(" ", "".join(kept)).strip(_ENDS)
