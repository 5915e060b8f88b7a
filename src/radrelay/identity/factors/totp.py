"""Codes of an app: TOTP (RFC 6238) over HMAC-SHA-1, 6 digits, 30 seconds, which is what every app can.

One step before and after the present one is taken too (RFC 6238, 5.2: clocks differ). That a step counts once is the
caller's to see to.
"""

from __future__ import annotations

import base64
import hmac
import io
import secrets
from datetime import datetime
from typing import Literal
from urllib.parse import quote, urlencode

import segno

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20  # RFC 4226, 4: 160 bits
WINDOW = (0, -1, 1)
QUIET = 4  # modules of white around the code (ISO/IEC 18004)


def new_secret() -> bytes:
    """Return a new secret."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(
    secret: bytes, step: int, digits: int = DIGITS, digest: Literal["sha1", "sha256", "sha512"] = "sha1"
) -> str:
    """Return the code of a step (RFC 4226, 5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8), digest)
    start = mac[-1] & 0x0F
    number = int.from_bytes(mac[start : start + 4]) & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def step_at(moment: datetime) -> int:
    """Return the step of a moment."""
    return int(moment.timestamp()) // STEP_S


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """Return the step around `now` that a code is of; None if of none. All are compared, in constant time."""
    given, found = code.encode(), None
    for shift in WINDOW:
        step = step_at(now) + shift
        if hmac.compare_digest(code_at(secret, step).encode(), given) and found is None:
            found = step
    return found


def address(secret: bytes, issuer: str, username: str) -> str:
    """Return the otpauth address that apps read."""
    label = quote(f"{issuer}:{username}", safe="")
    facts = {"secret": spelled(secret), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{label}?{urlencode(facts, quote_via=quote)}"


def spelled(secret: bytes) -> str:
    """Return a secret as it is typed: base32 without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def qr_code(text: str) -> str:
    """Return a text as a QR code: SVG, black on white whatever the page's colours are."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", border=QUIET, light="#fff", xmldecl=False, svgns=True, nl=False, omitsize=True
    )
    return drawn.getvalue().decode()
