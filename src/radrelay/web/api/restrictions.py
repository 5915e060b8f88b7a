"""Restricted studies: what is, made and lifted by administrators, and of one study by who may share it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Grantee, Principal, PriorRuleView, RestrictionView, Right, Target, WantedRestriction
from radrelay.access.errors import BeyondOwn
from radrelay.archive.locking import lock_archive
from radrelay.errors import Invalid
from radrelay.intake.sources import get_source
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.restricted_people import meant
from radrelay.web.services import WebServices

router = APIRouter(tags=["access"])


class PersonShown(BaseModel):
    """Somebody whose studies are under a patient ID, as far as you may see them."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    birth_date: date | None
    sex: str
    studies: int


class PeopleShown(BaseModel):
    """How many people's studies a patient ID of an issuer means, those whom you may see, and who else issues that ID.

    A restriction hides the studies of all of them, and none of another issuer's.
    """

    model_config = ConfigDict(from_attributes=True)

    people: int
    named: list[PersonShown]
    other_issuers: list[str]


class Restriction(BaseModel):
    """Studies that only grants on themselves show, and how many of them are here.

    Of a patient's it is said how many people have studies under the ID: all of them are restricted.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: Literal["study", "patient", "source"]
    value: str
    issuer: str
    reason: str
    made_by: str
    created_at: datetime
    studies: int
    people: int = 1


class Restrictions(BaseModel):
    """Restrictions, the newest first."""

    restrictions: list[Restriction]


class NewRestriction(BaseModel):
    """What is to be restricted: a Study Instance UID, a patient ID of an issuer, or a source's id."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["study", "patient", "source"]
    value: str = Field(min_length=1, max_length=64)
    issuer: str = Field("", max_length=64)
    reason: str = Field("", max_length=400)


