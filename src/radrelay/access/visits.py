"""Opening a link: its token and, where it asks for one, the right answer become a visit of one browser.

A try is judged in one writing transaction with the link's row locked, so that uses and wrong answers are counted
exactly however many try at once. A token that is forged, revoked, over, used up, or of somebody who may no longer
share is answered alike. Addresses that are refused again and again must wait.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import link_codes, links
from radrelay.access.errors import LinkOver
from radrelay.access.link_keys import LONGEST, LinkKeys, digest
from radrelay.access.links import AccessKind, LinkView
from radrelay.access.models import LinkVisit, ShareLink
from radrelay.access.principal import Principal
from radrelay.identity import role_of
from radrelay.identity.throttle import Limit, address_key, begin, take_back
from radrelay.mail import masked
from radrelay.storage.ids import new_id

NOBODY = uuid.UUID(int=0)
VISIT = timedelta(hours=4)
MOST_VISITS = 8  # of different links, in one browser
WRONG_ANSWERS = 5
ADDRESS = Limit(free=50, cap_s=60, forget_s=3600)
_VISIT, _LINK = LinkVisit.__table__.c, ShareLink.__table__.c


@dataclass(frozen=True, slots=True)
class LinkTry:
    """Someone opens a link. `visit` is the cookie that the browser has of earlier times; `tapped`: a person did."""

    token: str = field(repr=False)
    address: str
    answer: str | None = field(default=None, repr=False)
    tapped: bool = False
    visit: str = field(default="", repr=False)
    user_agent: str = ""
    asked: str = field(default="", repr=False)
    """By what the code was asked for that `answer` is."""
    health: str = field(default="", repr=False)
    """The address of the SMART Health Link that is tried, in place of a token."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser's visit by a link: the principal, its CSRF token, until when. `secret` is given when it is new."""

    id: uuid.UUID
    link: LinkView
    principal: Principal
    csrf_token: str = field(repr=False)
    expires_at: datetime
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link wants first: an answer, or, where uses are counted, a tap, which no program does by itself.

    `sends_to` is where a code would go, as it is shown; `organisation_id` whose link it is.
    """

    wants: Literal["pin", "birth-date", "email", "tap"]
    sends_to: str = ""
    organisation_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that opens nothing. `closed` says that this one closed the link; `left` how many tries are left.

    `over` is a code that counts no more: there was nothing to guess, and nothing is counted. Programs alone are told of
    right answers for what has `ended`, and for what may only be looked at (`looking`), and that an answer is `wanting`.
    """

    why: Literal["refused", "wrong", "closed", "over", "ended", "looking", "wanting"]
    link: LinkView | None = None
    left: int = 0
    closed: bool = False


Reaches = Callable[[Session, Principal], bool]


def open_link(
    session: Session, keys: LinkKeys, attempt: LinkTry, now: datetime, reaches: Reaches
) -> Visit | Asked | Refused:
    """Judge a try in the caller's writing transaction, which is to be committed whatever comes of it.

    `reaches` says whether a principal finds anything at all. Raises `TooManyAttempts` and counts nothing then.
    """
    bound = [(f"link:{address_key(attempt.address)}", ADDRESS)]
    begin(session, bound, now)
    row = row_of_try(session, keys, attempt)
    if row is None:
        return Refused("refused")
    judged = _judge(session, keys, row, attempt, now, reaches)
    if not isinstance(judged, Refused):
        take_back(session, bound)
    return judged


def _judge(
    session: Session, keys: LinkKeys, row: ShareLink, attempt: LinkTry, now: datetime, reaches: Reaches
) -> Visit | Asked | Refused:
    role = role_of(session, row.organisation_id, row.maker_kind, row.maker_id, now)
    if not links.lasts(row, now) or not reaches(session, principal_of(row, role, attempt.address, "")):
        return refuse(session, row, attempt, now)
    there = _visit_here(session, row, attempt, role, now)
    if there is not None:
        return there
    if row.max_uses is not None and row.uses >= row.max_uses:
        return refuse(session, row, attempt, now)
    if links.closed_until(row, now) is not None:
        return Refused("closed", links.view(row, now))
    lacking = lacking_of(session, keys, row, attempt, now)
    if isinstance(lacking, Asked):
        return replace(lacking, organisation_id=row.organisation_id)
    return lacking or begin_visit(session, row, attempt, role, now)


def lacking_of(
    session: Session, keys: LinkKeys, row: ShareLink, attempt: LinkTry, now: datetime
) -> Asked | Refused | None:
    """Return what is still to be given, or was given wrong; None where the link opens."""
    if row.protection == "email":
        return _lacking_code(session, keys, row, attempt, now)
    if row.protection != "none":
        if attempt.answer is None:
            return Asked("pin" if row.protection == "pin" else "birth-date")
        if not keys.is_answer(row.id, row.protection, row.answer_hash, attempt.answer):
            return count_wrong(session, row, attempt, now)
    elif row.max_uses is not None and not attempt.tapped:
        return Asked("tap")
    return None


