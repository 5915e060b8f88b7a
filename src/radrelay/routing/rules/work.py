"""The durable work of rules: a study is looked at by all rules in their order, and what they say is done.

Whatever fails is noted with the study and stops nothing else. Each action is its own transaction, in which it is noted
too: killed at any moment, the look is begun anew and goes on where it was. A rule is looked at once per look and rules
look only forward, so that rules which would call each other end.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Study
from radrelay.clock import Clock
from radrelay.errors import RadrelayError, Trouble, Unavailable
from radrelay.routing.rules import meetings, restored
from radrelay.routing.rules.actions import Kinds, Met, Moment, Outcome, Wanted, stopped_by
from radrelay.routing.rules.errors import RuleActionFailed, RuleInvalid
from radrelay.routing.rules.facts import Headers, facts_of, with_headers
from radrelay.routing.rules.matching import Answered, Compiled, Facts, why
from radrelay.routing.rules.models import EVALUATE, RoutingRule, RuleLook
from radrelay.routing.rules.service import Rule, rules_of, stamp_of
from radrelay.storage import outbox
from radrelay.storage.database import Database
from radrelay.storage.outbox import Event

MOST_LOOKS = 5
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)
FORGOTTEN = timedelta(minutes=5)
"""After so long it is looked whether anybody works on it still."""
log = structlog.get_logger(__name__)


def note_complete(session: Session, study_ids: Collection[uuid.UUID], now: datetime) -> None:
    """Have rules look at studies that have come whole, where there are rules; in the transaction that says so."""
    if not study_ids:
        return
    asked = sa.select(Study.id, Study.organisation_id).where(
        Study.id.in_(study_ids),
        sa.exists().where(RoutingRule.organisation_id == Study.organisation_id, RoutingRule.enabled.is_(True)),
    )
    rows = session.execute(asked.order_by(Study.id)).all()
    restored.owe_unpacked(session, [study_id for study_id, _ in rows])
    restored.settle(session, set(study_ids) - {study_id for study_id, _ in rows})
    for study_id, organisation_id in rows:
        ask(session, organisation_id, study_id, now)


def any_due(session: Session, now: datetime) -> bool:
    """Say whether a wait is over, without taking the writer's place."""
    return session.scalar(sa.select(RuleLook.study_id).where(RuleLook.due_at <= now).limit(1)) is not None


def emit_due(session: Session, now: datetime) -> None:
    """Turn waits that are over into events. Call every second or so."""
    for row in session.scalars(sa.select(RuleLook).where(RuleLook.due_at <= now).limit(200)).all():
        row.due_at = None
        outbox.emit(session, organisation_id=row.organisation_id, kind=EVALUATE, subject_id=row.study_id, at=now)


def ask(session: Session, organisation_id: uuid.UUID, study_id: uuid.UUID, now: datetime) -> None:
    """Have rules look at a study; that they are to is kept until they have, whatever becomes of the event."""
    session.execute(sa.delete(RuleLook).where(RuleLook.study_id == study_id))
    session.execute(sa.insert(RuleLook).values(study_id=study_id, organisation_id=organisation_id, at=now, due_at=None))
    outbox.emit(session, organisation_id=organisation_id, kind=EVALUATE, subject_id=study_id, at=now)


@dataclass(frozen=True, slots=True)
class _Ready:
    """An organisation's rules that are switched on, compiled."""

    stamp: tuple[object, ...]
    rules: tuple[Rule, ...]
    compiled: Compiled


@dataclass(frozen=True, slots=True)
class Looked:
    """Which rules have met a study, and whether one waits for something and is to look again in a moment.

    `whole`: the study was there to be looked at, whatever failed.
    """

    met: tuple[uuid.UUID, ...] = ()
    waits: bool = False
    whole: bool = False


