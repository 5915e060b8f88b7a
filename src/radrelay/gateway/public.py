"""The certificate that browsers see: whether a chain and a key can be used, and until when and for which names."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from certifi import where
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import AuthorityInformationAccessOID

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
    begins_at: datetime
    ends_at: datetime
    is_alone: bool = False
    """The chain lacks the certificate of who has signed it, as far as it tells: some browsers will not find that."""

    def covers(self, host: str) -> bool:
        """Say whether it is for a host name (RFC 9525, 6.3)."""
        _, _, parent = host.partition(".")
        return host in self.names or (bool(parent) and f"*.{parent}" in self.names)


def facts_of(chain: bytes) -> PublicFacts:
    """Read a chain; raises `CertificateUnusable`."""
    return _facts(_chain(chain))


def checked(chain: bytes, key: bytes, now: datetime, password: bytes) -> tuple[bytes, PublicFacts]:
    """Return key and chain as one PEM, and what the certificate says; raises `CertificateUnusable`.

    The key is encrypted under `password` in what is returned.
    """
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
    facts = _facts(certificates)
    if facts.ends_at <= now:
        raise CertificateEnded(f"the certificate ended at {facts.ends_at:%Y-%m-%d %H:%M} UTC")
    if not facts.names:
        raise CertificateNameless
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    return pem + b"".join(one.public_bytes(Encoding.PEM) for one in certificates), facts


def _chain(chain: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise CertificateUnusable from error


def _facts(chain: list[x509.Certificate]) -> PublicFacts:
    certificate = chain[0]
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        hosts = ()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateUnusable from error
    alone = len(chain) == 1 and _names_its_issuer(certificate) and not _is_root_of_the_internet(certificate.issuer)
    return PublicFacts(hosts, certificate.not_valid_before_utc, certificate.not_valid_after_utc, alone)


def _names_its_issuer(certificate: x509.Certificate) -> bool:
    """Say whether it tells where the certificate of who has signed it is (caIssuers, RFC 5280 4.2.2.1)."""
    try:
        told = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    return any(one.access_method == AuthorityInformationAccessOID.CA_ISSUERS for one in told)


def _is_root_of_the_internet(name: x509.Name) -> bool:
    encoded = name.public_bytes()
    roots = ssl.create_default_context(cafile=where()).get_ca_certs(binary_form=True)
    return any(encoded in one for one in roots)  # not read one by one: some of them are against today's rules
