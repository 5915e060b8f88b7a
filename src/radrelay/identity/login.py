"""Checking who logs in: by proof (SRP-6a), or by the password itself for who comes from the directory.

The directory takes nothing but the password, and so do accounts from before SRP, once more.

A try is counted before anything is checked, so that tries in parallel count too; `Identity.open_session` takes it
back. A name that nobody has is answered like any other, and costs the same.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Misconfigured
from radrelay.identity import accounts, sessions, throttle, verifiers
from radrelay.identity.challenges import Challenge, Challenges, Remembered
from radrelay.identity.devices import DeviceCookies
from radrelay.identity.directory import Directory
from radrelay.identity.directory.errors import DirectoryUnavailable
from radrelay.identity.errors import ChallengeOver, DirectoryPasswordExpired, LoginRefused, ProofWanted
from radrelay.identity.models import Account, SpentChallenge
from radrelay.identity.passwords import Passwords
from radrelay.identity.srp import SRP, same
from radrelay.identity.values import CheckedLogin, LoginTry
from radrelay.identity.verifiers import Verifier
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

NOBODY = uuid.UUID(int=0)
ARGON2_HEAD = "$argon2"
DIRECTORY_HEAD = "$directory"  # nothing is kept of these passwords


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client answers to a challenge: the challenge itself, its public value A and its proof M1."""

    sealed: str = field(repr=False)
    client_public: int
    client_proof: bytes = field(repr=False)


