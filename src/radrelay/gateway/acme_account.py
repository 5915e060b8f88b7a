"""Whom a site asks for its certificate, and as whom (RFC 8555, 7.3). Without the library that asks."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


@dataclass(frozen=True)
class AcmeAccount:
    """An account at an authority."""

    directory: str
    contacts: tuple[str, ...] = ()
    terms_accepted: bool = False
    binding: tuple[str, str] | None = field(default=None, repr=False)
    """Key ID and key (base64url) of an account that the authority knows otherwise (RFC 8555, 7.3.4)."""
    trust: Path | None = None
    """PEM of the authorities that the directory's own certificate comes from; none: those of the Internet."""


def is_binding_key(text: str) -> bool:
    """Say whether a text can be the key of an external account: at least 128 bits in base64url."""
    if re.fullmatch(r"[A-Za-z0-9_-]+={0,2}", text) is None:
        return False
    try:
        return len(base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))) >= 16
    except binascii.Error:
        return False