class OneRestriction(BaseModel):
    """Why a study is to be restricted."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=400)


class PriorRule(BaseModel):
    """Which other studies of a patient somebody sees by seeing one: none, of the same body part, or all.

    `years`: not older than so many; null: however old. `marked_only`: by grants that are marked for it alone.
    """

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    reach: Literal["none", "body-part", "all"]
    years: int | None = Field(None, ge=1, le=100)
    marked_only: bool = False


@router.get("/restrictions")
def list_restrictions(services: Services, principal: Administrator) -> Restrictions:
    """List what is restricted; patients stand there by the IDs that they were restricted by."""
    with services.database.read() as session:
        found = access.restrictions(session, principal.organisation_id)
        reach = Reach.of(services, session, principal, Right.SEE)
        shown = [_shown(reach, one) for one in found]
    return Restrictions(restrictions=shown)


@router.get("/restrictions/people")
def people_meant(
    request: Request, services: Services, principal: Administrator,
    value: Annotated[str, Query(min_length=1, max_length=64)], issuer: Annotated[str, Query(max_length=64)] = "",
) -> PeopleShown:  # fmt: skip
    """Say whom a restriction of a patient would mean, before it is made."""
    detail = {"by": ["patient_id"], "from": "restriction"}
    distinct = hashlib.sha256(repr((value, issuer)).encode()).hexdigest()
    trail.seen(services.database, principal, trail.event(request, principal, "study.search", detail=detail), distinct)
    with services.database.read() as session:
        found = meant(Reach.of(services, session, principal, Right.SEE), issuer.strip(), value.strip())
    return PeopleShown.model_validate(found)


@router.post("/restrictions", status_code=201)
def restrict(request: Request, services: Services, principal: Administrator, wanted: NewRestriction) -> Restriction:
    """Restrict studies, those that are here and those that will come, without seeing them."""
    with services.database.write() as session:
        if wanted.kind == "source":
            get_source(session, principal.organisation_id, _source_of(wanted.value))
        made = _restrict(services, session, principal, WantedRestriction(**wanted.model_dump()))
        _record(session, request, principal, "access.restrict", made)
        return _shown(Reach.of(services, session, principal, Right.SEE), made)


@router.delete("/restrictions/{restriction_id}", status_code=204)
def lift(request: Request, services: Services, principal: Administrator, restriction_id: uuid.UUID) -> None:
    """End a restriction; from now on grants show its studies as before."""
    with services.database.write() as session:
        lifted = access.lift(session, principal.organisation_id, restriction_id)
        _record(session, request, principal, "access.unrestrict", lifted)


@router.get("/studies/{study_id}/restrictions")
def list_on_study(services: Services, principal: Authenticated, study_id: uuid.UUID) -> Restrictions:
    """List by what a study is restricted, for who may share it."""
    with services.database.read() as session:
        Reach.of(services, session, principal, Right.SHARE).study(study_id)
        found = access.restrictions_on(session, study_id)
    return Restrictions(restrictions=[Restriction.model_validate(one) for one in found])


@router.put("/studies/{study_id}/restrictions")
def restrict_study(
    request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, wanted: OneRestriction
) -> Restriction:
    """Restrict one study, for who may share all of it; who does so keeps their own rights to it, and no longer."""
    with services.database.write() as session:
        study = Reach.of(services, session, principal, Right.SHARE).study(study_id, whole=True)
        had = _own(services, session, principal, study)
        named = WantedRestriction("study", study.study_uid, reason=wanted.reason)
        made = _restrict(services, session, principal, named)
        _keep_own(services, session, principal, study, had)
        _record(session, request, principal, "access.restrict", made, study)
    return Restriction.model_validate(made)


@router.delete("/studies/{study_id}/restrictions", status_code=204)
def lift_study(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> None:
    """End the restriction of this one study, for who may share all of it; one of its patient or source stays."""
    with services.database.write() as session:
        study = Reach.of(services, session, principal, Right.SHARE).study(study_id, whole=True)
        for one in access.restrictions_on(session, study_id):
            if one.kind == "study":
                lifted = access.lift(session, principal.organisation_id, one.id)
                _record(session, request, principal, "access.unrestrict", lifted, study)


@router.get("/prior-rule")
def get_prior_rule(services: Services, principal: Administrator) -> PriorRule:
    """Return the rule of earlier studies."""
    with services.database.read() as session:
        return PriorRule.model_validate(access.prior_rule(session, principal.organisation_id))


@router.put("/prior-rule")
def set_prior_rule(request: Request, services: Services, principal: Administrator, wanted: PriorRule) -> PriorRule:
    """Make a rule of earlier studies; it counts from now on."""
    with services.database.write() as session:
        access.set_prior_rule(session, principal.organisation_id, PriorRuleView(**wanted.model_dump()))
        trail.write(session, trail.event(request, principal, "access.prior-rule", detail=wanted.model_dump()))
    return wanted


def _shown(reach: Reach, one: RestrictionView) -> Restriction:
    shown = Restriction.model_validate(one)
    if one.kind == "patient":
        shown.people = max(1, meant(reach, one.issuer, one.value).people)
    return shown


def _restrict(
    services: WebServices, session: Session, principal: Principal, wanted: WantedRestriction
) -> RestrictionView:
    lock_archive(session)  # or a study could arrive between the look at those that are here and the commit
    return access.restrict(session, principal.organisation_id, wanted, principal.name, services.clock.now())


def _own(
    services: WebServices, session: Session, principal: Principal, study: ReachedStudy
) -> dict[datetime | None, list[Right]]:
    """Return what somebody may do with a study, by until when."""
    found: dict[datetime | None, list[Right]] = {}
    for right in set(Right) - {Right.BREAK_GLASS}:
        try:
            end = access.own_end(session, principal, right, study.id, services.clock.now())
        except BeyondOwn:
            continue
        found.setdefault(end, []).append(right)
    return found


def _keep_own(
    services: WebServices, session: Session, principal: Principal, study: ReachedStudy,
    had: Mapping[datetime | None, Sequence[Right]],
) -> None:  # fmt: skip
    """Give whoever restricts a study what they had of it by wider grants: as long, and by alias where it was so."""
    if principal.kind not in ("account", "token"):
        return
    grantee = Grantee("token" if principal.kind == "token" else "account", principal.id)
    for end, rights in had.items():
        lost = [one for one in rights if not Reach.of(services, session, principal, one).studies([study.id])]
        if lost:
            access.grant(session, principal.organisation_id, grantee, Target("study", study.id), lost,
                         now=services.clock.now(), identity=study.identity, ends_at=end)  # fmt: skip


def _source_of(value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError as error:
        raise Invalid("a source is named by its id", field="value") from error


def _record(
    session: Session, request: Request, principal: Principal, action: str, one: RestrictionView,
    study: ReachedStudy | None = None,
) -> None:  # fmt: skip
    """Write it; a patient restricted by ID stands there as the patient, encrypted apart like any other."""
    detail: dict[str, object] = {"kind": one.kind, "studies": one.studies, "reason_given": bool(one.reason)}
    if one.kind != "patient":
        detail["value"] = one.value
    patient: trail.Patient | None = (one.issuer, one.value, "") if one.kind == "patient" else None
    subject = ("restriction", one.id) if study is None else ("study", study.id)
    event = trail.event(request, principal, action, subject, detail=detail,
                        patient=study.patient if study is not None else patient)  # fmt: skip
    trail.write(session, event)
