"""The commands of rules: made, tried, changed, switched and looked up without the pages."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.app.commands import command_principal, opened
from radrelay.app.core import Core
from radrelay.app.prepare import Prepared
from radrelay.app.routing_rules import action_kinds
from radrelay.archive.corrected import CorrectedReader
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.models import Study
from radrelay.pseudonyms import VaultSeal
from radrelay.routing.rules import meetings, service, trying
from radrelay.routing.rules.actions import Kinds
from radrelay.routing.rules.conditions import name_of_field
from radrelay.routing.rules.errors import RoutingRuleNotFound, RuleInvalid
from radrelay.routing.rules.previewing import CopyPreview, previewed
from radrelay.routing.rules.service import Rule, WantedRoutingRule
from radrelay.routing.rules.work import last_complete
from radrelay.settings import Settings
from radrelay.settings.zones import zone_of

LOOKED_AT = 200
WOULD = {"done": "would be done", "skipped": "would not be done", "failed": "would fail"}
KNOWN = ("name", "when", "actions", "match", "moment", "stop", "enabled")


def list_command(settings: Settings) -> int:
    """Print the rules, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        tallies = service.tallies(session, prepared.organisation_id)
        for one in service.rules_of(session, prepared.organisation_id):
            tally = tallies.get(one.id, service.Tally())
            does = ", ".join(str(action["kind"]) for action in one.actions)
            told = "" if one.enabled else "  off"
            told += f"  {tally.failed} failed" if tally.failed else ""
            print(f"{one.id}  {one.name}  {does}  met {tally.met}{told}")  # noqa: T201
    return 0


def show_command(settings: Settings, rule: str) -> int:
    """Print a rule as JSON."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        found = _named(session, prepared.organisation_id, rule).told()
        when = [one | {"field": name_of_field(one["field"])} for one in _listed(found["when"])]
        print(json.dumps(found | {"when": when}, ensure_ascii=False, indent=2))  # noqa: T201
    return 0


def add_command(settings: Settings, text: str, *, try_only: bool) -> int:
    """Make a rule, or only tell what it would do with what came last."""
    with opened(settings) as (core, prepared):
        wanted, kinds = _wanted(text), _kinds(core)
        if try_only:
            return _try(core, prepared, wanted, kinds)
        with core.database.write() as session:
            principal = command_principal(prepared)
            made = service.add_rule(session, prepared.organisation_id, wanted, kinds, principal.name, core.clock.now())
            _record(session, prepared, "routing-rule.make", made)
        print(made.id)  # noqa: T201
    return 0


def change_command(settings: Settings, rule: str, text: str) -> int:
    """Change a rule."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        organisation = prepared.organisation_id
        found = _named(session, organisation, rule)
        changed = service.change_rule(
            session, organisation, found.id, found.revision, _wanted(text), _kinds(core),
            command_principal(prepared).name, core.clock.now(),
        )  # fmt: skip
        _record(session, prepared, "routing-rule.change", changed)
        print(f"revision {changed.revision}")  # noqa: T201
    return 0


def switch_command(settings: Settings, rule: str, *, enabled: bool) -> int:
    """Switch a rule on or off."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        found = _named(session, prepared.organisation_id, rule)
        changed = service.switch_rule(
            session, prepared.organisation_id, found.id, command_principal(prepared).name, core.clock.now(),
            enabled=enabled,
        )  # fmt: skip
        _record(session, prepared, "routing-rule.change", changed)
    return 0


def delete_command(settings: Settings, rule: str) -> int:
    """Delete a rule."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        found = _named(session, prepared.organisation_id, rule)
        by, now = command_principal(prepared).name, core.clock.now()
        gone = service.delete_rule(session, prepared.organisation_id, found.id, by, now)
        _record(session, prepared, "routing-rule.delete", gone)
    return 0


def met_command(settings: Settings, study: str) -> int:
    """Print which rules met a study, condition by condition, and what each did."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        study_id = _study(session, prepared.organisation_id, study)
        for one in meetings.meetings_of(session, prepared.organisation_id, study_id):
            print(f"{one.rule_name}  revision {one.revision}  {one.at:%Y-%m-%d %H:%M} UTC")  # noqa: T201
            _print_why(one.why)
            for did in one.effects:
                why = did.trouble.detail if did.trouble is not None else did.reason
                print(f"  {did.kind}: {did.state}{f' ({why})' if why else ''}")  # noqa: T201
    return 0


def _try(core: Core, prepared: Prepared, wanted: WantedRoutingRule, kinds: Kinds) -> int:
    organisation, now = prepared.organisation_id, core.clock.now()
    reader = CorrectedReader(core.database, core.clock, core.segments, core.packs)
    kinds = previewed(kinds, CopyPreview(core.clock, reader, VaultSeal(core.keyring.vault_key)))
    with core.database.read() as session:
        rule = service.draft(session, organisation, wanted, kinds, command_principal(prepared).name, now)
        last = list(session.scalars(last_complete(organisation, now, LOOKED_AT)))
        zone = zone_of(core.settings.work.zone)
        looked_at, met = trying.Trial(session, core.clock, reader, kinds, zone).run(rule, last)
        uids = _study_uids(session, [one.study_id for one in met])
    if met:
        with core.database.write() as session:
            audit.record(session, audit.AuditRecord("routing-rule.try", command_principal(prepared)))
    print(f"{len(met)} of the {looked_at} studies that came last would be met")  # noqa: T201
    for one in met:
        print(uids[one.study_id])  # noqa: T201
        _print_why([asked.told() for asked in one.why])
        for would in one.effects:
            told = would.outcome.reason if would.trouble is None else would.trouble.detail
            print(f"  {would.kind}: {WOULD[would.outcome.state]}{f' ({told})' if told else ''}")  # noqa: T201
            for changed in would.outcome.differences:
                print(f"    {changed.name}: {changed.before!r} -> {changed.after!r}")  # noqa: T201
    return 0


def _study_uids(session: Session, study_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    return {
        row.id: row.study_uid
        for row in session.execute(sa.select(Study.id, Study.study_uid).where(Study.id.in_(study_ids)))
    }


def _print_why(why: Iterable[Mapping[str, Any]]) -> None:
    """Print conditions with what they were asked of."""
    for asked in why:
        held = "+" if asked["held"] else "-"
        values, seen = ", ".join(asked["values"]), ", ".join(asked["seen"]) or "nothing"
        print(f"  {held} {name_of_field(asked['field'])} {asked['test']} {values}: {seen}")  # noqa: T201


def _kinds(core: Core) -> Kinds:
    return action_kinds(core)


def _wanted(text: str) -> WantedRoutingRule:
    """Return a rule from JSON; raises `RuleInvalid` for what is none."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise RuleInvalid(f"that is no JSON: {error}") from error
    if not isinstance(given, dict) or set(given) - set(KNOWN):
        raise RuleInvalid(f"a rule has {', '.join(KNOWN)}, and nothing else")
    return WantedRoutingRule(
        str(given.get("name", "")), tuple(_listed(given.get("when", []))), tuple(_listed(given.get("actions", []))),
        str(given.get("match", "all")), str(given.get("moment", "complete")), given.get("stop") is True,
        given.get("enabled", True) is True,
    )  # fmt: skip


def _listed(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise RuleInvalid("conditions and actions are lists of objects")
    return given


def _named(session: Session, organisation_id: uuid.UUID, rule: str) -> Rule:
    """Return the rule of an id or a name; raises `RoutingRuleNotFound`."""
    for one in service.rules_of(session, organisation_id):
        if rule == str(one.id) or rule.casefold() == one.name.casefold():
            return one
    raise RoutingRuleNotFound(f"there is no rule {rule!r}")


def _study(session: Session, organisation_id: uuid.UUID, study: str) -> uuid.UUID:
    mine = sa.select(Study.id, Study.study_uid).where(Study.organisation_id == organisation_id)
    try:
        found = session.execute(mine.where(Study.id == uuid.UUID(study))).one_or_none()
    except ValueError:
        found = session.execute(mine.where(Study.study_uid == study)).one_or_none()
    if found is None:
        raise StudyNotFound
    study_id: uuid.UUID = found.id
    return study_id


def _record(session: Session, prepared: Prepared, action: str, rule: Rule) -> None:
    detail = service.told_of_rule(rule)
    audit.record(session, audit.AuditRecord(action, command_principal(prepared), "routing-rule", rule.id, detail))
