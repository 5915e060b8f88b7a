"""The certificate that browsers see: whether a chain and a key can be used, and until when and for which names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from radrelay.gateway.errors import (
    CertificateEnded,
    CertificateNameless,
    CertificateUnusable,
    ChainOutOfOrder,
    KeyOfAnother,
    KeyUnusable,
)


@dataclass(frozen=True)
class PublicFacts:
    """What a certificate says."""

    names: tuple[str, ...]
    ends_at: datetime

    def covers(self, host: str) -> bool:
        """Say whether it is for a host name (RFC 9525, 6.3)."""
        _, _, parent = host.partition(".")
        return host in self.names or (bool(parent) and f"*.{parent}" in self.names)


def facts_of(chain: bytes) -> PublicFacts:
    """Read a chain; raises `CertificateUnusable`."""
    return _facts(_chain(chain)[0])


def checked(chain: bytes, key: bytes, now: datetime) -> tuple[bytes, PublicFacts]:
    """Return key and chain as one PEM, and what the certificate says; raises `CertificateUnusable`."""
    certificates = _chain(chain)
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable from error
    first = certificates[0]
    try:
        belongs = private.public_key() == first.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable from error
    if not belongs:
        raise KeyOfAnother
    for one, issuer in pairwise(certificates):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise ChainOutOfOrder from error
    facts = _facts(first)
    if facts.ends_at <= now:
        raise CertificateEnded(f"the certificate ended at {facts.ends_at:%Y-%m-%d %H:%M} UTC")
    if not facts.names:
        raise CertificateNameless
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + b"".join(one.public_bytes(Encoding.PEM) for one in certificates), facts


def _chain(chain: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise CertificateUnusable from error


def _facts(certificate: x509.Certificate) -> PublicFacts:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        hosts = ()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateUnusable from error
    return PublicFacts(hosts, certificate.not_valid_after_utc)
