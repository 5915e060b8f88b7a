"""Settings of usage statistics."""

from __future__ import annotations

from pydantic import Field

from radrelay.settings.base import Section


class StatisticsSettings(Section):
    """What is counted of how the pages are used, of people who agreed to it."""

    enabled: bool = Field(False, description="usage is counted where people agree; off: no banner, no routes")
    retention_days: int = Field(90, description="days that counted events are kept", ge=1, le=730)
