"""Logins: a random secret in the browser's cookie, its hash in a row, an end by idleness and one at the latest.

A login's secret is new each time (nothing a stranger planted before survives it), and it ends at once when the
account is disabled or its password changes.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity.errors import SessionEnded
from radrelay.identity.models import Account
from radrelay.identity.models import Session as LoginSession
from radrelay.identity.values import AccountView, LoginTry, OpenSession
from radrelay.settings import WebSettings
from radrelay.storage.ids import new_id

TOUCH_EVERY = timedelta(seconds=60)
SECRET_BYTES = 32
LONGEST_SECRET = 100
_LOGIN, _ACCOUNT = LoginSession.__table__.c, Account.__table__.c
STAGE_LASTS = {"factor": timedelta(minutes=10), "set-up": timedelta(hours=1)}
"""How long a login lasts that has not come all the way."""
_OF_LOGIN = ("id", "csrf_token", "used_at", "expires_at", "ended_at", "stage", "proven_at")
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


def start(
    session: Session, account: AccountView, attempt: LoginTry, settings: WebSettings, now: datetime,
    stage: str = "open",
) -> OpenSession:  # fmt: skip
    """Write a new login that has come as far as `stage`, and return it with its secret."""
    secret, csrf_token = secrets.token_urlsafe(SECRET_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    longest = timedelta(seconds=settings.session_absolute_s)
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
            }
        ],
    )
    idle_until = min(expires_at, now + timedelta(seconds=settings.session_idle_s))
    return OpenSession(row_id, account, csrf_token, expires_at, idle_until, secret, stage=stage, proven_at=now)


def find(session: Session, secret: str, settings: WebSettings, now: datetime) -> tuple[OpenSession, bool]:
    """Return the login of `secret` and whether its use should be noted; raises `SessionEnded`."""
    if not secret or len(secret) > LONGEST_SECRET:
        raise SessionEnded
    row = session.execute(_BY_SECRET, {"secret": digest(secret)}).one_or_none()
    if row is None:
        raise SessionEnded
    own_id, csrf_token, used_at, expires_at, ended_at, stage, proven_at, *of_account = row
    account = AccountView(*of_account)
    idle_until = min(expires_at, used_at + timedelta(seconds=settings.session_idle_s))
    if ended_at is not None or account.disabled_at is not None or now >= idle_until:
        raise SessionEnded
    opened = OpenSession(own_id, account, csrf_token, expires_at, idle_until, stage=stage, proven_at=proven_at)
    return opened, now - used_at >= TOUCH_EVERY


def attempt_of(session: Session, session_id: uuid.UUID) -> LoginTry:
    """Return from where and with what browser a login was opened."""
    row = session.get_one(LoginSession, session_id)
    return LoginTry("", row.peer, user_agent=row.user_agent)


def lasts(session: Session, session_id: uuid.UUID) -> bool:
    """Say whether a login has not been ended."""
    return session.scalar(sa.select(LoginSession.ended_at).where(LoginSession.id == session_id)) is None


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


def touch(session: Session, session_id: uuid.UUID, now: datetime) -> None:
    """Note that a login was used."""
    session.execute(sa.update(LoginSession).where(LoginSession.id == session_id).values(used_at=now))


def end(session: Session, now: datetime, *, account_id: uuid.UUID, only: uuid.UUID | None = None,
        keep: uuid.UUID | None = None) -> None:  # fmt: skip
    """End an account's logins: all, `only` one, or all but `keep`."""
    which = sa.update(LoginSession).where(LoginSession.account_id == account_id, LoginSession.ended_at.is_(None))
    if only is not None:
        which = which.where(LoginSession.id == only)
    if keep is not None:
        which = which.where(LoginSession.id != keep)
    session.execute(which.values(ended_at=now))


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
            )
            .limit(1)
        )
        is not None
    )


def forget_ended(session: Session, before: datetime) -> None:
    """Delete the rows of logins that ended before `before`; their record is the audit's."""
    session.execute(sa.delete(LoginSession).where(LoginSession.expires_at < before))
