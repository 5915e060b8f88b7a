"""Rules as an organisation has them: in order, each change a revision that says who made it, switched on and off."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.routing.rules.actions import MOMENTS, Kinds, Moment, actions_from
from radrelay.routing.rules.conditions import Condition, conditions_from, name_of_field
from radrelay.routing.rules.errors import RoutingRuleChanged, RoutingRuleNotFound, RuleInvalid, RuleOrderStale
from radrelay.routing.rules.matching import Match
from radrelay.routing.rules.models import RoutingRule, RoutingRuleRevision, RuleMeeting
from radrelay.storage.ids import new_id

LONGEST_NAME = 200
MOST_RULES = 5_000
Actions = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class WantedRoutingRule:
    """A rule as somebody wants it: conditions and actions as they are sent and kept."""

    name: str
    when: tuple[Mapping[str, object], ...]
    actions: tuple[Mapping[str, object], ...]
    match: str = "all"
    moment: str = "complete"
    stop: bool = False
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it counts: conditions read, actions as they are kept."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    position: int
    enabled: bool
    moment: Moment
    match: Match
    when: tuple[Condition, ...]
    actions: Actions
    stop: bool
    revision: int
    changed_by: str
    changed_at: datetime
    created_by: str
    created_at: datetime

    def told(self) -> dict[str, object]:
        """Return it as a revision keeps it."""
        return {
            "name": self.name, "enabled": self.enabled, "moment": self.moment, "match": self.match,
            "when": [one.told() for one in self.when], "actions": list(self.actions), "stop": self.stop,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Revision:
    """What a rule was made, by whom and when."""

    revision: int
    at: datetime
    by: str
    deleted: bool
    wanted: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many studies a rule has met, of how many something failed, and when it met one last."""

    met: int = 0
    failed: int = 0
    last_at: datetime | None = None


def rules_of(session: Session, organisation_id: uuid.UUID, *, enabled_only: bool = False) -> list[Rule]:
    """Return an organisation's rules in their order."""
    asked = sa.select(RoutingRule).where(RoutingRule.organisation_id == organisation_id)
    if enabled_only:
        asked = asked.where(RoutingRule.enabled.is_(True))
    return [_rule(row) for row in session.scalars(asked.order_by(RoutingRule.position, RoutingRule.id))]


def rule_of(session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID) -> Rule:
    """Return one rule; raises `RoutingRuleNotFound`."""
    return _rule(_row(session, organisation_id, rule_id))


def stamp_of(session: Session, organisation_id: uuid.UUID) -> tuple[object, ...]:
    """Return what is another after each change of an organisation's rules."""
    asked = sa.select(sa.func.count(), sa.func.sum(RoutingRule.revision), sa.func.max(RoutingRule.changed_at))
    return tuple(session.execute(asked.where(RoutingRule.organisation_id == organisation_id)).one())


def tallies(session: Session, organisation_id: uuid.UUID) -> dict[uuid.UUID, Tally]:
    """Return by rule what it has met of the studies that are here."""
    failed = sa.func.sum(sa.case((RuleMeeting.failed, 1), else_=0))
    asked = sa.select(RuleMeeting.rule_id, sa.func.count(), failed, sa.func.max(RuleMeeting.at))
    rows = session.execute(asked.where(RuleMeeting.organisation_id == organisation_id).group_by(RuleMeeting.rule_id))
    return {row[0]: Tally(row[1], int(row[2] or 0), row[3]) for row in rows}


def add_rule(
    session: Session, organisation_id: uuid.UUID, wanted: WantedRoutingRule, kinds: Kinds, by: str, now: datetime
) -> Rule:
    """Make a rule, the last in order; raises `RuleInvalid` and what its actions' kinds raise."""
    mine = RoutingRule.organisation_id == organisation_id
    count, last = session.execute(sa.select(sa.func.count(), sa.func.max(RoutingRule.position)).where(mine)).one()
    if count >= MOST_RULES:
        raise RuleInvalid(f"an organisation has at most {MOST_RULES} rules")
    row = RoutingRule(
        id=new_id(), organisation_id=organisation_id, position=(last or 0) + 1, revision=1, changed_by=by[:200],
        changed_at=now, created_by=by[:200], created_at=now, **_columns(session, organisation_id, wanted, kinds),
    )  # fmt: skip
    session.add(row)
    return _revised(session, row)


def change_rule(
    session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID, revision: int, wanted: WantedRoutingRule,
    kinds: Kinds, by: str, now: datetime,
) -> Rule:  # fmt: skip
    """Change the rule that was seen at `revision`; raises `RoutingRuleChanged`, and what `add_rule` raises."""
    row = _row(session, organisation_id, rule_id)
    if row.revision != revision:
        raise RoutingRuleChanged
    for name, value in _columns(session, organisation_id, wanted, kinds).items():
        setattr(row, name, value)
    return _again(session, row, by, now)


def switch_rule(
    session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID, by: str, now: datetime, *, enabled: bool
) -> Rule:
    """Switch a rule on or off; one that is so already stays what it is."""
    row = _row(session, organisation_id, rule_id)
    if row.enabled == enabled:
        return _rule(row)
    row.enabled = enabled
    return _again(session, row, by, now)