def _lacking_code(
    session: Session, keys: LinkKeys, row: ShareLink, attempt: LinkTry, now: datetime
) -> Asked | Refused | None:
    if attempt.answer is None:
        return Asked("email", masked(row.email))
    found = link_codes.answer(session, keys, row, attempt.asked, attempt.answer, now)
    if found == "over":
        return Refused("over", links.view(row, now))
    return count_wrong(session, row, attempt, now) if found == "wrong" else None


def ask_code(
    session: Session, keys: LinkKeys, attempt: LinkTry, now: datetime, reaches: Reaches
) -> link_codes.NewCode | Refused:
    """Make a code for a link that asks for one, in the caller's writing transaction; it is the caller's to send.

    Raises `TooManyAttempts` where the last one was just now, and `LinkAsksForNone`.
    """
    bound = [(f"link:{address_key(attempt.address)}", ADDRESS)]
    begin(session, bound, now)
    row = row_of_try(session, keys, attempt)
    if row is None:
        return Refused("refused")
    role = role_of(session, row.organisation_id, row.maker_kind, row.maker_id, now)
    if not links.lasts(row, now) or not reaches(session, principal_of(row, role, attempt.address, "")):
        return refuse(session, row, attempt, now)
    if row.max_uses is not None and row.uses >= row.max_uses:
        return refuse(session, row, attempt, now)
    if links.closed_until(row, now) is not None:
        return Refused("closed", links.view(row, now))
    made = link_codes.make(session, keys, row, now)
    _note(session, row, "code", attempt, now)
    take_back(session, bound)
    return made


def protection_of(session: Session, keys: LinkKeys, token: str) -> str | None:
    """Return what a link asks for, whether or not it still opens; None for a token that is none. Nothing is counted."""
    signed = keys.is_signed(token)
    found = session.scalar(sa.select(ShareLink.protection).where(ShareLink.secret_hash == digest(token)))
    return found if signed else None


def row_of_try(session: Session, keys: LinkKeys, attempt: LinkTry) -> ShareLink | None:
    """Return the row of the link that is tried, locked; none if there is none."""
    if attempt.health:
        hashed = digest(attempt.health)
        return session.scalar(sa.select(ShareLink).where(ShareLink.health_hash == hashed).with_for_update())
    signed = keys.is_signed(attempt.token)
    row = session.scalar(sa.select(ShareLink).where(ShareLink.secret_hash == digest(attempt.token)).with_for_update())
    return row if signed else None


def refuse(session: Session, row: ShareLink, attempt: LinkTry, now: datetime) -> Refused:
    """Refuse a try, and note it."""
    _note(session, row, "refused", attempt, now)
    return Refused("refused", links.view(row, now))


def count_wrong(session: Session, row: ShareLink, attempt: LinkTry, now: datetime) -> Refused:
    """Count a wrong answer; the last of several closes the link."""
    row.wrong += 1
    _note(session, row, "wrong", attempt, now)
    closes = row.wrong >= WRONG_ANSWERS
    if closes:
        row.wrong = 0
        row.closings += 1
        row.closed_at = now
        _note(session, row, "closed", attempt, now)
    session.flush()
    return Refused("wrong", links.view(row, now), WRONG_ANSWERS - row.wrong, closes)


def begin_visit(
    session: Session, row: ShareLink, attempt: LinkTry, role: str | None, now: datetime, since: datetime | None = None
) -> Visit:
    """Let somebody in; `since` is when the visit began that goes on."""
    row.uses += 1 if since is None else 0
    row.wrong = 0
    row.used_at = max(now, row.used_at) if row.used_at else now
    secret, visit_id = secrets.token_urlsafe(32), new_id()
    expires_at = min(row.ends_at, (since or now) + VISIT)
    session.add(
        LinkVisit(
            id=visit_id, organisation_id=row.organisation_id, link_id=row.id, secret_hash=digest(secret),
            created_at=now, expires_at=expires_at,
        )
    )  # fmt: skip
    if since is None:
        _note(session, row, "opened", attempt, now)
    return _visit(row, visit_id, expires_at, role, attempt.address, secret, now)


def _note(session: Session, row: ShareLink, kind: AccessKind, attempt: LinkTry, now: datetime) -> None:
    links.note_access(session, row.organisation_id, row.id, kind, now, attempt.address, attempt.user_agent)


