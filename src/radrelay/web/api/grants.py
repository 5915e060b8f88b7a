"""Grants, for administrators: who may do what with which studies, and until when."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Grantee, GrantView, Principal, Right, Target
from radrelay.archive.tables import SERIES, STUDY
from radrelay.errors import Invalid, NotFound
from radrelay.intake.sources import get_source
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services
from radrelay.web.services import WebServices

router = APIRouter(prefix="/grants", tags=["grants"])
GranteeKind = Literal["account", "token", "group", "ae", "role"]
ListedKind = Literal["account", "token", "group", "ae", "role", "link"]
TargetKind = Literal["organisation", "source", "study", "series"]
LONGEST_AE = 16


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
    created_at: datetime


class Grants(BaseModel):
    """Grants, the newest first."""

    grants: list[Grant]


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


def _shown(view: GrantView) -> Grant:
    return Grant(
        id=view.id,
        grantee_kind=view.grantee.kind,
        grantee_id=view.grantee.id,
        target_kind=view.target.kind,
        target_id=view.target.id,
        rights=list(view.rights),
        identity=view.identity,
        ends_at=view.ends_at,
        created_at=view.created_at,
    )


@router.get("")
def list_grants(
    services: Services,
    principal: Administrator,
    grantee_kind: ListedKind | None = None,
    grantee_id: str = Query("", max_length=64),
    target_kind: TargetKind | None = None,
    target_id: uuid.UUID | None = None,
) -> Grants:
    """List grants: all, to one grantee, or on one target."""
    grantee = Grantee(grantee_kind, grantee_id) if grantee_kind else None
    target = Target(target_kind, target_id) if target_kind else None
    with services.database.read() as session:
        found = access.granted(session, principal.organisation_id, grantee=grantee, target=target)
    return Grants(grants=[_shown(one) for one in found])


@router.post("", status_code=201)
def give(request: Request, services: Services, principal: Administrator, wanted: NewGrant) -> Grant:
    """Give a grant; it counts from now on."""
    grantee, target = Grantee(wanted.grantee_kind, wanted.grantee_id), Target(wanted.target_kind, wanted.target_id)
    now = services.clock.now()
    if wanted.ends_at is not None and wanted.ends_at <= now:
        raise Invalid("a grant ends in the future", field="ends_at")
    with services.database.write() as session:
        _require_grantee(services, session, principal, grantee)
        _require_target(session, principal, target)
        made = access.grant(
            session, principal.organisation_id, grantee, target, wanted.rights, now=now, identity=wanted.identity,
            ends_at=wanted.ends_at,
        )  # fmt: skip
        view = access.grant_of(session, principal.organisation_id, made)
        trail.write(session, trail.event(request, principal, "grant.give", ("grant", made), detail=told(view)))
    return _shown(view)


@router.delete("/{grant_id}", status_code=204)
def revoke(request: Request, services: Services, principal: Administrator, grant_id: uuid.UUID) -> None:
    """Take a grant back; it counts no more from now on."""
    with services.database.write() as session:
        view = access.grant_of(session, principal.organisation_id, grant_id)
        access.revoke(session, principal.organisation_id, grant_id)
        trail.write(session, trail.event(request, principal, "grant.revoke", ("grant", grant_id), detail=told(view)))


def told(view: GrantView) -> dict[str, object]:
    """Return what the record tells of a grant: it may be all that is left of it."""
    return {
        "grantee": f"{view.grantee.kind} {view.grantee.id}",
        "target": f"{view.target.kind} {view.target.id or ''}".strip(),
        "rights": [right.value for right in view.rights],
        "identity": view.identity,
        "until": view.ends_at.isoformat() if view.ends_at else "",
    }


def _require_grantee(services: WebServices, session: Session, principal: Principal, grantee: Grantee) -> None:
    """Raise `NotFound` or `Invalid` where nobody of that name can be granted anything."""
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
        raise NotFound(f"there is no {grantee.kind} {grantee.id!r}")


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
