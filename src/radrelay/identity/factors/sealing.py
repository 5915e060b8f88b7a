"""Keys of second factors, all derived from the keyring: for secrets at rest, for hashes of codes, for challenges.

A challenge of WebAuthn is 32 random bytes. What belongs to it (for what, of which login or account, until when) goes
with it, sealed, to the browser and back; nothing is kept, but that it was answered.
"""

from __future__ import annotations

import hmac
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.identity.verifiers import from_text, to_text

LASTS = timedelta(minutes=5)
CHALLENGE_BYTES, NONCE_BYTES = 32, 12
LONGEST_SEALED = 1000

Purpose = Literal["register", "answer", "login"]


@dataclass(frozen=True, slots=True)
class SealedChallenge:
    """A challenge, what it is for, and the sealed form that comes back. `subject` is a login's id; none: anybody."""

    id: uuid.UUID
    purpose: Purpose
    subject: str
    expires_at: datetime
    value: bytes = field(repr=False)
    sealed: str = field(repr=False)


class FactorKeys:
    """Encrypts, hashes and seals."""

    def __init__(self, metadata_key: bytes) -> None:
        derived = HKDF(hashes.SHA256(), 96, None, b"radrelay second factors").derive(metadata_key)
        self._secrets, self._codes, self._challenges = AESGCM(derived[:32]), derived[32:64], AESGCM(derived[64:])

    def encrypt(self, factor_id: uuid.UUID, secret: bytes) -> bytes:
        """Return what is kept of a factor's secret; it opens for this factor alone."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._secrets.encrypt(nonce, secret, factor_id.bytes)

    def decrypt(self, factor_id: uuid.UUID, kept: bytes) -> bytes:
        """Return a factor's secret; raises `cryptography.exceptions.InvalidTag` for another factor's."""
        return self._secrets.decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], factor_id.bytes)

    def code_hash(self, owner_id: uuid.UUID, code: str) -> bytes:
        """Return what is kept of a code with few values: keyed, so that rows alone let nobody guess."""
        return hmac.digest(self._codes, owner_id.bytes + code.encode(), "sha256")

    def challenge(self, purpose: Purpose, subject: str, now: datetime) -> SealedChallenge:
        """Return a new challenge; it counts for five minutes."""
        value, own_id, expires_at = secrets.token_bytes(CHALLENGE_BYTES), uuid.uuid4(), now + LASTS
        held = {"id": str(own_id), "for": purpose, "of": subject, "until": expires_at.isoformat(),
                "value": to_text(value)}  # fmt: skip
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = to_text(nonce + self._challenges.encrypt(nonce, json.dumps(held).encode(), None))
        return SealedChallenge(own_id, purpose, subject, expires_at, value, sealed)

    def open(self, sealed: str, purpose: Purpose, subject: str, now: datetime) -> SealedChallenge | None:
        """Return the challenge of a sealed form; None for one that is forged, over, or for something else."""
        try:
            content = from_text(sealed[:LONGEST_SEALED])
            held = json.loads(self._challenges.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], None))
        except (ValueError, InvalidTag):
            return None
        until = datetime.fromisoformat(held["until"])
        if (held["for"], held["of"]) != (purpose, subject) or not now < until <= now + LASTS:
            return None  # the clock may have gone back, too
        return SealedChallenge(uuid.UUID(held["id"]), purpose, subject, until, from_text(held["value"]), sealed)
