"""Fetches from archives elsewhere: who may fetch from an archive sees and steers what is fetched from it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right, Scope
from radrelay.archive.models import Study
from radrelay.retrieve import fetches, nodes
from radrelay.retrieve.errors import FetchNotFound
from radrelay.retrieve.models import Fetch as FetchRow
from radrelay.web import trail
from radrelay.web.api.pacs_search import UID
from radrelay.web.api.studies import shown_patient
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.fetching import archives_of, reached, within_reach
from radrelay.web.problems import Trouble, correlation_of
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/fetches", tags=["fetches"])
MOST_AT_ONCE = 100


class WantedFetch(BaseModel):
    """A study, or one series of it, and what the archive said of it."""

    model_config = ConfigDict(extra="forbid")

    pacs_id: uuid.UUID
    study_uid: str = Field(max_length=64, pattern=UID)
    series_uid: str = Field("", max_length=64, pattern=rf"^$|{UID}")
    patient_id: str = Field("", max_length=64)
    patient_name: str = Field("", max_length=400)
    description: str = Field("", max_length=400)
    study_date: date | None = None
    modalities: list[str] = Field([], max_length=20)


class WantedFetches(BaseModel):
    """What is to be fetched."""

    model_config = ConfigDict(extra="forbid")

    fetches: list[WantedFetch] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Fetch(BaseModel):
    """A fetch and how far it is. `expected`: objects that the archive says it has; `error`: why it is not done.

    `study_id` is the study's id once it is here and the caller may see it.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    pacs_id: uuid.UUID
    pacs: str = ""
    study_uid: str
    series_uid: str
    patient_id_value: str = Field(serialization_alias="patient_id")
    patient_name: str
    description: str
    study_date: date | None
    modalities: str
    state: str
    expected: int | None
    here: int
    refused: int
    attempts: int
    next_attempt_at: datetime | None
    error: Trouble | None = None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    study_id: uuid.UUID | None = None


class Fetches(BaseModel):
    """Fetches, newest first."""

    fetches: list[Fetch]


OF_THE_ROW = tuple(name for name in Fetch.model_fields if name not in ("pacs", "error", "study_id"))


def _listed(services: WebServices, session: Session, principal: Principal, rows: Sequence[FetchRow]) -> list[Fetch]:
    names = {one.id: one.name for one in nodes.every_pacs(session, principal.organisation_id)}
    reach = Reach.of(services, session, principal, Right.SEE)
    named = [Study.study_uid.in_({row.study_uid for row in rows})]
    here = {study.study_uid: study for study in reach.newest_studies(named, len(rows))} if rows else {}
    return [_shown(row, names.get(row.pacs_id, ""), here.get(row.study_uid), reach.scope) for row in rows]


def _shown(row: FetchRow, pacs: str, study: Study | None, scope: Scope) -> Fetch:
    """Return a fetch as it is shown: with what the study itself tells, once that is here and seen."""
    told = {name: getattr(row, name) for name in OF_THE_ROW}
    if study is not None and row.state == "done":
        patient = shown_patient(study, scope)
        told |= {"patient_name": patient.name, "patient_id_value": patient.id, "description": study.description}
    return Fetch(
        **told,
        pacs=pacs,
        error=Trouble.shown(fetches.trouble_of(row)),
        study_id=study.id if study is not None else None,
    )


@router.get("")
def list_fetches(services: Services, principal: Authenticated) -> Fetches:
    """List what is and was fetched from archives that the caller may fetch from."""
    with services.database.read() as session:
        within = [row.id for row in within_reach(services, session, principal)]
        rows = fetches.list_fetches(session, principal.organisation_id, within)
        return Fetches(fetches=_listed(services, session, principal, rows))


@router.post("", status_code=201)
def request_fetches(request: Request, services: Services, principal: Authenticated, wanted: WantedFetches) -> Fetches:
    """Fetch studies or series; the work is durable and goes on by itself."""
    archives_of(services)
    rows = []
    with services.database.write() as session:
        for one in wanted.fetches:
            pacs = reached(services, session, principal, one.pacs_id)
            told = one.model_dump(exclude={"modalities"}) | {"modalities": "\\".join(one.modalities)}
            row = fetches.request_fetch(
                session,
                services.clock,
                principal.organisation_id,
                fetches.WantedFetch(**told),
                requested_by=principal.name,
                correlation_id=correlation_of(request),
            )
            rows.append(row)
            detail = {"pacs": pacs.name, "study_uid": one.study_uid, "series_uid": one.series_uid or None}
            patient = ("", one.patient_id, one.patient_name) if one.patient_id else None
            trail.write(
                session,
                trail.event(request, principal, "fetch.request", ("fetch", row.id), detail=detail, patient=patient),
            )
        return Fetches(fetches=_listed(services, session, principal, rows))


@router.post("/{fetch_id}/cancel")
def cancel_fetch(request: Request, services: Services, principal: Authenticated, fetch_id: uuid.UUID) -> Fetch:
    """Stop a fetch; what has come stays."""
    with services.database.write() as session:
        _require(services, session, principal, fetch_id)
        row = fetches.cancel_fetch(session, services.clock, principal.organisation_id, fetch_id)
        trail.write(session, trail.event(request, principal, "fetch.cancel", ("fetch", fetch_id)))
        return _listed(services, session, principal, [row])[0]


@router.post("/{fetch_id}/retry")
def retry_fetch(request: Request, services: Services, principal: Authenticated, fetch_id: uuid.UUID) -> Fetch:
    """Try again what failed or was cancelled: only what is missing is fetched."""
    archives_of(services)
    with services.database.write() as session:
        _require(services, session, principal, fetch_id)
        row = fetches.retry_fetch(session, services.clock, principal.organisation_id, fetch_id)
        trail.write(session, trail.event(request, principal, "fetch.retry", ("fetch", fetch_id)))
        return _listed(services, session, principal, [row])[0]


def _require(services: WebServices, session: Session, principal: Principal, fetch_id: uuid.UUID) -> None:
    """Raise `FetchNotFound` unless the caller may fetch from where this is fetched from."""
    row = fetches.get_fetch(session, principal.organisation_id, fetch_id)
    if row.pacs_id not in {one.id for one in within_reach(services, session, principal)}:
        raise FetchNotFound
