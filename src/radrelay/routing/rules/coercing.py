"""The action *coerce*: attributes are given other values, as by a correction, and the originals are kept.

A value may hold others of the study in braces (`{patient_id}`). The index says it at once, objects are written anew
after it with an Original Attributes Sequence (`intake.correcting`), what arrives later too.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from radrelay.archive import corrections
from radrelay.archive.corrections import ATTRIBUTES, Plan
from radrelay.archive.models import Study
from radrelay.routing.rules.actions import Difference, Met, Moment, Outcome, Wanted, known_only
from radrelay.routing.rules.errors import RuleInvalid

_NAMED = re.compile(r"\{([a-z_]+)\}")
LONGEST = 200


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
            unknown = set(_NAMED.findall(str(value))) - set(ATTRIBUTES)
            if len(str(value)) > LONGEST or not str(value).isprintable() or unknown:
                raise RuleInvalid(f"{name}: no such value, or an unknown name in braces", field="values")
        return {"values": {name: str(values[name]).strip() for name in ATTRIBUTES if name in values}}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell what would be written, attribute by attribute."""
        values = _filled(met.study, wanted)
        return _told(corrections.plan(session, met.organisation_id, [met.study.id], values))

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Correct the study in the index; its objects follow."""
        made = corrections.correct(
            session, met.organisation_id, [met.study.id], _filled(met.study, wanted), by=f"rule {met.rule_name}"[:200],
            reason="rule", request_id=None, now=met.now,
        )  # fmt: skip
        outcome = _told(made)
        if outcome.state == "done":
            session.flush()
            met.record(session, "study.correct", {"fields": sorted(made.studies[0].after)})
        return outcome


def _filled(study: Study, wanted: Wanted) -> dict[str, str]:
    values = wanted["values"]
    if not isinstance(values, Mapping):
        raise RuleInvalid(field="values")
    return {name: _NAMED.sub(lambda found: _of(study, found[1]), str(value)) for name, value in values.items()}


def _of(study: Study, name: str) -> str:
    value = getattr(study, ATTRIBUTES[name].column)
    return f"{value:%Y%m%d}" if isinstance(value, date) else str(value or "")


def _told(made: Plan) -> Outcome:
    if not made.studies:
        return Outcome("skipped", "so-already")
    [one] = made.studies
    differences = tuple(Difference(name, one.before.get(name, ""), value) for name, value in one.after.items())
    facts = {"fields": sorted(one.after), "objects": one.objects}
    return Outcome("done", facts=facts, differences=differences, changed=True)
