"""The hours in which a destination is sent to, by the clock on the site's wall.

A window is some days of the week with a beginning and an end; one that ends before it begins goes on past midnight and
belongs to the day on which it begins. No windows: at any time. On the days when the clock is set, a beginning that
the clock leaps over counts at the moment of the leap, and an hour that comes twice counts from its first to its last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from radrelay.routing.errors import DestinationInvalid

MOST = 20
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Days of the week (0 is Monday), and from when until when: HH:MM, until 24:00 at the latest."""

    days: tuple[int, ...]
    begins: str
    ends: str

    def check(self) -> None:
        """Raise `DestinationInvalid` unless this is a window."""
        try:
            right = _minutes(self.begins) < 24 * 60 and _minutes(self.ends) <= 24 * 60 and self.begins != self.ends
        except ValueError:
            right = False
        if not right or not self.days or not set(self.days) <= set(range(7)):
            raise DestinationInvalid("windows: days of the week, and two different times as HH:MM", field="windows")


def read(text: str) -> tuple[Window, ...]:
    """Return the windows that a destination's row holds."""
    return tuple(Window(tuple(one["days"]), one["begins"], one["ends"]) for one in json.loads(text))


def written(windows: Sequence[Window]) -> str:
    """Return windows as a row holds them; raises `DestinationInvalid`."""
    if len(windows) > MOST:
        raise DestinationInvalid(f"windows: {MOST} at most", field="windows")
    for window in windows:
        window.check()
    return json.dumps([asdict(one) for one in windows])


def opens_at(windows: Sequence[Window], now: datetime, zone: tzinfo | None) -> datetime | None:
    """Return None if it is time, else when the next window begins (UTC)."""
    if not windows:
        return None
    today = now.astimezone(zone).date()
    following = []
    for begins, ends in _spans(windows, today, zone):
        if begins <= now < ends:
            return None
        if begins > now:
            following.append(begins)
    return min(following, default=now + _DAY)


def _spans(windows: Sequence[Window], today: date, zone: tzinfo | None) -> Iterator[tuple[datetime, datetime]]:
    """Yield each window's beginning and end, from the day before today to a week after it."""
    for ahead in range(-1, 9):
        day = today + ahead * _DAY
        for window in windows:
            if day.weekday() in window.days:
                first, last = _minutes(window.begins), _minutes(window.ends)
                begins = _moment(day, first, zone, late=False)
                yield begins, _moment(day, last if last > first else last + 24 * 60, zone, late=True)


def _moment(day: date, minutes: int, zone: tzinfo | None, *, late: bool) -> datetime:
    """Return a time of a day as a moment; `late`: of an hour that comes twice the second one."""
    on, rest = day + (minutes // 1440) * _DAY, minutes % 1440
    wall = datetime.combine(on, time(rest // 60, rest % 60, fold=int(late)))
    placed = wall.replace(tzinfo=zone) if zone is not None else wall.astimezone()
    moment = placed.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall.replace(fold=0):
        return moment
    return _leap(moment, zone)


def _leap(near: datetime, zone: tzinfo | None) -> datetime:
    """Return the moment within some hours of `near` at which the clock is set forward."""
    early, late = near - timedelta(hours=3), near + timedelta(hours=3)
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def _minutes(text: str) -> int:
    hours, parted, minutes = text.partition(":")
    if not (parted and len(hours) == len(minutes) == 2 and (hours + minutes).isdigit() and int(minutes) < 60):
        raise ValueError(text)
    return int(hours) * 60 + int(minutes)
