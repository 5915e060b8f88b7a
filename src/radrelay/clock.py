"""The clock that every room is handed: UTC inside, replaceable in tests.

Nothing in Radrelay asks the operating system for the time except through a `Clock`,
so that a test can jump a year ahead or stand at the hour that a change of summer time repeats.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that moves only when told to, for tests."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return the moment it was set to."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move forward (or back, with a negative span)."""
        self._at += by
