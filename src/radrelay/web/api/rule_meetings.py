"""Which rules met a study and why, condition by condition, and what each did; and the rules asked once more."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from radrelay.access import Right
from radrelay.routing.rules import meetings
from radrelay.routing.rules.conditions import name_of_field
from radrelay.routing.rules.meetings import Effect, Meeting
from radrelay.routing.rules.work import ask
from radrelay.web import trail
from radrelay.web.api.routing_rules import AnsweredCondition, RuleDifference
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.problems import Trouble
from radrelay.web.reach import Reach

router = APIRouter(prefix="/studies/{study_id}/rules", tags=["routing rules"])


class RuleEffect(BaseModel):
    """What an action came to: done, skipped for a `reason`, or failed with an `error`."""

    kind: str
    state: Literal["done", "skipped", "failed"]
    reason: str
    at: datetime
    differences: list[RuleDifference]
    error: Trouble | None


class RuleMet(BaseModel):
    """A rule that met the study: its name and revision then, its conditions with what they were asked of."""

    model_config = ConfigDict(from_attributes=True)

    rule_id: uuid.UUID
    name: str
    revision: int
    at: datetime
    match: Literal["all", "any"]
    why: list[AnsweredCondition]
    effects: list[RuleEffect]


class RulesMet(BaseModel):
    """The rules that met a study, in the order in which they did."""

    rules: list[RuleMet]


@router.get("")
def list_rules_met(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> RulesMet:
    """List the rules that met a study, for who may decide how long it stays; values name whose it is."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.DELETE).study(study_id, whole=True)
        found.require_clear()
        met = meetings.meetings_of(session, principal.organisation_id, study_id)
    record = trail.event(request, principal, "study.rules", ("study", study_id), patient=found.patient)
    trail.seen(services.database, principal, record)
    return RulesMet(rules=[_shown(one) for one in met])


@router.post("", status_code=202)
def ask_rules_again(request: Request, services: Services, principal: Administrator, study_id: uuid.UUID) -> None:
    """Have the rules look at a study once more: what was done is not done again, what failed is tried again."""
    with services.database.write() as session:
        found = Reach.of(services, session, principal, Right.DELETE).study(study_id, whole=True)
        ask(session, principal.organisation_id, study_id, services.clock.now())
        event = trail.event(request, principal, "study.rules-again", ("study", study_id), patient=found.patient)
        trail.write(session, event)


def _shown(one: Meeting) -> RuleMet:
    return RuleMet(
        rule_id=one.rule_id, name=one.rule_name, revision=one.revision, at=one.at,
        match="any" if one.match == "any" else "all", why=[_answered(asked) for asked in one.why],
        effects=[_effect(did) for did in one.effects],
    )  # fmt: skip


def _answered(asked: Mapping[str, Any]) -> AnsweredCondition:
    return AnsweredCondition.model_validate({**asked, "field": name_of_field(asked["field"])})


def _effect(did: Effect) -> RuleEffect:
    state: Literal["done", "skipped", "failed"] = (
        "done" if did.state == "done" else "skipped" if did.state == "skipped" else "failed"
    )
    return RuleEffect(
        kind=did.kind, state=state, reason=did.reason, at=did.at, error=Trouble.shown(did.trouble),
        differences=[RuleDifference(**one) for one in did.differences],
    )  # fmt: skip
