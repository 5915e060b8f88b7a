"""What Radrelay sends over a network without TLS, or to whom it does not ask for a certificate, by its settings."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import sqlalchemy as sa

from radrelay.app.findings import Finding
from radrelay.settings import Settings


def clear_way_findings(settings: Settings) -> Iterator[Finding]:
    """Name each service beyond this machine that is spoken to without a certificate that is checked."""
    url = settings.database.url
    if url is not None:
        address = sa.make_url(url)
        query = address.query
        hosts = {address.host, *_listed(query.get("host"))} - {None}
        mode = query.get("sslmode", os.environ.get("PGSSLMODE", "prefer"))
        if any(_is_elsewhere(str(host)) for host in hosts) and mode != "verify-full":
            text = "PostgreSQL is spoken to without its certificate being checked"
            yield Finding("TLS", "look", text, "add ?sslmode=verify-full&sslrootcert=… to database.url")
    endpoint = settings.storage.s3_endpoint
    if endpoint is not None and settings.storage.s3_allow_http and _in_the_clear(endpoint, "http"):
        text = "the S3 store is spoken to in the clear, its key and the names of packs with it"
        yield Finding("TLS", "look", text, "name an https:// address in storage.s3_endpoint")
    clamd = settings.intake.clamd
    if clamd is not None and _in_the_clear(clamd, "tcp"):
        text = "what is scanned goes to clamd in the clear"
        yield Finding("TLS", "look", text, "run clamd on this machine, or lead a tunnel to it")


def _in_the_clear(address: str, scheme: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == scheme and _is_elsewhere(parts.hostname or "")


def _is_elsewhere(host: str) -> bool:
    """Say whether a host is another than this machine; a path is that of a socket here."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _listed(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value or ()
    return tuple(host.rpartition(":")[0] or host for text in texts for host in text.split(","))
