"""The action *coerce*: attributes are given other values, as by a correction, and the originals are kept.

A value may hold others of the study in braces (`{patient_id}`, see `templates`). The index says it at once, objects are
written anew after it with an Original Attributes Sequence (`intake.correcting`), what arrives later too.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from radrelay.archive import corrections
from radrelay.archive.corrections import ATTRIBUTES, Plan
from radrelay.routing.rules import templates
from radrelay.routing.rules.actions import Difference, Met, Moment, Outcome, Wanted, known_only
from radrelay.routing.rules.errors import RuleInvalid
from radrelay.routing.rules.templates import BY_RULE

LONGEST = 200
EMPTY, EMPTY_IN_PART = "empty-placeholder", "empty-placeholder-in-part"
"""Why nothing, or not all, was given another value: what it would be made of is empty."""


@dataclass(frozen=True, slots=True)
class Coerce:
    """Gives attributes of the patient and the study other values."""

    name: str = "coerce"
    moments: Sequence[Moment] = ("complete",)
    again: bool = False  # what a value was made of may be its own result by now

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        del session, organisation_id
        known_only(wanted, "values")
        values = wanted.get("values")
        if not isinstance(values, Mapping) or not values:
            raise RuleInvalid("coerce: at least one attribute", field="values")
        for name, value in values.items():
            if name not in ATTRIBUTES:
                raise RuleInvalid(f"{str(name)[:32]!r} is no attribute that can be coerced", field="values")
            unknown = set(templates.NAMED.findall(str(value))) - set(ATTRIBUTES)
            if len(str(value)) > LONGEST or not str(value).isprintable() or unknown:
                raise RuleInvalid(f"{name}: no such value, or an unknown name in braces", field="values")
        return {"values": {name: str(values[name]).strip() for name in ATTRIBUTES if name in values}}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell what would be written, attribute by attribute."""
        values, left = templates.filled(session, met, _values(wanted))
        if not values:
            return Outcome("skipped", EMPTY, {"left": left})
        return _told(corrections.plan(session, met.organisation_id, [met.study.id], values), left)

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Correct the study in the index; its objects follow."""
        values, left = templates.filled(session, met, _values(wanted))
        if not values:
            return Outcome("skipped", EMPTY, {"left": left})
        made = corrections.correct(
            session, met.organisation_id, [met.study.id], values, by=f"{BY_RULE}{met.rule_name}"[:200],
            reason="rule", request_id=None, now=met.now,
        )  # fmt: skip
        outcome = _told(made, left)
        if outcome.state == "done":
            session.flush()
            met.record(session, "study.correct", {"fields": sorted(made.studies[0].after)})
        return outcome


def _values(wanted: Wanted) -> Mapping[str, str]:
    values = wanted["values"]
    if not isinstance(values, Mapping):
        raise RuleInvalid(field="values")
    return {str(name): str(value) for name, value in values.items()}


def _told(made: Plan, left: Sequence[str]) -> Outcome:
    if not made.studies:
        return Outcome("skipped", EMPTY if left else "so-already", {"left": left} if left else {})
    [one] = made.studies
    differences = tuple(Difference(name, one.before.get(name, ""), value) for name, value in one.after.items())
    facts: dict[str, object] = {"fields": sorted(one.after), "objects": one.objects}
    if left:
        facts["left"] = left
    return Outcome("done", EMPTY_IN_PART if left else "", facts, differences, changed=True)
