"""The commands of groups and grants: made, filled, given and ended without the pages, and on record as done by them."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Grantee, GrantView, GroupView, Right, Target
from radrelay.access.errors import EndPast, GranteeGone, LastSight
from radrelay.app.commands import account_of, command_principal, opened
from radrelay.app.prepare import Prepared
from radrelay.archive.models import Study
from radrelay.errors import Invalid, NotFound
from radrelay.intake.sources import list_sources
from radrelay.settings import Settings

ANYBODY = "*"
LONGEST_AE = 16


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a command means, as it was typed: kind (account, group, role, ae, token) and name or id; `*`: any."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A grant as it was typed; without source and study it is on everything."""

    to: Named
    source: str
    study: str
    rights: str
    by_alias: bool
    until: datetime | None
    priors: bool = False


def groups_command(settings: Settings) -> int:
    """Print the groups, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        for one in access.groups(session, prepared.organisation_id):
            trusted = "  sees restricted studies" if one.sees_restricted else ""
            print(f"{one.id}  {one.name}  members {one.members}  grants {one.grants}{trusted}")  # noqa: T201
    return 0


def group_add_command(settings: Settings, name: str, description: str) -> int:
    """Make a group and print its id."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        made = access.create_group(session, prepared.organisation_id, name, description, now=core.clock.now())
        _record(session, prepared, "group.create", ("group", made.id), {"name": made.name})
        print(made.id)  # noqa: T201
    return 0


def join_command(settings: Settings, group: str, who: Named) -> int:
    """Put a person or a token into a group; who is in it already stays."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        into, (kind, member) = _group(session, prepared, group), _member(session, prepared, who)
        if access.add_member(session, prepared.organisation_id, into.id, kind, member):
            _record(session, prepared, "group.join", ("group", into.id), {"member": f"{kind} {member}"})
    return 0


def leave_command(settings: Settings, group: str, who: Named) -> int:
    """Take a person or a token out of a group; no error if it is not in it."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        of, (kind, member) = _group(session, prepared, group), _member(session, prepared, who)
        if access.remove_member(session, prepared.organisation_id, of.id, kind, member):
            _record(session, prepared, "group.leave", ("group", of.id), {"member": f"{kind} {member}"})
    return 0


def grants_command(settings: Settings, to: Named | None) -> int:
    """Print the newest grants, all or to one; no study is named but by its id."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        one = None if to is None else _grantee(session, prepared, to)
        found = access.granted(session, prepared.organisation_id, grantee=one)
        names = _names(session, prepared)
        for view in found:
            print(_line(view, names))  # noqa: T201
    return 0


def give_command(settings: Settings, asked: Asked) -> int:
    """Give a grant and print its id; it counts from now on. One that is there already is told of, not made again."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        now = core.clock.now()
        until = None if asked.until is None else asked.until.astimezone()
        if until is not None and until <= now:
            raise EndPast(field="until")
        to, target, rights = (
            _grantee(session, prepared, asked.to), _target(session, prepared, asked), _rights(asked.rights)
        )  # fmt: skip
        identity: Literal["alias", "clear"] = "alias" if asked.by_alias else "clear"
        for one in access.granted(session, prepared.organisation_id, grantee=to, target=target):
            same = (set(one.rights), one.identity, one.ends_at, one.priors)
            if same == (set(rights), identity, until, asked.priors) and one.origin == "hand":
                print(one.id)  # noqa: T201
                print("this grant is there already", file=sys.stderr)  # noqa: T201
                return 0
        made = access.grant(
            session, prepared.organisation_id, to, target, rights, now=now,
            identity=identity, ends_at=until, priors=asked.priors,
        )  # fmt: skip
        view = access.grant_of(session, prepared.organisation_id, made)
        _record(session, prepared, "grant.give", ("grant", made), access.told_of_grant(view))
        print(made)  # noqa: T201
    return 0


def end_command(settings: Settings, grant_id: str, *, sure: bool) -> int:
    """End a grant; raises `LastSight` where nobody could see anything afterwards, unless `sure`."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        organisation, now = prepared.organisation_id, core.clock.now()
        saw = access.anybody_sees(session, organisation, now)
        view = access.grant_of(session, organisation, _id(grant_id) or uuid.UUID(int=0))
        access.revoke(session, organisation, view.id)
        if saw and not sure and not access.anybody_sees(session, organisation, now):
            raise LastSight
        _record(session, prepared, "grant.revoke", ("grant", view.id), access.told_of_grant(view))
    return 0


def revoke_token_command(settings: Settings, token: str) -> int:
    """Revoke a token; it is refused from now on, and in no group any more."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        found = uuid.UUID(_token(session, prepared, token))
        prepared.identity.revoke_token(session, prepared.organisation_id, found)
        access.forget_member(session, prepared.organisation_id, "token", str(found))
        _record(session, prepared, "token.revoke", ("token", found), {})
    return 0


