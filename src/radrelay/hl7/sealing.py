"""What messages say, sealed row by row: a database on PostgreSQL is not encrypted as a whole."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.hl7.errors import ContentDamaged
from radrelay.storage.ids import new_id

NONCE_BYTES = 12


class Seal:
    """Seals and opens bytes, bound to their row."""

    def __init__(self, metadata_key: bytes) -> None:
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, b"radrelay hl7").derive(metadata_key))
        self._digests = HKDF(hashes.SHA256(), 32, None, b"radrelay hl7 digests").derive(metadata_key)

    def close(self, row_id: uuid.UUID, raw: bytes) -> bytes:
        """Return `raw` sealed."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, raw, row_id.bytes)

    def open(self, row_id: uuid.UUID, sealed: bytes) -> bytes:
        """Return what was sealed; raises `ContentDamaged`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row_id.bytes)
        except (InvalidTag, ValueError) as error:
            raise ContentDamaged from error

    def digest(self, *parts: bytes) -> bytes:
        """Return what tells a message from all others, and nothing of what it says."""
        made = hmac.new(self._digests, digestmod=hashlib.sha256)
        for part in parts:
            made.update(len(part).to_bytes(8, "big") + part)
        return made.digest()


class OrderedIds:
    """Ids that grow by one from row to row, whatever the clock does: messages are worked on in their order."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> list[uuid.UUID]:
        """Return so many ids (RFC 9562 version 7, its random bits counted up from those of the first)."""
        with self._lock:
            first = max(new_id().int & ~(1 << 61), self._last + 1)
            self._last = first + count - 1
            return [uuid.UUID(int=first + place) for place in range(count)]
