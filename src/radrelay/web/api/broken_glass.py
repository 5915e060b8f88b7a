"""Breaking glass: somebody who may opens one restricted study for a reason; those who are to know are told.

The study is named by what stands on an order or a file, for no list shows it: its accession number, its patient's ID,
or its UID. Looking for one is on record even where nothing is found, and finds nothing but what is restricted.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import BreakKind, BrokenView, Principal, Right, Why
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.models import Study
from radrelay.archive.tables import STUDY
from radrelay.audit import AuditEntry
from radrelay.errors import Conflict, Forbidden, Invalid
from radrelay.identity import AccountView
from radrelay.mail.letters import language_of, until
from radrelay.web import trail
from radrelay.web.api.audit_events import PatientShown, StudyShown
from radrelay.web.authentication import Authenticated, Officer, Services
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(tags=["access"])
MOST_NAMED = 20


class NotYours(Forbidden):
    """You may not break glass."""

    code = "no-glass"


class SeveralStudies(Conflict):
    """Several restricted studies are meant by this; say which by its date or its accession number."""

    code = "several-studies"


class BreakWanted(BaseModel):
    """Which study, and why. At least one of the names; a patient ID alone where the patient has one such study."""

    model_config = ConfigDict(extra="forbid")

    study_uid: str = Field("", max_length=64)
    accession_number: str = Field("", max_length=64)
    patient_id: str = Field("", max_length=64)
    study_date: date | None = None
    kind: BreakKind
    reason: str = Field(min_length=1, max_length=1000)


class Broken(BaseModel):
    """A study that was opened, by whom, why, until when, and who has looked into it.

    What the study is called and whose it is is told to the data protection officer alone, as the record tells it.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    account_id: uuid.UUID
    account_name: str
    study_id: uuid.UUID
    kind: BreakKind
    reason: str
    at: datetime
    ends_at: datetime
    reviewed_at: datetime | None
    reviewed_by: str
    study: StudyShown | None = None
    patient: PatientShown | None = None


class BrokenListed(BaseModel):
    """All that was opened, what nobody has looked into first."""

    broken: list[Broken]


class Notice(BaseModel):
    """Something that you are told: somebody opened a restricted study."""

    id: uuid.UUID
    kind: Literal["break-glass"]
    at: datetime
    broken: Broken


class Notices(BaseModel):
    """What you are told, the newest first; and whether you may break glass."""

    notices: list[Notice]
    may_break_glass: bool


@router.post("/broken-glass", status_code=201)
def break_glass(request: Request, services: Services, principal: Authenticated, wanted: BreakWanted) -> Broken:
    """Open one restricted study to yourself for a set time. 403 `no-glass`, 404, or 409 `several-studies`."""
    if principal.kind != "account":
        raise NotYours
    now, access_settings = services.clock.now(), services.settings.access
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.BREAK_GLASS)
        meant = [] if reach.scope.nothing else _meant(reach, session, principal, wanted)
    if reach.scope.nothing:
        raise NotYours
    if len(meant) != 1:
        _note_failure(services, request, principal, wanted, len(meant))
        raise SeveralStudies if meant else StudyNotFound
    study = meant[0]
    identity = reach.scope.identity
    patient = (study.patient_issuer, study.patient_id_value, study.patient_name)
    with services.database.write() as session:
        told = _told(services, session, principal)
        opened, new = access.break_glass(
            session, principal, study.id, Why(wanted.kind, wanted.reason), now=now,
            lasts=timedelta(hours=access_settings.break_glass_h), identity=identity, told=[one.id for one in told],
        )  # fmt: skip
        if new:
            _post_letters(services, session, opened, told)
            detail = {"kind": opened.kind, "until": opened.ends_at.isoformat(), "glass": str(opened.id)}
            event = trail.event(request, principal, "access.break-glass", ("study", study.id), detail=detail,
                                patient=patient)  # fmt: skip
            trail.write(session, event)
    return Broken.model_validate(opened)


@router.get("/broken-glass")
def list_broken(request: Request, services: Services, principal: Officer) -> BrokenListed:
    """List what was opened by breaking glass, with whose studies they are: that you looked is on record."""
    event = trail.event(request, principal, "audit.view", detail={"kind": "broken-glass"})
    trail.seen(services.database, principal, event, "broken-glass")
    with services.database.read() as session:
        found = access.broken(session, principal.organisation_id)
        called = _called(session, principal, found)
    return BrokenListed(broken=[_shown(one, called.get(one.study_id), whose=True) for one in found])


@router.put("/broken-glass/{broken_id}/review")
def review(request: Request, services: Services, principal: Officer, broken_id: uuid.UUID) -> Broken:
    """Note that you have looked into it; the first who does stands there."""
    with services.database.write() as session:
        seen = access.review(session, principal.organisation_id, broken_id, principal.name, services.clock.now())
        event = trail.event(request, principal, "access.break-glass-review", ("study", seen.study_id),
                            detail={"glass": str(broken_id)})  # fmt: skip
        trail.write(session, event)
    return Broken.model_validate(seen)


