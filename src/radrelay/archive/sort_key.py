"""The sort key of a study: one integer that orders by study date and time and is unique.

17 bits of days since 1900-01-01, 17 bits of seconds of the day, 29 random bits. A study without a date sorts as
the oldest. A range of dates is a range of keys, and the text index counts its rows by them.
"""

from __future__ import annotations

import secrets
from datetime import date, time

RANDOM_BITS = 29
TIME_BITS = 17
FIRST_DATED = 1 << (TIME_BITS + RANDOM_BITS)  # the least key of a study that has a date
_FIRST_DAY = date(1900, 1, 1).toordinal() - 1  # day 0 stands for no date
_LAST_DAY = (1 << 17) - 1


def sort_key(study_date: date | None, study_time: time | None) -> int:
    """Return a key for a study of this date and time, with a new random end."""
    seconds = 0
    if study_time is not None:
        seconds = study_time.hour * 3600 + study_time.minute * 60 + study_time.second
    moment = _day(study_date) << TIME_BITS | seconds
    return moment << RANDOM_BITS | secrets.randbits(RANDOM_BITS)


def redrawn(key: int) -> int:
    """Return `key` with another random end."""
    return key >> RANDOM_BITS << RANDOM_BITS | secrets.randbits(RANDOM_BITS)


def first_key(day: date) -> int:
    """Return the least key of studies of `day`; those of earlier days and without a date lie below."""
    return _day(day) << (TIME_BITS + RANDOM_BITS)


def last_key(day: date) -> int:
    """Return the greatest key of studies of `day`."""
    return (_day(day) + 1 << (TIME_BITS + RANDOM_BITS)) - 1


def _day(study_date: date | None) -> int:
    if study_date is None:
        return 0
    return min(max(study_date.toordinal() - _FIRST_DAY, 1), _LAST_DAY)
