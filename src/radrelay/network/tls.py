"""DICOM TLS by the Non-Downgrading BCP 195 profile (PS3.15 B.12): TLS 1.2 and up, forward secrecy, AEAD only."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from radrelay.errors import Misconfigured
from radrelay.network.ports import TlsFiles

if TYPE_CHECKING:
    from radrelay.settings import DicomSettings

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
)
"""Cipher suites of TLS 1.2 that are offered; those of TLS 1.3 are OpenSSL's."""


def server_context(settings: DicomSettings) -> ssl.SSLContext:
    """Return the listener's context; client certificates are demanded when `tls_ca` is set.

    Raises `errors.Misconfigured`, which names the setting.
    """
    return server_context_of(settings.tls_certificate, settings.tls_key, settings.tls_ca, "dicom.tls")


def server_context_of(
    certificate: Path | None, key: Path | None, authorities: Path | None, named: str
) -> ssl.SSLContext:
    """Return the context of a listener whose settings begin with `named`; raises `errors.Misconfigured`."""
    if certificate is None or key is None:
        raise Misconfigured(f"TLS is asked for, but not both of {named}_certificate and {named}_key are set")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _profile(context)
    _load_chain(context, certificate, key, f"{named}_certificate and {named}_key")
    if authorities is not None:
        _load_authorities(context, authorities, f"{named}_ca")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context for calling a node; raises `errors.Misconfigured`."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    _profile(context)
    context.check_hostname = files.check_host
    if files.ca:
        _load_authorities(context, Path(files.ca), "the node's authorities")
    if files.certificate and files.key:
        _load_chain(context, Path(files.certificate), Path(files.key), "the node's client certificate")
    return context


def subject_of(sock: ssl.SSLSocket) -> str | None:
    """Return the subject of the peer's verified certificate (its common name, else all of it), or None."""
    certificate = sock.getpeercert()
    if not certificate:
        return None
    pairs = [(str(pair[0]), str(pair[1])) for name in certificate.get("subject", ()) for pair in name]
    named = next((value for key, value in pairs if key == "commonName"), "")
    return named or ", ".join(f"{key}={value}" for key, value in pairs)


def fingerprint_of(sock: ssl.SSLSocket) -> str | None:
    """Return the SHA-256 of the peer's verified certificate (DER) in hex, or None."""
    certificate = sock.getpeercert(binary_form=True) if sock.getpeercert() else None
    return hashlib.sha256(certificate).hexdigest() if certificate else None


def _profile(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE


def _load_chain(context: ssl.SSLContext, certificate: Path, key: Path, what: str) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"{what} cannot be used: {error}") from error


def _load_authorities(context: ssl.SSLContext, path: Path, what: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"{what} cannot be used: {error}") from error
