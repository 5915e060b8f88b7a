"""The register of incidents and the pack for telling of a breach, for the data protection officer alone.

Administrators see none of it: an incident may be about one of them.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.audit.export import Form
from radrelay.identity import organisations
from radrelay.privacy import incidents, suspects
from radrelay.privacy.exposure import REACHED_COLUMNS, TOUCHED_COLUMNS, Exposure, exposure, reached
from radrelay.privacy.incidents import Clock, IncidentDraft, IncidentView
from radrelay.privacy.notice import Language
from radrelay.privacy.suspects import Suspect, SuspectKind, SuspectUnknown
from radrelay.web import trail
from radrelay.web.api.audit_events import FILES, as_file
from radrelay.web.authentication import Officer, Services
from radrelay.web.incident_report import incident_page
from radrelay.web.services import WebServices

router = APIRouter(prefix="/privacy", tags=["privacy"])
Line = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]


class FoundShown(BaseModel):
    """Somebody or something that an incident can be about."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    at: datetime


class Suspects(BaseModel):
    """What was found, newest first, at most 50."""

    found: list[FoundShown]


class IncidentWanted(BaseModel):
    """An incident: what is suspected, by whose access (of a device its AE title or address), in which period."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Text = ""
    kind: SuspectKind
    subject: Annotated[str, Field(min_length=1, max_length=64)]
    began_at: AwareDatetime
    ended_at: AwareDatetime
    noticed_at: AwareDatetime

    def draft(self) -> IncidentDraft:
        """Return it as the room takes it."""
        who = Suspect(self.kind, self.subject)
        return IncidentDraft(self.title, self.description, who, self.began_at, self.ended_at, self.noticed_at)


class IncidentChange(IncidentWanted):
    """What is known by now, instead of the entry of `revision`; what is closed says in `outcome` what was decided."""

    authority_told_at: AwareDatetime | None = None
    patients_told_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    outcome: Text = ""
    revision: Annotated[int, Field(ge=1)]


class IncidentShown(BaseModel):
    """An incident in the register, with its clocks: 72 hours (GDPR Art. 33) and 60 days (45 CFR 164.404)."""

    id: uuid.UUID
    title: str
    description: str
    kind: SuspectKind
    subject: str
    subject_name: str
    began_at: datetime
    ended_at: datetime
    noticed_at: datetime
    authority_due_at: datetime
    authority: Clock
    authority_told_at: datetime | None
    patients_due_at: datetime
    patients: Clock
    patients_told_at: datetime | None
    closed_at: datetime | None
    outcome: str
    created_at: datetime
    created_by: str
    revision: int


class Incidents(BaseModel):
    """The register, newest first."""

    incidents: list[IncidentShown]


class TouchedShown(BaseModel):
    """A patient whom events name, what was done how often, and how often data left."""

    issuer: str
    patient_id: str
    name: str
    birth_date: date | None
    first_at: datetime
    last_at: datetime
    studies: list[str]
    actions: dict[str, int]
    left: int


class ChangeShown(BaseModel):
    """Something that changed what the suspect could see."""

    at: datetime
    action: str
    actor_name: str


class Report(BaseModel):
    """Which patients' data could have been touched.

    `touched` is from the record; `reached_patients` and `reached_studies` count what the access reaches as things stand
    now, of what had come by the period's end. `unnamed` are events about patients whom the record does not name any
    more, `searches` those by which lists were looked at, `links` the links made in the period.
    """

    incident: IncidentShown
    at: datetime
    began_at: datetime
    ended_at: datetime
    touched: list[TouchedShown]
    events: int
    unnamed: int
    searches: int
    links: list[str]
    changes: list[ChangeShown]
    reached_patients: int
    reached_studies: int


def _shown(session: Session, organisation_id: uuid.UUID, one: IncidentView, now: datetime) -> IncidentShown:
    try:
        name = suspects.known(session, organisation_id, one.suspect).name
    except SuspectUnknown:
        name = ""
    kept = {
        field: getattr(one, field)
        for field in IncidentShown.model_fields
        if field not in ("kind", "subject", "subject_name", "authority", "patients")
    }
    return IncidentShown(
        **kept, kind=one.suspect.kind, subject=one.suspect.id, subject_name=name, authority=one.authority(now),
        patients=one.patients(now),
    )  # fmt: skip


@router.get("/suspects")
def find_suspects(
    services: Services,
    principal: Officer,
    kind: SuspectKind,
    text: Annotated[str, Query(max_length=200)] = "",
) -> Suspects:
    """Find accounts, tokens, links and logins by a part of a name, for the form of an incident."""
    with services.database.read() as session:
        found = suspects.find(session, principal.organisation_id, kind, text)
    return Suspects(found=[FoundShown.model_validate(one) for one in found])


@router.get("/incidents")
def list_incidents(request: Request, services: Services, principal: Officer) -> Incidents:
    """List the register."""
    trail.seen(services.database, principal, trail.event(request, principal, "incident.list"))
    now = services.clock.now()
    with services.database.read() as session:
        found = incidents.incidents(session, principal.organisation_id)
        return Incidents(incidents=[_shown(session, principal.organisation_id, one, now) for one in found])


@router.post("/incidents", status_code=201)
def open_incident(request: Request, services: Services, principal: Officer, wanted: IncidentWanted) -> IncidentShown:
    """Enter an incident; its clocks run from when it was noticed."""
    now = services.clock.now()
    with services.database.write() as session:
        suspects.known(session, principal.organisation_id, Suspect(wanted.kind, wanted.subject))
        made = incidents.open_incident(
            session, principal.organisation_id, wanted.draft(), by=principal.name, now=now
        )  # fmt: skip
        trail.write(session, trail.event(request, principal, "incident.open", ("incident", made.id)))
        return _shown(session, principal.organisation_id, made, now)


@router.put("/incidents/{incident_id}")
def change_incident(
    request: Request, services: Services, principal: Officer, incident_id: uuid.UUID, wanted: IncidentChange
) -> IncidentShown:
    """Write what is known by now, whom it was told, and what was decided."""
    now = services.clock.now()
    told = {name: getattr(wanted, name) for name in ("authority_told_at", "patients_told_at", "closed_at")}
    with services.database.write() as session:
        made = incidents.change_incident(
            session, principal.organisation_id, incident_id, wanted.draft(), told, wanted.outcome,
            revision=wanted.revision, now=now,
        )  # fmt: skip
        detail = {name: moment for name, moment in told.items() if moment is not None}
        trail.write(session, trail.event(request, principal, "incident.change", ("incident", made.id), detail=detail))
        return _shown(session, principal.organisation_id, made, now)


def _report(
    request: Request, services: WebServices, principal: Principal, incident_id: uuid.UUID, form: str
) -> tuple[Report, Exposure]:
    """Return the report of an incident, put on record before anything of it is shown."""
    now = services.clock.now()
    with services.database.write() as session:
        one = incidents.incident_of(session, principal.organisation_id, incident_id)
        event = trail.event(request, principal, "incident.report", ("incident", one.id), detail={"form": form})
        trail.write(session, event)
        shown = _shown(session, principal.organisation_id, one, now)
    found = exposure(services.database, principal.organisation_id, one, now)
    touched = [
        TouchedShown(
            issuer=line.issuer, patient_id=line.patient_id, name=line.name, birth_date=line.birth_date,
            first_at=line.first_at, last_at=line.last_at, studies=sorted(line.studies),
            actions=dict(line.actions), left=line.left,
        )
        for line in found.touched
    ]  # fmt: skip
    changes = [ChangeShown(at=one.at, action=one.action, actor_name=one.actor_name) for one in found.changes]
    return Report(
        incident=shown, at=now, began_at=found.began_at, ended_at=found.ended_at, touched=touched,
        events=found.events, unnamed=found.unnamed, searches=found.searches, links=list(found.links),
        changes=changes, reached_patients=found.reached_patients, reached_studies=found.reached_studies,
    ), found  # fmt: skip


@router.get("/incidents/{incident_id}/report")
def report(request: Request, services: Services, principal: Officer, incident_id: uuid.UUID) -> Report:
    """Say which patients' data could have been touched."""
    return _report(request, services, principal, incident_id, "json")[0]


