"""The commands of release rules: made, tried, listed and deleted without the pages."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Conditions, Fate, WantedRule
from radrelay.app.commands import command_principal, opened
from radrelay.archive import rule_facts
from radrelay.archive.locking import lock_archive
from radrelay.errors import NotFound
from radrelay.intake.sources import list_sources
from radrelay.settings import Settings

LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule as it was typed: group and source by name or id."""

    name: str
    group: str
    source: str
    texts: Conditions
    may_download: bool
    by_alias: bool
    days: int | None
    apply: bool


def list_command(settings: Settings) -> int:
    """Print the rules, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        for one in access.release_rules(session, prepared.organisation_id, core.clock.now()):
            state = "" if one.wanted.enabled else "  off"
            more = "  being applied" if one.applying else ""
            print(f"{one.id}  {one.wanted.name}  to {one.group_name}  {one.releases} releases{state}{more}")  # noqa: T201
    return 0


def add_command(settings: Settings, asked: Asked, *, dry_run: bool) -> int:
    """Make a rule, or only tell what it would have fitted."""
    with opened(settings) as (core, prepared):
        organisation, now = prepared.organisation_id, core.clock.now()
        with core.database.write() as session:
            wanted = _wanted(session, organisation, asked)
            if dry_run:
                conditions = access.cleaned(wanted.conditions)
                last = list(session.scalars(rule_facts.last_received(organisation, now, LOOKED_AT)))
                facts = rule_facts.facts_of(session, last, now)
                fitting = sum(access.fits(conditions, one) for one in facts)
                print(f"{fitting} of the {len(last)} studies that arrived last fit")  # noqa: T201
                return 0
            lock_archive(session)
            principal = command_principal(prepared)
            made = access.add_release_rule(session, organisation, wanted, principal.name, now, to_all=asked.apply)
            detail = access.told_of_rule(made) | {"applied": asked.apply}
            event = audit.AuditRecord("release-rule.make", principal, "release-rule", made.id, detail)
            audit.record(session, event)
        print(made.id)  # noqa: T201
    return 0


def delete_command(settings: Settings, rule_id: str, fate: Fate | None) -> int:
    """Delete a rule, with or without its releases."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        lock_archive(session)
        principal, organisation = command_principal(prepared), prepared.organisation_id
        gone, ended = access.delete_release_rule(
            session, organisation, _id(rule_id) or uuid.UUID(int=0), core.clock.now(), fate=fate
        )
        rule_facts.note_ended(session, organisation, ended, principal)
        detail = access.told_of_rule(gone) | {"releases": fate or "", "ended": len(ended)}
        audit.record(session, audit.AuditRecord("release-rule.delete", principal, "release-rule", gone.id, detail))
        print(f"{len(ended)} releases ended")  # noqa: T201
    return 0


def _wanted(session: Session, organisation_id: uuid.UUID, asked: Asked) -> WantedRule:
    groups = [(one.id, one.name) for one in access.groups(session, organisation_id)]
    sources = [(one.id, one.name) for one in list_sources(session, organisation_id)]
    source_id = _named("source", asked.source, sources) if asked.source else None
    return WantedRule(
        asked.name, _named("group", asked.group, groups), replace(asked.texts, source_id=source_id),
        asked.may_download, "alias" if asked.by_alias else "clear", asked.days,
    )  # fmt: skip


def _named(kind: str, wanted: str, known: Sequence[tuple[uuid.UUID, str]]) -> uuid.UUID:
    """Return the id of what is named by its id or its name; raises `NotFound`."""
    for one, name in known:
        if one == _id(wanted) or name.casefold() == " ".join(wanted.split()).casefold():
            return one
    raise NotFound(f"there is no {kind} {wanted!r}")


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
