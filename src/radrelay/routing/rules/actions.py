"""What a rule may do: kinds of actions, each by a name, handed to whoever evaluates, edits or tries rules.

A kind checks what is wanted when the rule is edited, tells without effect what it would do, and does it in the
transaction that notes it with the study. What takes longer, or other rooms' means, it starts there as durable work.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, cast

from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.archive.models import Study
from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.routing.rules.errors import RuleInvalid
from radrelay.routing.rules.facts import Headers
from radrelay.routing.rules.matching import Facts

Moment = Literal["arrival", "complete"]
MOMENTS: tuple[Moment, ...] = ("arrival", "complete")
State = Literal["done", "skipped", "failed"]
Wanted = Mapping[str, object]
MOST_ACTIONS = 20
MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Difference:
    """An attribute, or when a study goes, before and after."""

    name: str
    before: str
    after: str

    def told(self) -> dict[str, str]:
        """Return it as it is kept and shown."""
        return {"name": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did, or would do: `reason` says by a word why it was skipped; `facts` are plain words and ids.

    `changed`: rules after this one are to look at the study anew. `waits`: all are to look again in a moment.
    """

    state: State
    reason: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    changed: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Met:
    """A rule that has met a study. `before` is what the same action noted when it was done last, none if never.

    `owed`: it may have been done since the backup that was restored, so nothing leaves before a person says so.
    """

    rule_id: uuid.UUID
    rule_name: str
    revision: int
    organisation_id: uuid.UUID
    study: Study
    facts: Facts
    clock: Clock
    before: Mapping[str, object] | None = None
    owed: bool = False
    headers: Headers | None = None

    @property
    def now(self) -> datetime:
        """The moment at which the action is looked at."""
        return self.clock.now()

    @property
    def patient(self) -> tuple[str, str, str]:
        """Whose study it is, as the record keeps it."""
        return self.study.patient_issuer, self.study.patient_id_value, self.study.patient_name

    def record(self, session: Session, action: str, detail: Mapping[str, object], outcome: str = "success") -> None:
        """Put on record what the rule did to the study, in the transaction in which it does it."""
        told = {"by": "rule", "rule": str(self.rule_id), "revision": self.revision, **detail}
        who = system_principal(self.organisation_id)
        event = audit.AuditRecord(action, who, "study", self.study.id, told, self.patient, outcome, self.correlation)
        audit.record(session, event)

    @property
    def correlation(self) -> str:
        """What runs from the rule to the receipt."""
        return f"rule-{self.rule_id.hex[-12:]}-{self.study.id.hex[-12:]}"


class ActionKind(Protocol):
    """One kind of action; `again`: it looks for itself what is still to be done when it is met another time."""

    @property
    def name(self) -> str: ...  # noqa: D102  # as the rule's JSON names it
    @property
    def moments(self) -> Sequence[Moment]: ...  # noqa: D102  # when it can be done
    @property
    def again(self) -> bool: ...  # noqa: D102

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept; raises `RadrelayError`, where it can naming the field."""
        ...

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell what it would do, without effect; raises as `carry_out` does."""
        ...

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Do it in the caller's transaction, which holds the archive's lock, and put it on record."""
        ...


Kinds = Mapping[str, ActionKind]
TELLING: frozenset[str] = frozenset({"forward", "report", "notify", "analyse"})
"""What tells others of a study, or makes of it what they are sent. It does not begin where a *coerce* before it in the
same rule has failed: others would get the values that were to be others."""


def stopped_by(failed: Trouble | None, action: Wanted) -> bool:
    """Say whether an action fails with what a *coerce* before it has failed with."""
    return failed is not None and action["kind"] in TELLING


def named(kinds: Sequence[ActionKind]) -> Kinds:
    """Return kinds by their names."""
    return {one.name: one for one in kinds}


def actions_from(
    session: Session, organisation_id: uuid.UUID, given: Sequence[Wanted], kinds: Kinds, moment: Moment
) -> list[dict[str, object]]:
    """Return actions as they are kept; raises `RuleInvalid`, and what the kinds raise."""
    if not 1 <= len(given) <= MOST_ACTIONS:
        raise RuleInvalid(f"a rule does 1 to {MOST_ACTIONS} things", field="actions")
    found = []
    for one in given:
        kind = kinds.get(str(one.get("kind", "")))
        if kind is None:
            raise RuleInvalid(f"this installation knows no action {str(one.get('kind', ''))[:32]!r}", field="kind")
        if moment not in kind.moments:
            raise RuleInvalid(f"{kind.name} waits until a study is complete", field="moment")
        wanted = {name: value for name, value in one.items() if name != "kind"}
        found.append({"kind": kind.name, **kind.cleaned(session, organisation_id, wanted)})
    names = [str(one["kind"]) for one in found]
    if "forward" in names and "coerce" in names[names.index("forward") :]:
        raise RuleInvalid("attributes are changed before a study is sent on, not after it", field="actions")
    return found


def digest_of(action: Wanted) -> str:
    """Return what tells an action from another: it is done once per study and rule so long as it says the same."""
    return hashlib.sha256(json.dumps(action, sort_keys=True).encode()).hexdigest()[:16]


def wanted_id(wanted: Wanted, name: str) -> uuid.UUID:
    """Return an id of an action's own; raises `RuleInvalid`."""
    try:
        return uuid.UUID(str(wanted.get(name, "")))
    except ValueError as error:
        raise RuleInvalid(f"{name}: that is no id", field=name) from error


def wanted_days(wanted: Wanted, *, needed: bool) -> int | None:
    """Return for how many days; raises `RuleInvalid`."""
    days = wanted.get("days")
    if days is None and not needed:
        return None
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        raise RuleInvalid(f"days: 1 to {MOST_DAYS}", field="days")
    return days


def wanted_text(wanted: Wanted, name: str, longest: int) -> str:
    """Return a text on one line; raises `RuleInvalid`."""
    text = " ".join(str(wanted.get(name) or "").split())
    if len(text) > longest or not text.isprintable():
        raise RuleInvalid(f"{name}: at most {longest} characters", field=name)
    return text


def known_only(wanted: Wanted, *names: str) -> None:
    """Raise `RuleInvalid` for what the kind does not know: a word that is misspelt must not be passed over."""
    if further := sorted(set(wanted) - set(names)):
        raise RuleInvalid(f"{further[0][:32]!r} says nothing here", field="actions")


def whole(value: object) -> int:
    """Return a number of an action as it was kept."""
    return cast("int", value)
