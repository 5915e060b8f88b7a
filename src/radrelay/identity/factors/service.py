"""Second factors as the faces use them: entering, answering, adding, removing, requiring, resetting.

Whatever changes something takes the caller's writing session, so that the audit event stands in the same transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Invalid
from radrelay.identity import accounts, organisations, sessions
from radrelay.identity.devices import DeviceCookies
from radrelay.identity.errors import SessionEnded, TooManyAttempts
from radrelay.identity.factors import kept, passkeys, pins, recovery, rules, totp
from radrelay.identity.factors.answering import Answers
from radrelay.identity.factors.errors import (
    FactorNotAllowed,
    FactorRefused,
    FreshProofWanted,
    LastFactor,
    NoAddress,
    PasskeyNotTaken,
    PasskeyRefused,
    PasskeysNotHere,
    PasskeyTaken,
)
from radrelay.identity.factors.sealing import FactorKeys
from radrelay.identity.factors.values import (
    FactorView,
    Kind,
    PasskeySite,
    ResetView,
    Standing,
    Used,
)
from radrelay.identity.models import Account
from radrelay.identity.values import AccountView, LoginTry, OpenSession
from radrelay.mail import Post
from radrelay.settings import WebSettings
from radrelay.storage.database import Database

FRESH = timedelta(minutes=5)
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class NewApp:
    """A code app that is being set up: its secret is seen here, and nowhere else."""

    factor: FactorView
    secret: str = field(repr=False)
    address: str = field(repr=False)
    qr_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Offered:
    """A challenge for passkeys: the sealed form that comes back, and what the browser is asked."""

    challenge: str = field(repr=False)
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Added:
    """A factor that counts from now on; the recovery codes that were made with the first, seen here alone."""

    factor: FactorView
    codes: tuple[str, ...] = field(repr=False)


class Factors:
    """The second factors of one installation."""

    def __init__(
        self, database: Database, clock: Clock, settings: WebSettings, metadata_key: bytes, post: Post | None
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._keys = FactorKeys(metadata_key)
        self._devices = DeviceCookies(metadata_key)
        self._post = post if post is not None and post.is_set else None
        self.answers = Answers(database, clock, self._keys, self._devices)

    # Where passkeys belong, and what can be used at all

    def passkey_site(self, address: str) -> PasskeySite:
        """Return where passkeys belong: the setting `web.address`, or `address` as the request came from this machine.

        Raises `PasskeysNotHere` for an address that browsers refuse passkeys at.
        """
        site = passkeys.site_of(self._settings.address or address, self._settings.organisation_name)
        if self._settings.address is None and site.rp_id != "localhost":
            raise PasskeysNotHere(address=address)  # whose name a request comes under is the sender's to say
        return site

    def possible(self) -> frozenset[Kind]:
        """Return which kinds this site can ask people for."""
        kinds: set[Kind] = {"totp"}
        try:
            passkeys.site_of(self._settings.address or "", self._settings.organisation_name)
            kinds.add("passkey")
        except PasskeysNotHere:
            pass
        if self._post is not None:
            kinds.add("email")
        return frozenset(kinds)

    def mail_address(self, account: AccountView) -> str | None:
        """Return where a PIN for an account would go, as it is shown; None if none can be sent."""
        return None if self._post is None or account.email is None else pins.masked(account.email)

    def usable(self, account: AccountView, *, passkeys_too: bool) -> frozenset[Kind]:
        """Return which kinds somebody can set up at the address that their page has."""
        kinds: set[Kind] = {"totp"}
        if passkeys_too:
            kinds.add("passkey")
        if self.mail_address(account) is not None:
            kinds.add("email")
        return frozenset(kinds)

    def standing(self, session: Session, account: AccountView, groups: Collection[str]) -> Standing:
        """Return what an account has, may answer with, and needs."""
        return kept.standing(session, account, groups)

    # Entering

    def enter(
        self, session: Session, account: AccountView, attempt: LoginTry, groups: Collection[str],
        used: Used | None = None, *, answered: bool = False, passed: bool = False,
    ) -> OpenSession:  # fmt: skip
        """Open a login as far as it may come: after a password, after a passkey alone (`used`), after an answer.

        `passed`: a second factor was asked for elsewhere, and counts.
        """
        found = kept.standing(session, account, groups)
        stage = "set-up" if found.lacks else "open"
        if passed:
            stage = "open"
        elif used is not None and found.needs is not None and "passkey" not in found.needs:
            stage = "factor" if found.have & found.needs else "set-up"
        elif used is None and not answered and found.have:
            stage = "factor"
        opened = sessions.start(session, account, attempt, self._settings, self._clock.now(), stage)
        return replace(opened, device="" if stage == "factor" else self._devices.make(account.id))

    def complete(
        self, session: Session, login: OpenSession, attempt: LoginTry, used: Used, groups: Collection[str]
    ) -> OpenSession:
        """Open a login in the place of one whose second factor was right; raises `FactorRefused`, `SessionEnded`."""
        self.answers.spend(session, login, attempt, used)
        if not sessions.take_place(session, login.id, self._clock.now()):
            raise SessionEnded
        return self.enter(session, login.account, attempt, groups, answered=True)

    def offer_entry(self, site: PasskeySite) -> Offered:
        """Return what a browser is asked for a passkey that is the only factor, of whoever it is."""
        challenge = self.answers.challenge("login", "")
        return Offered(challenge.sealed, passkeys.request(site, challenge, None))

    def enter_by_passkey(self, session: Session, attempt: LoginTry, used: Used, groups: Collection[str]) -> OpenSession:
        """Open a login for a passkey that has verified who holds it; raises `PasskeyRefused`."""
        account = self.account_of(session, used)
        self.answers.spend_alone(session, attempt, used)
        return self.enter(session, account, attempt, groups, used)

    @staticmethod
    def account_of(session: Session, used: Used) -> AccountView:
        """Return whose passkey was right; raises `PasskeyRefused` where the account is disabled."""
        row = session.get(Account, used.account_id)
        if row is None or accounts.is_shut(row):
            raise PasskeyRefused("disabled")
        return accounts.view(row)

    # Answering

    def offer(self, login: OpenSession, site: PasskeySite) -> Offered:
        """Return what a browser is asked for one of the person's own passkeys."""
        challenge = self.answers.challenge("answer", str(login.id))
        with self._database.read() as session:
            known = kept.confirmed(session, login.account.id, "passkey")
            return Offered(challenge.sealed, passkeys.request(site, challenge, known))

    def send_pin(self, session: Session, login: OpenSession) -> None:
        """Make a PIN for a login and post it; raises `NoAddress` or `TooManyAttempts`."""
        account, now = login.account, self._clock.now()
        if self._post is None or account.email is None:
            raise NoAddress
        pin = pins.make(session, self._keys, account.organisation_id, account.id, login.id, now)
        house = self._post.house_of(session, account.organisation_id)
        letter = self._post.letter("pin", account.language, whom=account.full_name, house=house, pin=pin)
        self._post.enqueue(
            session, account.organisation_id, account.email, letter, account_id=account.id, expires_at=now + pins.LASTS
        )

    def pin_waits(self, session: Session, login: OpenSession) -> bool:
        """Say whether a PIN was sent for a login and is still good: a page that is loaded again asks for it."""
        return pins.waits(session, login.account.id, login.id, self._clock.now())

    def prove(self, session: Session, login: OpenSession, attempt: LoginTry, used: Used | None) -> None:
        """Note a fresh proof of who is logged in: by password, or by what they `used`."""
        if used is not None:
            self.answers.spend(session, login, attempt, used)
        sessions.prove(session, login.id, self._clock.now())

    def require_fresh(self, login: OpenSession) -> None:
        """Raise `FreshProofWanted` unless who is logged in proved who they are within five minutes."""
        now = self._clock.now()
        if login.proven_at is None or not timedelta(0) <= now - login.proven_at <= FRESH:
            raise FreshProofWanted

    # Adding and removing

    def listed(self, session: Session, account_id: uuid.UUID) -> list[FactorView]:
        """Return an account's factors, oldest first."""
        return [kept.view(row) for row in kept.confirmed(session, account_id)]

    def begin_app(self, session: Session, login: OpenSession, name: str, groups: Collection[str]) -> NewApp:
        """Begin to set up a code app; it counts once a first code of it is confirmed."""
        self._require_allowed(session, login, "totp", groups)
        row = kept.begin(session, login.account, "totp", name, self._clock.now())
        secret = totp.new_secret()
        row.secret = self._keys.encrypt(row.id, secret)
        session.flush()
        name = organisations.name_of(session, login.account.organisation_id)
        address = totp.address(secret, name, login.account.username)
        return NewApp(kept.view(row), totp.spelled(secret), address, totp.qr_code(address))

    def begin_mail(self, session: Session, login: OpenSession, groups: Collection[str]) -> FactorView:
        """Begin to set up PINs by e-mail, by sending the first; raises `NoAddress`, `FactorNotAllowed`."""
        self._require_allowed(session, login, "email", groups)
        shown = self.mail_address(login.account)
        if shown is None:
            raise NoAddress
        row = kept.begin(session, login.account, "email", shown, self._clock.now())
        try:
            self.send_pin(session, login)
        except TooManyAttempts:  # somebody begins anew at once: the PIN that is on its way is as good
            if not self.pin_waits(session, login):
                raise
        return kept.view(row)

    def offer_passkey(
        self, session: Session, login: OpenSession, site: PasskeySite, groups: Collection[str]
    ) -> Offered:
        """Return what a browser is asked for a new passkey."""
        self._require_allowed(session, login, "passkey", groups)
        challenge = self.answers.challenge("register", str(login.id))
        known = kept.confirmed(session, login.account.id, "passkey")
        return Offered(challenge.sealed, passkeys.registration(site, login.account, challenge, known))

    def add_passkey(
        self, session: Session, login: OpenSession, site: PasskeySite, sealed: str, name: str,
        given: Mapping[str, Any], groups: Collection[str],
    ) -> Added:  # fmt: skip
        """Take a new passkey in; raises `PasskeyNotTaken`, `PasskeyTaken`, `TooManyFactors`, `FactorNotAllowed`."""
        now = self._clock.now()
        self._require_allowed(session, login, "passkey", groups)
        challenge = self._keys.open(sealed, "register", str(login.id), now)
        if challenge is None or not self.answers.first(session, challenge):
            raise PasskeyNotTaken
        made = passkeys.taken(site, challenge, given)
        if kept.by_credential(session, made.credential_id) is not None:
            raise PasskeyTaken
        row = kept.begin(session, login.account, "passkey", name, now)
        row.credential_id, row.public_key, row.sign_count = made.credential_id, made.public_key, made.sign_count
        row.transports, row.aaguid = made.transports, made.aaguid
        row.backup_eligible, row.backed_up = made.backup_eligible, made.backed_up
        return self._confirm(session, login, row.id, groups)

    def confirm(
        self, session: Session, login: OpenSession, attempt: LoginTry, used: Used, groups: Collection[str]
    ) -> Added:
        """Let a factor count whose first code was right; raises `FactorRefused`."""
        self.answers.spend(session, login, attempt, used)
        if used.factor_id is None:
            raise FactorRefused
        return self._confirm(session, login, used.factor_id, groups)

    def _confirm(self, session: Session, login: OpenSession, factor_id: uuid.UUID, groups: Collection[str]) -> Added:
        now, account = self._clock.now(), login.account
        row = kept.one(session, account.id, factor_id)
        self._require_allowed(session, login, kept.view(row).kind, groups)
        row.confirmed_at = now
        session.flush()
        found = kept.standing(session, account, groups)
        if not found.lacks:
            sessions.let_in(session, login.id, self._settings, now)
        codes = () if found.codes_left else self.renew_codes(session, login)
        return Added(kept.view(row), codes)

    def _require_allowed(self, session: Session, login: OpenSession, kind: Kind, groups: Collection[str]) -> None:
        needs = kept.standing(session, login.account, groups).needs
        if needs is not None and kind not in needs:
            raise FactorNotAllowed

    def rename(self, session: Session, login: OpenSession, factor_id: uuid.UUID, name: str) -> FactorView:
        """Give a factor another name; raises `NotFound` or `Invalid`."""
        row = kept.one(session, login.account.id, factor_id)
        row.name = kept.named(name)
        session.flush()
        return kept.view(row)

    def remove(self, session: Session, login: OpenSession, factor_id: uuid.UUID, groups: Collection[str]) -> FactorView:
        """Remove a factor; raises `NotFound`, or `LastFactor` where one is needed and no other would be left."""
        row = kept.one(session, login.account.id, factor_id)
        gone = kept.view(row)
        lacked = kept.standing(session, login.account, groups).lacks
        kept.remove(session, row)
        if not lacked and kept.standing(session, login.account, groups).lacks:
            raise LastFactor
        return gone

    def lose(self, session: Session, login: OpenSession, factor_id: uuid.UUID) -> FactorView:
        """Remove a factor that is lost with its device, the last that is needed, too; raises `NotFound`."""
        row = kept.one(session, login.account.id, factor_id)
        gone = kept.view(row)
        kept.remove(session, row)
        return gone

    def renew_codes(self, session: Session, login: OpenSession) -> tuple[str, ...]:
        """Make new recovery codes instead of the old; raises `Invalid` for who has no factor that they stand in for."""
        account = login.account
        if not kept.confirmed(session, account.id):
            raise Invalid("recovery codes stand in for a second factor: set one up first")
        return recovery.renew(session, self._keys, account.organisation_id, account.id, self._clock.now())

    # Administration

    def reset(
        self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, by_name: str, reason: str
    ) -> int:
        """Take all of an account's factors away and end its logins; returns how many there were.

        The person is told at the next login by whom, and why. Raises `NotFound`, or `Invalid` without a reason.
        """
        reason = " ".join(reason.split())
        if not reason or len(reason) > LONGEST_REASON:
            raise Invalid(f"a reason has 1 to {LONGEST_REASON} characters", field="reason")
        account = accounts.view(accounts.by_id(session, organisation_id, account_id))
        count = kept.remove_all(session, account.id)
        now = self._clock.now()
        kept.note_reset(session, account, by_name, reason, now)
        sessions.end(session, now, account_id=account.id)
        return count

    def unread_reset(self, account_id: uuid.UUID) -> ResetView | None:
        """Return the last reset that somebody has not read of."""
        with self._database.read() as session:
            return kept.unread_reset(session, account_id)

    def read_resets(self, session: Session, account_id: uuid.UUID) -> None:
        """Note that somebody has read of every reset."""
        kept.read_resets(session, account_id, self._clock.now())

    def counts(self, session: Session, organisation_id: uuid.UUID) -> dict[uuid.UUID, list[Kind]]:
        """Return which kinds each account has."""
        return kept.kinds_of_all(session, organisation_id)

    # Rules

    def require(
        self, session: Session, organisation_id: uuid.UUID, subject_kind: rules.SubjectKind, subject_id: str,
        kinds: Collection[Kind],
    ) -> None:  # fmt: skip
        """Let a role or group need a factor from the next login on; raises `Invalid` or `KindNotPossible`."""
        rules.require(
            session, organisation_id, subject_kind, subject_id, kinds, self.possible(), self._clock.now()
        )  # fmt: skip
