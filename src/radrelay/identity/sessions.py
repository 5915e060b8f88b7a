"""Logins: a random secret in the browser's cookie, its hash in a row, an end by idleness and one at the latest.

Idle is who does not use the pages: a page says when somebody last did (`note_use`), and nothing else counts, for pages
ask by themselves all the time. A login's secret is new each time (nothing a stranger planted before survives it), and
it ends at once when the account is disabled or its password changes.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity.errors import SessionEnded
from radrelay.identity.models import Account
from radrelay.identity.models import Session as LoginSession
from radrelay.identity.values import AccountView, Device, LoginTry, OpenSession
from radrelay.settings import WebSettings
from radrelay.storage.ids import new_id

SECRET_BYTES = 32
LONGEST_SECRET = 100
_LOGIN, _ACCOUNT = LoginSession.__table__.c, Account.__table__.c
STAGE_LASTS = {"factor": timedelta(minutes=10), "set-up": timedelta(hours=1)}
"""How long a login lasts that has not come all the way."""
_OF_LOGIN = ("id", "csrf_token", "used_at", "expires_at", "ended_at", "stage", "proven_at", "launched_by", "idle_s")
_BY_SECRET: sa.Select[Any] = (  # built once and of plain columns: every request asks this
    sa.select(
        *(_LOGIN[name].label(f"login_{name}") for name in _OF_LOGIN), *(_ACCOUNT[f.name] for f in fields(AccountView))
    )
    .join_from(LoginSession.__table__, Account.__table__, _ACCOUNT.id == _LOGIN.account_id)
    .where(_LOGIN.secret_hash == sa.bindparam("secret"))
)


def digest(secret: str) -> bytes:
    """Return the hash that a random secret is kept and found by (SHA-256: it has 256 bits, nothing to guess)."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Launching:
    """A program opens a login in somebody's name: by which token, and how long that lasts without use and at most."""

    token_id: uuid.UUID
    idle_s: int
    absolute_s: int


def start(
    session: Session, account: AccountView, attempt: LoginTry, settings: WebSettings, now: datetime,
    stage: str = "open", launching: Launching | None = None,
) -> OpenSession:  # fmt: skip
    """Write a new login that has come as far as `stage`, and return it with its secret."""
    launched_by, idle_s = (launching.token_id, launching.idle_s) if launching is not None else (None, None)
    secret, csrf_token = secrets.token_urlsafe(SECRET_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    absolute_s = settings.session_absolute_s
    if launching is not None:
        absolute_s = min(absolute_s, launching.absolute_s)
    longest = timedelta(seconds=absolute_s)
    expires_at = now + min(longest, STAGE_LASTS.get(stage, longest))
    row_id = new_id()
    session.execute(
        sa.insert(LoginSession),
        [
            {
                "id": row_id,
                "organisation_id": account.organisation_id,
                "account_id": account.id,
                "secret_hash": digest(secret),
                "csrf_token": csrf_token,
                "user_agent": attempt.user_agent[:300],
                "peer": attempt.address[:64],
                "created_at": now,
                "used_at": now,
                "expires_at": expires_at,
                "ended_at": None,
                "stage": stage,
                "proven_at": now,
                "launched_by": launched_by,
                "idle_s": idle_s,
            }
        ],
    )
    return OpenSession(
        row_id, account, csrf_token, expires_at, idle_until(now, expires_at, idle_s, settings), secret, stage=stage,
        proven_at=now, launched_by=launched_by, idle_s=idle_s,
    )  # fmt: skip


def idle_until(used_at: datetime, expires_at: datetime, own_s: int | None, settings: WebSettings) -> datetime:
    """Return when a login ends that nobody uses any more: its own time is never longer than everybody's."""
    idle_s = settings.session_idle_s if own_s is None else min(own_s, settings.session_idle_s)
    return min(expires_at, used_at + timedelta(seconds=idle_s))


def find(session: Session, secret: str, settings: WebSettings, now: datetime) -> OpenSession:
    """Return the login of `secret`; raises `SessionEnded`, with why where there was one: shut, ended, over or idle."""
    if not secret or len(secret) > LONGEST_SECRET:
        raise SessionEnded
    row = session.execute(_BY_SECRET, {"secret": digest(secret)}).one_or_none()
    if row is None:
        raise SessionEnded
    own_id, csrf_token, used_at, expires_at, ended_at, stage, proven_at, launched_by, idle_s, *of_account = row
    account = AccountView(*of_account)
    until = idle_until(used_at, expires_at, idle_s, settings)
    if account.disabled_at is not None:
        raise SessionEnded(why="shut")
    if ended_at is not None:
        raise SessionEnded(why="ended")
    if now >= until:
        raise SessionEnded(why="over" if now >= expires_at else "idle")
    return OpenSession(
        own_id, account, csrf_token, expires_at, until, stage=stage, proven_at=proven_at, launched_by=launched_by,
        idle_s=idle_s,
    )  # fmt: skip


def attempt_of(session: Session, session_id: uuid.UUID) -> LoginTry:
    """Return from where and with what browser a login was opened."""
    row = session.get_one(LoginSession, session_id)
    return LoginTry("", row.peer, user_agent=row.user_agent)


def lasts(session: Session, session_id: uuid.UUID) -> bool:
    """Say whether a login has not been ended."""
    return session.scalar(sa.select(LoginSession.ended_at).where(LoginSession.id == session_id)) is None


def note_use(session: Session, session_id: uuid.UUID, used_at: datetime) -> None:
    """Note when a login was last used; a later use that is known already stays."""
    earlier = sa.and_(LoginSession.id == session_id, LoginSession.used_at < used_at)
    session.execute(sa.update(LoginSession).where(earlier).values(used_at=used_at))


def listed(session: Session, account_id: uuid.UUID, settings: WebSettings, now: datetime) -> list[Device]:
    """Return an account's logins that go on, the last used first."""
    idle = timedelta(seconds=settings.session_idle_s)
    rows = session.scalars(
        sa.select(LoginSession)
        .where(
            LoginSession.account_id == account_id, LoginSession.ended_at.is_(None), LoginSession.expires_at > now,
            LoginSession.used_at > now - idle, LoginSession.stage == "open",
        )
        .order_by(LoginSession.used_at.desc())
    )  # fmt: skip
    ends = [(row, idle_until(row.used_at, row.expires_at, row.idle_s, settings)) for row in rows]
    return [
        Device(row.id, row.user_agent, row.peer, row.created_at, row.used_at, until)
        for row, until in ends
        if until > now
    ]


def prove(session: Session, session_id: uuid.UUID, now: datetime) -> None:
    """Note that who is logged in has just proved again who they are."""
    session.execute(sa.update(LoginSession).where(LoginSession.id == session_id).values(proven_at=now))


def let_in(session: Session, session_id: uuid.UUID, settings: WebSettings, now: datetime) -> None:
    """Let a login come all the way that had to set up a second factor first."""
    expires_at = now + timedelta(seconds=settings.session_absolute_s)
    session.execute(
        sa.update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.stage == "set-up")
        .values(stage="open", expires_at=expires_at)
    )


