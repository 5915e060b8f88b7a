"""Unusual volume: who fetched far more than usual, for administrators and the data protection officer."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.privacy.volume import alarms
from radrelay.privacy.volume.alarms import AlarmView
from radrelay.web import trail
from radrelay.web.authentication import Auditor, Services

router = APIRouter(prefix="/privacy/volume", tags=["privacy"])
Kind = Literal["account", "token", "link", "ae"]


class Alarm(BaseModel):
    """An access that fetched far more than usual since `began_at`, as far as it was counted.

    `measure` is what was furthest above its limit `most`; `usual` is the median of its own days of that, null where
    too little is known. `suspended_at`: it is shut since then. `kept_open` says why it was not, `last-admin`: nobody
    else could have let it in again.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: Kind
    own_id: str
    name: str
    began_at: datetime
    at: datetime
    counted_at: datetime
    studies: int
    patients: int
    fetches: int
    bytes: int
    measure: Literal["studies", "patients", "fetches", "bytes"]
    usual: int | None
    most: int
    suspended_at: datetime | None
    kept_open: Literal["", "last-admin", "gone"]
    settled_at: datetime | None
    settled_by: str
    note: str


class Limits(BaseModel):
    """What an access of a kind may fetch in 24 hours without an alarm, and whether an alarm suspends it."""

    model_config = ConfigDict(from_attributes=True)

    studies: int
    patients: int
    fetches: int
    bytes: int
    suspend: bool


class Volume(BaseModel):
    """The newest alarms, open ones first, and the limits by kind (`device` is what `ae` names)."""

    alarms: list[Alarm]
    limits: dict[Literal["account", "token", "link", "device"], Limits]


class Settled(BaseModel):
    """What came of an alarm; `let_in` opens what it shut."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=1000)
    let_in: bool = False


@router.get("")
def list_volume(request: Request, services: Services, principal: Auditor) -> Volume:
    """List who fetched far more than usual, and what the limits are."""
    trail.seen(services.database, principal, trail.event(request, principal, "volume.list"))
    with services.database.read() as session:
        found = alarms.listed(session, principal.organisation_id)
    settings = services.settings.volume
    limits = {kind: Limits.model_validate(getattr(settings, kind)) for kind in ("account", "token", "link", "device")}
    return Volume(alarms=[_shown(one) for one in found], limits=limits)


@router.post("/{alarm_id}")
def settle(request: Request, services: Services, principal: Auditor, alarm_id: uuid.UUID, wanted: Settled) -> Alarm:
    """Say what came of an alarm; what is fetched from now on is counted anew. 403 `volume-alarm-own` for one's own."""
    del request
    with services.database.write() as session:
        settled = alarms.settle(
            session, services.identity, principal, alarm_id, wanted.note, services.clock.now(), let_in=wanted.let_in
        )
    return _shown(settled)


def _shown(alarm: AlarmView) -> Alarm:
    return Alarm.model_validate(alarm)
