"""Release rules, for administrators: which studies reach which group as they arrive, with a look before it is saved."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Conditions, Fate, Principal, Right, RuleReleased, RuleView, WantedRule
from radrelay.archive import rule_facts
from radrelay.archive.locking import lock_archive
from radrelay.intake.sources import get_source
from radrelay.web import trail
from radrelay.web.api.grants import GrantedStudy, granted_study
from radrelay.web.authentication import Administrator, Services
from radrelay.web.reach import Reach

router = APIRouter(prefix="/release-rules", tags=["access"])
LOOKED_AT = 500
MOST_SHOWN = 50


class RuleConditions(BaseModel):
    """What a rule asks of a study; what is empty is not asked for, all that is given must hold.

    Of AE titles, modalities and body parts a comma list, of which any fits.
    """

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    source_id: uuid.UUID | None = None
    calling_ae: str = Field("", max_length=400)
    called_ae: str = Field("", max_length=400)
    modality: str = Field("", max_length=200)
    body_part: str = Field("", max_length=400)
    referring: str = Field("", max_length=400)
    institution: str = Field("", max_length=400)
    department: str = Field("", max_length=400)
    description: str = Field("", max_length=400)


class NewRule(BaseModel):
    """A rule to be made; `apply`: it is to count for the studies that are here, too. `days` null: until they go."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    group_id: uuid.UUID
    conditions: RuleConditions
    may_download: bool = False
    identity: Literal["clear", "alias"] = "clear"
    days: int | None = Field(None, ge=1, le=36_500)
    enabled: bool = True
    apply: bool = False


class RuleChange(NewRule):
    """What a rule is to be; `revision` is that of the rule as it was seen, `releases` what becomes of its releases."""

    revision: int = Field(ge=1, le=2**31 - 1)
    releases: Fate | None = None


class Rule(BaseModel):
    """A rule, how many of its releases count, and whether it is still being applied to the studies that are here."""

    id: uuid.UUID
    name: str
    group_id: uuid.UUID
    group_name: str
    conditions: RuleConditions
    may_download: bool
    identity: Literal["clear", "alias"]
    days: int | None
    enabled: bool
    made_by: str
    created_at: datetime
    revision: int
    releases: int
    applying: bool


class Rules(BaseModel):
    """All rules, by name."""

    rules: list[Rule]


class Matched(BaseModel):
    """How many of the studies that arrived last fit, how many of those are restricted, and those that you may see."""

    looked_at: int
    matched: int
    restricted: int
    studies: list[GrantedStudy]


@router.get("")
def list_rules(services: Services, principal: Administrator) -> Rules:
    """List the rules."""
    with services.database.read() as session:
        found = access.release_rules(session, principal.organisation_id, services.clock.now())
    return Rules(rules=[_shown(one) for one in found])


@router.post("", status_code=201)
def make(request: Request, services: Services, principal: Administrator, wanted: NewRule) -> Rule:
    """Make a rule; it counts for what arrives from now on, and as `apply` says for what is here."""
    now = services.clock.now()
    with services.database.write() as session:
        rule = _asked(session, principal, wanted)
        made = access.add_release_rule(
            session, principal.organisation_id, rule, principal.name, now, to_all=wanted.apply
        )
        _record(session, request, principal, "release-rule.make", made, {"applied": wanted.apply})
    return _shown(made)


@router.put("/{rule_id}")
def change(
    request: Request, services: Services, principal: Administrator, rule_id: uuid.UUID, wanted: RuleChange
) -> Rule:
    """Change a rule. 409 `rule-changed` if it is another one than was seen.

    409 `rule-has-releases` where studies are released by it and `releases` does not say what becomes of that.
    """
    with services.database.write() as session:
        rule = _asked(session, principal, wanted)
        changed, ended = access.change_release_rule(
            session, principal.organisation_id, rule_id, wanted.revision, rule, services.clock.now(),
            fate=wanted.releases, to_all=wanted.apply,
        )  # fmt: skip
        _end(session, principal, ended)
        more: dict[str, object] = {"applied": wanted.apply, "releases": wanted.releases or "", "ended": len(ended)}
        _record(session, request, principal, "release-rule.change", changed, more)
    return _shown(changed)


@router.delete("/{rule_id}", status_code=204)
def delete(
    request: Request, services: Services, principal: Administrator, rule_id: uuid.UUID, releases: Fate | None = None
) -> None:
    """Delete a rule; `releases` says whether its releases stay or end. 409 `rule-has-releases` where it must."""
    with services.database.write() as session:
        lock_archive(session)
        gone, ended = access.delete_release_rule(
            session, principal.organisation_id, rule_id, services.clock.now(), fate=releases
        )
        _end(session, principal, ended)
        more: dict[str, object] = {"releases": releases or "", "ended": len(ended)}
        _record(session, request, principal, "release-rule.delete", gone, more)


@router.post("/preview")
def preview(request: Request, services: Services, principal: Administrator, wanted: RuleConditions) -> Matched:
    """Tell what these conditions would have fitted of the 500 studies that arrived last; nothing is released."""
    now, organisation = services.clock.now(), principal.organisation_id
    with services.database.read() as session:
        conditions = access.cleaned(_conditions(wanted))
        last = list(session.scalars(rule_facts.last_received(organisation, now, LOOKED_AT)))
        found = [one.id for one in rule_facts.facts_of(session, last, now) if access.fits(conditions, one)]
        fitting = [study_id for study_id in last if study_id in set(found)]
        restricted = len(access.restricted_of(session, fitting))
        reach = Reach.of(services, session, principal, Right.SEE)
        rows = reach.study_rows(fitting)
        shown = [granted_study(rows[one], reach.scope) for one in fitting if one in rows][:MOST_SHOWN]
    if shown:
        trail.seen(services.database, principal, trail.event(request, principal, "release-rule.preview"))
    return Matched(looked_at=len(last), matched=len(fitting), restricted=restricted, studies=shown)


def _asked(session: Session, principal: Principal, wanted: NewRule) -> WantedRule:
    """Return the rule that is wanted; raises `SourceNotFound` for a source that is not here.

    From here on nothing arrives until this transaction ends: a rule counts for all of what is indexed after it.
    """
    lock_archive(session)
    if wanted.conditions.source_id is not None:
        get_source(session, principal.organisation_id, wanted.conditions.source_id)
    return WantedRule(
        wanted.name, wanted.group_id, _conditions(wanted.conditions), wanted.may_download, wanted.identity,
        wanted.days, wanted.enabled,
    )  # fmt: skip


def _conditions(wanted: RuleConditions) -> Conditions:
    return Conditions(**wanted.model_dump())


def _end(session: Session, principal: Principal, ended: list[RuleReleased]) -> None:
    rule_facts.note_ended(session, principal.organisation_id, ended, principal)


def _record(
    session: Session, request: Request, principal: Principal, action: str, rule: RuleView, more: dict[str, object]
) -> None:
    detail = access.told_of_rule(rule) | more
    trail.write(session, trail.event(request, principal, action, ("release-rule", rule.id), detail=detail))


def _shown(view: RuleView) -> Rule:
    rule = view.wanted
    return Rule(
        id=view.id,
        name=rule.name,
        group_id=rule.group_id,
        group_name=view.group_name,
        conditions=RuleConditions.model_validate(rule.conditions),
        may_download=rule.may_download,
        identity=rule.identity,
        days=rule.days,
        enabled=rule.enabled,
        made_by=view.made_by,
        created_at=view.created_at,
        revision=view.revision,
        releases=view.releases,
        applying=view.applying,
    )