@router.get("/me/notices")
def list_notices(services: Services, principal: Authenticated) -> Notices:
    """List what you are told and have not put away; an officer is told which studies it was, and not whose."""
    if principal.kind != "account":
        return Notices(notices=[], may_break_glass=False)
    with services.database.read() as session:
        found = access.notices(session, principal.organisation_id, uuid.UUID(principal.id))
        may = not Reach.of(services, session, principal, Right.BREAK_GLASS).scope.nothing
        called = _called(session, principal, [one.broken for one in found])
    told = [(one, _shown(one.broken, called.get(one.broken.study_id), whose=False)) for one in found]
    return Notices(
        notices=[Notice(id=one.id, kind="break-glass", at=one.at, broken=broken) for one, broken in told],
        may_break_glass=may,
    )


@router.delete("/me/notices/{notice_id}", status_code=204)
def put_away(services: Services, principal: Authenticated, notice_id: uuid.UUID) -> None:
    """Put a notice away that you have read."""
    if principal.kind == "account":
        with services.database.write() as session:
            access.put_away(session, uuid.UUID(principal.id), notice_id, services.clock.now())


def _called(session: Session, principal: Principal, opened: Sequence[BrokenView]) -> dict[uuid.UUID, AuditEntry]:
    """Return what the record says of the studies, to the data protection officer: others it says nothing of them."""
    if principal.role != "dpo" or not opened:
        return {}
    ids = {one.study_id for one in opened}
    return audit.latest_of_studies(session, principal.organisation_id, "access.break-glass", ids)


def _shown(one: BrokenView, called: AuditEntry | None, *, whose: bool) -> Broken:
    shown = Broken.model_validate(one)
    if called is not None:
        shown.study = None if called.study is None else StudyShown.model_validate(called.study)
        shown.patient = PatientShown.model_validate(called.patient) if whose and called.patient else None
    return shown


def _meant(reach: Reach, session: Session, principal: Principal, wanted: BreakWanted) -> list[Study]:
    """Return the restricted studies within reach of the glass that all that was named fits."""
    if not (wanted.study_uid or wanted.accession_number or wanted.patient_id):
        raise Invalid("name the study by its accession number, its patient's ID or its UID", field="accession_number")
    named: list[sa.ColumnElement[bool]] = [sa.not_(access.open_to_all(STUDY.c.id))]
    for column, value in (
        (STUDY.c.study_uid, wanted.study_uid), (STUDY.c.accession_number, wanted.accession_number),
        (STUDY.c.patient_id_value, wanted.patient_id), (STUDY.c.study_date, wanted.study_date),
    ):  # fmt: skip
        if value:
            named.append(column == (value.strip() if isinstance(value, str) else value))
    return reach.newest_studies(named, MOST_NAMED)


def _note_failure(
    services: WebServices, request: Request, principal: Principal, wanted: BreakWanted, found: int
) -> None:
    """Write that somebody looked for a restricted study and opened none, and by what; not what they wrote."""
    by = [name for name in ("study_uid", "accession_number", "patient_id", "study_date") if getattr(wanted, name)]
    detail = {"by": by, "found": found, "kind": wanted.kind}
    with services.database.write() as session:
        event = trail.event(request, principal, "access.break-glass", detail=detail, outcome="failure")
        trail.write(session, event)


def _post_letters(services: WebServices, session: Session, opened: BrokenView, told: Sequence[AccountView]) -> None:
    """Post letters that it happened, without the patient, the study or the reason, to whom mail reaches."""
    post = services.password_links.post
    reached = [one for one in told if one.email and one.id != opened.account_id] if post.is_set else []
    house = post.house_of(session, reached[0].organisation_id) if reached else ""
    for one in reached:
        language = language_of(one.language, post.settings.language)
        letter = post.letter(
            "glass-broken", language, whom=one.full_name, who=opened.account_name, at=until(opened.at, language),
            until=until(opened.ends_at, language), house=house,
        )  # fmt: skip
        post.enqueue(session, one.organisation_id, one.email or "", letter, account_id=one.id)
    access.note_mailed(session, opened.id, [one.id for one in reached], opened.at)


def _told(services: WebServices, session: Session, principal: Principal) -> list[AccountView]:
    """Return the accounts that the settings name, by user name or by role, and that can log in.

    Where none of the organisation is named but who breaks the glass, its administrators are told.
    """
    named = services.settings.access.break_glass_told
    found = services.identity.accounts(session, principal.organisation_id)
    people = [one for one in found if one.disabled_at is None and str(one.id) != principal.id]
    names = {one.casefold() for one in named if not one.startswith("role:")}
    roles = {one.removeprefix("role:") for one in named if one.startswith("role:")}
    told = [one for one in people if one.role in roles or one.username.casefold() in names]
    return told or [one for one in people if one.role == "admin"]
