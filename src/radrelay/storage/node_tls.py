"""TLS between an installation's nodes: each proves to the other that it holds the same keyring.

All nodes derive one Ed25519 authority from the keyring and sign a certificate for themselves with it. Server and
client demand one of the other (TLS 1.3), so that who does not hold the keyring never gets to ask anything.
"""

from __future__ import annotations

import secrets
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from radrelay.storage.keys import Keyring

PURPOSE = "authority of the nodes"
# Certificates live as long as their process; clocks that are wrong must not part the nodes.
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)


def server_context(keyring: Keyring, node: str, scratch: Path) -> ssl.SSLContext:
    """Return what the internal endpoint of `node` speaks; `scratch` is a private folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _prove_by(context, keyring, node, scratch)
    return context


def client_context(keyring: Keyring, node: str, scratch: Path) -> ssl.SSLContext:
    """Return what `node` asks others with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the authority signs nodes of this installation alone, wherever they are reached
    _prove_by(context, keyring, node, scratch)
    return context


def _prove_by(context: ssl.SSLContext, keyring: Keyring, node: str, scratch: Path) -> None:
    authority = Ed25519PrivateKey.from_private_bytes(keyring.derive(PURPOSE))
    own = Ed25519PrivateKey.generate()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Radrelay nodes")])
    root = _certificate(issuer, issuer, authority, authority, path_length=0)
    leaf = _certificate(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)]), issuer, own, authority, path_length=None
    )
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=root.public_bytes(Encoding.PEM).decode())
    password = secrets.token_hex(32)
    private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    with tempfile.NamedTemporaryFile(dir=scratch) as file:  # ssl takes files only; what it leaves opens with no key
        file.write(private + leaf.public_bytes(Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name, password=password)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: Ed25519PrivateKey,
    signer: Ed25519PrivateKey,
    *,
    path_length: int | None,
) -> x509.Certificate:
    """Return a certificate; an authority's if it has a `path_length`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .add_extension(x509.BasicConstraints(ca=path_length is not None, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return builder.sign(signer, None)
