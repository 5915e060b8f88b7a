"""What a schedule says: where it looks, for what, when, and how much of it is fetched at most.

It is kept as JSON in its row and is the body of its REST resource. Days and hours count back from the run, in the
site's zone.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from radrelay.retrieve.errors import ScheduleInvalid
from radrelay.retrieve.schedules.times import clock_after, read_times

Kind = Literal["timed", "priors", "cache"]
Whose = Literal["anybody", "ward", "hl7-ward", "worklist"]
_ANY = datetime(2024, 1, 1, tzinfo=UTC)
OF_PATIENTS: frozenset[str] = frozenset({"hl7-ward", "worklist"})
"""The kinds of `whose` where each patient's studies are asked for."""
WIDEST_DAYS = 92
"""The most days that are searched where no patient is named: each is a search of its own."""


class Plan(BaseModel):
    """A schedule as a person writes it.

    `timed` looks at `times` for studies of `since_days` ago until `until_days` ago, or of the `last_hours`. `whose`:
    anybody's; those whom the PACS says to be on `wards` (0038,0300), or the hospital's system (HL7); or those who are
    on today's worklist. `priors` looks when a study or an order comes (`on_study`, `on_order`) for that patient's
    studies of the last `years`. `cache` keeps the last `keep_days` here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100, pattern=r"\S")
    kind: Kind = "timed"
    enabled: bool = True
    pacs: tuple[uuid.UUID, ...] = Field(min_length=1, max_length=20)
    times: str = Field("", max_length=100)
    since_days: int = Field(1, ge=0, le=36_500)
    until_days: int = Field(0, ge=0, le=36_500)
    last_hours: int | None = Field(None, ge=1, le=24 * WIDEST_DAYS)
    modalities: tuple[str, ...] = Field((), max_length=20)
    description: str = Field("", max_length=64)
    whose: Whose = "anybody"
    wards: tuple[str, ...] = Field((), max_length=50)
    on_study: bool = True
    on_order: bool = True
    same_modality: bool = False
    same_body_part: bool = False
    years: int = Field(5, ge=1, le=100)
    most_each: int | None = Field(None, ge=1, le=100)
    keep_days: int = Field(7, ge=1, le=WIDEST_DAYS)
    most_studies: int = Field(200, ge=1, le=5_000)
    most_instances: int | None = Field(None, ge=1, le=10_000_000)
    most_bytes: int | None = Field(None, ge=1, le=1 << 50)
    stop_at: str = Field("", max_length=5)
    at_once: int = Field(1, ge=1, le=16)
    pause_s: int = Field(0, ge=0, le=3600)

    def check(self) -> None:
        """Raise `ScheduleInvalid`, naming the field, unless all of it goes together."""
        if self.kind != "priors":
            read_times(self.times)
        if self.stop_at:
            clock_after(self.stop_at, _ANY, None)
        if self.kind == "priors" and not (self.on_study or self.on_order):
            raise ScheduleInvalid("on_study: priors are fetched when a study or an order comes", field="on_study")
        if self.kind != "timed":
            return
        if self.since_days < self.until_days:
            raise ScheduleInvalid("since_days: lies before until_days", field="since_days")
        if self.whose not in OF_PATIENTS and self.since_days - self.until_days >= WIDEST_DAYS:
            raise ScheduleInvalid(f"since_days: {WIDEST_DAYS} days at most", field="since_days")
        if self.whose in ("ward", "hl7-ward") and not any(one.strip() for one in self.wards):
            raise ScheduleInvalid("wards: name one", field="wards")
