"""Who needs a second factor: rules per role and per group. Several rules bind together."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Invalid, NotFound
from radrelay.identity.accounts import require_role
from radrelay.identity.factors.errors import KindNotPossible
from radrelay.identity.factors.models import FactorRule
from radrelay.identity.factors.values import KINDS, Kind, RuleView
from radrelay.storage.ids import new_id

SubjectKind = Literal["role", "group"]


def listed(session: Session, organisation_id: uuid.UUID) -> list[RuleView]:
    """Return the organisation's rules."""
    rows = session.scalars(
        sa.select(FactorRule)
        .where(FactorRule.organisation_id == organisation_id)
        .order_by(FactorRule.subject_kind.desc(), FactorRule.subject_id)
    )
    return [_view(row) for row in rows]


def require(
    session: Session, organisation_id: uuid.UUID, subject_kind: SubjectKind, subject_id: str, kinds: Collection[Kind],
    possible: Collection[Kind], now: datetime,
) -> RuleView:  # fmt: skip
    """Let people of a role or group need a factor of one of `kinds` from their next login on.

    Raises `Invalid` for an unknown role or kind, and `KindNotPossible` if none of them can be used on this site.
    """
    if subject_kind == "role":
        require_role(subject_id)
    if not kinds or not set(kinds) <= set(KINDS):
        raise Invalid(f"a second factor is one of {', '.join(KINDS)}", field="kinds")
    if not set(kinds) & set(possible):
        raise KindNotPossible
    row = _row(session, organisation_id, subject_kind, subject_id)
    if row is None:
        row = FactorRule(id=new_id(), organisation_id=organisation_id, subject_kind=subject_kind, subject_id=subject_id)
        session.add(row)
    row.kinds, row.changed_at = _joined(kinds), now
    session.flush()
    return _view(row)


def release(session: Session, organisation_id: uuid.UUID, subject_kind: SubjectKind, subject_id: str) -> RuleView:
    """Take a rule back and return it; raises `NotFound`."""
    row = _row(session, organisation_id, subject_kind, subject_id)
    if row is None:
        raise NotFound("there is no such rule")
    gone = _view(row)
    session.delete(row)
    session.flush()
    return gone


def forget_group(session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID) -> None:
    """Take back what was required of a group that is deleted."""
    row = _row(session, organisation_id, "group", str(group_id))
    if row is not None:
        session.delete(row)
        session.flush()


def needed(session: Session, organisation_id: uuid.UUID, role: str, groups: Collection[str]) -> frozenset[Kind] | None:
    """Return which kinds fulfil every rule for somebody; None if no rule is for them.

    Where no kind fulfils all, the strongest that one of them names.
    """
    rows: Sequence[str] = session.scalars(
        sa.select(FactorRule.kinds).where(
            FactorRule.organisation_id == organisation_id,
            sa.or_(
                sa.and_(FactorRule.subject_kind == "role", FactorRule.subject_id == role),
                sa.and_(FactorRule.subject_kind == "group", FactorRule.subject_id.in_(list(groups))),
            ),
        )
    ).all()
    if not rows:
        return None
    allowed = [frozenset(_parted(kinds)) for kinds in rows]
    common = frozenset.intersection(*allowed)
    named = frozenset.union(*allowed)
    return common or frozenset([next(kind for kind in KINDS if kind in named)])


def _row(session: Session, organisation_id: uuid.UUID, subject_kind: SubjectKind, subject_id: str) -> FactorRule | None:
    return session.scalar(
        sa.select(FactorRule).where(
            FactorRule.organisation_id == organisation_id,
            FactorRule.subject_kind == subject_kind,
            FactorRule.subject_id == subject_id,
        )
    )


def _joined(kinds: Collection[Kind]) -> str:
    return ",".join(kind for kind in KINDS if kind in kinds)


def _parted(kinds: str) -> tuple[Kind, ...]:
    return cast("tuple[Kind, ...]", tuple(kinds.split(",")))


def _view(row: FactorRule) -> RuleView:
    return RuleView(cast("SubjectKind", row.subject_kind), row.subject_id, _parted(row.kinds), row.changed_at)
