"""The record, for administrators: search, and proof that it is whole."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from radrelay import audit
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services

router = APIRouter(prefix="/audit", tags=["audit"])
Text = Annotated[str, Field(max_length=64)]


class EventSearch(BaseModel):
    """What to look for; what is left out does not restrict."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    action: Text = ""
    actor_id: Text = ""
    subject_kind: Text = ""
    subject_id: Text = ""
    outcome: Text = ""
    patient_id: Text = ""
    issuer: Text = ""
    before: uuid.UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class PatientShown(BaseModel):
    """Whom an event is about."""

    issuer: str
    patient_id: str
    name: str


class Event(BaseModel):
    """One thing that happened."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    at: datetime
    action: str
    outcome: str
    actor_kind: str
    actor_id: str
    actor_name: str
    peer: str
    subject_kind: str
    subject_id: str
    correlation_id: str
    detail: dict[str, object]
    patient: PatientShown | None


class Events(BaseModel):
    """A page of events, newest first; `next_before` continues."""

    events: list[Event]
    next_before: uuid.UUID | None


class Fault(BaseModel):
    """Where a chain does not hold."""

    writer: str
    sequence: int
    fault: str


class Proof(BaseModel):
    """What a verification of all chains found."""

    intact: bool
    events: int
    writers: int
    roots: int
    broken: list[Fault]


def _shown(entry: audit.AuditEntry) -> Event:
    patient = entry.patient
    return Event(
        **{name: getattr(entry, name) for name in Event.model_fields if name != "patient"},
        patient=None
        if patient is None
        else PatientShown(issuer=patient.issuer, patient_id=patient.patient_id, name=patient.name),
    )


@router.get("")
def list_events(
    request: Request, services: Services, principal: Administrator, wanted: Annotated[EventSearch, Query()]
) -> Events:
    """Search the record, newest first. Looking into it is on record too."""
    trail.seen(services.database, principal, trail.event(request, principal, "audit.view"))
    query = audit.AuditQuery(
        since=wanted.since,
        until=wanted.until,
        action=wanted.action,
        actor_id=wanted.actor_id,
        subject_kind=wanted.subject_kind,
        subject_id=wanted.subject_id,
        outcome=wanted.outcome,
        patient=(wanted.issuer, wanted.patient_id) if wanted.patient_id else None,
        before_id=wanted.before,
        limit=wanted.limit,
    )
    with services.database.read() as session:
        page = audit.search(session, principal.organisation_id, query)
    events = [_shown(entry) for entry in page.entries]
    return Events(events=events, next_before=events[-1].id if page.more and events else None)


@router.get("/proof")
def verify_chains(services: Services, principal: Administrator) -> Proof:
    """Walk every chain of the record and check that nothing was changed, removed or added."""
    del principal
    with services.database.read() as session:
        report = audit.verify(session, services.metadata_key)
    return Proof(
        intact=report.intact,
        events=report.events,
        writers=report.writers,
        roots=report.roots,
        broken=[Fault(writer=b.writer, sequence=b.sequence, fault=b.fault) for b in report.broken[:100]],
    )
