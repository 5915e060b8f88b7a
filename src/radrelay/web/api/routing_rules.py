"""Rules, for administrators: what is done with studies that come; tried before they count, each change a revision."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right
from radrelay.archive.corrections import ATTRIBUTES
from radrelay.intake.sources import get_source
from radrelay.routing.rules import service, trying
from radrelay.routing.rules.comparing import Test
from radrelay.routing.rules.conditions import field_named, name_of_field
from radrelay.routing.rules.matching import Answered
from radrelay.routing.rules.service import Rule, WantedRoutingRule
from radrelay.routing.rules.work import last_complete
from radrelay.settings.zones import zone_of
from radrelay.web import trail
from radrelay.web.api.grants import GrantedStudy, granted_study
from radrelay.web.authentication import Administrator, Services
from radrelay.web.problems import Trouble
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/routing-rules", tags=["routing rules"])
LOOKED_AT = 200
MOST_SHOWN = 50


class RuleCondition(BaseModel):
    """What is asked: a field or a DICOM attribute by keyword or tag, a test, and values of which any fits."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(min_length=1, max_length=64)
    test: Test
    values: list[str] = Field([], max_length=200)


class RuleAction(BaseModel):
    """What is done: a kind of `GET /api/routing-rules/kinds`, and what that kind wants to know."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(min_length=1, max_length=32)


class NewRoutingRule(BaseModel):
    """A rule to be made. `moment`: as something of a study is here, or once it is complete; `match`: all conditions
    or any; `stop`: once it is met, the rules after it are not looked at.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    when: list[RuleCondition] = Field([], max_length=50)
    actions: list[RuleAction] = Field(min_length=1, max_length=20)
    match: Literal["all", "any"] = "all"
    moment: Literal["arrival", "complete"] = "complete"
    stop: bool = False
    enabled: bool = True

    def wanted(self) -> WantedRoutingRule:
        """Return what the rooms know it as."""
        when = tuple(one.model_dump() for one in self.when)
        actions = tuple(one.model_dump() for one in self.actions)
        return WantedRoutingRule(self.name, when, actions, self.match, self.moment, self.stop, self.enabled)


class RoutingRuleChange(NewRoutingRule):
    """What a rule is to be; `revision` is that of the rule as it was seen."""

    revision: int = Field(ge=1, le=2**31 - 1)


class RoutingRule(BaseModel):
    """A rule, and how many of the studies that are here it has met, of how many something failed."""

    id: uuid.UUID
    name: str
    when: list[RuleCondition]
    actions: list[dict[str, Any]]
    match: Literal["all", "any"]
    moment: Literal["arrival", "complete"]
    stop: bool
    enabled: bool
    revision: int
    changed_by: str
    changed_at: datetime
    created_by: str
    created_at: datetime
    met: int = 0
    failed: int = 0
    last_at: datetime | None = None


class RoutingRules(BaseModel):
    """All rules in their order."""

    rules: list[RoutingRule]


class RuleKind(BaseModel):
    """A kind of action that this installation knows, and at which moments it can be done."""

    name: str
    moments: list[Literal["arrival", "complete"]]


class RuleKinds(BaseModel):
    """What rules may do here, and the attributes that they may coerce."""

    kinds: list[RuleKind]
    coerced: list[str]


class RuleOrder(BaseModel):
    """All rules' ids in the order that is wanted."""

    model_config = ConfigDict(extra="forbid")

    ids: list[uuid.UUID] = Field(max_length=service.MOST_RULES)


class RuleSwitch(BaseModel):
    """Whether a rule is on."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class RuleRevision(BaseModel):
    """What a rule was made, by whom and when; `deleted`: it ended then."""

    revision: int
    at: datetime
    by: str
    deleted: bool
    rule: NewRoutingRule


class RuleRevisions(BaseModel):
    """A rule's revisions, the newest first."""

    revisions: list[RuleRevision]


class AnsweredCondition(RuleCondition):
    """A condition, whether it held, and of what it was asked."""

    model_config = ConfigDict(extra="ignore")

    held: bool
    seen: list[str]


class RuleDifference(BaseModel):
    """An attribute, or when a study goes (`expires_at`), before and after."""

    name: str
    before: str
    after: str


