"""An authenticator in software: makes passkeys (ES256) and signs as WebAuthn 3, 6 says, rightly or wrongly."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from radrelay.identity import from_text, to_text

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass
class Passkey:
    """A key pair for one RP ID, and how the authenticator behaves."""

    rp_id: str
    user_handle: bytes
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    flags: int = PRESENT | VERIFIED

    def _client_data(self, kind: str, challenge: str, origin: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()

    def _head(self, flags: int, rp_id: str) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def made(self, options: dict[str, Any], origin: str) -> dict[str, Any]:
        """Return what `navigator.credentials.create` gives."""
        numbers = self.private.public_key().public_numbers()
        key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        length = len(self.credential_id).to_bytes(2)
        data = self._head(self.flags | ATTESTED, self.rp_id) + bytes(16) + length + self.credential_id + key
        client = self._client_data("webauthn.create", options["challenge"], origin)
        own_id = to_text(self.credential_id)
        return {
            "id": own_id, "rawId": own_id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": to_text(client), "transports": ["internal", "hybrid", "never-heard-of"],
                "attestationObject": to_text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            },
        }  # fmt: skip

    def signed(self, options: dict[str, Any], origin: str, **wrong: Any) -> dict[str, Any]:
        """Return what `navigator.credentials.get` gives; `wrong`: rp_id, user_handle, flags, type."""
        self.count += wrong.get("steps", 1)
        data = self._head(wrong.get("flags", self.flags), wrong.get("rp_id", self.rp_id))
        client = self._client_data(wrong.get("type", "webauthn.get"), options["challenge"], origin)
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        own_id = to_text(self.credential_id)
        return {
            "id": own_id, "rawId": own_id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": to_text(client), "authenticatorData": to_text(data), "signature": to_text(signature),
                "userHandle": to_text(wrong.get("user_handle", self.user_handle)),
            },
        }  # fmt: skip


def new_passkey(options: dict[str, Any], **behaviour: Any) -> Passkey:
    """Return a passkey for what a browser is asked."""
    return Passkey(options["rp"]["id"], from_text(options["user"]["id"]), **behaviour)
