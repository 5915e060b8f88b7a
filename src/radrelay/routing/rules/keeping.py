"""The actions *retain* and *hold*: how long a study stays. No rule goes beyond a source's maximum age."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from radrelay.archive import holdings
from radrelay.routing.rules.actions import (
    MOMENTS,
    Difference,
    Met,
    Moment,
    Outcome,
    Wanted,
    known_only,
    wanted_days,
    wanted_text,
    whole,
)

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Retain:
    """Lets a study go so many days after its last arrival, sooner or later than its source would."""

    name: str = "retain"
    moments: Sequence[Moment] = ("complete",)
    again: bool = True  # each arrival has the source's own retention count anew

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        del session, organisation_id
        known_only(wanted, "days")
        return {"days": wanted_days(wanted, needed=True)}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell when the study would go."""
        now = holdings.times_of(session, met.study.id, met.now).expires_at
        then = holdings.kept_for(session, met.study.id, whole(wanted["days"]) * DAY_S, met.now).expires_at
        return _moved(now, then)

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Move the end of its holdings; what is so already needs no word."""
        planned = self.plan(session, met, wanted)
        if planned.state == "done":
            times = holdings.keep_for(session, met.study.id, whole(wanted["days"]) * DAY_S, met.now)
            met.record(session, "study.retain", {"until": times.expires_at.isoformat() if times.expires_at else ""})
        return planned


@dataclass(frozen=True, slots=True)
class Hold:
    """Holds a study for some days, or until somebody releases it."""

    name: str = "hold"
    moments: Sequence[Moment] = MOMENTS
    again: bool = False  # whoever releases it is not gainsaid

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        del session, organisation_id
        known_only(wanted, "days", "reason")
        return {"days": wanted_days(wanted, needed=False), "reason": wanted_text(wanted, "reason", 1000)}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell until when it would be held."""
        if holdings.times_of(session, met.study.id, met.now).held:
            return Outcome("skipped", "held-already")
        until = _until(met, wanted)
        return Outcome("done", facts={"until": until.isoformat() if until else ""})

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Hold it, unless somebody holds it already."""
        planned = self.plan(session, met, wanted)
        if planned.state == "done":
            until = _until(met, wanted)
            holdings.hold(session, met.study.id, until, str(wanted["reason"]), met.now)
            met.record(session, "study.hold", {"until": until.isoformat() if until else ""})
        return planned


def _until(met: Met, wanted: Wanted) -> datetime | None:
    days = wanted_days(wanted, needed=False)
    return None if days is None else met.now + timedelta(days=days)


def _moved(before: datetime | None, after: datetime | None) -> Outcome:
    if before == after:
        return Outcome("skipped", "so-already")
    told = [one.isoformat() if one else "" for one in (before, after)]
    return Outcome("done", facts={"until": told[1]}, differences=(Difference("expires_at", *told),))
