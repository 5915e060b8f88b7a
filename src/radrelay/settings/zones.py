"""The site's time zone, in which hours, rules and schedules are told, and HL7 messages that name none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from radrelay.errors import Misconfigured


class _Machine(tzinfo):
    """This machine's own time zone, whose offset is another in summer."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        return dt.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)


MACHINE = _Machine()


@lru_cache(maxsize=8)
def zone_of(name: str, setting: str = "work.zone") -> tzinfo | None:
    """Return the time zone that a setting names, None for this machine's own; raises `Misconfigured`."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Misconfigured(f"{setting}: {name} is no time zone that is known here") from error
