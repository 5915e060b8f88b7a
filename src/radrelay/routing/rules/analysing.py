"""The action *analyse*: an analysis of the study starts, once for the images that there are, again when more have come.

What analyses have made is no input of theirs, so that a result starts none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from radrelay.archive import uncorrected
from radrelay.routing.rules.actions import Met, Moment, Outcome, Wanted, known_only, wanted_text
from radrelay.routing.rules.errors import RuleInvalid

LONGEST_NAME = 32


class Analyses(Protocol):
    """Starts analyses; `analysis.starting.AnalysesByRule` is one."""

    def cleaned(self, session: Session, organisation_id: UUID, kind: str, parameters: Mapping[str, object]) -> object:
        """Return parameters as they are kept; raises `RadrelayError` for what is none, or an unknown kind."""
        ...

    def standing(self, session: Session, met: Met, kind: str) -> str:
        """Say by a word why no analysis would start: off, nothing there, done already; "" if one would."""
        ...

    def start(self, session: Session, met: Met, kind: str, parameters: Mapping[str, object]) -> UUID | None:
        """Start it, on record; returns the run."""
        ...


@dataclass(frozen=True, slots=True)
class Analyse:
    """Starts an analysis of the study."""

    analyses: Analyses
    name: str = "analyse"
    moments: Sequence[Moment] = ("complete",)
    again: bool = True

    def cleaned(self, session: Session, organisation_id: UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        known_only(wanted, "analysis", "parameters")
        name, parameters = wanted_text(wanted, "analysis", LONGEST_NAME), wanted.get("parameters") or {}
        if not isinstance(parameters, Mapping):
            raise RuleInvalid("parameters: names and values", field="parameters")
        return {"analysis": name, "parameters": self.analyses.cleaned(session, organisation_id, name, parameters)}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell whether one would start, or why not."""
        name = str(wanted["analysis"])
        told: dict[str, object] = {"analysis": name}
        if why := self.analyses.standing(session, met, name):
            return Outcome("skipped", why, told)
        if uncorrected.is_awaited(session, met.study.id, met.clock.now()):
            return Outcome("skipped", "waits-for-correction", told, waits=True)
        return Outcome("done", facts=told)

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Start it."""
        planned = self.plan(session, met, wanted)
        if planned.state != "done":
            return planned
        parameters = wanted.get("parameters")
        given = parameters if isinstance(parameters, Mapping) else {}
        run_id = self.analyses.start(session, met, str(wanted["analysis"]), given)
        if run_id is None:
            return Outcome("skipped", "analysis-not-started", planned.facts)
        return Outcome("done", facts={**planned.facts, "run": str(run_id)})
