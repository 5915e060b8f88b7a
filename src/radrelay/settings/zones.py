"""The site's time zone, in which hours, rules and schedules are told."""

from __future__ import annotations

from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from radrelay.errors import Misconfigured


@lru_cache(maxsize=8)
def zone_of(name: str) -> tzinfo | None:
    """Return the time zone of `work.zone`, None for this machine's own; raises `Misconfigured`."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Misconfigured(f"work.zone: {name} is no time zone that is known here") from error
