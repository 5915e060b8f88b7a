"""Dates moved by whole days: DA and DT of any precision, as senders write them (PS3.5 6.2).

In: a value and a number of days. Out: the value of the same form and precision. Intervals between the dates of a
patient stay; times of day (TM) stay as they are, since whole days move.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(\.?)(?:(\d{2})(?:\2(\d{2}))?)?")
_DATETIME = re.compile(r"(\d{4})()(?:(\d{2})(?:(\d{2})([\d.]*)?)?)?([+-]\d{4})?")
_MIDDLE_OF_YEAR, _MIDDLE_OF_MONTH = 7, 15


def moved(text: str, vr: str, days: int) -> str | None:
    """Return one value of a DA, DT or TM moved by `days`, none when it is no such value.

    A date without a day or month is taken as the middle of what it names.
    """
    if vr == "TM":
        return text if re.fullmatch(r"[\d:.]+", text) else None
    found = (_DATE if vr == "DA" else _DATETIME).fullmatch(text)
    if found is None:
        return None
    year, separator, month, day = found[1], found[2], found[3], found[4]
    try:
        then = date(int(year), int(month or _MIDDLE_OF_YEAR), int(day or _MIDDLE_OF_MONTH)) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    parts = [f"{then.year:04d}", f"{then.month:02d}" if month else "", f"{then.day:02d}" if day else ""]
    rest = "" if vr == "DA" else (found[5] or "") + (found[6] or "")
    return separator.join(part for part in parts if part) + rest
