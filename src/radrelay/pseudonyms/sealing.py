"""The vault's seal: what it holds is readable under the vault key alone, and bound to its row."""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
import zlib
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.pseudonyms.errors import VaultDamaged

NONCE_BYTES = 12


class VaultSeal:
    """Seals, opens and digests; made of the keyring's vault key."""

    def __init__(self, vault_key: bytes) -> None:
        self._cipher = AESGCM(_derived(vault_key, b"radrelay vault rows"))
        self._digests = _derived(vault_key, b"radrelay vault digests")

    def close(self, row_id: uuid.UUID, content: object) -> bytes:
        """Return `content` (of mappings, lists, texts, numbers, bytes) sealed for a row."""
        nonce = os.urandom(NONCE_BYTES)
        packed = zlib.compress(msgspec.msgpack.encode(content))
        return nonce + self._cipher.encrypt(nonce, packed, row_id.bytes)

    def open(self, row_id: uuid.UUID, sealed: bytes) -> Any:
        """Return what was sealed for a row; raises `VaultDamaged`."""
        try:
            packed = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row_id.bytes)
        except (InvalidTag, ValueError) as error:
            raise VaultDamaged from error
        return msgspec.msgpack.decode(zlib.decompress(packed), strict=False)

    def digest(self, purpose: str, organisation_id: uuid.UUID, *parts: str) -> bytes:
        """Return what finds a row again, and tells nothing to whom has not the key."""
        made = hmac.new(self._digests, purpose.encode() + b"\0" + organisation_id.bytes, hashlib.sha256)
        for part in parts:
            raw = part.encode("utf-8", "surrogateescape")
            made.update(len(raw).to_bytes(4, "big") + raw)
        return made.digest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, purpose).derive(key)
