"""PINs by e-mail: six digits, for ten minutes and five tries, used once, by the login that asked for it."""

from __future__ import annotations

import hmac
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity import throttle
from radrelay.identity.factors.models import MailedPin
from radrelay.identity.factors.sealing import FactorKeys
from radrelay.storage.ids import new_id

LASTS = timedelta(minutes=10)
TRIES = 5
DIGITS = 6
RESEND = throttle.Limit(free=1, cap_s=900, forget_s=3600, first_s=60)
"""A second PIN after a minute, the next after two …: each one gives five guesses, and a mail that nobody wanted."""


def make(
    session: Session, keys: FactorKeys, organisation_id: uuid.UUID, account_id: uuid.UUID, login_id: uuid.UUID,
    now: datetime,
) -> str:  # fmt: skip
    """Make a PIN in the place of the last one and return it; raises `TooManyAttempts` if that was just now."""
    throttle.begin(session, _sendings(account_id), now)
    forget(session, account_id)
    pin = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    session.add(
        MailedPin(
            id=new_id(), organisation_id=organisation_id, account_id=account_id, login_id=login_id, tries=0,
            pin_hash=keys.code_hash(account_id, pin), expires_at=now + LASTS,
        )
    )  # fmt: skip
    session.flush()
    return pin


def try_pin(
    session: Session, keys: FactorKeys, account_id: uuid.UUID, login_id: uuid.UUID, typed: str, now: datetime
) -> Literal["right", "wrong", "over"]:
    """Count a try of a PIN and say whether it is right; what is over, used or another login's is `over`."""
    row = session.scalar(sa.select(MailedPin).where(MailedPin.account_id == account_id, MailedPin.login_id == login_id))
    if row is None or row.used_at is not None or not now < row.expires_at <= now + LASTS:
        return "over"
    counted = session.execute(
        sa.update(MailedPin)
        .where(MailedPin.id == row.id, MailedPin.tries < TRIES)
        .values(tries=MailedPin.tries + 1)
        .execution_options(synchronize_session=False)
    )
    if not getattr(counted, "rowcount", 0):
        return "over"
    given = keys.code_hash(account_id, "".join(typed.split()))
    return "right" if hmac.compare_digest(given, row.pin_hash) else "wrong"


def waits(session: Session, account_id: uuid.UUID, login_id: uuid.UUID, now: datetime) -> bool:
    """Say whether a PIN was sent for a login and is still good."""
    row = session.scalar(sa.select(MailedPin).where(MailedPin.account_id == account_id, MailedPin.login_id == login_id))
    return row is not None and row.used_at is None and row.tries < TRIES and now < row.expires_at <= now + LASTS


def spend(session: Session, account_id: uuid.UUID, login_id: uuid.UUID, now: datetime) -> bool:
    """Use the PIN up, and say whether it was there to be used: of two at once, one."""
    spent = session.execute(
        sa.update(MailedPin)
        .where(MailedPin.account_id == account_id, MailedPin.login_id == login_id, MailedPin.used_at.is_(None))
        .values(used_at=now)
    )
    throttle.succeed(session, _sendings(account_id))
    return bool(getattr(spent, "rowcount", 0))


def forget(session: Session, account_id: uuid.UUID) -> None:
    """Delete an account's PIN."""
    session.execute(sa.delete(MailedPin).where(MailedPin.account_id == account_id))


def masked(address: str) -> str:
    """Return an address as it is shown to who may not be its owner: a•••@example.org."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def _sendings(account_id: uuid.UUID) -> list[tuple[str, throttle.Limit]]:
    return [(f"pin:{account_id.hex}", RESEND)]
