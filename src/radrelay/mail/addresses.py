"""E-mail addresses (RFC 5321 4.1.2) as far as every server takes them: ASCII before the @, a host's name behind it."""

from __future__ import annotations

import re

from radrelay.mail.errors import AddressInvalid

LONGEST, LONGEST_LOCAL = 254, 64
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def require_address(text: str) -> str:
    """Return an address in the form that it is kept and compared in: its domain small and in ASCII (RFC 5890).

    Raises `AddressInvalid`.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        domain = domain.lower() if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError as error:
        raise AddressInvalid(field="email") from error
    address = f"{local}@{domain}"
    if not at or len(local) > LONGEST_LOCAL or len(address) > LONGEST:
        raise AddressInvalid(field="email")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise AddressInvalid(field="email")
    return address


def masked(address: str) -> str:
    """Return an address as who may not be its owner sees it: m…@clinic.example, and of one letter …@clinic.example."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}…@{domain}"
