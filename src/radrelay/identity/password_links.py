"""Links by which somebody chooses a password, once: an invitation to a new account, or after the old was forgotten.

The token (256 bits) stands in the fragment of the address and is kept as a hash. Whoever has forgotten a password is
answered the same at once, whether anybody is known by that name; `answer_asked` looks it up later, in the role `work`.
A link for who comes from the directory does not exist: the directory keeps that password.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import NotFound
from radrelay.identity import accounts, sessions, throttle, tokens
from radrelay.identity.errors import AccountDisabled, DirectoryKeepsPassword, PasswordLinkOver
from radrelay.identity.models import Account, AddressChange, ForgottenPassword, PasswordLink, SignOn
from radrelay.identity.values import AccountView
from radrelay.mail import Letter, Post, require_address
from radrelay.mail.errors import AddressInvalid
from radrelay.mail.letters import language_of, until
from radrelay.settings import IdentitySettings
from radrelay.storage.ids import new_id

PAGE = "/password"
TOKEN_BYTES = 32
LONGEST_TOKEN = 100
NONCE_BYTES = 12
MOST_WAITING = 10_000
ANSWERED_AT_ONCE = 50
MOST_ACCOUNTS = 5  # of one e-mail address
MOST_AN_HOUR = 3  # that one account is sent because somebody asked
KEPT = timedelta(days=30)
ASKING = throttle.Limit(free=10, cap_s=60, forget_s=3600)
"""What binds asking, by address alone: a stranger who asks for a doctor's name does not keep the doctor from asking."""

Purpose = Literal["invitation", "reset"]


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link without its secret."""

    id: uuid.UUID
    account_id: uuid.UUID
    username: str
    purpose: str
    made_by: str
    mailed: bool
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A link at the moment it is made. `address` is empty where it was sent by mail, to `mailed_to`."""

    link: LinkView
    address: str = field(repr=False)
    mailed_to: str


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """Whose password a link lets choose."""

    account: AccountView
    purpose: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """An account for which a forgotten password was told of, from where; `elsewhere`: the directory keeps it."""

    account: AccountView
    peer: str
    elsewhere: bool


