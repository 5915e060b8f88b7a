"""A sign-on that has begun: what has to be known of it when the browser comes back, sealed in the browser's own cookie.

Nothing is kept here meanwhile. The cookie is of this browser alone, counts for ten minutes, and once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.identity.oidc.errors import SignOnOver
from radrelay.identity.verifiers import from_text, to_text

LASTS = timedelta(minutes=10)
NONCE_BYTES = 12
LONGEST_SEALED = 4000
LONGEST_NEXT = 1500  # a cookie has 4096 bytes
HOME = "/"
FOR_BEGUN, FOR_HINTS = b"begun", b"id token"


@dataclass(frozen=True, slots=True)
class Begun:
    """What was sent to the provider, and where the browser wants to go then."""

    id: uuid.UUID
    state: str
    next: str
    expires_at: datetime
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """Return the code challenge, S256 (RFC 7636 4.2)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Seals:
    """Seals what is kept elsewhere (AES-256-GCM, the key derived from the keyring)."""

    def __init__(self, metadata_key: bytes) -> None:
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, b"radrelay single sign-on").derive(metadata_key))

    def begin(self, wanted: str, now: datetime) -> Begun:
        """Return a new sign-on."""
        return Begun(
            id=uuid.uuid4(),
            state=secrets.token_urlsafe(32),
            next=own_path(wanted),
            expires_at=now + LASTS,
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
        )

    def seal(self, begun: Begun) -> str:
        """Return the cookie of a sign-on."""
        held = {
            "id": str(begun.id), "state": begun.state, "next": begun.next, "nonce": begun.nonce,
            "verifier": begun.verifier, "expires_at": begun.expires_at.isoformat(),
        }  # fmt: skip
        return self.hide(json.dumps(held).encode(), FOR_BEGUN)

    def open(self, sealed: str, now: datetime) -> Begun:
        """Return the sign-on of a cookie; raises `SignOnOver` for a forged one or one that is over."""
        content = self.show(sealed[:LONGEST_SEALED], FOR_BEGUN)
        if content is None:
            raise SignOnOver
        held = json.loads(content)
        expires_at = datetime.fromisoformat(held["expires_at"])
        if not now < expires_at <= now + LASTS:  # the clock may have gone back, too
            raise SignOnOver
        return Begun(
            uuid.UUID(held["id"]), held["state"], held["next"], expires_at, nonce=held["nonce"],
            verifier=held["verifier"],
        )  # fmt: skip

    def hide(self, content: bytes, purpose: bytes) -> str:
        """Return a content that only we can read."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return to_text(nonce + self._cipher.encrypt(nonce, content, purpose))

    def show(self, sealed: str, purpose: bytes) -> bytes | None:
        """Return what was sealed for a purpose; None for anything else."""
        try:
            content = from_text(sealed)
            return self._cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], purpose)
        except (ValueError, InvalidTag):
            return None


def own_path(wanted: str) -> str:
    """Return an address of our own pages, the first page for anything that could lead elsewhere."""
    plain = wanted.isascii() and wanted.isprintable() and " " not in wanted and len(wanted) <= LONGEST_NEXT
    if not plain or not wanted.startswith("/") or wanted.startswith(("//", "/api/", "/dicom-web")) or "\\" in wanted:
        return HOME
    return HOME if wanted.partition("?")[0].partition("#")[0] == "/login" else wanted
