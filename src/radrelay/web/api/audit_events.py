"""The record, for administrators and the data protection officer: search, files of it, proof that it is whole."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from radrelay import audit
from radrelay.access import Principal
from radrelay.audit.export import ENTRY_COLUMNS, MEDIA_TYPES, Flat, Form, flat_entry, written
from radrelay.audit.record import organisation_name
from radrelay.web import trail
from radrelay.web.authentication import Auditor, Services
from radrelay.web.services import WebServices
from radrelay.web.veiling import veiled

router = APIRouter(prefix="/audit", tags=["audit"])
Text = Annotated[str, Field(max_length=64)]
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "lines of the record",
        "content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()},
    }
}


def as_file(rows: Iterable[Flat], form: Form, columns: Sequence[str], name: str) -> StreamingResponse:
    """Return rows as a file to be kept, line by line."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"', "Cache-Control": "no-store"}
    return StreamingResponse(written(rows, form, columns), media_type=MEDIA_TYPES[form], headers=headers)


class EventSearch(BaseModel):
    """What to look for; what is left out does not restrict."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    action: Text = ""
    actor: Annotated[str, Field(max_length=128, description="an id, or a part of a name")] = ""
    actor_id: Text = ""
    subject_kind: Text = ""
    subject_id: Text = ""
    outcome: Text = ""
    patient_id: Text = ""
    issuer: Annotated[str | None, Field(max_length=64, description="of the patient ID; none: whoever issued it")] = None
    study: Annotated[str, Field(max_length=64, description="a study's id here, or its Study Instance UID")] = ""
    before: uuid.UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class ExportWanted(EventSearch):
    """What to look for, and how it is to be written."""

    form: Form = "csv"


NOT_SOUGHT = frozenset({"form", "limit", "before"})


class PatientShown(BaseModel):
    """Whom an event is about."""

    model_config = ConfigDict(from_attributes=True)

    issuer: str
    patient_id: str
    name: str


class StudyShown(BaseModel):
    """Which study an event is about, as it was called then."""

    model_config = ConfigDict(from_attributes=True)

    study_uid: str
    accession_number: str
    study_date: str
    modalities: str
    description: str


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
    study: StudyShown | None


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
    faults: int
    broken: list[Fault]


def _shown(entry: audit.AuditEntry) -> Event:
    return Event.model_validate(entry)


def _query(wanted: EventSearch) -> audit.AuditQuery:
    return audit.AuditQuery(
        since=wanted.since,
        until=wanted.until,
        action=wanted.action,
        actor=wanted.actor,
        actor_id=wanted.actor_id,
        subject_kind=wanted.subject_kind,
        subject_id=wanted.subject_id,
        outcome=wanted.outcome,
        patient=(wanted.issuer, wanted.patient_id) if wanted.patient_id else None,
        study=study_of(wanted.study),
        before_id=wanted.before,
        limit=wanted.limit,
    )


def study_of(given: str) -> uuid.UUID | str | None:
    """Return a study as it is looked for: by its row or by its Study Instance UID; none if `given` is empty."""
    try:
        return uuid.UUID(given)
    except ValueError:
        return given or None


@dataclass(frozen=True, slots=True)
class _Sought:
    """Whom and what somebody looks for in the record, as far as the record knows them."""

    patient: audit.PatientIdentity | None
    detail: dict[str, object]

    @property
    def distinct(self) -> str:
        """What tells this search of a login from another one's."""
        patient = "" if self.patient is None else f"{self.patient.issuer}\0{self.patient.patient_id}"
        return f"{patient}\0{self.detail.get('study', '')}"


def _sought(services: WebServices, principal: Principal, wanted: EventSearch) -> _Sought:
    patient, study = None, study_of(wanted.study)
    with services.database.read() as session:
        if wanted.patient_id:
            patient = audit.known_patient(session, principal.organisation_id, wanted.issuer, wanted.patient_id)
        if study is not None:
            study = audit.known_study(session, principal.organisation_id, study)
    return _Sought(patient, {} if study is None else {"study": study})


@router.get("")
def list_events(
    request: Request, services: Services, principal: Auditor, wanted: Annotated[EventSearch, Query()]
) -> Events:
    """Search the record, newest first. Looking into it is on record too, with the patient or study that was sought."""
    sought = _sought(services, principal, wanted)
    event = trail.event(request, principal, "audit.view", detail=sought.detail, patient=sought.patient)
    trail.seen(services.database, principal, event, sought.distinct)
    with services.database.read() as session:
        page = audit.search(session, principal.organisation_id, _query(wanted))
    events = [_shown(entry) for entry in veiled(services, principal, page.entries)]
    return Events(events=events, next_before=events[-1].id if page.more and events else None)


@router.get("/export", response_class=StreamingResponse, responses=FILES)
def export_events(
    request: Request, services: Services, principal: Auditor, wanted: Annotated[ExportWanted, Query()]
) -> StreamingResponse:
    """Return all that a search finds as CSV or JSON lines; on record before the first line leaves."""
    query = replace(_query(wanted), before_id=None)
    sought = _sought(services, principal, wanted)
    detail = {"form": wanted.form, "by": sorted(wanted.model_fields_set - NOT_SOUGHT), **sought.detail}
    with services.database.write() as session:
        trail.write(session, trail.event(request, principal, "audit.export", detail=detail, patient=sought.patient))
    found = veiled(services, principal, audit.every(services.database, principal.organisation_id, query))
    return as_file(map(flat_entry, found), wanted.form, ENTRY_COLUMNS, "audit")


@router.get("/proof")
def verify_chains(request: Request, services: Services, principal: Auditor) -> Proof:
    """Check that nothing of the record was changed, removed or added; of one's own chains it is told. On record."""
    whole = audit.prove(services.database, services.clock, services.metadata_key, services.settings.data_dir)
    report = whole.part(organisation_name(principal.organisation_id))
    with services.database.write() as session:
        detail = {"events": report.events, "faults": report.faults}
        trail.write(session, trail.event(request, principal, "audit.proof", detail=detail))
    return Proof(
        intact=report.intact,
        events=report.events,
        writers=report.writers,
        roots=report.roots,
        faults=report.faults,
        broken=[Fault(writer=b.writer, sequence=b.sequence, fault=b.fault) for b in report.broken[:100]],
    )