class PasswordLinks:
    """Makes links, opens them, and answers who has forgotten a password."""

    def __init__(self, clock: Clock, settings: IdentitySettings, post: Post, metadata_key: bytes) -> None:
        self._clock = clock
        self._settings = settings
        self.post = post
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, b"radrelay forgotten passwords").derive(metadata_key))

    def make(
        self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, *, site: str, made_by: str,
        by_mail: bool,
    ) -> MadeLink:  # fmt: skip
        """Make a link for an account, an invitation where it has no password yet; what was made before is over.

        `site` is the address of the pages. Raises `NotFound`, `AccountDisabled`, `DirectoryKeepsPassword`, and where it
        is to be sent by mail `MailNotSet` or `AddressInvalid`.
        """
        row = accounts.by_id(session, organisation_id, account_id)
        if row.disabled_at is not None:
            raise AccountDisabled
        if row.directory_id is not None and row.password_hash is None:
            raise DirectoryKeepsPassword
        if by_mail and not row.email:
            raise AddressInvalid("this account has no e-mail address", field="email")
        self._end(session, row.id, asked=False)
        return self._made(session, row, site, made_by, by_mail=by_mail)

    def _made(self, session: Session, row: Account, site: str, made_by: str, *, by_mail: bool) -> MadeLink:
        now, token = self._clock.now(), secrets.token_urlsafe(TOKEN_BYTES)
        purpose: Purpose = "invitation" if row.password_hash is None else "reset"
        lasts_s = self._settings.invitation_s if purpose == "invitation" else self._settings.reset_s
        made = PasswordLink(
            id=new_id(),
            organisation_id=row.organisation_id,
            account_id=row.id,
            purpose=purpose,
            token_hash=sessions.digest(token),
            made_by=made_by[:200],
            mailed=by_mail,
            created_at=now,
            expires_at=now + timedelta(seconds=lasts_s),
            used_at=None,
            revoked_at=None,
        )
        session.add(made)
        session.flush()
        address = f"{site}{PAGE}#{token}"
        shown = _view(made, row.username)
        if not by_mail:
            return MadeLink(shown, address, "")
        language = language_of(row.language, self.post.settings.language)
        facts = {"username": row.username, "link": address, "until": until(made.expires_at, language)}
        house = self.post.house_of(session, row.organisation_id)
        letter = self.post.letter(purpose, language, whom=row.full_name, house=house, **facts)
        self._send(session, row, letter, made.expires_at)
        return MadeLink(shown, "", row.email or "")

    def _send(self, session: Session, row: Account, letter: Letter, expires_at: datetime | None = None) -> None:
        self.post.enqueue(
            session, row.organisation_id, row.email or "", letter, account_id=row.id, expires_at=expires_at
        )

    def tell(self, session: Session, account: AccountView, kind: str, *, address: str | None = None) -> None:
        """Tell somebody by mail of what was done to the account, where there is a way."""
        recipient = address or account.email
        if recipient and self.post.is_set:
            house = self.post.house_of(session, account.organisation_id)
            letter = self.post.letter(
                kind, account.language, whom=account.full_name, house=house, username=account.username
            )  # fmt: skip
            self.post.enqueue(session, account.organisation_id, recipient, letter, account_id=account.id)

    def tell_gone(self, session: Session, before: AccountView) -> None:
        """Tell somebody that the account is closed for good: the letter belongs to no account any more."""
        if before.email and self.post.is_set:
            facts = {"whom": before.full_name, "house": self.post.house_of(session, before.organisation_id)}
            letter = self.post.letter("closed", before.language, username=before.username, **facts)
            self.post.enqueue(session, before.organisation_id, before.email, letter)

    def tell_administrators(self, session: Session, account: AccountView) -> int:
        """Tell all other administrators that an account's credentials are lost; returns how many have an address."""
        told = accounts.reachable_administrators(session, account.organisation_id, account.id)
        if self.post.is_set:
            house = self.post.house_of(session, account.organisation_id)
            for row in told:
                letter = self.post.letter("lost-told", row.language, house=house, username=account.username)
                self._send(session, row, letter)
        return len(told) if self.post.is_set else 0

    def listed(self, session: Session, organisation_id: uuid.UUID) -> list[LinkView]:
        """Return the links that open, newest first."""
        rows = session.execute(
            sa.select(PasswordLink, Account.username)
            .join(Account, Account.id == PasswordLink.account_id)
            .where(PasswordLink.organisation_id == organisation_id, self._open_links())
            .order_by(PasswordLink.id.desc())
        )
        return [_view(row, username) for row, username in rows]

    def revoke(self, session: Session, organisation_id: uuid.UUID, link_id: uuid.UUID) -> uuid.UUID:
        """End a link at once; returns whose account it was for. Raises `NotFound`."""
        row = session.scalar(
            sa.select(PasswordLink).where(PasswordLink.organisation_id == organisation_id, PasswordLink.id == link_id)
        )
        if row is None:
            raise NotFound("there is no such link")
        row.revoked_at = row.revoked_at or self._clock.now()
        session.flush()
        return row.account_id

    def open(self, session: Session, token: str) -> OpenedLink:
        """Return whose password a token lets choose; raises `PasswordLinkOver`."""
        link, row = self._found(session, token)
        return OpenedLink(accounts.view(row), link.purpose, link.expires_at)

    def use(self, session: Session, token: str, encoded: str) -> OpenedLink:
        """Set the password that somebody chose: all logins and all other links of the account end, a loss is over.

        Raises `PasswordLinkOver`.
        """
        link, row = self._found(session, token)
        now = self._clock.now()
        link.used_at = now
        row.password_hash, row.must_change_password, row.lost_at = encoded, False, None
        session.flush()
        sessions.end(session, now, account_id=row.id)
        tokens.close_made_by(session, row.id, None)
        self._end(session, row.id)
        account = accounts.view(row)
        if link.purpose == "reset":
            self.tell(session, account, "password-changed")
        return OpenedLink(account, link.purpose, link.expires_at)

    def end_all(self, session: Session, account_id: uuid.UUID) -> None:
        """End all links of an account: its credentials are lost, or it got another password otherwise."""
        self._end(session, account_id)

    def _found(self, session: Session, token: str) -> tuple[PasswordLink, Account]:
        if not token or len(token) > LONGEST_TOKEN:
            raise PasswordLinkOver
        link = session.scalar(
            sa.select(PasswordLink)
            .where(PasswordLink.token_hash == sessions.digest(token), self._open_links())
            .with_for_update()
        )
        row = None if link is None else session.get(Account, link.account_id, with_for_update=True)
        if link is None or row is None or row.disabled_at is not None:
            raise PasswordLinkOver
        return link, row

    def _open_links(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            PasswordLink.used_at.is_(None), PasswordLink.revoked_at.is_(None),
            PasswordLink.expires_at > self._clock.now(),
        )  # fmt: skip

    def _end(self, session: Session, account_id: uuid.UUID, *, asked: bool = True) -> None:
        """End an account's links, and a new address that waits; without `asked` what administrators made alone."""
        if asked:
            waiting = sa.delete(AddressChange).where(AddressChange.account_id == account_id)
            session.execute(waiting.execution_options(synchronize_session=False))
        which = sa.update(PasswordLink).where(PasswordLink.account_id == account_id, self._open_links())
        if not asked:
            which = which.where(PasswordLink.made_by != "")
        session.execute(which.values(revoked_at=self._clock.now()).execution_options(synchronize_session=False))

    # Forgotten passwords

    def ask(self, session: Session, organisation_id: uuid.UUID, name: str, peer: str) -> None:
        """Note that somebody asks for a link, by user name or e-mail address; raises `TooManyAttempts`."""
        now = self._clock.now()
        throttle.begin(session, [(f"forgotten:{throttle.address_key(peer)}", ASKING)], now)
        waiting = session.scalar(sa.select(sa.func.count()).select_from(ForgottenPassword)) or 0
        if waiting >= MOST_WAITING or not self.post.is_set:
            return
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(name).encode(), None)
        row = ForgottenPassword(
            id=new_id(), organisation_id=organisation_id, sealed=sealed, peer=peer[:64], asked_at=now
        )
        session.add(row)

    @staticmethod
    def any_asked(session: Session) -> bool:
        """Say whether somebody waits for an answer."""
        return session.scalar(sa.select(ForgottenPassword.id).limit(1)) is not None

    def answer_asked(self, session: Session, site: str) -> list[Answered]:
        """Send links to those who asked and are known, a few at a time; returns them for the record."""
        now, answered = self._clock.now(), []
        rows = session.scalars(
            sa.select(ForgottenPassword).order_by(ForgottenPassword.id).limit(ANSWERED_AT_ONCE).with_for_update()
        )
        for row in rows.all():
            name = json.loads(self._cipher.decrypt(row.sealed[:NONCE_BYTES], row.sealed[NONCE_BYTES:], None))
            for account in _named(session, name):
                elsewhere = account.password_hash is None and comes_from_elsewhere(
                    session, account.id, account.directory_id
                )
                if not account.email or self._asked_often(session, account.id, now):
                    continue
                if elsewhere:
                    self.tell(session, accounts.view(account), "reset-elsewhere")
                else:
                    self._made(session, account, site, "", by_mail=True)
                answered.append(Answered(accounts.view(account), row.peer, elsewhere))
            session.delete(row)
        session.execute(sa.delete(PasswordLink).where(PasswordLink.expires_at < now - KEPT))
        return answered

    @staticmethod
    def _asked_often(session: Session, account_id: uuid.UUID, now: datetime) -> bool:
        made = sa.select(sa.func.count()).select_from(PasswordLink).where(
            PasswordLink.account_id == account_id, PasswordLink.made_by == "",
            PasswordLink.created_at > now - timedelta(hours=1),
        )  # fmt: skip
        return (session.scalar(made) or 0) >= MOST_AN_HOUR


def comes_from_elsewhere(session: Session, account_id: uuid.UUID, directory_id: str | None) -> bool:
    """Say whether somebody comes by the directory or single sign-on: nobody else gives them a password, or a name."""
    linked = sa.select(SignOn.id).where(SignOn.account_id == account_id).limit(1)
    return directory_id is not None or session.scalar(linked) is not None


def _named(session: Session, name: str) -> Sequence[Account]:
    """Return the accounts that a user name or an e-mail address means, as far as they may log in.

    Of whatever organisation: nobody says theirs when they log in, and what is found goes to its owner alone.
    """
    row = accounts.by_name(session, name)
    if row is not None:
        return [row] if row.disabled_at is None else []
    try:
        address = require_address(name)
    except AddressInvalid:
        return []
    theirs = sa.select(Account).where(
        sa.func.lower(Account.email) == address.lower(), Account.disabled_at.is_(None)
    )  # fmt: skip
    return session.scalars(theirs.order_by(Account.id).limit(MOST_ACCOUNTS)).all()


def _view(row: PasswordLink, username: str) -> LinkView:
    return LinkView(
        row.id, row.account_id, username, row.purpose, row.made_by, row.mailed, row.created_at, row.expires_at
    )
