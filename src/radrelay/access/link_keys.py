"""What proves a link: a random secret with a signature, and hashes of the answers that protect it.

A token is 24 random bytes and 16 of HMAC-SHA-256 over them, as 54 characters of base64url: who can write the database
but has no keyring makes no link. A PIN or a date of birth has few values, so its hash is keyed, too: who can
read the database guesses nothing without the keyring. The address of a link's SMART Health Link is made from its token,
the key from that address, each with a key of the keyring's: kept is the hash of the address alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
import uuid
from datetime import date
from itertools import pairwise
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.access.errors import LinkWanted

Protection = Literal["none", "pin", "birth-date", "email"]
SECRET_BYTES, SIGNATURE_BYTES = 24, 16
LONGEST = 100
PIN_DIGITS = 6
MOST_DIGITS = 12
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")  # with points no other order is meant anywhere


class LinkKeys:
    """Makes and checks the tokens of links, and the hashes of what protects them."""

    def __init__(self, metadata_key: bytes) -> None:
        self._signing = _derived(metadata_key, b"radrelay links")
        self._answers = _derived(metadata_key, b"radrelay link answers")
        self._stand_ins = _derived(metadata_key, b"radrelay link stand-ins")
        self._health_addresses = _derived(metadata_key, b"radrelay health link addresses")
        self._health_keys = _derived(metadata_key, b"radrelay health link keys")
        self.ticket_key = _derived(metadata_key, b"radrelay link tickets")

    def new_token(self) -> str:
        """Return a new token; it is kept nowhere."""
        secret = secrets.token_bytes(SECRET_BYTES)
        return base64.urlsafe_b64encode(secret + self._signature(secret)).decode().rstrip("=")

    def is_signed(self, token: str) -> bool:
        """Say whether a token was made here, in constant time for tokens of one length."""
        try:
            given = base64.urlsafe_b64decode(token[:LONGEST] + "==")
        except (binascii.Error, ValueError):
            given = b""
        secret, signature = given[:SECRET_BYTES], given[SECRET_BYTES:]
        return hmac.compare_digest(self._signature(secret), signature)

    def _signature(self, secret: bytes) -> bytes:
        return hmac.digest(self._signing, secret, "sha256")[:SIGNATURE_BYTES]

    def stand_in(self, token: str, choices: int) -> int:
        """Return a number below `choices` for a token that is none, the same each time it is asked for."""
        return hmac.digest(self._stand_ins, token[:LONGEST].encode(), "sha256")[0] % choices

    def health_address(self, token: str) -> str:
        """Return the last part of the address of a link's SMART Health Link; only its hash is kept, as the token's."""
        drawn = hmac.digest(self._health_addresses, token[:LONGEST].encode(), "sha256")
        return base64.urlsafe_b64encode(drawn).decode().rstrip("=")

    def health_key(self, address: str) -> bytes:
        """Return the key of a SMART Health Link: who has its address and no keyring, or all of this house's and no
        address, has no key.
        """
        return hmac.digest(self._health_keys, address[:LONGEST].encode(), "sha256")

    def answer_hash(self, link_id: uuid.UUID, answer: str) -> bytes:
        """Return what is kept of a PIN or a date of birth (as ISO 8601), or by its own id of a code that was sent."""
        return hmac.digest(self._answers, link_id.bytes + answer.encode(), "sha256")

    def is_answer(self, link_id: uuid.UUID, protection: str, kept: bytes | None, answer: str) -> bool:
        """Say whether an answer is the one that was kept, in constant time."""
        given = self.answer_hash(link_id, canonical(protection, answer))
        return kept is not None and hmac.compare_digest(given, kept)


def _derived(key: bytes, name: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, name).derive(key)


def digest(secret: str) -> bytes:
    """Return the hash that a random secret is kept and found by."""
    return hashlib.sha256(secret[:LONGEST].encode()).digest()


def canonical(protection: str, answer: str) -> str:
    """Return an answer as it is compared: digits of any script as ASCII, without what parts them; a date as ISO 8601.

    A date may come as a browser without a field for dates sends it: 24.12.1961, or ISO 8601. Empty for what is none.
    """
    text = "".join(unicodedata.normalize("NFKC", answer[:LONGEST]).split())
    text = "".join(str(unicodedata.decimal(char, char)) for char in text)
    if protection in ("pin", "email"):
        return text.replace("-", "")
    try:
        typed = _DAY_FIRST.fullmatch(text)
        return date(*map(int, reversed(typed.groups()))).isoformat() if typed else date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def new_pin() -> str:
    """Return a random PIN."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"


def require_pin(pin: str) -> str:
    """Return a PIN that somebody chose; raises `LinkWanted` for one that is guessed among the first."""
    if not (pin.isascii() and pin.isdigit() and PIN_DIGITS <= len(pin) <= MOST_DIGITS):
        raise LinkWanted(f"a PIN has {PIN_DIGITS} to {MOST_DIGITS} digits", field="pin")
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    if len(steps) == 1:  # 000000, 123456, 987654
        raise LinkWanted("this PIN is among the first that are guessed", field="pin")
    return pin
