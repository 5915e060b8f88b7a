"""Groups of people, for administrators: departments, practices, wards, and who is in them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal
from radrelay.archive import rule_facts
from radrelay.archive.locking import lock_archive
from radrelay.errors import NotFound
from radrelay.identity.factors import rules
from radrelay.web import trail
from radrelay.web.api import grants
from radrelay.web.authentication import Administrator, Services
from radrelay.web.services import WebServices

router = APIRouter(prefix="/groups", tags=["groups"])
MemberKind = Literal["account", "token"]


class Group(BaseModel):
    """A group, how many are in it, how many grants it has, and whether these show restricted studies too."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    description: str
    created_at: datetime
    members: int
    grants: int
    sees_restricted: bool


class Groups(BaseModel):
    """All groups, by name."""

    groups: list[Group]


class NewGroup(BaseModel):
    """A group to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=1000)


class GroupChange(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=1000)
    sees_restricted: bool | None = None


class Member(BaseModel):
    """Who is in a group, and whether by hand, by the directory or by single sign-on."""

    kind: MemberKind
    id: str
    name: str
    origin: Literal["hand", "directory", "sign-on"]


class Members(BaseModel):
    """A group's members, by name."""

    members: list[Member]


@router.get("")
def list_groups(services: Services, principal: Administrator) -> Groups:
    """List the groups."""
    with services.database.read() as session:
        found = access.groups(session, principal.organisation_id)
    return Groups(groups=[Group.model_validate(one) for one in found])


@router.post("", status_code=201)
def create_group(request: Request, services: Services, principal: Administrator, wanted: NewGroup) -> Group:
    """Make a group."""
    with services.database.write() as session:
        made = access.create_group(
            session, principal.organisation_id, wanted.name, wanted.description, now=services.clock.now()
        )
        detail = {"name": made.name}
        trail.write(session, trail.event(request, principal, "group.create", ("group", made.id), detail=detail))
    return Group.model_validate(made)


@router.patch("/{group_id}")
def change_group(
    request: Request, services: Services, principal: Administrator, group_id: uuid.UUID, change: GroupChange
) -> Group:
    """Rename or describe a group."""
    with services.database.write() as session:
        changed = access.change_group(
            session, principal.organisation_id, group_id, name=change.name, description=change.description,
            sees_restricted=change.sees_restricted,
        )  # fmt: skip
        detail: dict[str, object] = {"name": changed.name}
        if change.sees_restricted is not None:
            detail["sees_restricted"] = change.sees_restricted
        trail.write(session, trail.event(request, principal, "group.change", ("group", group_id), detail=detail))
    return Group.model_validate(changed)


@router.delete("/{group_id}", status_code=204)
def delete_group(
    request: Request, services: Services, principal: Administrator, group_id: uuid.UUID, confirmed: bool = False
) -> None:
    """Delete a group; its members lose what it was granted at once.

    409 `last-sight` if nobody could see anything afterwards, unless `confirmed`.
    """
    now = services.clock.now()
    with (
        services.database.write() as session,
        grants.keeping_sight(session, principal, now, confirmed=confirmed),
    ):
        members = access.members_of(session, principal.organisation_id, group_id)
        given = access.granted(session, principal.organisation_id, grantee=access.Grantee("group", str(group_id)))
        _end_releases(session, request, principal, group_id, now)
        name = access.delete_group(session, principal.organisation_id, group_id).name
        rules.forget_group(session, principal.organisation_id, group_id)
        for one in given:
            event = trail.event(request, principal, "grant.revoke", ("grant", one.id), detail=grants.told(one))
            trail.write(session, event)
        detail = {"name": name, "members": [f"{one.kind} {one.id}" for one in members]}
        trail.write(session, trail.event(request, principal, "group.delete", ("group", group_id), detail=detail))


def _end_releases(session: Session, request: Request, principal: Principal, group_id: uuid.UUID, now: datetime) -> None:
    """End the rules that release to a group, and what they released; each on record."""
    lock_archive(session)
    gone, ended = access.end_for_group(session, principal.organisation_id, group_id, now)
    rule_facts.note_ended(session, principal.organisation_id, ended, principal)
    for rule in gone:
        detail = access.told_of_rule(rule) | {"by": "group.delete"}
        event = trail.event(request, principal, "release-rule.delete", ("release-rule", rule.id), detail=detail)
        trail.write(session, event)


@router.get("/{group_id}/members")
def list_members(services: Services, principal: Administrator, group_id: uuid.UUID) -> Members:
    """List who is in a group."""
    with services.database.read() as session:
        names = _names(services, session, principal.organisation_id)
        found = access.members_of(session, principal.organisation_id, group_id)
    members = [
        Member(kind=one.kind, id=one.id, name=names[one.kind, one.id], origin=one.origin)
        for one in found
        if (one.kind, one.id) in names
    ]
    return Members(members=sorted(members, key=lambda one: one.name.casefold()))


@router.put("/{group_id}/members/{kind}/{member_id}", status_code=204)
def add_member(
    request: Request,
    services: Services,
    principal: Administrator,
    group_id: uuid.UUID,
    kind: MemberKind,
    member_id: uuid.UUID,
) -> None:
    """Put an account or a token into a group; who is in it already stays."""
    with services.database.write() as session:
        if (kind, str(member_id)) not in _names(services, session, principal.organisation_id):
            raise NotFound(f"there is no such {kind}")
        if access.add_member(session, principal.organisation_id, group_id, kind, str(member_id)):
            _record(session, request, principal, "group.join", group_id, kind, member_id)


@router.delete("/{group_id}/members/{kind}/{member_id}", status_code=204)
def remove_member(
    request: Request,
    services: Services,
    principal: Administrator,
    group_id: uuid.UUID,
    kind: MemberKind,
    member_id: uuid.UUID,
) -> None:
    """Take an account or a token out of a group; no error if it is not in it."""
    with services.database.write() as session:
        if access.remove_member(session, principal.organisation_id, group_id, kind, str(member_id)):
            _record(session, request, principal, "group.leave", group_id, kind, member_id)


def _record(
    session: Session, request: Request, principal: access.Principal, action: str, group_id: uuid.UUID, kind: str,
    member_id: uuid.UUID,
) -> None:  # fmt: skip
    detail = {"member": f"{kind} {member_id}"}
    trail.write(session, trail.event(request, principal, action, ("group", group_id), detail=detail))


def _names(services: WebServices, session: Session, organisation_id: uuid.UUID) -> dict[tuple[str, str], str]:
    """Return the names of all who can be in a group."""
    accounts = services.identity.accounts(session, organisation_id)
    tokens = services.identity.tokens(session, organisation_id)
    return {
        **{("account", str(one.id)): one.full_name or one.username for one in accounts},
        **{("token", str(one.id)): one.name for one in tokens if one.revoked_at is None},
    }
