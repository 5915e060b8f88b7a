"""A rule tried on studies that are here, without effect: which it would meet, why, and what it would do and change."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.models import Study
from radrelay.clock import Clock
from radrelay.errors import RadrelayError, Trouble
from radrelay.routing.rules.actions import Kinds, Met, Outcome, stopped_by
from radrelay.routing.rules.errors import RuleActionFailed
from radrelay.routing.rules.facts import Headers, facts_of, with_headers
from radrelay.routing.rules.matching import Answered, Compiled, Facts, why
from radrelay.routing.rules.service import Rule

MOST_HEADERS = 50
"""Studies at most that are tried where a rule asks for attributes that are not in the index."""


@dataclass(frozen=True, slots=True)
class Would:
    """What an action would come to; `trouble` says why it would fail."""

    kind: str
    outcome: Outcome
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """A study that the rule would have met."""

    study_id: uuid.UUID
    why: tuple[Answered, ...]
    effects: tuple[Would, ...]


@dataclass(frozen=True)
class Trial:
    """What trying needs besides the rule."""

    session: Session
    clock: Clock
    headers: Headers
    kinds: Kinds
    zone: tzinfo | None = None

    def run(self, rule: Rule, study_ids: Sequence[uuid.UUID]) -> tuple[int, list[Tried]]:
        """Return how many studies were looked at, and those that the rule would meet; nothing is changed."""
        compiled = Compiled((rule,))
        some = study_ids[:MOST_HEADERS] if compiled.header_tags else study_ids
        now = self.clock.now()
        known = facts_of(self.session, rule.organisation_id, some, now, self.zone, compiled.fields)
        found = []
        for study_id in some:
            facts = known.get(study_id)
            if facts is None or access.is_barred(self.session, study_id):
                continue
            if compiled.header_tags:
                tags = compiled.header_tags
                facts = with_headers(facts, self.session, self.headers, rule.organisation_id, study_id, tags, now)
            if compiled.fitting(facts):
                found.append(Tried(study_id, why(rule, facts), self._would(rule, study_id, facts)))
        return len(some), found

    def _would(self, rule: Rule, study_id: uuid.UUID, facts: Facts) -> tuple[Would, ...]:
        study = self.session.get(Study, study_id)
        if study is None:
            return ()
        met = Met(
            rule.id, rule.name, rule.revision, rule.organisation_id, study, facts, self.clock, headers=self.headers
        )
        found: list[Would] = []
        coerced: Trouble | None = None
        for action in rule.actions:
            kind = self.kinds[str(action["kind"])]
            if stopped_by(coerced, action):
                found.append(Would(kind.name, Outcome("failed"), coerced))
                continue
            wanted = {name: value for name, value in action.items() if name != "kind"}
            try:
                found.append(Would(kind.name, kind.plan(self.session, met, wanted)))
            except RadrelayError as error:
                found.append(Would(kind.name, Outcome("failed"), Trouble.of(error)))
            except Exception:  # why: one kind that breaks must not hide what the others would do
                found.append(Would(kind.name, Outcome("failed"), Trouble.of(RuleActionFailed())))
            if kind.name == "coerce":
                coerced = coerced or found[-1].trouble
        return tuple(found)