class Logins:
    """Challenges names, and checks what comes back."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: Passwords,
        metadata_key: bytes,
        iterations: int,
        directory: Directory | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._challenges = Challenges(metadata_key)
        self._iterations = iterations
        self.directory = directory
        self.devices = DeviceCookies(metadata_key)

    def challenge(self, username: str) -> Challenge:
        """Return the challenge for a user name; one without salt asks for the password itself."""
        identity = accounts.fold_username(username)
        asked = self._asked(username, identity)
        if isinstance(asked, str):
            return Challenge(identity, b"", 0, 0, "")
        return self._challenges.make(identity, asked, self._clock.now())

    def _asked(self, username: str, identity: str) -> Verifier | str:
        """Return the verifier that a name is challenged by, or the head of what asks for its password."""
        with self._database.read() as session:
            row = self.row_of(session, username)
            head = None if row is None else _head_of(row)
            encoded = None if row is None else row.password_hash
            heads = _heads(session)
        stand_in = self._challenges.stand_in(identity, heads, self._iterations)
        if head is None:
            return stand_in
        return verifiers.decode(encoded) if encoded is not None and verifiers.is_verifier(encoded) else head

    def row_of(self, session: Session, username: str) -> Account | None:
        """Return the account of a name; with its domain it is found where the directory alone knows its password.

        Others are not: their proof holds the plain name, so that the challenge would tell that there is one.
        """
        row = accounts.by_name(session, username)
        plain = None if row is not None or self.directory is None else self.directory.plain_name(username)
        if plain is None:
            return row
        row = accounts.by_name(session, plain)
        return row if row is not None and _head_of(row) == DIRECTORY_HEAD else None

    def _without_domain(self, attempt: LoginTry) -> LoginTry:
        """Return a try under the name that it is counted by, however it was typed."""
        with self._database.read() as session:
            row = self.row_of(session, attempt.username)
            return attempt if row is None else replace(attempt, username=row.username)

    def check_proof(self, attempt: LoginTry, proof: Proof) -> CheckedLogin:
        """Check the answer to a challenge, which names the user; raises `LoginRefused`, `TooManyAttempts`, `Invalid`.

        A challenge can be answered once, rightly or not: then it raises `ChallengeOver`, and counts no try, for none
        can be right.
        """
        remembered = self._challenges.open(proof.sealed, self._clock.now())
        attempt = LoginTry(remembered.identity, attempt.address, attempt.device, attempt.user_agent)
        row = self._begin(attempt, remembered)
        server_proof = _compare(remembered, proof)
        encoded = None if row is None or accounts.is_shut(row) else row.password_hash
        if row is None or server_proof is None or not _is_of(encoded, remembered) or encoded is None:
            raise LoginRefused
        return CheckedLogin(accounts.view(row), attempt, encoded, server_proof=server_proof)

    def check_password(self, attempt: LoginTry, password: str) -> CheckedLogin:
        """Check the password of who comes from the directory, or of an account from before SRP.

        What is kept of the latter becomes a verifier at `open_session`. Raises `LoginRefused`, `TooManyAttempts` or
        `DirectoryUnavailable`; `ProofWanted` for every name that is not asked for its password.
        """
        identity = accounts.fold_username(attempt.username)
        asked = self._asked(attempt.username, identity)
        if not isinstance(asked, str):
            raise ProofWanted
        if asked == DIRECTORY_HEAD:
            return self._check_by_directory(self._without_domain(attempt), password)
        row = self._begin(attempt, None)
        encoded = None if row is None or accounts.is_shut(row) else row.password_hash
        if not self._passwords.matches(encoded, password) or row is None or encoded is None:
            raise LoginRefused
        moved = verifiers.make(identity, password, self._iterations).encoded()
        return CheckedLogin(accounts.view(row), attempt, encoded, moved=moved)

    def _check_by_directory(self, attempt: LoginTry, password: str) -> CheckedLogin:
        """Ask the directory, which is asked about nobody, too, for a name that may not come in."""
        if self.directory is None:
            raise DirectoryUnavailable
        row = self._begin(attempt, None, throttle.passed_on(self.directory.settings.guesses))
        may = row is not None and not accounts.is_shut(row) and row.password_hash is None
        try:
            outcome = self.directory.try_password(row.directory_id if may and row is not None else None, password)
        except (DirectoryUnavailable, Misconfigured) as error:  # which file is missing is the log's to say
            self._take_back(attempt)
            log.warning("somebody cannot log in: the directory is not there", code=error.code, reason=error.message)
            raise DirectoryUnavailable from error
        if row is None or not may or outcome == "wrong":
            raise LoginRefused
        if outcome == "expired":
            raise DirectoryPasswordExpired
        return CheckedLogin(accounts.view(row), attempt, None)

    def _take_back(self, attempt: LoginTry) -> None:
        """Forget a try that nobody could check."""
        with self._database.write() as session:
            row = accounts.by_name(session, attempt.username)
            throttle.take_back(session, self.bound(session, attempt, row))

    def name_of(self, sealed: str) -> str:
        """Return the name in a challenge; an empty text if it cannot be opened."""
        try:
            return self._challenges.open(sealed, self._clock.now()).identity
        except ChallengeOver:
            return ""

    def bound(
        self, session: Session, attempt: LoginTry, row: Account | None, of_name: throttle.Limit = throttle.NAME
    ) -> list[tuple[str, throttle.Limit]]:
        """Return what a try is counted by."""
        folded = accounts.fold_username(attempt.username)
        device = self.devices.check(attempt.device, None if row is None else row.id)
        known = sessions.knows_address(session, NOBODY if row is None else row.id, attempt.address)
        return throttle.counters(attempt.address, folded, known=known, device=device, of_name=of_name)

    def _begin(
        self, attempt: LoginTry, remembered: Remembered | None, of_name: throttle.Limit = throttle.NAME
    ) -> Account | None:
        """Count a try, spend its challenge, and return the account of the name, if there is one."""
        now = self._clock.now()
        try:
            with self._database.write() as session:
                row = accounts.by_name(session, attempt.username)
                throttle.begin(session, self.bound(session, attempt, row, of_name), now)
                if remembered is not None:
                    session.add(SpentChallenge(id=remembered.id, expires_at=remembered.expires_at))
                    session.flush()
                    session.execute(sa.delete(SpentChallenge).where(SpentChallenge.expires_at < now))
                if row is not None:
                    session.expunge(row)
                return row
        except IntegrityError as error:
            raise ChallengeOver from error


def _compare(remembered: Remembered, proof: Proof) -> bytes | None:
    """Return the server's own proof if the client's is right, else None; raises `Invalid` for a nonsensical A."""
    client, server = proof.client_public, remembered.server_public
    premaster = SRP.server_premaster(client, server, remembered.secret, remembered.verifier)
    key = SRP.session_key(premaster)
    expected = SRP.client_proof(remembered.identity, remembered.salt, client, server, key)
    return SRP.server_proof(client, expected, key) if same(expected, proof.client_proof) else None


def _is_of(encoded: str | None, remembered: Remembered) -> bool:
    """Say whether a challenge was made of what is kept now: the password may have changed meanwhile."""
    if encoded is None or not verifiers.is_verifier(encoded):
        return False
    kept = verifiers.decode(encoded)
    return kept.salt == remembered.salt and kept.value == remembered.verifier


def _heads(session: Session) -> list[tuple[str, int]]:
    """Return how what is kept of passwords begins, and how many begin so; nothing is kept of the directory's."""
    one, length = (sa.literal_column(str(number), sa.Integer) for number in (1, verifiers.HEAD_CHARS))
    head = sa.func.substr(Account.password_hash, one, length)  # not bound: PostgreSQL would see two expressions
    rows = session.execute(sa.select(head, sa.func.count()).where(Account.password_hash.is_not(None)).group_by(head))
    counts: dict[str, int] = {}
    for text, count in rows:
        kind = ARGON2_HEAD if text.startswith(ARGON2_HEAD) else text
        counts[kind] = counts.get(kind, 0) + count
    elsewhere = sa.select(sa.func.count()).select_from(Account).where(_BY_DIRECTORY)
    if number := session.scalar(elsewhere):
        counts[DIRECTORY_HEAD] = number
    return sorted(counts.items())


_BY_DIRECTORY = sa.and_(Account.password_hash.is_(None), Account.directory_id.is_not(None))


def _head_of(row: Account) -> str | None:
    """Return the head of what asks for an account's password; None for one that nobody can log in with."""
    if row.password_hash is None:
        return None if row.directory_id is None else DIRECTORY_HEAD
    return verifiers.PREFIX if verifiers.is_verifier(row.password_hash) else ARGON2_HEAD
