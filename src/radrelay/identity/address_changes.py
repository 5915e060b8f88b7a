"""A new e-mail address of an account: it counts once a link that was sent there has been opened, once.

The token (256 bits) stands in the fragment of the address and is kept as a hash. Whoever opens it need not be logged
in: it proves that the letter arrived, no more.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.identity import accounts, sessions, throttle
from radrelay.identity.errors import AddressLinkOver
from radrelay.identity.models import Account, AddressChange
from radrelay.identity.values import AccountView
from radrelay.mail import MailNotSet, Post, require_address
from radrelay.mail.letters import language_of, until
from radrelay.storage.ids import new_id

PAGE = "/address"
TOKEN_BYTES = 32
LONGEST_TOKEN = 100
LASTS = timedelta(hours=24)
ASKING = throttle.Limit(free=5, cap_s=3600, forget_s=3600, first_s=60)
"""How often one account may have letters sent to addresses that nobody has confirmed."""


@dataclass(frozen=True, slots=True)
class PendingAddress:
    """An address that waits to be confirmed, until when."""

    email: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmedAddress:
    """An account with its new address, and as it was before."""

    account: AccountView
    before: AccountView


class AddressChanges:
    """Begins and confirms changes of addresses."""

    def __init__(self, clock: Clock, post: Post) -> None:
        self._clock = clock
        self.post = post

    def begin(self, session: Session, account: AccountView, email: str, site: str) -> PendingAddress:
        """Send a link to a new address; one that was asked for before is over.

        Raises `AddressInvalid`, `MailNotSet`, `TooManyAttempts`.
        """
        address, now = require_address(email), self._clock.now()
        if not self.post.is_set:
            raise MailNotSet
        throttle.begin(session, [(f"address:{account.id}", ASKING)], now)
        self.end(session, account.id)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        row = AddressChange(
            id=new_id(), organisation_id=account.organisation_id, account_id=account.id, email=address,
            token_hash=sessions.digest(token), asked_at=now, expires_at=now + LASTS,
        )  # fmt: skip
        session.add(row)
        session.flush()
        language = language_of(account.language, self.post.settings.language)
        facts = {
            "username": account.username, "link": f"{site}{PAGE}#{token}", "until": until(row.expires_at, language),
        }  # fmt: skip
        house = self.post.house_of(session, account.organisation_id)
        letter = self.post.letter("address-confirm", language, whom=account.full_name, house=house, **facts)
        self.post.enqueue(
            session, account.organisation_id, address, letter, account_id=account.id, expires_at=row.expires_at
        )
        return PendingAddress(address, row.expires_at)

    def pending(self, session: Session, account_id: uuid.UUID) -> PendingAddress | None:
        """Return the address that waits to be confirmed, if one does."""
        row = session.scalar(
            sa.select(AddressChange).where(
                AddressChange.account_id == account_id, AddressChange.expires_at > self._clock.now()
            )
        )
        return None if row is None else PendingAddress(row.email, row.expires_at)

    def confirm(self, session: Session, token: str) -> ConfirmedAddress:
        """Give the account of a token its new address; raises `AddressLinkOver`."""
        if not token or len(token) > LONGEST_TOKEN:
            raise AddressLinkOver
        found = sa.select(AddressChange).where(AddressChange.token_hash == sessions.digest(token))
        row = session.scalar(found.with_for_update())
        if row is None or row.expires_at <= self._clock.now():
            raise AddressLinkOver
        account = session.get(Account, row.account_id, with_for_update=True)
        if account is None or account.disabled_at is not None:
            raise AddressLinkOver
        before = accounts.view(account)
        account.email = row.email
        session.delete(row)
        session.flush()
        return ConfirmedAddress(accounts.view(account), before)

    def end(self, session: Session, account_id: uuid.UUID) -> None:
        """Forget what waits to be confirmed: another address was chosen, or the account is closed."""
        gone = sa.delete(AddressChange).where(
            sa.or_(AddressChange.account_id == account_id, AddressChange.expires_at <= self._clock.now())
        )
        session.execute(gone.execution_options(synchronize_session=False))
