"""What `radrelay gateway …` does besides running, in the DMZ: sites, codes, revocation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import typer

from radrelay.app.relay import relay_folder
from radrelay.clock import SystemClock
from radrelay.gateway.authority import Authority
from radrelay.gateway.codes import new_code
from radrelay.gateway.registry import Registry
from radrelay.settings import Settings


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
