"""Owners of a study: people and groups whose it is, who brought it or were made owners by one.

An owner's grant on the study, with an origin of its own, is all that the scope knows of it: it lets them see, download
and share. It opens no restricted study and leads to no earlier ones: whoever may bring a study under any patient's ID
would come to see theirs.
What is kept until its owner's account ends goes when nobody owns it any more (`archive.ownership`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.asked import OWNER
from radrelay.access.grants import Grantee, Target, grant
from radrelay.access.models import Grant, Member
from radrelay.access.principal import Principal, Right
from radrelay.errors import Conflict

MOST_OWNERS = 50
RIGHTS = (Right.SEE, Right.DOWNLOAD, Right.SHARE)
OwnerKind = Literal["account", "group"]


class TooManyOwners(Conflict):
    """A study has at most 50 owners."""

    code = "too-many-owners"


@dataclass(frozen=True, slots=True)
class OwnerView:
    """An owner of a study, by the grant that makes it one, and since when."""

    grant_id: uuid.UUID
    kind: OwnerKind
    id: str
    since: datetime


def owned_by(organisation_id: Any, study_id: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a grant makes somebody an owner of a study."""
    return sa.and_(
        Grant.organisation_id == organisation_id, Grant.target_kind == "study", Grant.target_id == study_id,
        Grant.origin == OWNER,
    )  # fmt: skip


def is_owned(organisation_id: Any, study_id: Any, but: str = "") -> sa.ColumnElement[bool]:
    """Return the condition that somebody owns a study, other than the account `but`; for columns of an outer query."""
    found = sa.select(sa.literal(1)).select_from(Grant).where(owned_by(organisation_id, study_id))
    if but:
        found = found.where(sa.or_(Grant.grantee_kind != "account", Grant.grantee_id != but))
    return found.exists()


def owners_of(session: Session, organisation_id: uuid.UUID, study_id: uuid.UUID) -> list[OwnerView]:
    """Return a study's owners, the first first."""
    rows = session.scalars(
        sa.select(Grant).where(owned_by(organisation_id, study_id)).order_by(Grant.created_at, Grant.id)
    )
    return [OwnerView(row.id, cast("OwnerKind", row.grantee_kind), row.grantee_id, row.created_at) for row in rows]


def add_owner(
    session: Session, organisation_id: uuid.UUID, study_id: uuid.UUID, kind: OwnerKind, own_id: str, now: datetime
) -> tuple[OwnerView, bool]:
    """Make somebody an owner of a study, and say whether they were none; raises `TooManyOwners`."""
    there = owners_of(session, organisation_id, study_id)
    for one in there:
        if (one.kind, one.id) == (kind, own_id):
            return one, False
    if len(there) >= MOST_OWNERS:
        raise TooManyOwners
    made = grant(
        session, organisation_id, Grantee(kind, own_id), Target("study", study_id), RIGHTS, now=now, origin=OWNER
    )  # fmt: skip
    return OwnerView(made, kind, own_id, now), True


def own_all(session: Session, organisation_id: uuid.UUID, brought: Mapping[uuid.UUID, str], now: datetime) -> None:
    """Make accounts the owners of new studies that they brought: the account's id by the study's."""
    for study_id, account in brought.items():
        add_owner(session, organisation_id, study_id, "account", account, now)


def owned_studies(session: Session, organisation_id: uuid.UUID, account: str) -> set[uuid.UUID]:
    """Return the studies that an account owns by itself."""
    found = sa.select(Grant.target_id).where(
        Grant.organisation_id == organisation_id, Grant.grantee_kind == "account", Grant.grantee_id == account,
        Grant.target_kind == "study", Grant.origin == OWNER,
    )  # fmt: skip
    return {one for one in session.scalars(found) if one is not None}


def owners_among(session: Session, principal: Principal, owners: list[OwnerView]) -> list[OwnerView]:
    """Return those of a study's owners that an account is, by itself or by a group."""
    if principal.kind != "account":
        return []
    groups = set(
        session.scalars(
            sa.select(Member.group_id).where(
                Member.organisation_id == principal.organisation_id, Member.member_kind == "account",
                Member.member_id == principal.id,
            )
        )
    )  # fmt: skip
    return [one for one in owners if one.id == principal.id or (one.kind == "group" and one.id in groups)]