def take_place(session: Session, session_id: uuid.UUID, now: datetime) -> bool:
    """End a login whose place another takes, and say whether it had not ended: of two at once, one does so."""
    ended = session.execute(
        sa.update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.ended_at.is_(None))
        .values(ended_at=now)
    )
    return bool(getattr(ended, "rowcount", 0))


def end(session: Session, now: datetime, *, account_id: uuid.UUID, only: uuid.UUID | None = None,
        keep: uuid.UUID | None = None) -> int:  # fmt: skip
    """End an account's logins: all, `only` one, or all but `keep`; returns how many were open."""
    which = sa.update(LoginSession).where(LoginSession.account_id == account_id, LoginSession.ended_at.is_(None))
    if only is not None:
        which = which.where(LoginSession.id == only)
    if keep is not None:
        which = which.where(LoginSession.id != keep)
    return int(getattr(session.execute(which.values(ended_at=now)), "rowcount", 0))


def end_secret(session: Session, secret: str, now: datetime) -> None:
    """End the login of a secret, if there is one."""
    session.execute(
        sa.update(LoginSession)
        .where(LoginSession.secret_hash == digest(secret), LoginSession.ended_at.is_(None))
        .values(ended_at=now)
    )


def knows_address(session: Session, account_id: uuid.UUID, address: str) -> bool:
    """Say whether the account has logged in from `address` before, all the way."""
    return (
        session.scalar(
            sa.select(LoginSession.id)
            .where(
                LoginSession.account_id == account_id,
                LoginSession.peer == address[:64],
                LoginSession.stage != "factor",
                LoginSession.launched_by.is_(None),  # a program's word proves nothing of who sits there
            )
            .limit(1)
        )
        is not None
    )


def forget_ended(session: Session, before: datetime, kept: Collection[uuid.UUID] = ()) -> None:
    """Delete the rows of logins that ended before `before`, but for those `kept`; their record is the audit's."""
    session.execute(sa.delete(LoginSession).where(LoginSession.expires_at < before, LoginSession.id.not_in(kept)))
