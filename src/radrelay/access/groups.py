"""Groups: departments, practices, wards. What a group is granted, its members may do.

A group's id as text is the grantee's id in grants. Members are accounts and tokens by their ids as text, so that the
one rule finds everything by what a principal carries. Who is a member by a directory leaves when the directory says
so, who is one by single sign-on with their next login; who was put there by hand stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.asked import BY_RULE, OWNER
from radrelay.access.errors import DirectoryMember, GroupExists
from radrelay.access.models import Grant, Group, Member, ReleaseRule
from radrelay.errors import Invalid, NotFound
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_gone, remember_set

LONGEST_NAME = 200
MemberKind = Literal["account", "token"]
Origin = Literal["hand", "directory", "sign-on"]


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group, and how many members and grants it has."""

    id: uuid.UUID
    name: str
    description: str
    created_at: datetime
    members: int = 0
    grants: int = 0
    sees_restricted: bool = False


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of a group: whose id, and who put it there."""

    kind: MemberKind
    id: str
    origin: Origin


def groups(session: Session, organisation_id: uuid.UUID) -> list[GroupView]:
    """Return the organisation's groups by name."""
    members = _count(Member.group_id, Member.group_id == Group.key)
    of_group = sa.and_(Grant.grantee_kind == "group", Grant.grantee_id == Group.key)
    granted = _count(Grant.id, of_group, Grant.origin.not_in((BY_RULE, OWNER)))  # as many as are listed of it
    rows = session.execute(
        sa.select(Group, members, granted).where(Group.organisation_id == organisation_id).order_by(Group.name_folded)
    )
    return [_view(row, member_count, grant_count) for row, member_count, grant_count in rows]


def group_named(session: Session, organisation_id: uuid.UUID, name: str) -> GroupView | None:
    """Return the organisation's group of a name, in whatever case it is written; none where there is none."""
    folded = _clean(name).casefold()
    mine = sa.select(Group).where(Group.organisation_id == organisation_id, Group.name_folded == folded)
    row = session.scalar(mine)
    return None if row is None else _view(row)


def _count(column: sa.ColumnExpressionArgument[object], *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count(column)).where(*conditions).correlate(Group).scalar_subquery()


def create_group(
    session: Session, organisation_id: uuid.UUID, name: str, description: str = "", *, now: datetime
) -> GroupView:
    """Make a group; raises `GroupExists`, or `Invalid` for a name without a letter."""
    row = Group(id=new_id(), organisation_id=organisation_id, created_at=now, description=description.strip()[:1000])
    row.key = str(row.id)
    _name(session, row, name)
    session.add(row)
    session.flush()
    return _view(row)


def change_group(
    session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID, *, name: str | None = None,
    description: str | None = None, sees_restricted: bool | None = None,
) -> GroupView:  # fmt: skip
    """Rename or describe a group, or say whether its grants show restricted studies.

    Raises `NotFound`, `GroupExists` or `Invalid`.
    """
    row = _row(session, organisation_id, group_id)
    if name is not None:
        _name(session, row, name)
    if description is not None:
        row.description = description.strip()[:1000]
    if sees_restricted is not None:
        row.sees_restricted = sees_restricted
        remember_set(session, row, "sees_restricted")
    session.flush()
    return _view(row)


def delete_group(session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID) -> GroupView:
    """Delete a group with its memberships and what it was granted, and return it; raises `NotFound`."""
    row = _row(session, organisation_id, group_id)
    session.execute(sa.delete(Member).where(Member.group_id == row.key))
    given = sa.and_(
        Grant.organisation_id == organisation_id, Grant.grantee_kind == "group", Grant.grantee_id == row.key
    )  # fmt: skip
    for grant_id in session.scalars(sa.select(Grant.id).where(given)).all():
        remember_gone(session, organisation_id, "access_grant", {"id": grant_id})
    remember_gone(session, organisation_id, "access_group", {"id": row.id})
    session.execute(sa.delete(Grant).where(given))
    rules = sa.and_(ReleaseRule.organisation_id == organisation_id, ReleaseRule.group_key == row.key)
    session.execute(sa.delete(ReleaseRule).where(rules).execution_options(synchronize_session=False))
    gone = _view(row)
    session.delete(row)
    session.flush()
    return gone


def members_of(session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID) -> list[MemberView]:
    """Return a group's members; raises `NotFound`."""
    row = _row(session, organisation_id, group_id)
    found = session.execute(
        sa.select(Member.member_kind, Member.member_id, Member.origin)
        .where(Member.group_id == row.key)
        .order_by(Member.member_kind, Member.member_id)
    )
    return [MemberView(cast("MemberKind", kind), member, cast("Origin", origin)) for kind, member, origin in found]


