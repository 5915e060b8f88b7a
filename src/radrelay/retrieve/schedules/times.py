"""When a schedule runs, by the clock on the site's wall: five fields as cron has them (minute hour day month weekday).

Lists, ranges and steps are read; weekdays are 0 to 7, Sunday both. Where day and weekday are both named, either is
enough, as cron has it. A time that the clock leaps over counts once at the moment of the leap, and of an hour that
comes twice only the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from radrelay.retrieve.errors import ScheduleInvalid

_DAY = timedelta(days=1)
_FARTHEST = 366 * 8  # 29 February comes again within eight years
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_PART = re.compile(r"(\*|\d{1,2}(?:-\d{1,2})?)(?:/(\d{1,2}))?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Times:
    """The minutes at which a schedule runs."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either: bool  # day and weekday are both named

    def on(self, day: date) -> bool:
        """Say whether it runs on a day."""
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((of_month or of_week) if self.either else (of_month and of_week))

    def after(self, moment: datetime, zone: tzinfo | None) -> datetime | None:
        """Return the first moment after another at which it runs (UTC), None if never."""
        first = moment.astimezone(zone).date() - _DAY
        for ahead in range(_FARTHEST):
            day = first + ahead * _DAY
            if self.on(day):
                found = next((one for one in self._moments(day, zone) if one > moment), None)
                if found is not None:
                    return found
        return None

    def _moments(self, day: date, zone: tzinfo | None) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                yield moment_of(datetime.combine(day, time(hour, minute)), zone)


def read_times(text: str) -> Times:
    """Return the times that five fields name; raises `ScheduleInvalid`."""
    fields = text.split()
    if len(fields) != len(_BOUNDS):
        raise ScheduleInvalid("times: five fields, as 30 5 * * 1-5", field="times")
    minutes, hours, days, months, weekdays = (
        _values(field, *bounds) for field, bounds in zip(fields, _BOUNDS, strict=True)
    )
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    week = frozenset(one % 7 for one in weekdays)
    times = Times(tuple(sorted(minutes)), tuple(sorted(hours)), frozenset(days), frozenset(months), week, either)
    if times.after(datetime(2024, 1, 1, tzinfo=UTC), UTC) is None:
        raise ScheduleInvalid("times: there is no such day", field="times")
    return times


def moment_of(wall: datetime, zone: tzinfo | None) -> datetime:
    """Return a time on the wall as a moment: the first of two, and the end of the leap for one that is leapt over."""
    while True:
        placed = (wall.replace(tzinfo=zone) if zone is not None else wall.astimezone()).astimezone(UTC)
        if placed.astimezone(zone).replace(tzinfo=None) == wall:
            return placed
        wall += timedelta(minutes=1)


def clock_after(clock: str, moment: datetime, zone: tzinfo | None) -> datetime:
    """Return when the wall next says a time (HH:MM) after a moment; raises `ScheduleInvalid`."""
    found = _CLOCK.fullmatch(clock)
    if found is None:
        raise ScheduleInvalid("stop_at: a time as HH:MM", field="stop_at")
    day = moment.astimezone(zone).date()
    at = time(int(found[1]), int(found[2]))
    moments = (moment_of(datetime.combine(day + ahead * _DAY, at), zone) for ahead in range(3))
    return next(one for one in moments if one > moment)


def _values(field: str, least: int, most: int) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise ScheduleInvalid(f"times: {part[:20]!r} cannot be read", field="times")
        base, step = found[1], int(found[2] or 1)
        if base == "*":
            first, last = least, most
        else:
            begins, ranged, ends = base.partition("-")
            first = int(begins)
            last = int(ends) if ranged else (most if found[2] else first)
        if not least <= first <= last <= most or step == 0:
            raise ScheduleInvalid(f"times: {part[:20]!r} is out of bounds", field="times")
        values.update(range(first, last + 1, step))
    return values
