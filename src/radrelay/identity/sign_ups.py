"""Sign-up: somebody asks for an account, confirms the e-mail address by a link, and chooses a password.

Asking writes a sealed row and looks at nothing, so that neither words nor time tell who has an account. `answer_asked`
looks later, in the role `work`: an address that is free gets a link, one that has an account a letter that says so. The
link's token (256 bits) stands in the fragment of the address and is kept as a hash; it makes one account, of the role
`guest`, which what a site grants to its users does not reach.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Invalid
from radrelay.identity import accounts, sessions, throttle
from radrelay.identity.errors import SignUpClosed, SignUpOver, TooManyAttempts
from radrelay.identity.models import Account, SignUp
from radrelay.identity.values import AccountView
from radrelay.mail import Post, require_address
from radrelay.mail.errors import AddressInvalid
from radrelay.mail.letters import language_of, until
from radrelay.settings import SignUpSettings
from radrelay.storage.ids import new_id

PAGE = "/join"
TOKEN_BYTES = 32
LONGEST_TOKEN = 100
NONCE_BYTES = 12
MOST_WAITING = 10_000
ANSWERED_AT_ONCE = 50
ROLE = "guest"
LEFT_BEHIND = timedelta(days=3)  # what nobody could answer is forgotten: mail was switched off meanwhile
ASKING = throttle.Limit(free=10, cap_s=60, forget_s=3600)
"""What binds asking, by network address alone, as for a forgotten password."""
LETTERS = throttle.Limit(free=3, cap_s=3600, forget_s=3600, first_s=3600)
"""How many letters one e-mail address is sent because strangers type it."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks for an account, as they wrote it."""

    name: str = field(repr=False)
    email: str = field(repr=False)
    affiliation: str = field(repr=False)
    language: str


@dataclass(frozen=True, slots=True)
class OpenedSignUp:
    """What a link confirms."""

    applicant: Applicant
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AlreadyHere:
    """An account whose address was signed up once more, and from where."""

    account: AccountView
    peer: str


