"""After a restore rules look at what they had still to look at, but nothing of it leaves before a person says so.

In: rows of a backup, in which studies were arriving, waited for their rules, or were still to be unpacked. Out: these
are noted as owed. What rules send of them becomes a delivery that is held, and no letter is written, for it may have
been done since the backup; a study is owed nothing more once rules have looked at it whole, but for the actions that
failed (`meetings.is_owed`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Study
from radrelay.intake.parcels import studies_unpacked
from radrelay.routing.rules.models import EVALUATE, RoutingRule, RuleLook, RuleOwed
from radrelay.storage.models import NodeState, OutboxEvent

RESTORED = "rules-restored"
"""The row that says when the rows were restored."""


def hold_owed(session: Session, now: datetime) -> int:
    """Note what rules still owe, in the transaction that restores the rows; returns of how many studies.

    What was handed over before is not handed over again: looks that were done would be done by rules that were changed
    since, too.
    """
    session.execute(sa.delete(OutboxEvent).where(OutboxEvent.kind == EVALUATE))
    session.execute(sa.update(RuleLook).values(due_at=now))
    ruled = sa.exists().where(RoutingRule.organisation_id == Study.organisation_id, RoutingRule.enabled.is_(True))
    owed = sa.or_(Study.id.in_(sa.select(RuleLook.study_id)), sa.and_(Study.state != "complete", ruled))
    session.execute(sa.delete(RuleOwed))
    _owe(session, set(session.scalars(sa.select(Study.id).where(owed))))
    session.merge(NodeState(name=RESTORED, value=now.isoformat().encode()))
    return session.scalar(sa.select(sa.func.count()).select_from(RuleOwed)) or 0


def owe_unpacked(session: Session, study_ids: Collection[uuid.UUID]) -> None:
    """Note as owed what comes of archives that were still to be unpacked when the rows were restored."""
    row = session.get(NodeState, RESTORED)
    if row is not None:
        _owe(session, studies_unpacked(session, study_ids, datetime.fromisoformat(row.value.decode())))


def _owe(session: Session, study_ids: Collection[uuid.UUID]) -> None:
    there = set(session.scalars(sa.select(RuleOwed.study_id)))
    if new := set(study_ids) - there:
        session.execute(sa.insert(RuleOwed), [{"study_id": one} for one in sorted(new)])


def is_owed(session: Session, study_id: uuid.UUID) -> bool:
    """Say whether what rules do with a study may have been done since the backup that was restored."""
    return session.get(RuleOwed, study_id) is not None


def settle(session: Session, study_ids: Collection[uuid.UUID]) -> None:
    """Note that rules have looked at studies, or that none is to: what comes from now on is new."""
    session.execute(sa.delete(RuleOwed).where(RuleOwed.study_id.in_(study_ids)))
