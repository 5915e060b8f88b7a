"""What `radrelay gateway …` and `radrelay agent …` do besides running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from radrelay.app.agent import is_enrolled
from radrelay.app.relay import relay_folder
from radrelay.clock import SystemClock
from radrelay.gateway.authority import Authority
from radrelay.gateway.codes import new_code
from radrelay.gateway.credentials import RelayAddress, forget
from radrelay.gateway.enrolment import enrol
from radrelay.gateway.public import checked
from radrelay.gateway.registry import Registry
from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory, write_durably


@contextmanager
def _registry(settings: Settings) -> Iterator[Registry]:
    folder = relay_folder(settings)
    Authority.open(folder, SystemClock().now())  # which makes the folder
    registry = Registry(folder)
    try:
        yield registry
    finally:
        registry.close()


def site_command(settings: Settings, name: str, hosts: Sequence[str], ports: Sequence[int]) -> int:
    """Add or change a site."""
    with _registry(settings) as registry:
        registry.put_site(name, hosts, ports, SystemClock().now())
    typer.echo(f"{name}: {', '.join([*hosts, *(f'port {port}' for port in ports)]) or 'no host name and no port'}")
    return 0


def sites_command(settings: Settings) -> int:
    """List the sites."""
    with _registry(settings) as registry:
        for site in registry.sites(SystemClock().now()):
            where = ", ".join([*site.hosts, *(f"port {port}" for port in site.ports)])
            until = max((ends_at for _, ends_at in site.certificates), default=None)
            enrolled = "not enrolled" if until is None else f"certificate until {until:%Y-%m-%d}"
            typer.echo(f"{site.name}\t{where}\t{enrolled}")
    return 0


def code_command(settings: Settings, name: str) -> int:
    """Print an enrolment code."""
    now = SystemClock().now()
    authority = Authority.open(relay_folder(settings), now)
    code, digest = new_code(authority.fingerprint)
    with _registry(settings) as registry:
        registry.add_code(name, digest, now + timedelta(minutes=settings.gateway.code_minutes))
    typer.echo(code)
    typer.echo(f"counts once, for {settings.gateway.code_minutes} minutes; on site:", err=True)
    typer.echo(f"  radrelay agent enrol THIS-RELAY:{settings.gateway.agents_port} {code}", err=True)
    return 0


def revoke_command(settings: Settings, name: str) -> int:
    """Take certificates back."""
    with _registry(settings) as registry:
        count = registry.revoke(name, SystemClock().now())
    typer.echo(f"{name}: {count} certificate{'' if count == 1 else 's'} revoked")
    return 0


def remove_command(settings: Settings, name: str) -> int:
    """Forget a site."""
    with _registry(settings) as registry:
        registry.remove_site(name)
    return 0


def enrol_command(settings: Settings, relay: str, code: str) -> int:
    """Enrol at a relay."""
    first = not is_enrolled(settings)
    make_private_directory(settings.gateway_dir)
    kept, site = asyncio.run(enrol(settings.gateway_dir / "relays", RelayAddress.parse(relay), code))
    until = f"the certificate counts until {kept.ends_at:%Y-%m-%d} and renews itself"
    typer.echo(f"enrolled at {kept.relay} as {site}; {until}")
    if first:
        typer.echo("start Radrelay again: `radrelay serve` now starts the agent, too")
    return 0


def leave_command(settings: Settings, relay: str) -> int:
    """Forget a relay."""
    forget(settings.gateway_dir / "relays", RelayAddress.parse(relay))
    return 0


def certificate_command(settings: Settings, chain: Path, key: Path) -> int:
    """Take a certificate in."""
    pem, facts = checked(chain.read_bytes(), key.read_bytes(), datetime.now(UTC))
    make_private_directory(settings.gateway_dir)
    write_durably(settings.gateway_dir / "public.pem", pem)
    typer.echo(f"for {', '.join(facts.names)}, until {facts.ends_at:%Y-%m-%d}")
    if settings.agent.tls_certificate is not None:
        typer.echo("agent.tls_certificate is set and goes before it", err=True)
    return 0
