"""Identity as the faces use it: logins, passwords, accounts, tokens.

Whatever changes something takes the caller's writing session, so that the audit event stands in the same
transaction. Passwords and proofs are checked outside of any transaction: that takes tens of milliseconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import NotFound
from radrelay.identity import accounts, changing, first_admin, organisations, sessions, throttle, tokens, verifiers
from radrelay.identity.challenges import Challenge
from radrelay.identity.directory import Directory
from radrelay.identity.errors import DirectoryKeepsPassword, LoginRefused, OwnPasswordOnly, SessionEnded
from radrelay.identity.factors import Factors
from radrelay.identity.login import Logins, Proof
from radrelay.identity.models import Account
from radrelay.identity.password_links import comes_from_elsewhere
from radrelay.identity.passwords import PasswordRules, Passwords, one_time_password
from radrelay.identity.values import AccountView, CheckedLogin, Device, LoginTry, NewToken, OpenSession, TokenView
from radrelay.mail import Post
from radrelay.settings import WebSettings
from radrelay.storage.database import Database


class Identity:
    """The people and machines of one installation."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: WebSettings,
        metadata_key: bytes,
        *,
        iterations: int,
        passwords: Passwords | None = None,
        directory: Directory | None = None,
        rules: PasswordRules | None = None,
        post: Post | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._iterations = iterations
        self.rules = rules or PasswordRules()
        self._logins = Logins(database, clock, passwords or Passwords(), metadata_key, iterations, directory)
        self.factors = Factors(database, clock, settings, metadata_key, post)

    @property
    def directory(self) -> Directory | None:
        """Return the directory that people come from, if one is set."""
        return self._logins.directory

    # The organisation and the first administrator

    def ensure_organisation(self) -> uuid.UUID:
        """Return the id of this installation's organisation, made on the first start."""
        with self._database.write() as session:
            return organisations.ensure_first(session, self._settings.organisation_name, self._clock.now())

    def ensure_first_admin(self) -> str | None:
        """Make the account `admin` if nobody is there yet and return its one-time password, else None.

        As long as nobody has ever logged in with it, each start gives a new one: the old may have scrolled away.
        """
        organisation_id = self.ensure_organisation()
        with self._database.read() as session:
            if not first_admin.is_awaited(session, organisation_id):
                return None
        password, encoded = self.new_one_time_password(first_admin.FIRST_ADMIN)
        with self._database.write() as session:
            made = first_admin.make(session, organisation_id, encoded, self._clock.now())
        return password if made else None

    # Logging in

    def challenge(self, username: str) -> Challenge:
        """Return what a name has to answer; one without salt asks for the password itself."""
        return self._logins.challenge(username)

    def check_login(self, attempt: LoginTry, answer: Proof | str) -> CheckedLogin:
        """Check a proof, or a password that is asked for (the directory's); alike for known and unknown names.

        Raises `LoginRefused`, `TooManyAttempts`, `DirectoryUnavailable`; `ProofWanted` where no password is asked for.
        The try is counted before it is looked at; `open_session` takes it back.
        """
        if isinstance(answer, str):
            return self._logins.check_password(attempt, answer)
        return self._logins.check_proof(attempt, answer)

    def name_of(self, sealed: str) -> str:
        """Return the folded user name that a challenge is for; an empty text for a forged one or one that is over."""
        return self._logins.name_of(sealed)

    def account_named(self, username: str) -> AccountView | None:
        """Return the account of a user name, for the record of a refused login."""
        with self._database.read() as session:
            row = self._logins.row_of(session, username)
            return None if row is None else accounts.view(row)

    def open_session(self, session: Session, checked: CheckedLogin, groups: Collection[str]) -> OpenSession:
        """Open a login for a checked password: a new secret, whatever the browser sent before.

        It may be one that waits for a second factor; `groups` are the ids of the account's groups, which may ask for
        one. Raises `LoginRefused` if the account was disabled, or got another password, since the check.
        """
        row = accounts.by_id(session, checked.account.organisation_id, checked.account.id)
        of_entry = checked.account.directory_id
        if accounts.is_shut(row) or (row.password_hash, row.directory_id) != (checked.password_hash, of_entry):
            raise LoginRefused
        if checked.moved is not None:
            row.password_hash = checked.moved
        throttle.succeed(session, self._logins.bound(session, checked.attempt, row))
        return self.factors.enter(session, accounts.view(row), checked.attempt, groups)

    def open_signed_on(
        self, session: Session, account: AccountView, attempt: LoginTry, groups: Collection[str], *, two_factors: bool
    ) -> OpenSession:
        """Open a login for somebody whom single sign-on has let in; raises `LoginRefused` where it is shut.

        It waits for a second factor as one by password does, unless the provider's login counts as `two_factors`.
        """
        row = accounts.by_id(session, account.organisation_id, account.id)
        if accounts.is_shut(row):
            raise LoginRefused
        return self.factors.enter(session, accounts.view(row), attempt, groups, passed=two_factors)

    def session_of(self, secret: str) -> OpenSession:
        """Return the login of a cookie's secret; raises `SessionEnded`. To ask is not to use it: `note_use`."""
        with self._database.read() as session:
            return sessions.find(session, secret, self._settings, self._clock.now())

    def note_use(self, session: Session, opened: OpenSession, idle_s: float) -> OpenSession:
        """Note that somebody used the pages `idle_s` seconds ago; returns the login with its new end."""
        used_at = self._clock.now() - timedelta(seconds=max(0.0, idle_s))
        sessions.note_use(session, opened.id, used_at)
        idle_until = sessions.idle_until(used_at, opened.expires_at, opened.idle_s, self._settings)
        return replace(opened, idle_until=max(opened.idle_until, idle_until))

    def devices(self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID) -> list[Device]:
        """Return where an account is logged in, the last used first; raises `NotFound`."""
        accounts.by_id(session, organisation_id, account_id)
        return sessions.listed(session, account_id, self._settings, self._clock.now())

    def log_out(self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, *,
                only: uuid.UUID | None = None, keep: uuid.UUID | None = None) -> int:  # fmt: skip
        """End logins of an account: all, `only` one, or all but `keep`; returns how many. Raises `NotFound`."""
        accounts.by_id(session, organisation_id, account_id)
        ended = sessions.end(session, self._clock.now(), account_id=account_id, only=only, keep=keep)
        if only is not None and not ended:
            raise NotFound("there is no such login")
        return ended

    def known_device(self, account_id: uuid.UUID) -> str:
        """Return the cookie of a device that is an account's: somebody chose a password on it, or logged in."""
        return self._logins.devices.make(account_id)

    def identity_of(self, account: AccountView) -> str:
        """Return what enters an account's verifier as its name."""
        return self.identity_of_name(account.username)

    @staticmethod
    def identity_of_name(username: str) -> str:
        """Return what enters the verifier of an account that is to have this name."""
        return accounts.fold_username(username)

    def has_password(self, account: AccountView) -> bool:
        """Say whether an account has a password of its own; otherwise the directory keeps it, or there is none yet."""
        with self._database.read() as session:
            return accounts.by_id(session, account.organisation_id, account.id).password_hash is not None

    @staticmethod
    def is_kept_elsewhere(session: Session, account: AccountView) -> bool:
        """Say whether the directory or single sign-on keeps an account's name, and would bring it back."""
        return comes_from_elsewhere(session, account.id, account.directory_id)

    def end_session(self, session: Session, opened: OpenSession) -> None:
        """Log out."""
        sessions.end(session, self._clock.now(), account_id=opened.account.id, only=opened.id)

    def end_secret(self, session: Session, secret: str) -> None:
        """End the login that a browser still has when it opens another; no error if there is none."""
        if secret:
            sessions.end_secret(session, secret, self._clock.now())

    # Passwords

    def check_again(self, account: AccountView, attempt: LoginTry, answer: Proof | str) -> None:
        """Check once more that someone who is logged in knows their password; counted like a login, raises like it."""
        checked = self.check_login(attempt, answer)
        if checked.account.id != account.id:
            raise LoginRefused("the password is wrong")
        with self._database.write() as session:
            row = accounts.by_id(session, account.organisation_id, account.id)
            throttle.succeed(session, self._logins.bound(session, checked.attempt, row))

    def check_own(self, account: AccountView, attempt: LoginTry, answer: Proof) -> CheckedLogin:
        """Check that someone who is logged in knows their own password; counted like a login. Raises as `check_login`.

        Raises `DirectoryKeepsPassword` where they have none.
        """
        with self._database.read() as session:
            row = accounts.by_id(session, account.organisation_id, account.id)
            if row.password_hash is None:
                raise DirectoryKeepsPassword
        checked = self._logins.check_proof(attempt, answer)
        if checked.account.id != account.id:
            raise LoginRefused("the present password is wrong")
        with self._database.write() as session:
            row = accounts.by_id(session, account.organisation_id, account.id)
            throttle.succeed(session, self._logins.bound(session, checked.attempt, row))
        return checked

    def new_verifier(self, username: str, password: str) -> str:
        """Return what is kept of a password that is known here, on the command line; raises `PasswordWeak`."""
        self.rules.require(password, username)
        return self._verifier(username, password)

    def verifier_taken(self, salt: str, iterations: int, value: str) -> str:
        """Return what is kept of a password whose verifier a client made; raises `Invalid` for a weak one."""
        return verifiers.taken(salt, iterations, value, least=self._iterations).encoded()

    def _verifier(self, username: str, password: str) -> str:
        return verifiers.make(accounts.fold_username(username), password, self._iterations).encoded()

    def change_password(
        self, session: Session, opened: OpenSession, checked: CheckedLogin, encoded: str
    ) -> OpenSession:
        """Set an own new password: every login of the account ends, and a new one takes this one's place.

        Raises `SessionEnded` if an administrator has given another one since the present one was checked.
        """
        account = opened.account
        row = accounts.by_id(session, account.organisation_id, account.id)
        if row.password_hash != checked.password_hash or not sessions.lasts(session, opened.id):
            raise SessionEnded
        row.password_hash = encoded
        row.must_change_password = False
        session.flush()
        now = self._clock.now()
        login = sessions.attempt_of(session, opened.id)
        sessions.end(session, now, account_id=account.id)
        return sessions.start(session, accounts.view(row), login, self._settings, now, opened.stage)

    def reset_password(self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID,
                       encoded: str) -> AccountView:  # fmt: skip
        """Set another's password to a one-time one (`new_one_time_password`); ends all their logins."""
        row = accounts.by_id(session, organisation_id, account_id)
        row.password_hash = encoded
        row.must_change_password = True
        changing.reopen(session, row)
        sessions.end(session, self._clock.now(), account_id=account_id)
        return accounts.view(row)

    def report_lost(self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID) -> AccountView:
        """Shut an account whose credentials are lost: all its logins end, password and own tokens open nothing.

        Until an administrator gives another password or opens it (`change_account`), or a link for a new one is used.
        """
        row = accounts.by_id(session, organisation_id, account_id)
        changing.report_lost(session, row, self._clock.now())
        return accounts.view(row)

    def leave_password_to_directory(self, session: Session, organisation_id: uuid.UUID,
                                    account_id: uuid.UUID) -> AccountView:  # fmt: skip
        """Forget the own password of somebody who comes from the directory; all their logins end.

        Raises `NotFound`, or `OwnPasswordOnly` for everybody else.
        """
        row = accounts.by_id(session, organisation_id, account_id)
        if row.directory_id is None:
            raise OwnPasswordOnly
        row.password_hash, row.must_change_password = None, False
        session.flush()
        sessions.end(session, self._clock.now(), account_id=account_id)
        return accounts.view(row)

    def new_one_time_password(self, username: str) -> tuple[str, str]:
        """Return a one-time password for a user name and what is kept of it."""
        password = one_time_password()
        return password, self._verifier(username, password)

    # Accounts

    def accounts(self, session: Session, organisation_id: uuid.UUID) -> list[AccountView]:
        """Return the organisation's accounts by name."""
        rows = session.scalars(
            sa.select(Account)
            .where(Account.organisation_id == organisation_id, Account.closed_at.is_(None))
            .order_by(Account.username_folded)
        )
        return [accounts.view(row) for row in rows]

    def account(self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID) -> AccountView:
        """Return an account of the organisation; raises `NotFound`."""
        return accounts.view(accounts.by_id(session, organisation_id, account_id))

    def account_anywhere(self, session: Session, account_id: uuid.UUID) -> AccountView | None:
        """Return an account by what it says of itself, for the record of a refused login."""
        row = session.get(Account, account_id)
        return None if row is None else accounts.view(row)

    def create_account(self, session: Session, organisation_id: uuid.UUID, *, username: str, full_name: str,
                       role: str, encoded: str | None, must_change_password: bool = True,
                       email: str | None = None) -> AccountView:  # fmt: skip
        """Make an account; without `encoded` it waits for its password. Raises `AccountExists` or `Invalid`."""
        return accounts.insert(
            session,
            organisation_id,
            username=username,
            full_name=full_name,
            role=role,
            password_hash=encoded,
            must_change_password=must_change_password and encoded is not None,
            now=self._clock.now(),
            email=email,
        )

    def change_account(self, session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, *,
                       full_name: str | None = None, role: str | None = None, language: str | None = None,
                       disabled: bool | None = None, email: str | None = None,
                       lost: bool | None = None, affiliation: str | None = None) -> AccountView:  # fmt: skip
        """Change what is given (an empty `email` takes it away); disabling ends all logins at once.

        Raises `NotFound`, `LastAdmin` or `Invalid`.
        """
        row = accounts.by_id(session, organisation_id, account_id)
        changing.change(
            session, row, self._clock.now(), full_name=full_name, role=role, language=language, disabled=disabled,
            email=email, lost=lost, affiliation=affiliation,
        )  # fmt: skip
        return accounts.view(row)

    # Tokens

    def tokens(self, session: Session, organisation_id: uuid.UUID) -> list[TokenView]:
        """Return the organisation's tokens, newest first."""
        return tokens.listed(session, organisation_id)

    def create_token(self, session: Session, organisation_id: uuid.UUID, *, name: str, role: str = "user",
                     expires_at: datetime | None = None, maker_id: uuid.UUID | None = None,
                     may_launch: bool = False) -> NewToken:  # fmt: skip
        """Make a token; its secret is in the answer and nowhere else."""
        return tokens.create(
            session, organisation_id, name=name, role=role, expires_at=expires_at, now=self._clock.now(),
            maker_id=maker_id, may_launch=may_launch,
        )  # fmt: skip

    def token_of(self, secret: str) -> TokenView:
        """Return the token of a secret; raises `TokenRefused`."""
        with self._database.read() as session:
            return tokens.find(session, secret, self._clock.now())

    def suspend_token(self, session: Session, organisation_id: uuid.UUID, token_id: uuid.UUID, *, suspended: bool
                      ) -> bool:  # fmt: skip
        """Refuse a token until it is let in again; says whether it is there."""
        return tokens.suspend(session, organisation_id, token_id, self._clock.now() if suspended else None)

    def revoke_token(self, session: Session, organisation_id: uuid.UUID, token_id: uuid.UUID) -> TokenView:
        """End a token at once; raises `NotFound`."""
        return tokens.revoke(session, organisation_id, token_id, self._clock.now())
