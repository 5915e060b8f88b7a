"""Settings of the watch over how much one access fetches."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from radrelay.settings.base import GIB, Section


class VolumeLimits(Section):
    """What one access of a kind may fetch within 24 hours without an alarm, however little it usually does.

    Who usually fetches more has a limit of their own above these.
    """

    studies: int = Field(200, description="different studies looked at, downloaded, exported, shared or sent", ge=1)
    patients: int = Field(150, description="different patients that these are of", ge=1)
    fetches: int = Field(2_000, description="events of looking and taking, the same study again counted again", ge=1)
    gigabytes: float = Field(100.0, description="data sent to it, in GiB", gt=0)
    suspend: bool = Field(
        False, description="an alarm also suspends it at once, until somebody lets it in again; false: it is only told"
    )

    @property
    def bytes(self) -> int:
        """The limit of data in bytes."""
        return int(self.gigabytes * GIB)


OWN = {
    "token": VolumeLimits(studies=500, patients=400, fetches=10_000, gigabytes=250.0),
    "device": VolumeLimits(studies=1_000, patients=800, fetches=10_000, gigabytes=500.0),
    "link": VolumeLimits(studies=100, patients=50, fetches=300, gigabytes=50.0),
}
"""Limits of those kinds that differ from an account's."""


class VolumeSettings(Section):
    """When somebody, a link, a token or a device fetches far more than usual.

    Usual is the median of the days of some weeks on which it fetched anything; it is far more when it is above the
    limits for its kind, above `times_usual` times that median, and above the median by `spreads` times the spread
    (1.4826 times the median distance of those days from it, which is a standard deviation where chance decides).
    """

    account: VolumeLimits = VolumeLimits()
    token: VolumeLimits = OWN["token"]
    device: VolumeLimits = OWN["device"]
    link: VolumeLimits = OWN["link"]
    weeks: int = Field(8, description="weeks that tell what is usual", ge=1, le=52)
    least_days: int = Field(10, description="days with any fetching before which nothing is usual yet", ge=3)
    times_usual: float = Field(2.0, description="fewer than so many times the usual amount is no alarm", ge=1)
    spreads: float = Field(6.0, description="so many times the spread above the usual amount is no alarm", ge=1)

    @field_validator("token", "device", "link", mode="before")
    @classmethod
    def _keep_the_rest(cls, given: object, info: ValidationInfo) -> object:
        """Leave the other limits of a kind as they are where one of them is set."""
        return OWN[str(info.field_name)].model_dump() | given if isinstance(given, dict) else given
