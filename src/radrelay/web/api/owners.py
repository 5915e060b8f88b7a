"""Owners of a study: who brought it, and whom an owner, or an administrator who may share it, has made one.

An owner sees, downloads and shares. Whoever gives a study up as its last owner says whether what they brought of it is
to end: it does not while another owner or a hold keeps it, and what others brought stays.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Grantee, GrantView, OwnerView, Principal, Target
from radrelay.access.errors import BeyondOwn
from radrelay.archive import ownership
from radrelay.archive.locking import lock_archive
from radrelay.errors import Conflict, Forbidden, NotFound
from radrelay.web import trail
from radrelay.web.api.grants import names_for, require_grantee
from radrelay.web.api.releases import Receiver, ReceiverKind, reach_to_share
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import ReachedStudy
from radrelay.web.services import WebServices

router = APIRouter(prefix="/studies/{study_id}/owners", tags=["owners"])


class OwnersOnly(Forbidden):
    """This is for the study's owners, who brought it, and administrators who may share it."""

    code = "owners-only"


class LastOwner(Conflict):
    """Nobody would own this study any more: say that what was brought of it is to end, or add an owner first."""

    code = "last-owner"


class Owner(BaseModel):
    """An owner and since when; `mine`: it is the caller."""

    id: uuid.UUID
    owner: Receiver
    since: datetime
    mine: bool


class Owners(BaseModel):
    """A study's owners. `may_change`: the caller may add and give up; `until_closed`: kept until the owners' end."""

    owners: list[Owner]
    may_change: bool
    until_closed: bool


class NewOwner(BaseModel):
    """Who is to own a study, too."""

    model_config = ConfigDict(extra="forbid")

    kind: ReceiverKind
    id: uuid.UUID


class GivenUp(BaseModel):
    """How much of what people brought ends now, and whether a hold keeps it for the time being."""

    ended: int
    held: bool


@router.get("")
def list_owners(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Owners:
    """List a study's owners, for who may share it."""
    with services.database.read() as session:
        study, _ = reach_to_share(services, session, principal, study_id, download=False)
        found = access.owners_of(session, principal.organisation_id, study_id)
        shown = _shown(services, session, principal, study_id, found)
        may_change = _may_change(session, principal, study_id, found)
        kept = any(one.expires_at is None for one in ownership.brought_of(session, study_id))
    record = trail.event(request, principal, "owner.list", ("study", study_id), patient=study.patient)
    trail.seen(services.database, principal, record)
    return Owners(owners=shown, may_change=may_change, until_closed=kept)


@router.post("", status_code=201)
def add(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, wanted: NewOwner) -> Owner:
    """Make a person or a group an owner, too; the same twice is one. 403 `beyond-own` for who has less than one."""
    with services.database.write() as session:
        lock_archive(session)
        study, latest_end = reach_to_share(services, session, principal, study_id, download=True)
        _require_owner(session, principal, study_id)
        study.require_clear()
        if latest_end is not None:
            raise BeyondOwn
        require_grantee(services, session, principal, Grantee(wanted.kind, str(wanted.id)))
        made, fresh = access.add_owner(
            session, principal.organisation_id, study_id, wanted.kind, str(wanted.id), services.clock.now()
        )
        if fresh:
            _record(session, request, principal, "owner.add", study, made)
        return _shown(services, session, principal, study_id, [made])[0]


@router.delete("/{owner_id}")
def give_up(
    request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, owner_id: uuid.UUID,
    end: bool = False,
) -> GivenUp:  # fmt: skip
    """Give a study up, or take it from an owner as an administrator who may share it.

    With the last owner and `end`, what they brought of it ends as if its time had come. 409 `last-owner` without,
    where it is kept until its owners' end.
    """
    now, organisation = services.clock.now(), principal.organisation_id
    with services.database.write() as session:
        lock_archive(session)
        study, _ = reach_to_share(services, session, principal, study_id, download=False)
        found = access.owners_of(session, organisation, study_id)
        one = next((each for each in found if each.grant_id == owner_id), None)
        if one is None:
            raise NotFound("there is no such owner")
        if principal.role != "admin" and (one.kind, one.id) != (principal.kind, principal.id):
            raise OwnersOnly
        others = [each for each in found if each.grant_id != owner_id]
        brought = ownership.brought_by(session, study_id, _accounts_of(session, organisation, one))
        if not others and not end and any(each.expires_at is None for each in brought):
            raise LastOwner
        access.revoke(session, organisation, owner_id)
        ending = brought if end and not others else []
        ownership.end_now(session, ending, now)
        _hand_on(session, study_id, one, others)
        _record(session, request, principal, "owner.end", study, one, ended=len(ending))
        return GivenUp(ended=len(ending), held=any(each.ends_at is None or each.ends_at > now for each in ending))


def _accounts_of(session: Session, organisation_id: uuid.UUID, one: OwnerView) -> set[str]:
    """Return the accounts that an owner is: its own, or those of a group's people."""
    if one.kind == "account":
        return {one.id}
    members = access.members_of(session, organisation_id, uuid.UUID(one.id))
    return {member.id for member in members if member.kind == "account"}


def _hand_on(session: Session, study_id: uuid.UUID, gone: OwnerView, others: list[OwnerView]) -> None:
    """Let what somebody brought be kept for the next owner: their own account's end counts no more."""
    heir = next((each for each in others if each.kind == "account"), None)
    if gone.kind == "account" and heir is not None:
        ownership.hand_on(session, study_id, uuid.UUID(gone.id), uuid.UUID(heir.id))


def _may_change(session: Session, principal: Principal, study_id: uuid.UUID, found: list[OwnerView]) -> bool:
    """Say whether somebody may make owners: one of them, who brought some of the study, or an administrator."""
    if principal.role == "admin" or access.owners_among(session, principal, found):
        return True
    return principal.id in {str(one.account_id) for one in ownership.brought_of(session, study_id)}


def _require_owner(session: Session, principal: Principal, study_id: uuid.UUID) -> None:
    found = access.owners_of(session, principal.organisation_id, study_id)
    if not _may_change(session, principal, study_id, found):
        raise OwnersOnly


def _shown(
    services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID, found: list[OwnerView]
) -> list[Owner]:
    target = Target("study", study_id)
    views = [
        GrantView(one.grant_id, Grantee(one.kind, one.id), target, (), "clear", None, one.since, 1) for one in found
    ]
    names = names_for(services, session, principal, views)
    return [
        Owner(
            id=one.grant_id,
            owner=Receiver(kind=one.kind, id=one.id, name=names.of(one.kind, one.id)),
            since=one.since,
            mine=(one.kind, one.id) == (principal.kind, principal.id),
        )
        for one in found
    ]


def _record(
    session: Session, request: Request, principal: Principal, action: str, study: ReachedStudy, one: OwnerView,
    **more: int,
) -> None:  # fmt: skip
    detail = {"grantee": f"{one.kind} {one.id}", "grant": str(one.grant_id), **more}
    event = trail.event(request, principal, action, ("study", study.id), detail=detail, patient=study.patient)
    trail.write(session, event)
