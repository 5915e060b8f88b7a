"""Breaking glass: somebody opens one restricted study for a reason and a time, and those who are to know are told.

What opens it is a grant on the study, so that the one rule decides, and ends it by itself. The notices stand in a
table that their readers' pages show; who posts a letter of one in the same transaction notes it in `mailed_at`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.asked import BROKEN_GLASS
from radrelay.access.grants import Grantee, Target, grant
from radrelay.access.models import BrokenGlass, Notice
from radrelay.access.principal import Principal, Right
from radrelay.errors import Invalid, NotFound
from radrelay.storage.ids import new_id

BreakKind = Literal["emergency", "treatment", "patient-asked", "technical", "other"]
SHORTEST_REASON = 10
MOST_LISTED = 500


@dataclass(frozen=True, slots=True)
class BrokenView:
    """Who opened which study, why, until when, and who has looked into it."""

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


@dataclass(frozen=True, slots=True)
class NoticeView:
    """Something that an account is told, and which breaking of glass it is about."""

    id: uuid.UUID
    kind: str
    at: datetime
    broken: BrokenView


@dataclass(frozen=True, slots=True)
class Why:
    """The chosen kind of reason, and the words of whoever gives it."""

    kind: BreakKind
    reason: str


def break_glass(
    session: Session, principal: Principal, study_id: uuid.UUID, why: Why, *, now: datetime, lasts: timedelta,
    identity: Literal["clear", "alias"], told: Collection[uuid.UUID],
) -> tuple[BrokenView, bool]:  # fmt: skip
    """Open a study to an account until `now + lasts`, and write whom it is told to; says whether that is new.

    That the account may break glass, and of this study, is the caller's to know. What it has open stays as it is: a
    second click is no second event. Raises `Invalid` for a reason that says nothing.
    """
    reason = " ".join(why.reason.split())
    if len(reason) < SHORTEST_REASON or not any(char.isalpha() for char in reason):
        raise Invalid(f"a reason has at least {SHORTEST_REASON} characters", field="reason")
    account = uuid.UUID(principal.id)
    there = session.scalar(
        sa.select(BrokenGlass).where(
            BrokenGlass.organisation_id == principal.organisation_id, BrokenGlass.account_id == account,
            BrokenGlass.study_id == study_id, BrokenGlass.ends_at > now,
        )
    )  # fmt: skip
    if there is not None:
        return _view(there), False
    ends_at = now + lasts
    opened = grant(
        session, principal.organisation_id, Grantee("account", principal.id), Target("study", study_id), [Right.SEE],
        now=now, identity=identity, ends_at=ends_at, origin=BROKEN_GLASS,
    )  # fmt: skip
    row = BrokenGlass(
        id=new_id(), organisation_id=principal.organisation_id, account_id=account, account_name=principal.name[:200],
        study_id=study_id, grant_id=opened, kind=why.kind, reason=reason[:1000], at=now, ends_at=ends_at,
        reviewed_by="",
    )  # fmt: skip
    session.add(row)
    session.add_all(
        Notice(id=new_id(), organisation_id=principal.organisation_id, account_id=one, kind="break-glass",
               subject_id=row.id, at=now)
        for one in sorted(set(told) - {account})
    )  # fmt: skip
    session.flush()
    return _view(row), True


def broken(session: Session, organisation_id: uuid.UUID) -> list[BrokenView]:
    """Return what was opened, what nobody has looked into first, then the newest; at most 500."""
    rows = session.scalars(
        sa.select(BrokenGlass)
        .where(BrokenGlass.organisation_id == organisation_id)
        .order_by(BrokenGlass.reviewed_at.is_not(None), BrokenGlass.at.desc())
        .limit(MOST_LISTED)
    )
    return [_view(row) for row in rows]


def review(session: Session, organisation_id: uuid.UUID, broken_id: uuid.UUID, by: str, now: datetime) -> BrokenView:
    """Note who has looked into it first; raises `NotFound`."""
    row = session.scalar(
        sa.select(BrokenGlass)
        .where(BrokenGlass.organisation_id == organisation_id, BrokenGlass.id == broken_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound("no glass was broken under this id")
    if row.reviewed_at is None:
        row.reviewed_at, row.reviewed_by = now, by[:200]
        session.flush()
    return _view(row)


def notices(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID) -> list[NoticeView]:
    """Return what an account is told and has not put away, the newest first."""
    rows = session.execute(
        sa.select(Notice, BrokenGlass)
        .join(BrokenGlass, BrokenGlass.id == Notice.subject_id)
        .where(
            Notice.organisation_id == organisation_id, Notice.account_id == account_id, Notice.seen_at.is_(None),
            Notice.kind == "break-glass",
        )
        .order_by(Notice.at.desc())
        .limit(MOST_LISTED)
    )  # fmt: skip
    return [NoticeView(notice.id, notice.kind, notice.at, _view(row)) for notice, row in rows]


def note_mailed(session: Session, broken_id: uuid.UUID, account_ids: Collection[uuid.UUID], now: datetime) -> None:
    """Note that accounts are told by mail, too; the caller has posted the letters in this transaction."""
    session.execute(
        sa.update(Notice)
        .where(Notice.subject_id == broken_id, Notice.account_id.in_(account_ids), Notice.mailed_at.is_(None))
        .values(mailed_at=now)
        .execution_options(synchronize_session=False)
    )


def put_away(session: Session, account_id: uuid.UUID, notice_id: uuid.UUID, now: datetime) -> None:
    """Note that an account has read a notice of its own; another's or none is no error."""
    session.execute(
        sa.update(Notice)
        .where(Notice.id == notice_id, Notice.account_id == account_id, Notice.seen_at.is_(None))
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )


def _view(row: BrokenGlass) -> BrokenView:
    return BrokenView(
        row.id, row.account_id, row.account_name, row.study_id, cast("BreakKind", row.kind), row.reason, row.at,
        row.ends_at, row.reviewed_at, row.reviewed_by,
    )  # fmt: skip