class WouldDo(BaseModel):
    """What an action would come to: done, skipped for a `reason`, or failed with an `error`."""

    kind: str
    state: Literal["done", "skipped", "failed"]
    reason: str
    differences: list[RuleDifference]
    error: Trouble | None


class TriedStudy(BaseModel):
    """A study that the rule would have met: why, and what it would have done."""

    study: GrantedStudy
    why: list[AnsweredCondition]
    effects: list[WouldDo]


class Trial(BaseModel):
    """How many studies were looked at, how many the rule would have met, and those of them that you may see."""

    looked_at: int
    met: int
    studies: list[TriedStudy]


@router.get("")
def list_routing_rules(services: Services, principal: Administrator) -> RoutingRules:
    """List the rules in their order."""
    with services.database.read() as session:
        return _listed(session, principal)


@router.get("/kinds")
def list_kinds(services: Services, principal: Administrator) -> RuleKinds:
    """Tell what rules may do here."""
    del principal
    kinds = [RuleKind(name=one.name, moments=list(one.moments)) for one in services.rule_kinds.values()]
    return RuleKinds(kinds=kinds, coerced=list(ATTRIBUTES))


@router.post("", status_code=201)
def make_routing_rule(
    request: Request, services: Services, principal: Administrator, wanted: NewRoutingRule
) -> RoutingRule:
    """Make a rule, the last in order; it counts for studies that come whole from now on."""
    with services.database.write() as session:
        _require_sources(session, principal, wanted)
        made = service.add_rule(
            session, principal.organisation_id, wanted.wanted(), services.rule_kinds, principal.name,
            services.clock.now(),
        )  # fmt: skip
        _record(session, request, principal, "routing-rule.make", made)
    return _shown(made)


@router.put("/order")
def order_routing_rules(
    request: Request, services: Services, principal: Administrator, wanted: RuleOrder
) -> RoutingRules:
    """Put all rules in order. 409 `rule-order-stale` unless these are all there are."""
    with services.database.write() as session:
        service.order_rules(session, principal.organisation_id, wanted.ids, services.clock.now())
        trail.write(session, trail.event(request, principal, "routing-rule.order"))
        return _listed(session, principal)


@router.put("/{routing_rule_id}")
def change_routing_rule(
    request: Request, services: Services, principal: Administrator, routing_rule_id: uuid.UUID,
    wanted: RoutingRuleChange,
) -> RoutingRule:  # fmt: skip
    """Change a rule. 409 `routing-rule-changed` if it is another one than was seen."""
    with services.database.write() as session:
        _require_sources(session, principal, wanted)
        changed = service.change_rule(
            session, principal.organisation_id, routing_rule_id, wanted.revision, wanted.wanted(),
            services.rule_kinds, principal.name, services.clock.now(),
        )  # fmt: skip
        _record(session, request, principal, "routing-rule.change", changed)
        return _with_tally(session, principal, changed)


@router.put("/{routing_rule_id}/enabled")
def switch_routing_rule(
    request: Request, services: Services, principal: Administrator, routing_rule_id: uuid.UUID, wanted: RuleSwitch
) -> RoutingRule:
    """Switch a rule on or off."""
    with services.database.write() as session:
        changed = service.switch_rule(
            session, principal.organisation_id, routing_rule_id, principal.name, services.clock.now(),
            enabled=wanted.enabled,
        )  # fmt: skip
        _record(session, request, principal, "routing-rule.change", changed)
        return _with_tally(session, principal, changed)


@router.delete("/{routing_rule_id}", status_code=204)
def delete_routing_rule(
    request: Request, services: Services, principal: Administrator, routing_rule_id: uuid.UUID
) -> None:
    """Delete a rule; its revisions stay, and so does what it did to studies."""
    with services.database.write() as session:
        gone = service.delete_rule(
            session, principal.organisation_id, routing_rule_id, principal.name, services.clock.now()
        )
        _record(session, request, principal, "routing-rule.delete", gone)


@router.get("/{routing_rule_id}/revisions")
def list_revisions(services: Services, principal: Administrator, routing_rule_id: uuid.UUID) -> RuleRevisions:
    """List what a rule was made, the newest first; a deleted one's too."""
    with services.database.read() as session:
        found = service.revisions_of(session, principal.organisation_id, routing_rule_id)
    return RuleRevisions(
        revisions=[
            RuleRevision(
                revision=one.revision, at=one.at, by=one.by, deleted=one.deleted,
                rule=NewRoutingRule.model_validate(dict(one.wanted)),
            )
            for one in found
        ]
    )  # fmt: skip


