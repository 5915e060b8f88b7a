"""Passwords and tokens of destinations, sealed row by row: they leave the program towards their destination alone."""

from __future__ import annotations

import os
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.routing.errors import SecretUnreadable

NONCE_BYTES = 12


class SecretSeal:
    """Seals and opens secrets, bound to their destination."""

    def __init__(self, metadata_key: bytes) -> None:
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, b"radrelay destinations").derive(metadata_key))

    def close(self, destination_id: uuid.UUID, secret: str) -> bytes | None:
        """Return a secret sealed, none for none."""
        if not secret:
            return None
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), destination_id.bytes)

    def open(self, destination_id: uuid.UUID, sealed: bytes | None) -> str:
        """Return what was sealed; raises `SecretUnreadable`."""
        if sealed is None:
            return ""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], destination_id.bytes).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable from error
