"""Challenges of a login: what the server says first, and sealed, what it must remember until the proof comes.

Nothing is kept between the two requests: the sealed part (AES-256-GCM, the key derived from the keyring) comes back
with the proof. It counts for two minutes and, as its identifier is written down with the first try, once.

A name that nobody has gets a challenge like any other's: salt and verifier are derived from the name, the way of
logging in and the number of iterations are drawn like those of the accounts that there are, always the same for one
name. So neither what is answered nor the time it takes tells whether a name exists.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.identity.errors import ChallengeOver
from radrelay.identity.srp import SRP
from radrelay.identity.verifiers import SALT_BYTES, Verifier, from_text, is_verifier, to_text

LASTS = timedelta(minutes=2)
SECRET_BITS = 256
NONCE_BYTES = 12
LONGEST_SEALED = 4000


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a client gets for a name. `salt` is empty where the password itself is asked for."""

    identity: str
    salt: bytes
    iterations: int
    server_public: int
    sealed: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a sealed challenge holds."""

    id: uuid.UUID
    identity: str
    salt: bytes
    server_public: int
    expires_at: datetime
    secret: int = field(repr=False)
    verifier: int = field(repr=False)


class Challenges:
    """Makes challenges and opens them again."""

    def __init__(self, metadata_key: bytes) -> None:
        keys = HKDF(hashes.SHA256(), 64, None, b"radrelay login challenges").derive(metadata_key)
        self._cipher, self._names = AESGCM(keys[:32]), keys[32:]

    def make(self, identity: str, verifier: Verifier, now: datetime) -> Challenge:
        """Return a challenge for a folded user name and what is kept of its password."""
        secret = secrets.randbits(SECRET_BITS)
        public = SRP.server_public(verifier.value, secret)
        held = {
            "id": str(uuid.uuid4()), "identity": identity, "salt": to_text(verifier.salt),
            "verifier": f"{verifier.value:x}", "secret": f"{secret:x}", "public": f"{public:x}",
            "expires_at": (now + LASTS).isoformat(),
        }  # fmt: skip
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = to_text(nonce + self._cipher.encrypt(nonce, json.dumps(held).encode(), None))
        return Challenge(identity, verifier.salt, verifier.iterations, public, sealed)

    def open(self, sealed: str, now: datetime) -> Remembered:
        """Return what a challenge holds; raises `ChallengeOver` for a forged one or one that is over."""
        try:
            content = from_text(sealed[:LONGEST_SEALED])
            held = json.loads(self._cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], None))
        except (ValueError, InvalidTag) as error:
            raise ChallengeOver from error
        expires_at = datetime.fromisoformat(held["expires_at"])
        if not now < expires_at <= now + LASTS:  # the clock may have gone back, too
            raise ChallengeOver
        return Remembered(
            uuid.UUID(held["id"]), held["identity"], from_text(held["salt"]), int(held["public"], 16), expires_at,
            int(held["secret"], 16), int(held["verifier"], 16),
        )  # fmt: skip

    def stand_in(self, identity: str, heads: Sequence[tuple[str, int]], iterations: int) -> Verifier | str:
        """Return what a name that nobody has is challenged by; the head drawn where it is asked for its password.

        `heads`: how what is kept of the accounts' passwords begins, and how many begin so.
        """
        drawn = self._derived(identity, b"head", 8)
        head = _drawn(heads, int.from_bytes(drawn) / (1 << 64))
        if head is not None and not is_verifier(head):
            return head
        value = int.from_bytes(self._derived(identity, b"verifier", SRP.group.width)) % SRP.group.n
        count = iterations if head is None else int(head.split("i=")[1].rstrip("$"))
        return Verifier(self._derived(identity, b"salt", SALT_BYTES), count, value)

    def _derived(self, identity: str, purpose: bytes, length: int) -> bytes:
        seed = hmac.new(self._names, purpose + b"\0" + identity.encode(), hashlib.sha256).digest()
        return hashlib.shake_256(seed).digest(length)


def _drawn(heads: Sequence[tuple[str, int]], place: float) -> str | None:
    """Return the head that lies at a place from 0 to 1 of all; those that only become fewer come first."""
    ordered = sorted(heads, key=lambda head: (is_verifier(head[0]), head[0]))
    total = sum(count for _, count in ordered)
    passed = 0
    for head, count in ordered:
        passed += count
        if place * total < passed:
            return head
    return None