@router.post("/try")
def try_routing_rule(request: Request, services: Services, principal: Administrator, wanted: NewRoutingRule) -> Trial:
    """Tell what a rule would do with the 200 studies that came last, without doing any of it.

    Where it asks for attributes that are not in the index, with the last 50.
    """
    organisation, now = principal.organisation_id, services.clock.now()
    with services.database.read() as session:
        _require_sources(session, principal, wanted)
        rule = service.draft(session, organisation, wanted.wanted(), services.rule_kinds, principal.name, now)
        last = list(session.scalars(last_complete(organisation, now, LOOKED_AT)))
        zone = zone_of(services.settings.work.zone)
        trial = trying.Trial(session, services.clock, services.reader, services.rule_kinds, zone)
        looked_at, met = trial.run(rule, last)
        shown = _seen(services, session, principal, met)
    if shown:
        trail.seen(services.database, principal, trail.event(request, principal, "routing-rule.try"))
    return Trial(looked_at=looked_at, met=len(met), studies=shown)


def _seen(
    services: WebServices, session: Session, principal: Principal, met: Sequence[trying.Tried]
) -> list[TriedStudy]:
    """Return what would be done to the studies that somebody sees in clear: differences name whom they are of."""
    reach = Reach.of(services, session, principal, Right.SEE)
    rows = reach.study_rows([one.study_id for one in met])
    found: list[TriedStudy] = []
    for one in met if reach.scope.identity == "clear" else ():
        if one.study_id in rows and len(found) < MOST_SHOWN:
            study = granted_study(rows[one.study_id], reach.scope)
            found.append(TriedStudy(study=study, why=answered(one.why), effects=[_would(do) for do in one.effects]))
    return found


def answered(why: Sequence[Answered]) -> list[AnsweredCondition]:
    """Return conditions as they are shown: attributes by keyword."""
    return [AnsweredCondition.model_validate(one.told() | {"field": name_of_field(one.condition.field)}) for one in why]


def _would(one: trying.Would) -> WouldDo:
    differences = [RuleDifference(**difference.told()) for difference in one.outcome.differences]
    return WouldDo(
        kind=one.kind, state=one.outcome.state, reason=one.outcome.reason, differences=differences,
        error=Trouble.shown(one.trouble),
    )  # fmt: skip


def _require_sources(session: Session, principal: Principal, wanted: NewRoutingRule) -> None:
    """Raise `SourceNotFound` for a source that is not the organisation's; of groups a stranger's fits nothing."""
    for one in wanted.when:
        if field_named(one.field) == "source":
            for value in one.values:
                get_source(session, principal.organisation_id, _id(value))


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def _listed(session: Session, principal: Principal) -> RoutingRules:
    tallies = service.tallies(session, principal.organisation_id)
    rules = service.rules_of(session, principal.organisation_id)
    return RoutingRules(rules=[_shown(one, tallies.get(one.id)) for one in rules])


def _with_tally(session: Session, principal: Principal, rule: Rule) -> RoutingRule:
    return _shown(rule, service.tallies(session, principal.organisation_id).get(rule.id))


def _record(session: Session, request: Request, principal: Principal, action: str, rule: Rule) -> None:
    detail = service.told_of_rule(rule)
    trail.write(session, trail.event(request, principal, action, ("routing-rule", rule.id), detail=detail))


def _shown(rule: Rule, tally: service.Tally | None = None) -> RoutingRule:
    known = tally or service.Tally()
    when = [
        RuleCondition.model_validate(one.told() | {"field": name_of_field(one.field)}) for one in rule.when
    ]  # fmt: skip
    return RoutingRule(
        id=rule.id, name=rule.name, when=when, actions=list(rule.actions), match=rule.match, moment=rule.moment,
        stop=rule.stop, enabled=rule.enabled, revision=rule.revision, changed_by=rule.changed_by,
        changed_at=rule.changed_at, created_by=rule.created_by, created_at=rule.created_at, met=known.met,
        failed=known.failed, last_at=known.last_at,
    )  # fmt: skip
