"""Which rules met a study, why, and what each of their actions came to: kept with the study, each action done once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Trouble
from radrelay.routing.rules.actions import Outcome, Wanted, digest_of
from radrelay.routing.rules.matching import Answered
from radrelay.routing.rules.models import RuleMeeting
from radrelay.routing.rules.service import Rule
from radrelay.storage.ids import new_id


@dataclass(frozen=True, slots=True)
class Effect:
    """What one action of a rule came to when it was looked at last; `trouble` says why it failed."""

    kind: str
    action: Mapping[str, Any]
    state: str
    reason: str
    at: datetime
    revision: int
    facts: Mapping[str, Any]
    differences: tuple[Mapping[str, str], ...]
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class Meeting:
    """A rule that has met a study: its conditions with what they were asked of, and what it did."""

    rule_id: uuid.UUID
    rule_name: str
    revision: int
    at: datetime
    match: str
    why: tuple[Mapping[str, Any], ...]
    effects: tuple[Effect, ...]


def meetings_of(session: Session, organisation_id: uuid.UUID, study_id: uuid.UUID) -> list[Meeting]:
    """Return the rules that have met a study, in the order in which they did."""
    mine = sa.and_(RuleMeeting.organisation_id == organisation_id, RuleMeeting.study_id == study_id)
    rows = session.scalars(sa.select(RuleMeeting).where(mine).order_by(RuleMeeting.id))
    return [
        Meeting(
            row.rule_id, row.rule_name, row.revision, row.at, row.match, tuple(json.loads(row.why)),
            tuple(_effect(one) for one in json.loads(row.effects).values()),
        )
        for row in rows
    ]  # fmt: skip


def meet(session: Session, rule: Rule, study_id: uuid.UUID, why: tuple[Answered, ...], now: datetime) -> RuleMeeting:
    """Note that a rule has met a study, and return the row, which nobody else changes until the transaction ends."""
    mine = sa.and_(RuleMeeting.study_id == study_id, RuleMeeting.rule_id == rule.id)
    row = session.scalar(sa.select(RuleMeeting).where(mine).with_for_update())
    if row is None:
        row = RuleMeeting(
            id=new_id(), organisation_id=rule.organisation_id, study_id=study_id, rule_id=rule.id, effects="{}",
            failed=False,
        )  # fmt: skip
        session.add(row)
    row.rule_name, row.revision, row.at, row.match = rule.name, rule.revision, now, rule.match
    row.why = json.dumps([one.told() for one in why], ensure_ascii=False)
    session.flush()
    return row


def rules_behind(session: Session, organisation_id: uuid.UUID, study_id: uuid.UUID) -> dict[uuid.UUID, str]:
    """Return the names of the rules that gave grants on a study, by grant; also of those that are no more."""
    return {
        uuid.UUID(effect.facts["grant"]): met.rule_name
        for met in meetings_of(session, organisation_id, study_id)
        for effect in met.effects
        if "grant" in effect.facts
    }


def noted(row: RuleMeeting, action: Wanted) -> Mapping[str, Any] | None:
    """Return what is noted of an action as it was done last; none if it never was."""
    found: dict[str, Any] | None = json.loads(row.effects).get(digest_of(action))
    if found is None or found["done"] is None:
        return None
    done: dict[str, Any] = found["done"]
    return done


def is_owed(row: RuleMeeting, action: Wanted) -> bool:
    """Say whether an action failed that may have been done since the backup that was restored, and was not done yet."""
    found: dict[str, Any] = json.loads(row.effects).get(digest_of(action)) or {}
    return bool(found.get("owed"))


def note(
    row: RuleMeeting, action: Wanted, outcome: Outcome, now: datetime, trouble: Trouble | None = None, *,
    owed: bool = False,
) -> None:  # fmt: skip
    """Note what an action came to; what was done stays noted though it is skipped, or fails, another time.

    One that fails stays `owed` by itself.
    """
    effects: dict[str, Any] = json.loads(row.effects)
    digest = digest_of(action)
    before = effects.get(digest)
    if before is not None and before["state"] == "done" and outcome.state == "skipped":
        return
    done = dict(outcome.facts) if outcome.state == "done" else (before or {}).get("done")
    effects[digest] = {
        "kind": str(action["kind"]), "action": dict(action), "state": outcome.state, "reason": outcome.reason,
        "at": now.isoformat(), "revision": row.revision, "facts": dict(outcome.facts),
        "differences": [one.told() for one in outcome.differences], "done": done,
        "owed": owed and outcome.state == "failed",
        "trouble": None if trouble is None else [trouble.code, trouble.detail, dict(trouble.facts)],
    }  # fmt: skip
    row.effects = json.dumps(effects, ensure_ascii=False, default=str)
    row.failed = any(one["state"] == "failed" for one in effects.values())


def _effect(kept: Mapping[str, Any]) -> Effect:
    trouble = kept["trouble"]
    return Effect(
        kept["kind"], kept["action"], kept["state"], kept["reason"], datetime.fromisoformat(kept["at"]),
        kept["revision"], kept["facts"], tuple(kept["differences"]), None if trouble is None else Trouble(*trouble),
    )  # fmt: skip
