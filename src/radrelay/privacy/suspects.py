"""Whose access an incident is about: an account, a token, a link, a device (AE title or address), or one login.

In: a kind and an id. Out: how the record names it, and which studies it can see. The reach is that of now: grants that
were given or taken back meanwhile are in the record, and are told beside it.
"""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay import access
from radrelay.access import Grantee, Principal, Right
from radrelay.access.models import ShareLink
from radrelay.archive.models import Series, Study
from radrelay.audit import AuditQuery
from radrelay.errors import NotFound
from radrelay.identity.models import Account, ApiToken
from radrelay.identity.models import Session as Login

SuspectKind = Literal["account", "token", "link", "device", "session"]
MOST_FOUND = 50
Row = TypeVar("Row", Account, ApiToken, ShareLink, Login)
Named = TypeVar("Named", Account, ApiToken, ShareLink)


class SuspectUnknown(NotFound):
    """There is no such account, token, link or login here."""

    code = "suspect-unknown"


@dataclass(frozen=True, slots=True)
class Suspect:
    """Whose access it is about; of a device the id is its AE title or its address."""

    kind: SuspectKind
    id: str


@dataclass(frozen=True, slots=True)
class Known:
    """A suspect as it is found: its name, its events in the record, and its own times, if it has any."""

    suspect: Suspect
    name: str
    query: AuditQuery
    principal: Principal | None
    began_at: datetime | None = None
    ended_at: datetime | None = None


def known(session: Session, organisation_id: uuid.UUID, suspect: Suspect) -> Known:
    """Return what is known of a suspect; raises `SuspectUnknown`. A device need not be known to anybody."""
    match suspect.kind:
        case "account":
            row = _one(session, Account, organisation_id, suspect.id)
            return Known(suspect, row.full_name or row.username, _of("account", row.id), _account(row))
        case "token":
            token = _one(session, ApiToken, organisation_id, suspect.id)
            who = Principal("token", str(token.id), token.name, organisation_id, token.role)
            return Known(suspect, token.name, _of("token", token.id), who)
        case "link":
            link = _one(session, ShareLink, organisation_id, suspect.id)
            return Known(suspect, link.label or link.maker_name, _of("link", link.id), None)
        case "session":
            login = _one(session, Login, organisation_id, suspect.id)
            owner = _one(session, Account, organisation_id, str(login.account_id))
            whose = Known(suspect, owner.full_name or owner.username, _of("account", owner.id), _account(owner))
            return replace(whose, began_at=login.created_at, ended_at=login.ended_at or login.expires_at)
        case "device":
            return _device(organisation_id, suspect)


def _one(session: Session, table: type[Row], organisation_id: uuid.UUID, given: str) -> Row:
    try:
        row = session.get(table, uuid.UUID(given))
    except ValueError as error:
        raise SuspectUnknown from error
    if row is None or row.organisation_id != organisation_id:
        raise SuspectUnknown
    return row


def _of(kind: str, row_id: uuid.UUID) -> AuditQuery:
    return AuditQuery(actor_kind=kind, actor_id=str(row_id))


def _account(row: Account) -> Principal:
    return Principal("account", str(row.id), row.full_name or row.username, row.organisation_id, row.role)


def _device(organisation_id: uuid.UUID, suspect: Suspect) -> Known:
    try:
        ipaddress.ip_address(suspect.id)
    except ValueError:
        who = Principal("ae", suspect.id, suspect.id, organisation_id)
        return Known(suspect, suspect.id, AuditQuery(actor_kind="ae", actor_id=suspect.id), who)
    return Known(suspect, suspect.id, AuditQuery(peer=suspect.id), None)


def reach(session: Session, organisation_id: uuid.UUID, who: Known, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a study is one that the suspect can see; of an address nobody knows: none."""
    if who.principal is not None:
        return access.scope(session, who.principal, Right.SEE, now=now).study_filter(Study.id)
    if who.suspect.kind != "link":
        return sa.false()
    granted = access.granted(session, organisation_id, grantee=Grantee("link", who.suspect.id))
    studies = [one.target.id for one in granted if one.target.kind == "study"]
    series = [one.target.id for one in granted if one.target.kind == "series"]
    parts = sa.select(Series.study_id).where(Series.id.in_(series))
    return sa.or_(Study.id.in_(studies), Study.id.in_(parts))


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody or something by name, and when it began: what a person picks a suspect from."""

    id: str
    name: str
    at: datetime


def find(session: Session, organisation_id: uuid.UUID, kind: SuspectKind, text: str) -> list[Found]:
    """Return the newest that have `text` in their name; devices are named by who asks, not found here."""
    like = text.strip().casefold()
    match kind:
        case "account":
            rows = _by(session, Account, organisation_id, Account.username_folded, Account.full_name, like)
            return [Found(str(one.id), f"{one.full_name or one.username} ({one.username})", one.created_at)
                    for one in rows]  # fmt: skip
        case "token":
            tokens = _by(session, ApiToken, organisation_id, ApiToken.name, ApiToken.name, like)
            return [Found(str(one.id), one.name, one.created_at) for one in tokens]
        case "link":
            links = _by(session, ShareLink, organisation_id, ShareLink.label, ShareLink.maker_name, like)
            return [Found(str(one.id), " · ".join(filter(None, (one.maker_name, one.label))), one.created_at)
                    for one in links]  # fmt: skip
        case "session":
            wanted = (
                sa.select(Login, Account.username)
                .join(Account, Account.id == Login.account_id)
                .where(Login.organisation_id == organisation_id)
                .where(Account.username_folded.contains(like, autoescape=True))
                .order_by(Login.created_at.desc())
                .limit(MOST_FOUND)
            )
            return [Found(str(one.id), f"{name} · {one.peer}", one.created_at) for one, name in session.execute(wanted)]
        case "device":
            return []


def _by(
    session: Session,
    table: type[Named],
    organisation_id: uuid.UUID,
    one: sa.ColumnExpressionArgument[str],
    other: sa.ColumnExpressionArgument[str],
    like: str,
) -> list[Named]:
    named = [sa.func.lower(column).contains(like, autoescape=True) for column in (one, other)]
    wanted = sa.select(table).where(table.organisation_id == organisation_id, sa.or_(*named))
    return list(session.scalars(wanted.order_by(table.created_at.desc()).limit(MOST_FOUND)))
