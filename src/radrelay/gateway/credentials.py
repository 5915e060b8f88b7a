"""What an agent keeps of each relay that it is enrolled at: a key that is made here and never leaves, and certificates.

One folder a relay: `agent.pem` (key and certificate, replaced as one), `authority.pem`, and its address in `relay`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from radrelay.errors import Invalid, Misconfigured
from radrelay.gateway.authority import private_pem
from radrelay.gateway.errors import NotEnrolled
from radrelay.storage.durable_files import make_private_directory, write_durably

ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True, order=True)
class RelayAddress:
    """Where a relay takes agents."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, port: int = 45000) -> RelayAddress:
        """Read host or host:port; raises `Invalid`."""
        found = ADDRESS.fullmatch(text) or ADDRESS.fullmatch(f"{text}:{port}")
        if found is None or not 0 < int(found["port"]) < 65536:
            raise Invalid(f"{text!r} is no address of a relay; it is written host or host:port")
        return cls(found["host"].strip("[]").lower(), int(found["port"]))


@dataclass(frozen=True)
class Enrolment:
    """One relay that this installation is enrolled at."""

    relay: RelayAddress
    folder: Path

    @property
    def ends_at(self) -> datetime:
        """When the certificate ends; raises `Misconfigured` if it cannot be read."""
        return self._certificate.not_valid_after_utc

    @property
    def renews_at(self) -> datetime:
        """When a third of its time is left."""
        one = self._certificate
        return one.not_valid_after_utc - (one.not_valid_after_utc - one.not_valid_before_utc) / 3

    @property
    def _certificate(self) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate((self.folder / "agent.pem").read_bytes())
        except (OSError, ValueError) as error:
            raise Misconfigured(f"the certificate for the relay {self.relay} cannot be read: {error}") from error

    def context(self, protocol: str) -> ssl.SSLContext:
        """Return what the relay is spoken to with."""
        context = client_context((self.folder / "authority.pem").read_text(), protocol)
        context.load_cert_chain(self.folder / "agent.pem")
        return context

    def keep(self, key: ec.EllipticCurvePrivateKey, certificate: str, authority: str) -> None:
        """Keep a key with its certificate; raises `ValueError` if they do not belong together."""
        if x509.load_pem_x509_certificate(certificate.encode()).public_key() != key.public_key():
            raise ValueError("a certificate for another key")
        make_private_directory(self.folder)
        write_durably(self.folder / "relay", str(self.relay).encode())
        write_durably(self.folder / "authority.pem", authority.encode())
        write_durably(self.folder / "agent.pem", private_pem(key) + certificate.encode())


def client_context(authority: str, protocol: str) -> ssl.SSLContext:
    """Return what a relay of this authority is spoken to with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=authority)
    context.set_alpn_protocols([protocol])
    return context


def enrolment_at(folder: Path, relay: RelayAddress) -> Enrolment:
    """Return the place of a relay's credentials, there or not."""
    return Enrolment(relay, folder / f"{relay.host.replace(':', '-')}_{relay.port}")


def enrolments(folder: Path) -> Sequence[Enrolment]:
    """Return all relays that this installation is enrolled at."""
    return [
        Enrolment(RelayAddress.parse((path.parent / "relay").read_text()), path.parent)
        for path in sorted(folder.glob("*/agent.pem"))
    ]


def forget(folder: Path, relay: RelayAddress) -> None:
    """Throw a relay's credentials away; raises `NotEnrolled`."""
    one = enrolment_at(folder, relay)
    if not one.folder.exists():
        raise NotEnrolled
    for name in ("agent.pem", "authority.pem", "relay"):
        (one.folder / name).unlink(missing_ok=True)
    one.folder.rmdir()
