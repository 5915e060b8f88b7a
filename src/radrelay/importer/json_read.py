"""JSON as portals, links and recordings hold it: read into what can be kept and shown, whatever it is.

Half of a surrogate pair, which JSON can write and no encoding can, becomes a question mark. What is nested too deep to
be read is no JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

MOST_COUNTED = 1_000_000_000
"""No list counts more files; a number of thousands of digits is none."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(body: bytes, numbers: Callable[[str], Any] | None = None) -> Any:
    """Return what is said, `numbers` made of its numbers as they are written; raises `ValueError` for what is none."""
    text = body.decode(json.detect_encoding(body))
    try:
        told = json.loads(text, parse_int=numbers, parse_float=numbers)
        if _SURROGATE.search(text):
            told = json.loads(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    return told


def text_of(told: object) -> str:
    """Return a text or a number as text; nothing for what is neither."""
    return str(told) if isinstance(told, str | int | float) and not isinstance(told, bool) else ""


def count_of(told: object) -> int | None:
    """Return a count, some of which are written as 10.0; none for what is none."""
    if isinstance(told, float) and told.is_integer():
        told = int(told)
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= MOST_COUNTED else None
