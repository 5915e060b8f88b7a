"""Radrelay as a client of web services (DICOMweb): one way to sign in, to verify and to say what went wrong.

Who signs in does so by a bearer token, or by name and password; certificates are verified, redirects are not followed.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from radrelay import IMPLEMENTATION_VERSION_NAME
from radrelay.errors import Misconfigured, RadrelayError
from radrelay.network.errors import CertificateUntrusted, WebRefused, WebTrouble

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_service_address(address: str) -> bool:
    """Tell whether an address can be a service's: https (http on this machine alone), no login, query or fragment."""
    try:
        parts = urlsplit(address)
        named = parts.hostname and parts.port != 0 and not parts.username and not parts.query and not parts.fragment
    except ValueError:
        return False
    clear = parts.scheme == "http" and parts.hostname in LOOPBACK
    return bool(named) and (parts.scheme == "https" or clear) and not any(c.isspace() for c in address)


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """Return the authorities that are believed, the machine's own without `authorities`; raises `Misconfigured`."""
    try:
        made = ssl.create_default_context(cafile=str(authorities) if authorities else None)
    except OSError as error:
        raise Misconfigured(f"work.web_ca {authorities} cannot be read: {error}") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def open_client(
    username: str, secret: str, context: ssl.SSLContext, timeout: httpx2.Timeout, headers: Mapping[str, str]
) -> httpx2.Client:
    """Return a client that signs in by name and password, by token where there is no name, or not at all."""
    sent = {"User-Agent": IMPLEMENTATION_VERSION_NAME, **headers}
    login = httpx2.BasicAuth(username, secret) if username else None
    if secret and not username:
        sent["Authorization"] = f"Bearer {secret}"
    return httpx2.Client(
        headers=sent, auth=login, timeout=timeout, verify=context, trust_env=False, follow_redirects=False
    )


def trouble_of(error: httpx2.HTTPError, url: str) -> RadrelayError:
    """Return what the client raised in our words."""
    if isinstance(error, httpx2.ConnectError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            host = urlsplit(url).netloc
            words = f"the certificate of {host} is not trusted: {error}"
            return CertificateUntrusted(words, address=host, host=host)
        return WebTrouble(f"{url} cannot be reached: {error}", address=url, reason=str(error))
    if isinstance(error, httpx2.TimeoutException):
        return WebTrouble(f"{url} does not answer in time", address=url, reason="no answer in time")
    reason = f"{type(error).__name__}: {error}"
    return WebTrouble(f"{url} broke the connection off: {reason}", address=url, reason=reason)


def refusal_of(reply: httpx2.Response, url: str) -> RadrelayError | None:
    """Return what an answer says of the service itself: no login, busy, broken, or no such service; none if nothing."""
    status = f"HTTP {reply.status_code}"
    if reply.status_code in (401, 403):
        return WebRefused(f"{url} does not accept our login ({status})", address=url, status=status)
    if reply.status_code >= 500 or reply.status_code in (408, 429) or 300 <= reply.status_code < 400:
        return WebTrouble(f"{url} answers {status}", address=url, reason=status)
    if reply.status_code in (404, 405):
        return WebTrouble(f"{url} is no DICOMweb service ({status})", address=url, reason=status)
    return None