class RuleWork:
    """Evaluates rules; `kinds` are the actions that this installation knows."""

    def __init__(
        self, database: Database, clock: Clock, headers: Headers, kinds: Kinds, zone: tzinfo | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._headers = headers
        self._kinds = kinds
        self._zone = zone
        self._ready: dict[uuid.UUID, _Ready] = {}
        self._arriving: dict[uuid.UUID, int] = {}

    def attempt(self, event: Event) -> None:
        """Do what the event `rules.evaluate` asks for; at least once."""
        mine = RuleLook.study_id == event.subject_id
        with self._database.read() as session:
            asked_at = session.scalar(sa.select(RuleLook.at).where(mine))
        looked = self.evaluate(event.organisation_id, event.subject_id, "complete")
        if asked_at is None:
            return
        now = self._clock.now()
        with self._database.write() as session:  # what was asked meanwhile stays
            if looked.waits:
                pause = min(max((now - asked_at) / 2, SHORTEST_WAIT), LONGEST_WAIT)
                again = sa.update(RuleLook).where(mine, RuleLook.at == asked_at).values(due_at=now + pause)
                session.execute(again)
            else:
                session.execute(sa.delete(RuleLook).where(mine, RuleLook.at == asked_at))
                if looked.whole:
                    restored.settle(session, [event.subject_id])

    def revive(self, attended: Collection[uuid.UUID] = ()) -> int:
        """Ask again for looks that nothing works on, for their worker gave up; returns how many.

        `attended` are the studies that work waits or is under way for, on any machine.
        """
        now = self._clock.now()
        with self._database.write() as session:
            old = sa.select(RuleLook.organisation_id, RuleLook.study_id).where(
                RuleLook.at < now - FORGOTTEN, RuleLook.due_at.is_(None)
            )
            rows = [row for row in session.execute(old.limit(500)).all() if row.study_id not in attended]
            for row in rows:
                ask(session, row.organisation_id, row.study_id, now)
        return len(rows)

    def evaluate(self, organisation_id: uuid.UUID, study_id: uuid.UUID, moment: Moment) -> Looked:
        """Let the rules meet a study; returns the ids of those that did, and whether they are to look again soon.

        Rules that were changed meanwhile look once more. Raises `Unavailable` when a part that this needs does not
        answer: then it is to be tried again.
        """
        looked = Looked()
        for _ in range(MOST_LOOKS):
            ready = self._rules(organisation_id)
            looked = self._look(ready, organisation_id, study_id, moment)
            with self._database.read() as session:
                if stamp_of(session, organisation_id) == ready.stamp:
                    break
        return looked

    def _look(self, ready: _Ready, organisation_id: uuid.UUID, study_id: uuid.UUID, moment: Moment) -> Looked:
        facts = self._facts(ready, organisation_id, study_id, whole=moment == "complete")
        looked = Looked(whole=facts is not None)
        place = 0
        while facts is not None:
            found = next((one for one in ready.compiled.fitting(facts) if one >= place), None)
            if found is None:
                break
            rule, place = ready.rules[found], found + 1
            if moment == "arrival" and rule.moment != "arrival":
                continue
            outcomes = self._meet(rule, study_id, facts)
            looked = Looked(
                (*looked.met, rule.id),
                looked.waits or any(one.waits for one in outcomes),
                looked.whole,
            )
            if any(one.changed for one in outcomes):
                facts = self._facts(ready, organisation_id, study_id, whole=moment == "complete")
            if rule.stop:
                break
        return looked

    def look_at_arriving(self) -> int:
        """Let the rules that need not wait meet what is arriving and has grown a series; returns how many studies."""
        with self._database.read() as session:
            waits_not = sa.select(RoutingRule.organisation_id).where(
                RoutingRule.enabled.is_(True), RoutingRule.moment == "arrival"
            )
            organisations = set(session.scalars(waits_not.distinct()))
            if not organisations:
                return 0
            asked = sa.select(Study.organisation_id, Study.id, Study.series_count).where(
                Study.quiet_at.is_not(None), Study.organisation_id.in_(organisations)
            )
            rows = session.execute(asked.order_by(Study.id)).all()
        seen = {row.id: row.series_count for row in rows}
        grown = [row for row in rows if self._arriving.get(row.id) != seen[row.id]]
        for row in grown:
            self.evaluate(row.organisation_id, row.id, "arrival")
        self._arriving = seen
        return len(grown)

    def _rules(self, organisation_id: uuid.UUID) -> _Ready:
        with self._database.read() as session:
            stamp = stamp_of(session, organisation_id)
            known = self._ready.get(organisation_id)
            if known is not None and known.stamp == stamp:
                return known
            rules = tuple(rules_of(session, organisation_id, enabled_only=True))
        ready = self._ready[organisation_id] = _Ready(stamp, rules, Compiled(rules))
        return ready

    def _facts(self, ready: _Ready, organisation_id: uuid.UUID, study_id: uuid.UUID, *, whole: bool) -> Facts | None:
        """Return what the rules look at; none for a study that is gone, or whose processing is restricted.

        None, too, for one that is to be `whole` and is arriving again: it is looked at once that is over.
        """
        if not ready.rules:
            return None
        with self._database.read() as session:
            state = sa.select(Study.state).where(Study.id == study_id)
            if access.is_barred(session, study_id) or (whole and session.scalar(state) != "complete"):
                return None
            now = self._clock.now()
            found = facts_of(session, organisation_id, [study_id], now, self._zone, ready.compiled.fields).get(study_id)
            tags = ready.compiled.header_tags
            if found is None or not tags:
                return found
            return with_headers(found, session, self._headers, organisation_id, study_id, tags, now)

    def _meet(self, rule: Rule, study_id: uuid.UUID, facts: Facts) -> list[Outcome]:
        """Do what a rule says; returns what came of what was done now."""
        answered = why(rule, facts)
        outcomes: list[Outcome] = []
        coerced: Trouble | None = None
        for action in rule.actions:
            trouble = coerced if stopped_by(coerced, action) else None
            try:
                if trouble is None:
                    outcome = self._act(rule, study_id, facts, answered, action)
                    outcomes += [] if outcome is None else [outcome]
            except Unavailable:
                raise
            except RadrelayError as error:
                trouble = Trouble.of(error)
            except Exception:  # why: whatever goes wrong in one action must not cost the study the others
                log.exception("a rule's action failed", rule=str(rule.id), study_id=str(study_id), kind=action["kind"])
                trouble = Trouble.of(RuleActionFailed())
            if trouble is not None:
                outcomes.append(self._note_failed(rule, study_id, answered, action, trouble))
                coerced = trouble if action["kind"] == "coerce" else coerced
        return outcomes

    def _act(
        self, rule: Rule, study_id: uuid.UUID, facts: Facts, answered: tuple[Answered, ...], action: Wanted
    ) -> Outcome | None:
        kind = self._kinds.get(str(action["kind"]))
        if kind is None:
            raise RuleInvalid(f"this installation knows no action {action['kind']!r}")
        with self._database.write() as session:
            lock_archive(session)
            study = _study(session, rule, study_id)
            if study is None:
                return None
            now = self._clock.now()
            row = meetings.meet(session, rule, study_id, answered, now)
            before = meetings.noted(row, action)
            if before is not None and not kind.again:
                return None
            met = Met(
                rule.id, rule.name, rule.revision, rule.organisation_id, study, facts, self._clock, before,
                restored.is_owed(session, study_id) or meetings.is_owed(row, action), self._headers,
            )  # fmt: skip
            outcome = kind.carry_out(session, met, {name: value for name, value in action.items() if name != "kind"})
            meetings.note(row, action, outcome, now)
            return outcome

    def _note_failed(
        self, rule: Rule, study_id: uuid.UUID, answered: tuple[Answered, ...], action: Wanted, trouble: Trouble
    ) -> Outcome:
        failed = Outcome("failed")
        log.warning("a rule's action failed", rule=str(rule.id), study_id=str(study_id), kind=action["kind"],
                    code=trouble.code)  # fmt: skip
        with self._database.write() as session:
            lock_archive(session)
            study = _study(session, rule, study_id)
            if study is None:
                return failed
            now = self._clock.now()
            row = meetings.meet(session, rule, study_id, answered, now)
            owed = restored.is_owed(session, study_id) or meetings.is_owed(row, action)
            meetings.note(row, action, failed, now, trouble, owed=owed)
            met = Met(rule.id, rule.name, rule.revision, rule.organisation_id, study, Facts({}), self._clock)
            met.record(session, "study.rule-failed", {"does": action["kind"], "code": trouble.code}, "failure")
        return failed


def _study(session: Session, rule: Rule, study_id: uuid.UUID) -> Study | None:
    """Return the study while it is here and whole, nobody bars it, and the rule is what it was when it was read."""
    study = session.get(Study, study_id)
    if study is None or study.organisation_id != rule.organisation_id or access.is_barred(session, study_id):
        return None
    if rule.moment == "complete" and study.state != "complete":
        return None
    current = sa.select(RoutingRule.revision).where(RoutingRule.id == rule.id, RoutingRule.enabled.is_(True))
    return study if session.scalar(current) == rule.revision else None


def last_complete(organisation_id: uuid.UUID, now: datetime, most: int) -> sa.Select[Any]:
    """Return the statement for the studies that came last of those that are whole."""
    lives = sa.or_(Study.expires_at.is_(None), Study.expires_at > now)
    mine = sa.select(Study.id).where(Study.organisation_id == organisation_id, Study.state == "complete", lives)
    return mine.order_by(Study.last_received_at.desc(), Study.sort_key.desc()).limit(most)
