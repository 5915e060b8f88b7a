"""Passwords: Argon2id (RFC 9106, second recommended parameters), with a bound on how many are checked at once.

Checking one takes 64 MiB; without the bound a burst of logins would take the machine's memory. An unknown user
name costs the same time as a known one: a stand-in hash is checked.
"""

from __future__ import annotations

import base64
import secrets
import threading
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from argon2.profiles import RFC_9106_LOW_MEMORY

from radrelay.errors import Unavailable
from radrelay.identity.breaches import BreachList
from radrelay.identity.errors import PasswordCommon, PasswordNamesUser, PasswordWeak
from radrelay.settings import IdentitySettings

AT_ONCE = 4
WAIT_S = 10.0
SHORTEST, LONGEST = 12, 256
SPEAKABLE = "abcdefghjkmnpqrstuvwxyz23456789"
GUESSED_FIRST = frozenset(
    {
        "123456789012", "1234567890123", "passwordpassword", "password1234", "password12345", "qwertyuiopas",
        "qwertzuiopasdfgh", "administrator", "administrator1", "letmeinletmein", "radrelayradrelay", "radiologie123",
        "radiology1234", "krankenhaus123", "willkommen123", "welcome12345", "changemechangeme", "hallohallohallo",
    }
)  # fmt: skip


class Passwords:
    """Hashes and checks passwords; thread-safe."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._stand_in = _stand_in(self._hasher)

    def hash(self, password: str) -> str:
        """Return the encoded Argon2id hash of `password`."""
        with self._slot():
            return self._hasher.hash(password)

    def matches(self, encoded: str | None, password: str) -> bool:
        """Say whether `password` is the one of `encoded`; None (nobody) takes the same time and never matches."""
        with self._slot():
            try:
                self._hasher.verify(encoded or self._stand_in, password[:LONGEST])
            except (VerificationError, InvalidHashError):
                return False
        return encoded is not None

    def outdated(self, encoded: str) -> bool:
        """Say whether `encoded` was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def _slot(self) -> _Slot:
        return _Slot(self._slots)


def _stand_in(hasher: PasswordHasher) -> str:
    """Return what looks like a hash and is none of any password; made by drawing, as hashing would take 64 MiB."""
    salt, drawn = (
        base64.b64encode(secrets.token_bytes(length)).rstrip(b"=").decode()
        for length in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${drawn}"


class _Slot:
    """One of the places to check a password in; waits for it a while."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        if not self._slots.acquire(timeout=WAIT_S):
            raise Unavailable("too many logins at once; try again in a moment")

    def __exit__(self, *exception: object) -> None:
        self._slots.release()


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a site asks of a password. The browser keeps to it: the server sees passwords on the command line alone."""

    shortest: int = SHORTEST
    longest: int = LONGEST
    breaches: BreachList | None = None

    @classmethod
    def of(cls, settings: IdentitySettings) -> PasswordRules:
        """Return the rules of a site; raises `BreachListBroken`."""
        found = None if settings.breach_file is None else BreachList(settings.breach_file)
        return cls(settings.password_shortest, breaches=found)

    def require(self, password: str, username: str) -> None:
        """Raise `PasswordWeak` unless `password` is long enough and no obvious guess."""
        if not self.shortest <= len(password) <= self.longest:
            text = f"a password has {self.shortest} to {self.longest} characters"
            raise PasswordWeak(text, least=self.shortest, most=self.longest)
        plain = password.casefold()
        if plain in GUESSED_FIRST or len(set(plain)) < 4:
            raise PasswordCommon("this password is among those that are guessed first")
        if len(username) >= 3 and username.casefold() in plain:
            raise PasswordNamesUser("the password contains the user name")
        if self.breaches is not None and self.breaches.holds(unicodedata.normalize("NFC", password)):
            raise PasswordCommon("this password was found in a breach, and is guessed early")


def one_time_password() -> str:
    """Return a random password of 20 characters in groups, easy to read aloud (about 99 bits)."""
    return "-".join("".join(secrets.choice(SPEAKABLE) for _ in range(5)) for _ in range(4))