def _visit_here(session: Session, row: ShareLink, attempt: LinkTry, role: str | None, now: datetime) -> Visit | None:
    """Return the visit that the same browser has open by the same link: coming back is no further use."""
    secrets_here = {digest(secret): secret for secret in secrets_in(attempt.visit)}
    visits = session.scalars(
        sa.select(LinkVisit).where(LinkVisit.secret_hash.in_(secrets_here), LinkVisit.link_id == row.id)
    )
    for found in visits:
        if _is_open(found.created_at, found.expires_at, found.ended_at, now):
            secret = secrets_here[found.secret_hash]
            return _visit(row, found.id, found.expires_at, role, attempt.address, secret, now)
    return None


def secrets_in(cookie: str) -> list[str]:
    """Return the secrets of a browser's visits: of what it shows first, then of what it may come back to."""
    return [one for one in cookie.split(".") if 0 < len(one) <= LONGEST][:MOST_VISITS]


def cookie_with(cookie: str, secret: str) -> str:
    """Return a browser's cookie with the visit of `secret` in front: what other links opened may be come back to."""
    return ".".join([secret, *(one for one in secrets_in(cookie) if one != secret)][:MOST_VISITS])


def _is_open(created_at: datetime, expires_at: datetime, ended_at: datetime | None, now: datetime) -> bool:
    return ended_at is None and created_at - links.CLOCKS_APART <= now < expires_at


def _visit(
    row: ShareLink, visit_id: uuid.UUID, expires_at: datetime, role: str | None, peer: str, secret: str, now: datetime
) -> Visit:
    principal = principal_of(row, role, peer, visit_id.hex)
    return Visit(visit_id, links.view(row, now), principal, csrf_of(secret), expires_at, secret)


def principal_of(row: ShareLink, role: str | None, peer: str, session_key: str) -> Principal:
    """Return the principal of a link; one whose maker may not act any more has no sharer, and reaches nothing."""
    sharer = None
    if role is not None:
        kind: Literal["account", "token"] = "token" if row.maker_kind == "token" else "account"
        sharer = Principal(kind, str(row.maker_id), row.maker_name, row.organisation_id, role)
    name = f"Link: {row.maker_name}"[:128]
    return Principal("link", str(row.id), name, row.organisation_id, "", peer, session_key, sharer)


def unknown_principal(organisation_id: uuid.UUID, peer: str) -> Principal:
    """Return who tried a link that is none."""
    return Principal("link", "", "unknown", organisation_id, peer=peer)


def csrf_of(secret: str) -> str:
    """Return the CSRF token of a visit: derived from its secret, which no script can read."""
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), b"csrf", "sha256")).decode().rstrip("=")


_BY_SECRET: sa.Select[Any] = (  # built once and of plain columns: every request of a visitor asks this
    sa.select(*_LINK, *(_VISIT[name].label(f"visit_{name}") for name in ("id", "created_at", "expires_at", "ended_at")))
    .join_from(ShareLink.__table__, LinkVisit.__table__, _VISIT.link_id == _LINK.id)
    .where(_VISIT.secret_hash == sa.bindparam("secret"))
)


def visit_of(session: Session, cookie: str, peer: str, now: datetime) -> Visit:
    """Return the visit that a browser shows; raises `LinkOver` where it, its link or its maker's standing is over."""
    secret = next(iter(secrets_in(cookie)), "")
    found = session.execute(_BY_SECRET, {"secret": digest(secret)}).one_or_none()
    if found is None:
        raise LinkOver
    row: Any = found  # it has the columns of a link as attributes
    if not _is_open(row.visit_created_at, row.visit_expires_at, row.visit_ended_at, now) or not links.lasts(row, now):
        raise LinkOver
    role = role_of(session, row.organisation_id, row.maker_kind, row.maker_id, now)
    if role is None:
        raise LinkOver
    return _visit(row, row.visit_id, row.visit_expires_at, role, peer, secret, now)


def organisation_of(session: Session, cookie: str) -> uuid.UUID | None:
    """Return whose link a browser shows or has shown last, though it is over by now; None where nobody knows."""
    secret = next(iter(secrets_in(cookie)), "")
    return session.scalar(sa.select(LinkVisit.organisation_id).where(LinkVisit.secret_hash == digest(secret)))


def end_visits(session: Session, cookie: str, peer: str, now: datetime) -> list[Principal]:
    """End all visits of a browser; none is no error. Returns who came by those that were open till now."""
    here = (LinkVisit.secret_hash.in_([digest(one) for one in secrets_in(cookie)]), LinkVisit.ended_at.is_(None))
    opened = sa.select(LinkVisit.id, ShareLink).join_from(LinkVisit, ShareLink, LinkVisit.link_id == ShareLink.id)
    rows = session.execute(opened.where(*here, LinkVisit.expires_at > now).order_by(LinkVisit.id)).all()
    left = [principal_of(link, None, peer, visit_id.hex) for visit_id, link in rows]
    ended = sa.update(LinkVisit).where(*here).values(ended_at=now)
    session.execute(ended.execution_options(synchronize_session=False))
    return left
