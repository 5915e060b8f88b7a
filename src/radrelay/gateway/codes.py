"""Enrolment codes: a secret that counts once, and by which the relay is known that gave it out.

Twenty-five bytes as base32 in groups of five: ten of chance, fifteen of the SHA-256 of the authority's certificate.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from radrelay.gateway.errors import CodeRefused

SECRET_BYTES, PIN_BYTES = 10, 15


def new_code(fingerprint: bytes) -> tuple[str, bytes]:
    """Return a new code as it is told, and the digest by which the relay will know it."""
    secret = secrets.token_bytes(SECRET_BYTES)
    text = base64.b32encode(secret + fingerprint[:PIN_BYTES]).decode()
    return "-".join(text[at : at + 5] for at in range(0, len(text), 5)), digest_of(secret)


def parse_code(text: str) -> tuple[bytes, bytes]:
    """Return the secret, and the first bytes of the fingerprint of the authority; raises `CodeRefused`."""
    plain = re.sub(r"[\s-]", "", text).upper()
    try:
        raw = base64.b32decode(plain)
    except ValueError as error:
        raise CodeRefused("this is no enrolment code; it was perhaps not copied whole") from error
    if len(raw) != SECRET_BYTES + PIN_BYTES:
        raise CodeRefused("this is no enrolment code; it was perhaps not copied whole")
    return raw[:SECRET_BYTES], raw[SECRET_BYTES:]


def digest_of(secret: bytes) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(b"radrelay gateway code\0" + secret).digest()
