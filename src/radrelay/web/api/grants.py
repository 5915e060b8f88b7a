"""Grants, for administrators: who may do what with which studies, and until when."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Grantee, GrantView, Principal, Right, Scope, Target
from radrelay.access.errors import EndPast, GrantChanged, GranteeGone, LastSight
from radrelay.archive.models import Study
from radrelay.archive.tables import SERIES, STUDY
from radrelay.errors import Invalid, NotFound
from radrelay.intake.sources import get_source, list_sources
from radrelay.web import trail
from radrelay.web.api.studies import Patient, shown_patient
from radrelay.web.authentication import Administrator, Services
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/grants", tags=["grants"])
GranteeKind = Literal["account", "token", "group", "ae", "role"]
ListedKind = Literal["account", "token", "group", "ae", "role", "link"]
TargetKind = Literal["organisation", "source", "study", "series"]
LONGEST_AE = 16
told = access.told_of_grant


class Grant(BaseModel):
    """A grant. `grantee_id` is an id, an AE title or a role; `*` is any of its kind. No `target_id`: everything.

    What a link opens is its grant, made with the link.
    """

    id: uuid.UUID
    grantee_kind: ListedKind
    grantee_id: str
    target_kind: TargetKind
    target_id: uuid.UUID | None
    rights: list[Right]
    identity: Literal["clear", "alias"]
    ends_at: datetime | None
    priors: bool
    created_at: datetime
    revision: int
    origin: str
    grantee_name: str
    target_name: str
    study: GrantedStudy | None


class GrantedStudy(BaseModel):
    """The study that a grant is on, as the asking administrator may see it; null if they may not, or it is gone."""

    id: uuid.UUID
    patient: Patient
    study_date: date | None
    description: str
    modalities: list[str]


class Grants(BaseModel):
    """Grants, the newest first; `more` says that not all are listed."""

    grants: list[Grant]
    more: bool


class GrantChange(BaseModel):
    """What a grant is to be; `revision` is that of the grant as it was seen."""

    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=1, le=2**31 - 1)
    rights: list[Right] = Field(min_length=1)
    identity: Literal["clear", "alias"] = "clear"
    ends_at: AwareDatetime | None = None
    priors: bool | None = None  # left out: as it is
    confirmed: bool = False


class NewGrant(BaseModel):
    """A grant to be given."""

    model_config = ConfigDict(extra="forbid")

    grantee_kind: GranteeKind
    grantee_id: str = Field(min_length=1, max_length=64)
    target_kind: TargetKind
    target_id: uuid.UUID | None = None
    rights: list[Right] = Field(min_length=1)
    identity: Literal["clear", "alias"] = "clear"
    ends_at: AwareDatetime | None = None
    priors: bool = False


def _shown(view: GrantView, names: Names) -> Grant:
    study = names.studies.get(view.target.id) if view.target.kind == "study" and view.target.id else None
    return Grant(
        id=view.id,
        grantee_kind=view.grantee.kind,
        grantee_id=view.grantee.id,
        target_kind=view.target.kind,
        target_id=view.target.id,
        rights=list(view.rights),
        identity=view.identity,
        ends_at=view.ends_at,
        priors=view.priors,
        created_at=view.created_at,
        revision=view.revision,
        origin=view.origin,
        grantee_name=names.of(view.grantee.kind, view.grantee.id),
        target_name=names.sources.get(view.target.id, "") if view.target.id else "",
        study=None if study is None else granted_study(study, names.scope),
    )


def granted_study(row: Study, scope: Scope) -> GrantedStudy:
    """Return a study as somebody with a scope sees it."""
    return GrantedStudy(
        id=row.id,
        patient=shown_patient(row, scope),
        study_date=row.study_date,
        description=row.description,
        modalities=[part for part in row.modalities.split("\\") if part],
    )


@router.get("")
def list_grants(
    request: Request,
    services: Services,
    principal: Administrator,
    grantee_kind: ListedKind | None = None,
    grantee_id: str = Query("", max_length=64),
    target_kind: TargetKind | None = None,
    target_id: uuid.UUID | None = None,
) -> Grants:
    """List grants: all, to one grantee, or on one target. That patients' names were seen is on record."""
    grantee = Grantee(grantee_kind, grantee_id) if grantee_kind else None
    target = Target(target_kind, target_id) if target_kind else None
    with services.database.read() as session:
        found = access.granted(session, principal.organisation_id, grantee=grantee, target=target)
        names = names_for(services, session, principal, found)
    if names.studies:
        trail.seen(services.database, principal, trail.event(request, principal, "grant.list"))
    return Grants(grants=[_shown(one, names) for one in found], more=len(found) >= access.MOST_LISTED)


@router.post("", status_code=201)
def give(request: Request, services: Services, principal: Administrator, wanted: NewGrant) -> Grant:
    """Give a grant; it counts from now on."""
    grantee, target = Grantee(wanted.grantee_kind, wanted.grantee_id), Target(wanted.target_kind, wanted.target_id)
    now = services.clock.now()
    require_future(wanted.ends_at, now)
    with services.database.write() as session:
        require_grantee(services, session, principal, grantee)
        _require_target(session, principal, target)
        made = access.grant(
            session, principal.organisation_id, grantee, target, wanted.rights, now=now, identity=wanted.identity,
            ends_at=wanted.ends_at, priors=wanted.priors,
        )  # fmt: skip
        view = access.grant_of(session, principal.organisation_id, made)
        trail.write(session, trail.event(request, principal, "grant.give", ("grant", made), detail=told(view)))
        names = names_for(services, session, principal, [view])
    return _shown(view, names)


