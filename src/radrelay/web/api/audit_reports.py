"""Reports from the record: who has seen a study, to whom a patient's data went, the record's own state and times."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from radrelay import audit
from radrelay.audit.disclosures import COLUMNS, seen_by
from radrelay.audit.export import ENTRY_COLUMNS, Form, flat_entry
from radrelay.audit.proofs import last_proven
from radrelay.audit.repository import repository_state
from radrelay.audit.retention import LEAST_DAYS, MOST_DAYS, RecordKept, keep_for, kept_for
from radrelay.privacy.accounting import account_of, people_under
from radrelay.web import trail
from radrelay.web.api.audit_events import FILES, as_file, study_of
from radrelay.web.authentication import Auditor, Officer, Services
from radrelay.web.services import WebServices

router = APIRouter(prefix="/audit", tags=["audit"])
Days = Annotated[int, Field(ge=LEAST_DAYS, le=MOST_DAYS)]
PatientID = Annotated[str, Query(min_length=1, max_length=64)]
IssuerOfID = Annotated[str | None, Query(max_length=64, description="none: whoever issued the ID")]


class ProvenShown(BaseModel):
    """What the last verification found."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    intact: bool
    events: int
    faults: int
    first_fault: str


class RepositoryShown(BaseModel):
    """What waits for the audit repository."""

    waiting: int
    oldest_at: datetime | None
    failing_since: datetime | None
    behind: bool


class Times(BaseModel):
    """For how many days events are kept: those about patients, and all others."""

    model_config = ConfigDict(extra="forbid")

    patient_days: Days
    usage_days: Days


class RecordState(BaseModel):
    """The record's state: when it was last proven whole, how long it is kept, and whether it is sent on."""

    proven: ProvenShown | None
    kept: Times
    repository: RepositoryShown | None


@router.get("/state")
def record_state(services: Services, principal: Auditor) -> RecordState:
    """Say when the record was last proven, how long it is kept, and what waits for the audit repository."""
    wanted = services.settings.audit.repository
    with services.database.read() as session:
        proven = last_proven(session, principal.organisation_id)
        kept = kept_for(session, principal.organisation_id, default_times(services))
        state = None if wanted.host is None else repository_state(session)
    return RecordState(
        proven=None if proven is None else ProvenShown.model_validate(proven),
        kept=Times(patient_days=kept.patient_days, usage_days=kept.usage_days),
        repository=None
        if state is None
        else RepositoryShown(
            waiting=state.waiting,
            oldest_at=state.oldest_at,
            failing_since=state.failing_since,
            behind=state.is_behind(services.clock.now(), wanted.alarm_s),
        ),
    )


def default_times(services: WebServices) -> RecordKept:
    """Return the installation's times."""
    return RecordKept(services.settings.audit.patient_days, services.settings.audit.usage_days)


@router.put("/retention")
def set_retention(request: Request, services: Services, principal: Officer, wanted: Times) -> Times:
    """Set how long the organisation keeps its record."""
    kept = RecordKept(wanted.patient_days, wanted.usage_days)
    with services.database.write() as session:
        keep_for(session, principal.organisation_id, kept, services.clock.now())
        trail.write(session, trail.event(request, principal, "audit.retention", detail=wanted.model_dump()))
    return wanted


@router.get("/seen", response_class=StreamingResponse, responses=FILES)
def who_has_seen(
    request: Request,
    services: Services,
    principal: Officer,
    study: Annotated[str, Query(min_length=1, max_length=64, description="its id here, or its Study Instance UID")],
    form: Form = "jsonl",
) -> StreamingResponse:
    """Return who has seen a study or taken it away, newest first; also of one that is gone."""
    wanted = study_of(study) or study
    detail: dict[str, object] = {"form": form}
    with services.database.write() as session:
        named = audit.known_study(session, principal.organisation_id, wanted)
        if named is not None:
            detail["study"] = named
        trail.write(session, trail.event(request, principal, "audit.seen", detail=detail))
    found = seen_by(services.database, principal.organisation_id, wanted)
    return as_file(map(flat_entry, found), form, ENTRY_COLUMNS, "seen")


class PersonShown(BaseModel):
    """One of the people who have a patient ID; `study_uid` is a study of theirs, empty where none is known."""

    issuer: str
    name: str
    birth_date: date | None
    sex: str
    study_uid: str
    studies: int


class PeopleShown(BaseModel):
    """Who has a patient ID, as studies and the record tell."""

    people: list[PersonShown]


@router.get("/people")
def people_with(
    request: Request, services: Services, principal: Officer, patient_id: PatientID, issuer: IssuerOfID = None
) -> PeopleShown:
    """Say who has a patient ID: each issuer has its own, and devices without one give the same to several people."""
    with services.database.write() as session:
        found = people_under(session, principal.organisation_id, issuer, patient_id)
        named = audit.known_patient(session, principal.organisation_id, issuer, patient_id)
        trail.write(session, trail.event(request, principal, "audit.disclosures", patient=named))
    return PeopleShown(
        people=[
            PersonShown(
                issuer=one.issuer, name=one.patient_name, birth_date=one.birth_date, sex=one.sex,
                study_uid=next(iter(one.study_uids), ""), studies=len(one.study_uids),
            )
            for one in found
        ]
    )  # fmt: skip


@router.get("/disclosures", response_class=StreamingResponse, responses=FILES)
def account_of_disclosures(
    request: Request,
    services: Services,
    principal: Officer,
    patient_id: PatientID,
    issuer: IssuerOfID = None,
    study_uid: Annotated[str | None, Query(max_length=64, description="a study of the one who is meant")] = None,
    form: Form = "jsonl",
) -> StreamingResponse:
    """Return to whom data of a patient went in the last six years, newest first.

    409 `several-people` where the ID is of several, unless `study_uid` is a study of the one who is meant; what may be
    another person's is left out. It reaches as far back as the organisation keeps its record.
    """
    now, organisation_id = services.clock.now(), principal.organisation_id
    found = account_of(services.database, organisation_id, issuer, patient_id, now, study_uid)
    with services.database.write() as session:
        named = audit.known_patient(session, organisation_id, issuer, patient_id)
        trail.write(session, trail.event(request, principal, "audit.disclosures", detail={"form": form}, patient=named))
    return as_file((one.row() for one in found), form, COLUMNS, "disclosures")
