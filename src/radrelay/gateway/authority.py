"""The relay's own authority: signs the relay's certificate and those of the sites' agents, and nobody else's.

Agents are told its fingerprint by the enrolment code, so that the first contact is with the right relay; a site's key
is made on site and never leaves it (PKCS #10). A site's certificate is good for asking only, a relay's for answering
only (extended key usage, RFC 5280 4.2.1.12): no agent can pose as a relay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from radrelay.errors import Misconfigured
from radrelay.gateway.errors import PeerUnclear
from radrelay.storage.durable_files import make_private_directory, write_durably

RELAY_NAME = "radrelay-gateway"
"""What every relay's certificate says; which relay it is, is told by who signed it."""

AUTHORITY_FOR = timedelta(days=20 * 365)
RELAY_FOR = timedelta(days=90)
BEFORE = timedelta(hours=1)
"""Certificates begin an hour ago: clocks differ."""


@dataclass(frozen=True)
class Issued:
    """A certificate that was signed for a site."""

    pem: str
    serial: str
    not_after: datetime


class Authority:
    """The key that signs, and its certificate."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def open(cls, folder: Path, now: datetime) -> Authority:
        """Open the authority kept in `folder`, made anew in an empty one."""
        make_private_directory(folder)
        key_file, certificate_file = folder / "authority-key.pem", folder / "authority.pem"
        if key_file.exists() and certificate_file.exists():
            try:
                key = load_pem_private_key(key_file.read_bytes(), None)
                certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            except ValueError as error:
                raise Misconfigured(f"the relay's authority in {folder} cannot be read: {error}") from error
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise Misconfigured(f"{key_file} is not the key of a relay's authority")
            return cls(key, certificate)
        key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Radrelay gateway authority")])
        builder = _builder(name, name, key.public_key(), now, AUTHORITY_FOR)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.add_extension(_usage(signs=True), critical=True).sign(key, hashes.SHA256())
        write_durably(key_file, private_pem(key))
        write_durably(certificate_file, certificate.public_bytes(Encoding.PEM))
        return cls(key, certificate)

    @property
    def pem(self) -> str:
        """The authority's certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of its certificate."""
        return self.certificate.fingerprint(hashes.SHA256())

    def relay_certificate(self, file: Path, now: datetime) -> datetime:
        """Have a key and certificate for the relay itself in `file`, made anew after half its time; says when it ends.

        Raises `OSError` where it cannot be written.
        """
        ends_at = self._end_of(file)
        if ends_at is not None and ends_at - now > RELAY_FOR / 2:
            return ends_at
        key = new_key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, RELAY_NAME)])
        builder = _builder(subject, self.certificate.subject, key.public_key(), now, RELAY_FOR)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(RELAY_NAME)]), critical=False)
        certificate = self._leaf(builder, ExtendedKeyUsageOID.SERVER_AUTH)
        write_durably(file, private_pem(key) + certificate.public_bytes(Encoding.PEM))
        return certificate.not_valid_after_utc

    def _end_of(self, file: Path) -> datetime | None:
        """Return when a certificate of ours ends; none if there is none."""
        try:
            found = x509.load_pem_x509_certificate(file.read_bytes())
            found.verify_directly_issued_by(self.certificate)
        except (OSError, ValueError, TypeError, InvalidSignature):
            return None
        return found.not_valid_after_utc

    def sign_site(self, request_pem: str, site: str, now: datetime, valid: timedelta) -> Issued:
        """Sign what a site asks for; its name is what we call it, whatever it asks. Raises `PeerUnclear`."""
        try:
            request = x509.load_pem_x509_csr(request_pem.encode())
            public = request.public_key()
            if not request.is_signature_valid or not isinstance(public, ec.EllipticCurvePublicKey):
                raise PeerUnclear
        except (ValueError, InvalidSignature) as error:
            raise PeerUnclear from error
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, site)])
        builder = _builder(subject, self.certificate.subject, public, now, valid)
        certificate = self._leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH)
        pem = certificate.public_bytes(Encoding.PEM).decode()
        return Issued(pem, f"{certificate.serial_number:x}", certificate.not_valid_after_utc)

    def _leaf(self, builder: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.Certificate:
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(own, critical=False)
        return builder.add_extension(_usage(signs=False), critical=True).sign(self._key, hashes.SHA256())


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate_request(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a request for a certificate (PKCS #10)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip
