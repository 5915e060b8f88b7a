"""What is kept of a password: an SRP verifier, of the password stretched by PBKDF2-HMAC-SHA-512.

Kept as text, `$srp6a-2048-sha512$i=00210000$salt$verifier` with base64url without padding. The head before the salt
has one length, so that accounts can be counted by it. A password enters in Unicode's form NFC (RFC 8265, 4.2.2),
so that an ä typed on two systems is one; the salt is that of SRP too.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import unicodedata
from dataclasses import dataclass, field

from radrelay.errors import Invalid
from radrelay.identity.srp import SRP

SALT_BYTES, STRETCHED_BYTES = 64, 64
LONGEST_SALT = 128
MOST_ITERATIONS = 10_000_000
PREFIX = "$srp6a-2048-sha512$"
HEAD_CHARS = len(PREFIX) + len("i=00000000$")


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server keeps of a password: `salt` of at least 64 bytes, PBKDF2's `iterations`, v = g^x."""

    salt: bytes
    iterations: int
    value: int = field(repr=False)

    def encoded(self) -> str:
        """Return the text that is kept."""
        return f"{PREFIX}i={self.iterations:08d}${to_text(self.salt)}${to_text(SRP.group.pad(self.value))}"


def stretch(password: str, salt: bytes, iterations: int) -> bytes:
    """Return the 64 bytes that enter SRP in the password's place."""
    plain = unicodedata.normalize("NFC", password).encode()
    return hashlib.pbkdf2_hmac("sha512", plain, salt, iterations, STRETCHED_BYTES)


def make(identity: str, password: str, iterations: int) -> Verifier:
    """Return a verifier of a password, with a salt of its own. `identity` is the folded user name."""
    salt = secrets.token_bytes(SALT_BYTES)
    private = SRP.private_key(identity, stretch(password, salt, iterations), salt)
    return Verifier(salt, iterations, SRP.verifier(private))


def is_verifier(encoded: str | None) -> bool:
    """Say whether what is kept of a password is a verifier (and no Argon2id hash of an older account)."""
    return encoded is not None and encoded.startswith(PREFIX)


def decode(encoded: str) -> Verifier:
    """Return the verifier of a kept text; raises `ValueError` if it is none."""
    _, kind, iterations, salt, value = encoded.split("$")
    if f"${kind}$" != PREFIX or not iterations.startswith("i="):
        raise ValueError("this is no verifier")
    return Verifier(from_text(salt), int(iterations[2:]), int.from_bytes(from_text(value)))


def taken(salt: str, iterations: int, value: str, *, least: int) -> Verifier:
    """Return a verifier that a client made; raises `Invalid` for one that would be weaker than the site asks for."""
    try:
        made = Verifier(from_text(salt), iterations, int.from_bytes(from_text(value)))
    except ValueError as error:
        raise Invalid("the salt and the verifier are base64url", field="verifier") from error
    if not SALT_BYTES <= len(made.salt) <= LONGEST_SALT:
        raise Invalid(f"a salt has {SALT_BYTES} to {LONGEST_SALT} bytes", field="salt")
    if not least <= iterations <= MOST_ITERATIONS:
        raise Invalid(f"a password is stretched by {least} to {MOST_ITERATIONS} iterations", field="iterations")
    if not 1 < made.value < SRP.group.n - 1:
        raise Invalid("the verifier lies outside the group", field="verifier")
    return made


def to_text(content: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """Return the bytes of base64url without padding; raises `ValueError`."""
    if "=" in text or not text.isascii():
        raise ValueError("this is not base64url without padding")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
