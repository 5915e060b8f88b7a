"""Values of the text VRs as Python objects (PS3.5 6.2): dates, times, numbers, person names.

In: decoded text as senders write it. Out: a value, or none when it is none; nothing here raises on bad input.
"""

from __future__ import annotations

import math
import re
from datetime import date, time

_DATE = re.compile(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(?:(\d{2}):?(?:(\d{2})(?:\.(\d{1,6})\d*)?)?)?")


def parse_date(text: str) -> date | None:
    """Return the date of a DA (also in ACR-NEMA's form, with dots) or of the beginning of a DT."""
    text = text.strip()
    try:
        if len(text) == 8 and text.isdecimal():
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        found = _DATE.match(text)
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def parse_time(text: str) -> time | None:
    """Return the time of a TM (also with colons); a leap second counts as second 59."""
    found = _TIME.match(text.strip())
    if not found:
        return None
    hour, minute, second, fraction = found.groups()
    try:
        return time(
            int(hour), int(minute or 0), min(int(second or 0), 59), int(fraction.ljust(6, "0")) if fraction else 0
        )
    except ValueError:
        return None


def parse_integer(text: str) -> int | None:
    """Return the number of an IS, which some write as a decimal."""
    try:
        return int(text) if len(text) < 32 else None
    except ValueError:
        number = parse_number(text)
        return int(number) if number is not None else None


def parse_number(text: str) -> float | None:
    """Return the finite number of a DS, with a comma for the point if need be."""
    if len(text) > 64:
        return None
    try:
        number = float(text)
    except ValueError:
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            return None
    return number if math.isfinite(number) else None


def trim_name(text: str) -> str:
    """Return a person name without the empty components and groups at its end (PS3.5 6.2.1)."""
    if "=" not in text:
        return text.rstrip("^ ").strip() if text[-1:] in ("^", " ") else text
    return "=".join(group.strip().rstrip("^ ") for group in text.split("=")[:3]).rstrip("=")
