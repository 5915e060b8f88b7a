"""The end of an account, as far as identity keeps it: logins, tokens, links, factors, settings, letters, its names.

What is left is a row with the account's id and nothing of the person: the record and what others keep go by the id.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity import accounts, sessions, tokens
from radrelay.identity.factors import kept
from radrelay.identity.factors.models import Factor, FactorReset, MailedPin, RecoveryCode
from radrelay.identity.models import (
    Account,
    AddressChange,
    ApiToken,
    PasswordLink,
    Preference,
    SignedOn,
    SignOn,
)
from radrelay.identity.models import Session as LoginSession
from radrelay.identity.values import AccountView
from radrelay.mail.models import MailLetter
from radrelay.storage.ids import new_id

_OWN = (SignedOn, LoginSession, PasswordLink, AddressChange, Factor, RecoveryCode, MailedPin, FactorReset, SignOn)


@dataclass(frozen=True, slots=True)
class OwnThings:
    """How much identity keeps of an account: what goes with it."""

    logins: int
    tokens: int
    factors: int
    settings: int
    letters: int


def things_of(session: Session, account_id: uuid.UUID, now: datetime) -> OwnThings:
    """Return how much is kept of an account."""
    living = sa.and_(
        LoginSession.account_id == account_id, LoginSession.ended_at.is_(None), LoginSession.expires_at > now
    )
    working = sa.and_(ApiToken.maker_id == account_id, ApiToken.revoked_at.is_(None))
    waiting = sa.and_(MailLetter.account_id == account_id, MailLetter.state == "waiting")
    return OwnThings(
        logins=_count(session, living),
        tokens=_count(session, working),
        factors=_count(session, sa.and_(Factor.account_id == account_id, Factor.confirmed_at.is_not(None))),
        settings=_count(session, Preference.owner_id == account_id),
        letters=_count(session, waiting),
    )


def _count(session: Session, condition: sa.ColumnElement[bool]) -> int:
    return session.scalar(sa.select(sa.func.count()).where(condition)) or 0


def close(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, now: datetime) -> AccountView:
    """Close an account for good, at once; returns it as it was. Raises `NotFound`, `LastAdmin`.

    Its tokens end, its user name is free again, and letters that wait for it are not sent.
    """
    row = accounts.by_id(session, organisation_id, account_id)
    accounts.require_other_admin(session, row)
    before = accounts.view(row)
    sessions.end(session, now, account_id=account_id)
    for token_id in session.scalars(sa.select(ApiToken.id).where(ApiToken.maker_id == account_id)).all():
        tokens.revoke(session, organisation_id, token_id, now)
    kept.remove_all(session, account_id)
    for table in _OWN:
        session.execute(
            sa.delete(table).where(table.account_id == account_id).execution_options(synchronize_session=False)
        )
    session.execute(sa.delete(Preference).where(Preference.owner_id == account_id))
    session.execute(sa.delete(MailLetter).where(MailLetter.account_id == account_id))
    _empty(row, now)
    session.flush()
    return before


def _empty(row: Account, now: datetime) -> None:
    """Leave nothing of the person in the row; `new_id` for the name, so that nobody guesses it."""
    row.username = row.username_folded = f"closed-{new_id()}"
    row.full_name = row.affiliation = row.language = ""
    row.password_hash = row.email = row.directory_id = None
    row.must_change_password = row.disabled_by_directory = False
    row.lost_at = row.awaits_since = None
    row.role = "guest"
    row.disabled_at = row.closed_at = now