@router.get("/incidents/{incident_id}/report.csv", response_class=StreamingResponse, responses=FILES)
def report_table(
    request: Request,
    services: Services,
    principal: Officer,
    incident_id: uuid.UUID,
    part: Literal["touched", "reached"] = "touched",
    form: Form = "csv",
) -> StreamingResponse:
    """Return the patients whom events name (`touched`), or those whom the access reaches (`reached`), as a table."""
    _, found = _report(request, services, principal, incident_id, f"{form} {part}")
    if part == "touched":
        return as_file((one.row() for one in found.touched), form, TOUCHED_COLUMNS, "touched")
    with services.database.read() as session:
        one = incidents.incident_of(session, principal.organisation_id, incident_id)
    rows = reached(services.database, principal.organisation_id, one, services.clock.now())
    return as_file(rows, form, REACHED_COLUMNS, "reached")


@router.get(
    "/incidents/{incident_id}/report.html",
    response_class=Response,
    responses={200: {"description": "a page to be printed", "content": {"text/html": {}}}},
)
def report_page(
    request: Request, services: Services, principal: Officer, incident_id: uuid.UUID, language: Language = "en"
) -> Response:
    """Return the report as a page to be kept and printed; it needs nothing from anywhere."""
    shown, _ = _report(request, services, principal, incident_id, "html")
    with services.database.read() as session:
        name = organisations.name_of(session, principal.organisation_id)
    page = incident_page(shown.model_dump(), name, language)
    headers = {"Content-Disposition": f'attachment; filename="incident-{shown.incident.id}.html"'}
    return Response(page, media_type="text/html; charset=utf-8", headers=headers | {"Cache-Control": "no-store"})
