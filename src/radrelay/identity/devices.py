"""Known devices: a cookie that says "this account has logged in from here before", and nothing more.

It opens nothing. Its only use is that guesses by strangers do not slow down a person on a device of their own. The
cookie is `account.nonce.signature`; the signature's key is derived from the keyring.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PARTS = 3


class DeviceCookies:
    """Makes and checks device cookies."""

    def __init__(self, metadata_key: bytes) -> None:
        self._key = HKDF(hashes.SHA256(), 32, None, b"radrelay known devices").derive(metadata_key)

    def _signature(self, account: str, nonce: str) -> str:
        mac = hmac.new(self._key, f"{account}.{nonce}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")

    def make(self, account_id: uuid.UUID) -> str:
        """Return a cookie for a device that `account_id` has just logged in on."""
        nonce = secrets.token_urlsafe(12)
        return f"{account_id.hex}.{nonce}.{self._signature(account_id.hex, nonce)}"

    def check(self, cookie: str, account_id: uuid.UUID | None) -> str:
        """Return the device's nonce if `cookie` was made for `account_id`, else an empty text."""
        parts = cookie.split(".")
        if account_id is None or len(parts) != PARTS or len(cookie) > 200 or not cookie.isascii():
            return ""
        account, nonce, signature = parts
        if account != account_id.hex or not hmac.compare_digest(self._signature(account, nonce), signature):
            return ""
        return nonce
