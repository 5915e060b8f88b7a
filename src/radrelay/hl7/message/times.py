"""Dates and times as HL7 writes them: `YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-ZZZZ]` (HL7 v2.5 2.A.22).

A birth date stays the day that was written, whatever zone stands beside it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6})\d*)?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)


def parse_date(text: str) -> date | None:
    """Return the day as it was written, None for one that is incomplete or is none."""
    found = _TIME.fullmatch(text.strip())
    if found is None or found[3] is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def parse_time(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return the moment, of a time without zone in `zone`; None for one that is incomplete or is none.

    A day alone is its beginning.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None or found[3] is None:
        return None
    year, month, day, hour, minute, second = (int(found[place] or 0) for place in range(1, 7))
    micro = int((found[7] or "").ljust(6, "0"))
    try:
        return datetime(
            year, month, day, hour, minute, min(second, 59), micro, zone if found[8] is None else _offset(found[8])
        )
    except ValueError:
        return None


def _offset(text: str) -> timezone:
    """Return the zone of `+0215`; raises `ValueError`."""
    span = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return timezone(span if text[0] == "+" else -span)


def write_time(at: datetime) -> str:
    """Return a moment to the second, with its zone."""
    return f"{at:%Y%m%d%H%M%S%z}"
