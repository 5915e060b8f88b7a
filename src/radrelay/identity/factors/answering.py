"""Whether what somebody answers is right: codes, PINs, passkeys, recovery codes.

A try is counted before it is looked at, as with passwords. What is right is spent in the transaction that records it:
a step of a code app, a PIN, a recovery code and a challenge count once, of two at once for one.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.identity import sessions, throttle
from radrelay.identity.devices import DeviceCookies
from radrelay.identity.errors import TooManyAttempts
from radrelay.identity.factors import kept, passkeys, pins, recovery, totp
from radrelay.identity.factors.errors import FactorRefused, PasskeyRefused
from radrelay.identity.factors.models import Factor
from radrelay.identity.factors.sealing import FactorKeys, Purpose, SealedChallenge
from radrelay.identity.factors.values import Answer, Kind, PasskeySite, Used
from radrelay.identity.models import SpentChallenge
from radrelay.identity.values import LoginTry, OpenSession
from radrelay.storage.database import Database

STEP_KEPT = timedelta(days=1)  # longer than any step is taken; a clock that goes back finds it spent
OF_ACCOUNT = throttle.Limit(free=10, cap_s=900, forget_s=24 * 3600)
"""Of wrong answers for one account from places where it never logged in: a code has a million values, of which three
are right at a time."""
LONGEST_CODE = 40


class Answers:
    """Checks answers."""

    def __init__(self, database: Database, clock: Clock, keys: FactorKeys, devices: DeviceCookies) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._devices = devices

    def check(
        self, login: OpenSession, attempt: LoginTry, answer: Answer, allowed: Collection[Kind], site: PasskeySite | None
    ) -> Used:
        """Return what was right about an answer; raises `FactorRefused` or `TooManyAttempts`."""
        now = self._clock.now()
        challenge = (
            self._keys.open(answer.challenge, "answer", str(login.id), now) if answer.kind == "passkey" else None
        )
        self.count(login.account.id, attempt, challenge)
        if answer.kind != "recovery" and answer.kind not in allowed:
            raise FactorRefused("kind")
        if len(answer.code) > LONGEST_CODE:
            raise FactorRefused
        with self._database.read() as session:
            if answer.kind == "passkey":
                return self._by_passkey(session, login.account.id, answer, challenge, site)
            if answer.kind == "recovery":
                return self._by_recovery(session, login.account.id, answer.code)
            rows = kept.confirmed(session, login.account.id, answer.kind)
            if answer.kind == "totp":
                return self._by_code(session, rows, answer.code, now)
        return self._by_pin(login, rows, answer.code)

    def check_new(self, login: OpenSession, attempt: LoginTry, factor_id: uuid.UUID, code: str) -> Used:
        """Return what was right about the first code of a factor that is being set up; raises as `check`."""
        self.count(login.account.id, attempt, None)
        with self._database.read() as session:
            row = kept.one(session, login.account.id, factor_id)
            if row.confirmed_at is not None or row.kind == "passkey" or len(code) > LONGEST_CODE:
                raise FactorRefused
            if row.kind == "totp":
                return self._by_code(session, [row], code, self._clock.now())
        return self._by_pin(login, [row], code)

    def check_alone(self, attempt: LoginTry, answer: Answer, site: PasskeySite) -> Used:
        """Return whose passkey has signed, with nothing else known; raises `PasskeyRefused` or `TooManyAttempts`."""
        now = self._clock.now()
        challenge = self._keys.open(answer.challenge, "login", "", now)
        try:
            with self._database.write() as session:
                throttle.begin(session, self._strangers(attempt), now)
                first = _spend_challenge(session, challenge, now)
        except IntegrityError as error:
            raise TooManyAttempts(retry_after_s=1) from error
        if challenge is None or not first:
            raise PasskeyRefused("challenge")
        with self._database.read() as session:
            row = kept.by_credential(session, passkeys.credential_id_of(answer.credential))
            if row is None or row.confirmed_at is None:
                raise PasskeyRefused("unknown")
            try:
                signed = passkeys.proven(site, challenge, row, answer.credential, alone=True)
            except passkeys.NotProven as error:
                raise PasskeyRefused(str(error)) from error
            return _used(row, signed)

    def challenge(self, purpose: Purpose, subject: str) -> SealedChallenge:
        """Return a new challenge for passkeys."""
        return self._keys.challenge(purpose, subject, self._clock.now())

    @staticmethod
    def first(session: Session, challenge: SealedChallenge) -> bool:
        """Say whether a challenge was not answered before."""
        return _once(session, challenge.id, challenge.expires_at)

    def spend(self, session: Session, login: OpenSession, attempt: LoginTry, used: Used) -> None:
        """Use up what was right; raises `FactorRefused` where somebody was faster."""
        now = self._clock.now()
        if not self._spent(session, login, used, now):
            raise FactorRefused("replay")
        throttle.succeed(session, self._bound(session, used.account_id, attempt))

    def spend_alone(self, session: Session, attempt: LoginTry, used: Used) -> None:
        """Do the same for a passkey as the only factor; raises `PasskeyRefused`."""
        if not self._note_use(session, used, self._clock.now()):
            raise PasskeyRefused("counter")
        throttle.take_back(session, self._strangers(attempt))

    def _spent(self, session: Session, login: OpenSession, used: Used, now: datetime) -> bool:
        if used.kind == "recovery":
            return recovery.spend(session, used.account_id, used.code_hash, now)
        if used.kind == "email" and not pins.spend(session, used.account_id, login.id, now):
            return False
        if used.spends is not None and not _once(session, used.spends, now + STEP_KEPT):
            return False
        return self._note_use(session, used, now)

    @staticmethod
    def _note_use(session: Session, used: Used, now: datetime) -> bool:
        """Write that a factor was used, unless it is gone or, of a passkey, was used since it was looked at."""
        which = sa.update(Factor).where(Factor.id == used.factor_id)
        if used.kind != "passkey":
            return bool(getattr(session.execute(which.values(used_at=now)), "rowcount", 0))
        changed = session.execute(
            which.where(Factor.sign_count == used.seen_count).values(
                used_at=now, sign_count=used.sign_count, backed_up=used.backed_up
            )
        )
        return bool(getattr(changed, "rowcount", 0))

    def count(self, account_id: uuid.UUID, attempt: LoginTry, challenge: SealedChallenge | None) -> None:
        """Count a try and spend its challenge, which can be answered once, rightly or not."""
        now = self._clock.now()
        try:
            with self._database.write() as session:
                throttle.begin(session, self._bound(session, account_id, attempt), now)
                first = _spend_challenge(session, challenge, now)
        except IntegrityError as error:
            raise TooManyAttempts(retry_after_s=1) from error
        if not first:
            raise FactorRefused("replay")

    def _bound(self, session: Session, account_id: uuid.UUID, attempt: LoginTry) -> list[tuple[str, throttle.Limit]]:
        device = self._devices.check(attempt.device, account_id)
        known = sessions.knows_address(session, account_id, attempt.address)
        name = f"second factor of {account_id}"
        return throttle.counters(attempt.address, name, known=known, device=device, of_name=OF_ACCOUNT)

    @staticmethod
    def _strangers(attempt: LoginTry) -> list[tuple[str, throttle.Limit]]:
        return [(f"passkey:{throttle.address_key(attempt.address)}", throttle.ADDRESS)]

    def _by_passkey(
        self, session: Session, account_id: uuid.UUID, answer: Answer, challenge: SealedChallenge | None,
        site: PasskeySite | None,
    ) -> Used:  # fmt: skip
        if challenge is None or site is None:
            raise FactorRefused("challenge")
        row = kept.by_credential(session, passkeys.credential_id_of(answer.credential))
        if row is None or row.account_id != account_id or row.confirmed_at is None:
            raise FactorRefused("unknown")
        try:
            return _used(row, passkeys.proven(site, challenge, row, answer.credential, alone=False))
        except passkeys.NotProven as error:
            raise FactorRefused(str(error)) from error

    def _by_code(self, session: Session, apps: Collection[Factor], typed: str, now: datetime) -> Used:
        code = "".join(typed.split())
        for row in apps:
            step = totp.step_of(self._keys.decrypt(row.id, row.secret or b""), code, now)
            if step is not None:
                spends = uuid.uuid5(row.id, str(step))
                if session.get(SpentChallenge, spends) is not None:
                    raise FactorRefused("replay")
                return Used(row.account_id, "totp", row.id, spends)
        raise FactorRefused

    def _by_pin(self, login: OpenSession, mailed: Sequence[Factor], typed: str) -> Used:
        if not mailed:
            raise FactorRefused("kind")
        with self._database.write() as session:  # of its own: a wrong try counts, whatever is said of it
            found = pins.try_pin(session, self._keys, login.account.id, login.id, typed, self._clock.now())
        if found != "right":
            raise FactorRefused(found)
        return Used(login.account.id, "email", mailed[0].id)

    def _by_recovery(self, session: Session, account_id: uuid.UUID, typed: str) -> Used:
        code_hash = recovery.hash_of(self._keys, account_id, typed)
        if not recovery.is_open(session, account_id, code_hash):
            raise FactorRefused
        return Used(account_id, "recovery", None, code_hash=code_hash)


def _used(row: Factor, signed: passkeys.Signed) -> Used:
    return Used(
        row.account_id, "passkey", row.id, seen_count=row.sign_count, sign_count=signed.sign_count,
        backed_up=signed.backed_up, verified=signed.verified,
    )  # fmt: skip


def _spend_challenge(session: Session, challenge: SealedChallenge | None, now: datetime) -> bool:
    """Say whether a challenge, if there is one, was not answered before."""
    first = challenge is None or _once(session, challenge.id, challenge.expires_at)
    session.execute(sa.delete(SpentChallenge).where(SpentChallenge.expires_at < now))
    return first


def _once(session: Session, what: uuid.UUID, until: datetime) -> bool:
    """Say whether something is done for the first time, and remember it; of two at once, one is first."""
    if session.get(SpentChallenge, what) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(SpentChallenge(id=what, expires_at=until))
            session.flush()
    except IntegrityError:  # on PostgreSQL, where somebody may be first just now
        return False
    return True