def _member(session: Session, prepared: Prepared, named: Named) -> tuple[Literal["account", "token"], str]:
    """Return who can be in a group; raises `NotFound`."""
    if named.kind == "token":
        return "token", _token(session, prepared, named.name)
    return "account", str(account_of(prepared, named.name).id)


def _grantee(session: Session, prepared: Prepared, named: Named) -> Grantee:
    """Return whom is meant; raises `NotFound`."""
    name = named.name.strip()
    match named.kind:
        case "account":
            return Grantee("account", ANYBODY if name == ANYBODY else str(account_of(prepared, name).id))
        case "group":
            return Grantee("group", str(_group(session, prepared, name).id))
        case "role" if name == ANYBODY or name in access.ROLES:
            return Grantee("role", name)
        case "ae" if 0 < len(name) <= LONGEST_AE:
            return Grantee("ae", name)
        case "token":
            return Grantee("token", ANYBODY if name == ANYBODY else _token(session, prepared, name))
    raise GranteeGone(f"there is no {named.kind} {name!r}")


def _token(session: Session, prepared: Prepared, name: str) -> str:
    known = prepared.identity.tokens(session, prepared.organisation_id)
    found = [one for one in known if one.revoked_at is None and (one.id == _id(name) or one.name == name)]
    if len(found) > 1:
        ids = ", ".join(str(one.id) for one in found)
        raise Invalid(f"there are {len(found)} tokens {name!r}; say which by its id: {ids}", field="token")
    if not found:
        raise NotFound(f"there is no token {name!r}")
    return str(found[0].id)


def _group(session: Session, prepared: Prepared, name: str) -> GroupView:
    found = access.group_named(session, prepared.organisation_id, name)
    if found is None:
        known = access.groups(session, prepared.organisation_id)
        found = next((one for one in known if one.id == _id(name)), None)
    if found is None:
        raise NotFound(f"there is no group {name!r}")
    return found


def _target(session: Session, prepared: Prepared, asked: Asked) -> Target:
    if asked.source and asked.study:
        raise Invalid("a grant is on a source or on a study", field="study")
    if asked.source:
        known = list_sources(session, prepared.organisation_id)
        fitting = (one for one in known if one.id == _id(asked.source) or one.name == asked.source)
        source = next(fitting, None)
        if source is None:
            raise NotFound(f"there is no source {asked.source!r}; there are {', '.join(one.name for one in known)}")
        return Target("source", source.id)
    if not asked.study:
        return Target("organisation")
    named = sa.or_(Study.id == (_id(asked.study) or uuid.UUID(int=0)), Study.study_uid == asked.study)
    study = session.scalar(sa.select(Study.id).where(Study.organisation_id == prepared.organisation_id, named))
    if study is None:
        raise NotFound(f"there is no study {asked.study!r}")
    return Target("study", study)


def _rights(text: str) -> list[Right]:
    words = [one.strip() for one in text.split(",") if one.strip()]
    try:
        return [Right(one) for one in dict.fromkeys(words or [""])]
    except ValueError as error:
        known = ", ".join(right.value for right in Right)
        raise Invalid(f"rights are, with commas between: {known}", field="rights") from error


def _names(session: Session, prepared: Prepared) -> dict[str, str]:
    """Return names by id of all that grants name."""
    organisation, identity = prepared.organisation_id, prepared.identity
    named: Iterable[tuple[uuid.UUID, str]] = [
        *((one.id, one.username) for one in identity.accounts(session, organisation)),
        *((one.id, one.name) for one in identity.tokens(session, organisation)),
        *((one.id, one.name) for one in access.groups(session, organisation)),
        *((one.id, one.name) for one in list_sources(session, organisation)),
    ]
    return {str(one): name for one, name in named}


def _line(view: GrantView, names: dict[str, str]) -> str:
    target_id = "" if view.target.id is None else f" {names.get(str(view.target.id), view.target.id)}"
    what = "everything" if view.target.kind == "organisation" else f"{view.target.kind}{target_id}"
    rights = ",".join(right.value for right in view.rights)
    more = "  by alias" if view.identity == "alias" else ""
    more += f"  until {view.ends_at.astimezone():%Y-%m-%d %H:%M}" if view.ends_at else ""
    return f"{view.id}  {view.grantee.kind} {names.get(view.grantee.id, view.grantee.id)}  {what}  {rights}{more}"


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _record(
    session: Session, prepared: Prepared, action: str, subject: tuple[str, uuid.UUID], detail: dict[str, object]
) -> None:
    audit.record(session, audit.AuditRecord(action, command_principal(prepared), *subject, detail))