@router.patch("/{grant_id}")
def change(
    request: Request, services: Services, principal: Administrator, grant_id: uuid.UUID, wanted: GrantChange
) -> Grant:
    """Change a grant's rights, names or end. 409 `grant-changed` if it is another one than was seen.

    409 `last-sight` if nobody could see anything afterwards, unless `confirmed`.
    """
    now, organisation = services.clock.now(), principal.organisation_id
    with services.database.write() as session, keeping_sight(session, principal, now, confirmed=wanted.confirmed):
        before = access.grant_of(session, organisation, grant_id)
        if before.grantee.kind not in get_args(GranteeKind):
            raise GranteeGone  # it is a part of something else, and changed there
        if wanted.ends_at != before.ends_at:
            require_future(wanted.ends_at, now)
        view = access.change_grant(
            session, organisation, grant_id, wanted.revision, rights=wanted.rights, identity=wanted.identity,
            ends_at=wanted.ends_at, priors=before.priors if wanted.priors is None else wanted.priors,
        )  # fmt: skip
        detail = told(view) | {"before": told(before)}
        trail.write(session, trail.event(request, principal, "grant.change", ("grant", grant_id), detail=detail))
        names = names_for(services, session, principal, [view])
    return _shown(view, names)


@router.delete("/{grant_id}", status_code=204)
def revoke(
    request: Request,
    services: Services,
    principal: Administrator,
    grant_id: uuid.UUID,
    revision: int | None = Query(None, ge=1, le=2**31 - 1),
    confirmed: bool = False,
) -> None:
    """Take a grant back; it counts no more from now on.

    409 `grant-changed` if it is not at `revision` any more; 409 `last-sight` if nobody could see anything afterwards,
    unless `confirmed`.
    """
    now = services.clock.now()
    with services.database.write() as session, keeping_sight(session, principal, now, confirmed=confirmed):
        view = access.grant_of(session, principal.organisation_id, grant_id)
        if revision is not None and view.revision != revision:
            raise GrantChanged
        access.revoke(session, principal.organisation_id, grant_id)
        trail.write(session, trail.event(request, principal, "grant.revoke", ("grant", grant_id), detail=told(view)))


def require_future(ends_at: datetime | None, now: datetime) -> None:
    """Raise `EndPast` for an end that is not ahead."""
    if ends_at is not None and ends_at <= now:
        raise EndPast(field="ends_at")


@contextmanager
def keeping_sight(session: Session, principal: Principal, now: datetime, *, confirmed: bool) -> Iterator[None]:
    """Raise `LastSight` where what is done within takes from the last people what they see, unless it is confirmed."""
    saw = access.anybody_sees(session, principal.organisation_id, now)
    yield
    if saw and not confirmed and not access.anybody_sees(session, principal.organisation_id, now):
        raise LastSight


@dataclass(frozen=True, slots=True)
class Names:
    """What grants name by ids, in words: whom, by kind and id, sources, and the studies that the asker may see."""

    grantees: Mapping[tuple[str, str], str]
    sources: Mapping[uuid.UUID, str]
    studies: Mapping[uuid.UUID, Study]
    scope: Scope

    def of(self, kind: str, grantee: str) -> str:
        """Return whom a grant is to; an AE title is its own name, who is gone has none."""
        return grantee if kind == "ae" else self.grantees.get((kind, grantee), "")


def names_for(services: WebServices, session: Session, principal: Principal, views: Sequence[GrantView]) -> Names:
    """Return the names of what some grants are to and on."""
    organisation, identity = principal.organisation_id, services.identity
    kinds = {view.grantee.kind for view in views}
    names: dict[tuple[str, str], str] = {}
    if "group" in kinds:
        names |= {("group", str(one.id)): one.name for one in access.groups(session, organisation)}
    if "account" in kinds:
        people = identity.accounts(session, organisation)
        names |= {("account", str(one.id)): one.full_name or one.username for one in people}
    if "token" in kinds:
        names |= {("token", str(one.id)): one.name for one in identity.tokens(session, organisation)}
    reach = Reach.of(services, session, principal, Right.SEE)
    studies = reach.study_rows(view.target.id for view in views if view.target.kind == "study" and view.target.id)
    sources = {one.id: one.name for one in list_sources(session, organisation)}
    return Names(names, sources, studies, reach.scope)


def require_grantee(services: WebServices, session: Session, principal: Principal, grantee: Grantee) -> None:
    """Raise `GranteeGone` where nobody of that name can be granted anything."""
    organisation, any_of = principal.organisation_id, grantee.id == "*"
    match grantee.kind:
        case "role":
            known = any_of or grantee.id in access.ROLES
        case "ae":
            known = 0 < len(grantee.id.strip()) <= LONGEST_AE
        case "group":
            known = grantee.id in {str(one.id) for one in access.groups(session, organisation)}
        case "account":
            known = any_of or grantee.id in {str(one.id) for one in services.identity.accounts(session, organisation)}
        case "token":
            known = any_of or grantee.id in {str(one.id) for one in services.identity.tokens(session, organisation)}
        case "link":
            known = False  # made with a link alone
    if not known:
        raise GranteeGone(f"there is no {grantee.kind} {grantee.id!r}")


def _require_target(session: Session, principal: Principal, target: Target) -> None:
    """Raise `Invalid` for a target that does not fit its kind, and an error that names it where it is not there."""
    if (target.id is None) != (target.kind == "organisation"):
        raise Invalid("a source, study or series has an id, the organisation has none", field="target_id")
    if target.kind == "source" and target.id is not None:
        get_source(session, principal.organisation_id, target.id)
    elif target.kind in ("study", "series"):
        table = STUDY if target.kind == "study" else SERIES
        here = sa.select(table.c.id).where(
            table.c.id == target.id, table.c.organisation_id == principal.organisation_id
        )
        if session.scalar(here) is None:
            raise NotFound(f"there is no such {target.kind}")
