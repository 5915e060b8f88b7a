"""Addresses as they may be asked: https, a name, nothing hidden in them. What is shown of one is its host alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

from radrelay.importer.errors import AddressRefused, NotEncrypted
from radrelay.importer.judging import LOOPBACK_NAMES

HTTPS, HTTP = 443, 80
MOST_CHARACTERS = 8000
_SAFE = "!#$%&'()*+,/:;=?@[]~-._"


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be asked. `origin` is what may see what was meant for it (RFC 6454)."""

    secure: bool
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def origin(self) -> tuple[bool, str, int]:
        """Return scheme, host and port."""
        return self.secure, self.host, self.port

    @property
    def name(self) -> str:
        """Return the host as it is allowed and shown: with a port that is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (HTTPS if self.secure else HTTP) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the whole address, secrets included: to be asked, never to be shown."""
        return f"{'https' if self.secure else 'http'}://{self.name}{self.path}"


def target_of(url: str, *, clear_loopback: bool = False) -> Target:
    """Return what an address leads to; raises `AddressRefused`, `NotEncrypted`."""
    if len(url) > MOST_CHARACTERS or "\\" in url or any(c.isspace() or not c.isprintable() for c in url):
        raise AddressRefused("This is no address of a portal.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").rstrip(".")
        host = host if ":" in host else host.encode("idna").decode("ascii").lower()
    except ValueError:
        raise AddressRefused("This is no address of a portal.") from None
    if not host or parts.username is not None or port == 0 or not _is_name(host):
        raise AddressRefused("This is no address of a portal.")
    secure = parts.scheme == "https"
    if not secure and not (parts.scheme == "http" and clear_loopback and host in LOOPBACK_NAMES):
        raise NotEncrypted(host=host)
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return Target(secure, host, port or (HTTPS if secure else HTTP), path)


def next_of(target: Target, location: str, *, clear_loopback: bool = False) -> Target:
    """Return where a redirect leads; raises `AddressRefused`, `NotEncrypted` (from https to http too)."""
    try:
        joined = urljoin(target.url, location.strip())
    except ValueError:
        raise AddressRefused("The portal sends to an address that is none.", host=target.name) from None
    led = target_of(joined, clear_loopback=clear_loopback)
    if target.secure and not led.secure:
        raise NotEncrypted(host=led.name)
    return led


def _is_name(host: str) -> bool:
    if ":" in host:
        return all(c in "0123456789abcdefABCDEF:." for c in host)
    labels = host.split(".")
    return len(host) <= 253 and all(0 < len(one) <= 63 and one.strip("-_").replace("-", "").isalnum() for one in labels)
