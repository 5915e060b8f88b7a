"""Which groups people are in, and which groups studies are shown to: as rules ask it of many at once."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.models import Grant, Group, Member
from radrelay.access.principal import Right


def groups_of_accounts(
    session: Session, organisation_id: uuid.UUID, account_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, set[str]]:
    """Return the keys of the groups that each account is in."""
    if not account_ids:
        return {}
    asked = (
        sa.select(Member.member_id, Group.key)
        .join(Group, Group.key == Member.group_id)
        .where(
            Group.organisation_id == organisation_id, Member.member_kind == "account",
            Member.member_id.in_({str(one) for one in account_ids}),
        )
    )  # fmt: skip
    found: dict[uuid.UUID, set[str]] = {}
    for member_id, key in session.execute(asked):
        found.setdefault(uuid.UUID(member_id), set()).add(key)
    return found


def groups_shown(
    session: Session, organisation_id: uuid.UUID, study_ids: Collection[uuid.UUID], now: datetime
) -> dict[uuid.UUID, set[str]]:
    """Return the keys of the groups that each study is shown to by a grant of its own."""
    lasts = sa.or_(Grant.ends_at.is_(None), Grant.ends_at > now)
    asked = sa.select(Grant.target_id, Grant.grantee_id).where(
        Grant.organisation_id == organisation_id, Grant.target_kind == "study", Grant.target_id.in_(study_ids),
        Grant.grantee_kind == "group", Grant.rights.contains(f",{Right.SEE.value},"), lasts,
    )  # fmt: skip
    found: dict[uuid.UUID, set[str]] = {}
    for study_id, key in session.execute(asked):
        if study_id is not None:
            found.setdefault(study_id, set()).add(key)
    return found