class SignUps:
    """Takes in who asks for an account, answers by mail, and makes the accounts."""

    def __init__(self, clock: Clock, settings: SignUpSettings, post: Post, metadata_key: bytes) -> None:
        self._clock = clock
        self.settings = settings
        self.post = post
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, b"radrelay sign-ups").derive(metadata_key))
        self._hash_key = HKDF(hashes.SHA256(), 32, None, b"radrelay sign-up addresses").derive(metadata_key)

    @property
    def is_open(self) -> bool:
        """Say whether the settings let people sign up; that terms are published is for the caller to know."""
        return self.settings.enabled and self.post.is_set

    def ask(self, session: Session, organisation_id: uuid.UUID, wanted: Applicant, peer: str) -> None:
        """Note that somebody asks for an account; whether the address has one is not looked at.

        Raises `SignUpClosed`, `TooManyAttempts`, `AddressInvalid`, or `Invalid` for no name.
        """
        if not self.is_open:
            raise SignUpClosed
        clean = _clean(wanted)
        now = self._clock.now()
        throttle.begin(session, [(f"sign-up:{throttle.address_key(peer)}", ASKING)], now)
        waiting = session.scalar(sa.select(sa.func.count()).select_from(SignUp).where(SignUp.token_hash.is_(None))) or 0
        if waiting >= MOST_WAITING:
            return
        row_id, nonce = new_id(), secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(asdict(clean)).encode(), row_id.bytes)
        session.add(
            SignUp(
                id=row_id, organisation_id=organisation_id, sealed=sealed, address_hash=self._hash(clean.email),
                peer=peer[:64], asked_at=now, token_hash=None, expires_at=None,
            )
        )  # fmt: skip
        session.flush()

    def any_asked(self, session: Session) -> bool:
        """Say whether somebody waits for an answer, or a link is over."""
        due = sa.or_(SignUp.token_hash.is_(None) if self.is_open else self._left_behind(), self._over())
        return session.scalar(sa.select(SignUp.id).where(due).limit(1)) is not None

    def _over(self) -> sa.ColumnElement[bool]:
        return SignUp.expires_at <= self._clock.now()

    def _left_behind(self) -> sa.ColumnElement[bool]:
        return sa.and_(SignUp.token_hash.is_(None), SignUp.asked_at < self._clock.now() - LEFT_BEHIND)

    def answer_asked(self, session: Session, site: str) -> list[AlreadyHere]:
        """Write to those who asked, a few at a time; returns the accounts that are here already, for the record."""
        now = self._clock.now()
        over = sa.or_(self._over(), self._left_behind())
        session.execute(sa.delete(SignUp).where(over).execution_options(synchronize_session=False))
        if not self.is_open:
            return []
        rows = session.scalars(
            sa.select(SignUp)
            .where(SignUp.token_hash.is_(None))
            .order_by(SignUp.id)
            .limit(ANSWERED_AT_ONCE)
            .with_for_update()
        )
        found = [self._answer(session, row, site, now) for row in rows.all()]
        return [one for one in found if one is not None]

    def _answer(self, session: Session, row: SignUp, site: str, now: datetime) -> AlreadyHere | None:
        """Write one letter: a link, or that there is an account. Either is one, so that the outbox tells nothing."""
        applicant, known = self._opened(row), None
        if self._may_write(session, row, now):
            known = _here(session, row.organisation_id, applicant.email)
            if known is None:
                self._send_link(session, row, applicant, site, now)
                return None
            self._tell_known(session, known)
        peer = row.peer
        session.delete(row)
        return None if known is None else AlreadyHere(accounts.view(known), peer)

    def _send_link(self, session: Session, row: SignUp, applicant: Applicant, site: str, now: datetime) -> None:
        """Make the link that counts from now on, and send it: those that the address was sent before are over."""
        before = sa.delete(SignUp).where(SignUp.address_hash == row.address_hash, SignUp.id != row.id)
        session.execute(before.where(SignUp.token_hash.is_not(None)).execution_options(synchronize_session=False))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        row.token_hash, row.expires_at = sessions.digest(token), now + timedelta(seconds=self.settings.link_s)
        language = language_of(applicant.language, self.post.settings.language)
        facts = {"link": f"{site}{PAGE}#{token}", "until": until(row.expires_at, language)}
        house = self.post.house_of(session, row.organisation_id)
        letter = self.post.letter("sign-up", language, whom=applicant.name, house=house, **facts)
        self.post.enqueue(session, row.organisation_id, applicant.email, letter, expires_at=row.expires_at)

    def _tell_known(self, session: Session, row: Account) -> None:
        facts = {"whom": row.full_name, "house": self.post.house_of(session, row.organisation_id)}
        letter = self.post.letter("sign-up-known", row.language, username=row.username, **facts)
        self.post.enqueue(session, row.organisation_id, row.email or row.username, letter, account_id=row.id)

    @staticmethod
    def _may_write(session: Session, row: SignUp, now: datetime) -> bool:
        try:
            throttle.begin(session, [(f"sign-up-to:{row.address_hash.hex()[:32]}", LETTERS)], now)
        except TooManyAttempts:
            return False
        return True

    def open(self, session: Session, token: str) -> OpenedSignUp:
        """Return whose address a token confirms; raises `SignUpOver`."""
        row, applicant = self._found(session, token)
        return OpenedSignUp(applicant, row.expires_at or self._clock.now())

    def use(self, session: Session, token: str, encoded: str) -> AccountView:
        """Make the account with the password that somebody chose; the link is over. Raises `SignUpOver`."""
        row, applicant = self._found(session, token)
        made = accounts.insert(
            session, row.organisation_id, username=applicant.email, full_name=applicant.name, role=ROLE,
            password_hash=encoded, must_change_password=False, now=self._clock.now(), email=applicant.email,
            affiliation=applicant.affiliation, awaits=self.settings.by_admin,
        )  # fmt: skip
        written = session.get(Account, made.id)
        if written is not None:
            written.language = applicant.language
        mine = sa.delete(SignUp).where(SignUp.address_hash == row.address_hash)
        session.execute(mine.execution_options(synchronize_session=False))
        session.flush()
        return replace(made, language=applicant.language)

    def tell_administrators(self, session: Session, account: AccountView) -> int:
        """Tell the administrators that somebody waits for them; returns how many have an address."""
        told = accounts.reachable_administrators(session, account.organisation_id, account.id)
        house = self.post.house_of(session, account.organisation_id)
        for row in told:
            letter = self.post.letter("sign-up-waits", row.language, house=house, username=account.username)
            self.post.enqueue(session, row.organisation_id, row.email or "", letter, account_id=row.id)
        return len(told)

    def _found(self, session: Session, token: str) -> tuple[SignUp, Applicant]:
        if not self.is_open or not token or len(token) > LONGEST_TOKEN:
            raise SignUpOver
        row = session.scalar(
            sa.select(SignUp)
            .where(SignUp.token_hash == sessions.digest(token), SignUp.expires_at > self._clock.now())
            .with_for_update()
        )
        if row is None:
            raise SignUpOver
        applicant = self._opened(row)
        if _here(session, row.organisation_id, applicant.email):  # an administrator has made one meanwhile
            raise SignUpOver
        return row, applicant

    def _opened(self, row: SignUp) -> Applicant:
        held = json.loads(self._cipher.decrypt(row.sealed[:NONCE_BYTES], row.sealed[NONCE_BYTES:], row.id.bytes))
        return Applicant(**held)

    def _hash(self, address: str) -> bytes:
        return hmac.new(self._hash_key, address.lower().encode(), hashlib.sha256).digest()


def _clean(wanted: Applicant) -> Applicant:
    """Return what somebody wrote as it is kept; raises `AddressInvalid`, or `Invalid` for no name."""
    name = accounts.one_line(wanted.name)
    if not any(char.isalpha() for char in name):
        raise Invalid("tell your name", field="name")
    email = require_address(wanted.email)
    if len(email) > accounts.LONGEST_NAME:
        raise AddressInvalid(f"an address that logs in has at most {accounts.LONGEST_NAME} characters", field="email")
    return Applicant(name, email, accounts.one_line(wanted.affiliation), wanted.language[:8])


def _here(session: Session, organisation_id: uuid.UUID, address: str) -> Account | None:
    """Return an account that has an address, as its name or to write to."""
    row = accounts.by_name(session, address)
    if row is not None:
        return row
    own = sa.select(Account).where(
        Account.organisation_id == organisation_id, sa.func.lower(Account.email) == address.lower()
    )
    return session.scalar(own.order_by(Account.id).limit(1))