def order_rules(session: Session, organisation_id: uuid.UUID, ids: Sequence[uuid.UUID], now: datetime) -> None:
    """Put the rules in order; raises `RuleOrderStale` unless `ids` are all there are, each once."""
    rows = session.scalars(
        sa.select(RoutingRule).where(RoutingRule.organisation_id == organisation_id).with_for_update()
    ).all()
    if sorted(row.id for row in rows) != sorted(ids):
        raise RuleOrderStale
    places = {rule_id: place for place, rule_id in enumerate(ids, 1)}
    for row in rows:
        if row.position != places[row.id]:
            row.position, row.changed_at = places[row.id], now
    session.flush()


def delete_rule(session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID, by: str, now: datetime) -> Rule:
    """Delete a rule and return it as it was; its revisions stay, and what it did to studies."""
    row = _row(session, organisation_id, rule_id)
    gone = _rule(row)
    _note(session, row, row.revision + 1, by, now, deleted=True)
    session.delete(row)
    session.flush()
    return gone


def revisions_of(session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID) -> list[Revision]:
    """Return a rule's revisions, the newest first, a deleted one's too; raises `RoutingRuleNotFound`."""
    mine = sa.and_(RoutingRuleRevision.organisation_id == organisation_id, RoutingRuleRevision.rule_id == rule_id)
    rows = session.scalars(sa.select(RoutingRuleRevision).where(mine).order_by(RoutingRuleRevision.revision.desc()))
    found = [Revision(row.revision, row.at, row.by, row.deleted, json.loads(row.wanted)) for row in rows]
    if not found:
        raise RoutingRuleNotFound
    return found


def draft(
    session: Session, organisation_id: uuid.UUID, wanted: WantedRoutingRule, kinds: Kinds, by: str, now: datetime
) -> Rule:
    """Return a rule that is tried before it is kept; raises as `add_rule` does."""
    columns = _columns(session, organisation_id, wanted, kinds)
    return _rule(
        RoutingRule(
            id=uuid.UUID(int=0), organisation_id=organisation_id, position=0, revision=0, changed_by=by,
            changed_at=now, created_by=by, created_at=now, **columns,
        )
    )  # fmt: skip


def _columns(session: Session, organisation_id: uuid.UUID, wanted: WantedRoutingRule, kinds: Kinds) -> dict[str, Any]:
    name = " ".join(wanted.name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise RuleInvalid(f"a rule's name has 1 to {LONGEST_NAME} characters", field="name")
    if wanted.moment not in MOMENTS:
        raise RuleInvalid("moment: arrival or complete", field="moment")
    if wanted.match not in ("all", "any"):
        raise RuleInvalid("match: all or any", field="match")
    moment: Moment = "arrival" if wanted.moment == "arrival" else "complete"
    when = [one.told() for one in conditions_from(wanted.when)]
    actions = actions_from(session, organisation_id, wanted.actions, kinds, moment)
    return {
        "name": name, "enabled": wanted.enabled, "moment": moment, "match": wanted.match, "stop": wanted.stop,
        "when": json.dumps(when, ensure_ascii=False), "actions": json.dumps(actions, ensure_ascii=False),
    }  # fmt: skip


def _again(session: Session, row: RoutingRule, by: str, now: datetime) -> Rule:
    row.revision += 1
    row.changed_by, row.changed_at = by[:200], now
    return _revised(session, row)


def _revised(session: Session, row: RoutingRule) -> Rule:
    session.flush()
    _note(session, row, row.revision, row.changed_by, row.changed_at, deleted=False)
    return _rule(row)


def _note(session: Session, row: RoutingRule, revision: int, by: str, at: datetime, *, deleted: bool) -> None:
    session.add(
        RoutingRuleRevision(
            id=new_id(), organisation_id=row.organisation_id, rule_id=row.id, revision=revision, at=at, by=by[:200],
            deleted=deleted, wanted=json.dumps(_rule(row).told(), ensure_ascii=False),
        )
    )  # fmt: skip
    session.flush()


def _row(session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID) -> RoutingRule:
    mine = sa.and_(RoutingRule.organisation_id == organisation_id, RoutingRule.id == rule_id)
    row = session.scalar(sa.select(RoutingRule).where(mine).with_for_update())
    if row is None:
        raise RoutingRuleNotFound
    return row


def _rule(row: RoutingRule) -> Rule:
    return Rule(
        row.id, row.organisation_id, row.name, row.position, row.enabled, cast("Moment", row.moment),
        cast("Match", row.match), conditions_from(json.loads(row.when)), tuple(json.loads(row.actions)), row.stop,
        row.revision, row.changed_by, row.changed_at, row.created_by, row.created_at,
    )  # fmt: skip


def told_of_rule(rule: Rule) -> dict[str, object]:
    """Return what the record tells of a rule: it may be all that is left of it. Values may name a person: left out."""
    return {
        "name": rule.name, "enabled": rule.enabled, "revision": rule.revision,
        "asks": [name_of_field(one.field) for one in rule.when], "does": [one["kind"] for one in rule.actions],
    }  # fmt: skip