def add_member(
    session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID, kind: MemberKind, member_id: str,
    origin: Origin = "hand",
) -> bool:  # fmt: skip
    """Put somebody into a group, and say whether they were not in it; by hand counts more than by directory."""
    row = _row(session, organisation_id, group_id)
    there = session.get(Member, (row.key, kind, member_id))
    if there is None:
        session.add(
            Member(group_id=row.key, member_kind=kind, member_id=member_id, organisation_id=organisation_id,
                   origin=origin)
        )  # fmt: skip
    elif origin == "hand":
        there.origin = origin
    session.flush()
    return there is None


def remove_member(
    session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID, kind: MemberKind, member_id: str
) -> bool:
    """Take somebody out of a group, and say whether they were in it; raises `NotFound` for the group.

    Raises `DirectoryMember` for one whom the directory put there, and would put there again.
    """
    row = _row(session, organisation_id, group_id)
    there = session.get(Member, (row.key, kind, member_id))
    if there is not None and there.origin == "directory":
        raise DirectoryMember
    if there is not None:
        session.delete(there)
        key = {"group_id": row.key, "member_kind": kind, "member_id": member_id}
        remember_gone(session, organisation_id, "access_member", key)
    return there is not None


def follow_directory(
    session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID, accounts: Collection[str]
) -> tuple[list[str], list[str]]:
    """Make the directory's members of a group these accounts, and return who came and who went; others stay."""
    row = _row(session, organisation_id, group_id)
    there: Sequence[Member] = session.scalars(
        sa.select(Member).where(Member.group_id == row.key, Member.member_kind == "account")
    ).all()
    gone = [one for one in there if one.origin == "directory" and one.member_id not in accounts]
    came = sorted(set(accounts) - {one.member_id for one in there})
    for one in gone:
        session.delete(one)
    session.add_all(
        Member(group_id=row.key, member_kind="account", member_id=account, organisation_id=organisation_id,
               origin="directory")
        for account in came
    )  # fmt: skip
    session.flush()
    return came, sorted(one.member_id for one in gone)


def follow_sign_on(
    session: Session, organisation_id: uuid.UUID, account: str, group_ids: Collection[uuid.UUID]
) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Make single sign-on's groups of an account these, and return which came and which went; all others stay."""
    wanted = {str(group_id): group_id for group_id in group_ids}
    there: Sequence[Member] = session.scalars(
        sa.select(Member).where(
            Member.organisation_id == organisation_id, Member.member_kind == "account", Member.member_id == account
        )
    ).all()
    gone = [one for one in there if one.origin == "sign-on" and one.group_id not in wanted]
    came = sorted(wanted.keys() - {one.group_id for one in there})
    for one in gone:
        session.delete(one)
    session.add_all(
        Member(group_id=group_id, member_kind="account", member_id=account, organisation_id=organisation_id,
               origin="sign-on")
        for group_id in came
    )  # fmt: skip
    session.flush()
    return [wanted[group_id] for group_id in came], [uuid.UUID(one.group_id) for one in gone]


def groups_of(session: Session, organisation_id: uuid.UUID, kind: MemberKind, member_id: str) -> list[GroupView]:
    """Return the groups that somebody is in, by name."""
    rows = session.scalars(
        sa.select(Group)
        .join(Member, Member.group_id == Group.key)
        .where(
            Group.organisation_id == organisation_id, Member.member_kind == kind, Member.member_id == member_id
        )
        .order_by(Group.name_folded)
    )  # fmt: skip
    return [_view(row) for row in rows]


def require_group(session: Session, organisation_id: uuid.UUID, group_id: str) -> str:
    """Return the id of a group of the organisation as it is kept; raises `NotFound` for one that is not there."""
    try:
        wanted = uuid.UUID(group_id)
    except ValueError as error:
        raise NotFound("there is no such group") from error
    return _row(session, organisation_id, wanted).key


def forget_member(session: Session, organisation_id: uuid.UUID, kind: MemberKind, member_id: str) -> None:
    """Take somebody out of every group: an account that is closed, a token that is revoked."""
    session.execute(
        sa.delete(Member).where(
            Member.organisation_id == organisation_id, Member.member_kind == kind, Member.member_id == member_id
        )
    )


def _row(session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID) -> Group:
    row = session.scalar(sa.select(Group).where(Group.organisation_id == organisation_id, Group.id == group_id))
    if row is None:
        raise NotFound("there is no such group")
    return row


def _clean(name: str) -> str:
    return " ".join(name.split())


def _name(session: Session, row: Group, name: str) -> None:
    name = _clean(name)
    if not name or len(name) > LONGEST_NAME or not any(char.isalnum() for char in name):
        raise Invalid(f"a group's name has 1 to {LONGEST_NAME} characters", field="name")
    folded = name.casefold()
    with session.no_autoflush:
        other = session.scalar(
            sa.select(Group.id).where(
                Group.organisation_id == row.organisation_id, Group.name_folded == folded, Group.id != row.id
            )
        )
    if other is not None:
        raise GroupExists(f"there is a group {name!r}", name=name)
    row.name, row.name_folded = name, folded


def _view(row: Group, members: int = 0, granted: int = 0) -> GroupView:
    return GroupView(row.id, row.name, row.description, row.created_at, members, granted, row.sees_restricted)
