"""A program opens a login in somebody's name: which token may, for whom, and how long that login lasts."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity import accounts, sessions
from radrelay.identity.models import Account, ApiToken
from radrelay.identity.models import Session as LoginSession
from radrelay.identity.values import AccountView, LoginTry, OpenSession
from radrelay.settings import Settings


def may_launch(session: Session, token_id: uuid.UUID) -> bool:
    """Say whether a token may open the viewer in people's names."""
    return session.scalar(sa.select(ApiToken.may_launch).where(ApiToken.id == token_id)) is True


def person_named(session: Session, organisation_id: uuid.UUID, username: str) -> AccountView | None:
    """Return the account of a user name that can log in; None where there is none."""
    return _open(accounts.by_name(session, username), organisation_id)


def person_of(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID) -> AccountView | None:
    """Return the account of an id that can log in; None where there is none, or none any more."""
    return _open(session.get(Account, account_id), organisation_id)


def _open(row: Account | None, organisation_id: uuid.UUID) -> AccountView | None:
    if row is None or row.organisation_id != organisation_id or accounts.is_shut(row):
        return None
    return accounts.view(row)


def open_login(
    session: Session, account: AccountView, attempt: LoginTry, token_id: uuid.UUID, settings: Settings, now: datetime
) -> OpenSession:
    """Open a login that a program asked for: it stands for the person, and no password or second factor is asked."""
    launching = sessions.Launching(token_id, settings.launch.idle_s, settings.launch.absolute_s)
    return sessions.start(session, account, attempt, settings.web, now, launching=launching)


def go_on(session: Session, session_id: uuid.UUID, settings: Settings, now: datetime) -> None:
    """Let a login go on that its program opens once more; its time begins anew."""
    until = now + timedelta(seconds=min(settings.launch.absolute_s, settings.web.session_absolute_s))
    row = session.get_one(LoginSession, session_id)
    row.used_at, row.expires_at = max(now, row.used_at), max(until, row.expires_at)
    session.flush()
