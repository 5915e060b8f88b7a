"""By what people see: which grants let whom see at all, and how long somebody's own right to a study lasts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.asked import OWNER, Asked
from radrelay.access.errors import BeyondOwn
from radrelay.access.grants import ANYBODY
from radrelay.access.models import Grant, Group, Member
from radrelay.access.principal import Principal, Right
from radrelay.access.tables import HOLDING, RESTRICTED

PEOPLE = ("account", "group", "role")


@dataclass(frozen=True, slots=True)
class Sight:
    """By what somebody sees: a grant of their own, of a group or of a role; the whole organisation, or a part."""

    kind: Literal["account", "group", "role"]
    id: str
    name: str
    whole: bool


def _seeing(organisation_id: uuid.UUID, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        Grant.organisation_id == organisation_id,
        Grant.grantee_kind.in_(PEOPLE),
        Grant.rights.like(f"%,{Right.SEE.value},%"),
        sa.or_(Grant.ends_at.is_(None), Grant.ends_at > now),
    )


def anybody_sees(session: Session, organisation_id: uuid.UUID, now: datetime) -> bool:
    """Say whether a grant lets any person see anything: one to an account, a role, or a group that has members."""
    members = sa.select(Member.group_id).where(
        Member.organisation_id == organisation_id, Member.member_kind == "account"
    )
    reaches = sa.or_(Grant.grantee_kind != "group", Grant.grantee_id.in_(members))
    counts = sa.and_(_seeing(organisation_id, now), reaches, Grant.origin != OWNER)  # as good as none
    return session.scalar(sa.select(Grant.id).where(counts).limit(1)) is not None


def sights(session: Session, organisation_id: uuid.UUID, now: datetime) -> tuple[list[Sight], dict[str, list[str]]]:
    """Return by what anybody sees, and the ids of the groups that each account is in, by the account's id."""
    whole = sa.func.max(sa.case((Grant.target_kind == "organisation", 1), else_=0))
    rows = session.execute(
        sa.select(Grant.grantee_kind, Grant.grantee_id, whole)
        .where(_seeing(organisation_id, now))
        .group_by(Grant.grantee_kind, Grant.grantee_id)
        .order_by(Grant.grantee_kind, Grant.grantee_id)
    ).all()
    names = dict(
        session.execute(sa.select(Group.key, Group.name).where(Group.organisation_id == organisation_id)).all()
    )
    found = [
        Sight(cast('Literal["account", "group", "role"]', kind), grantee, names.get(grantee, ""), bool(everything))
        for kind, grantee, everything in rows
    ]
    groups: dict[str, list[str]] = {}
    members = sa.select(Member.member_id, Member.group_id).where(
        Member.organisation_id == organisation_id, Member.member_kind == "account"
    )
    for account, group in session.execute(members):
        groups.setdefault(account, []).append(group)
    return found, groups


def of_account(found: list[Sight], groups: dict[str, list[str]], account: str, role: str) -> list[Sight]:
    """Return by which of `found` an account of a role sees."""
    mine = {"account": {account, ANYBODY}, "group": set(groups.get(account, ())), "role": {role, ANYBODY}}
    return [one for one in found if one.id in mine[one.kind]]


def own_end(
    session: Session, principal: Principal, right: Right, study_id: uuid.UUID, now: datetime
) -> datetime | None:
    """Return until when `principal` has `right` on a whole study by its grants; none: without an end.

    What a grant on a source covers is judged by what the source holds now. Raises `BeyondOwn` for who has no such
    grant, or one on single series alone.
    """
    if principal.kind == "system":
        return None
    holding = HOLDING.alias()
    brought = sa.select(holding.c.source_id).where(
        holding.c.study_id == study_id, sa.or_(holding.c.ends_at.is_(None), holding.c.ends_at > now)
    )
    covers = sa.or_(
        Grant.target_kind == "organisation",
        sa.and_(Grant.target_kind == "study", Grant.target_id == study_id),
        sa.and_(Grant.target_kind == "source", Grant.target_id.in_(brought)),
    )
    ends = session.scalars(sa.select(Grant.ends_at).where(_counting(session, principal, right, study_id, now), covers))
    found = set(ends)
    if not found:
        raise BeyondOwn
    return None if None in found else max(one for one in found if one is not None)


def _counting(
    session: Session, principal: Principal, right: Right, study_id: uuid.UUID, now: datetime
) -> sa.ColumnElement[bool]:
    """Return the condition that a grant counts for a study: of a restricted one those that show it all the same."""
    asked = Asked(principal, right, now)
    restricted = sa.select(RESTRICTED.study_id).where(RESTRICTED.study_id == study_id).limit(1)
    if right is Right.BREAK_GLASS or session.scalar(restricted) is None:
        return asked.matching()
    own = sa.and_(replace(asked, which="personal").matching(), Grant.target_kind == "study")
    return sa.or_(own, replace(asked, which="trusted").matching())
