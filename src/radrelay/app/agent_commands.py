"""What `radrelay agent …` and `radrelay gateway checklist` do, on site."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import typer

from radrelay import audit
from radrelay.app.agent import is_enrolled
from radrelay.app.commands import command_principal, opened
from radrelay.clock import SystemClock
from radrelay.errors import Invalid
from radrelay.gateway.acme_account import AcmeAccount, is_binding_key
from radrelay.gateway.acme_files import AcmeFiles, plan_in, state_in
from radrelay.gateway.credentials import RelayAddress, forget
from radrelay.gateway.enrolment import enrol
from radrelay.gateway.public import checked
from radrelay.gateway.standing import standing
from radrelay.mail import require_address
from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory
from radrelay.web.site_checklist import checklist


def enrol_command(settings: Settings, relay: str, code: str) -> int:
    """Enrol at a relay."""
    first = not is_enrolled(settings)
    make_private_directory(settings.data_dir)
    kept, site = asyncio.run(enrol(settings.gateway_dir / "relays", RelayAddress.parse(relay), code))
    _note(settings, "gateway.enrol", str(kept.relay))
    until = f"the certificate counts until {kept.ends_at:%Y-%m-%d} and renews itself"
    typer.echo(f"enrolled at {kept.relay} as {site}; {until}")
    if first:
        typer.echo("start Radrelay again: `radrelay serve` now starts the agent, too")
    return 0


def leave_command(settings: Settings, relay: str) -> int:
    """Forget a relay."""
    address = RelayAddress.parse(relay)
    forget(settings.gateway_dir / "relays", address)
    _note(settings, "gateway.leave", str(address))
    return 0


def certificate_command(settings: Settings, chain: Path, key: Path) -> int:
    """Take a certificate in."""
    with opened(settings) as (core, _):
        files = AcmeFiles(settings.gateway_dir, core.keyring.metadata_key)
    pem, facts = checked(chain.read_bytes(), key.read_bytes(), datetime.now(UTC), files.password)
    files.keep_certificate(pem)
    if files.forget():
        typer.echo("nobody is asked for certificates by ACME any more", err=True)
    if facts.is_alone:
        typer.echo("the chain lacks the certificate of who has signed it: some browsers will refuse it", err=True)
    _note(settings, "gateway.certificate", "")
    typer.echo(f"for {', '.join(facts.names)}, until {facts.ends_at:%Y-%m-%d}")
    if settings.agent.tls_certificate is not None:
        typer.echo("agent.tls_certificate is set and goes before it", err=True)
    return 0


def acme_command(settings: Settings, account: AcmeAccount) -> int:
    """Have certificates asked for from now on."""
    if urlsplit(account.directory).scheme != "https" or not urlsplit(account.directory).hostname:
        raise Invalid(f"{account.directory!r} is no address of a directory: it begins with https://")
    if account.binding is not None and not is_binding_key(account.binding[1]):
        raise Invalid("the key of the external account is base64url, as its authority gives it out")
    contacts = tuple(require_address(one) for one in account.contacts)
    with opened(settings) as (core, _):
        files = AcmeFiles(settings.gateway_dir, core.keyring.metadata_key)
    files.keep_plan(replace(account, contacts=contacts))
    _note(settings, "gateway.acme", "")
    typer.echo(f"{account.directory} is asked within seconds while Radrelay runs; see `radrelay agent status`")
    if settings.agent.tls_certificate is not None:
        typer.echo("agent.tls_certificate is set and goes before it: nothing is asked", err=True)
    return 0


def acme_off_command(settings: Settings) -> int:
    """Have no certificates asked for any more; the one that there is stays until it ends."""
    with opened(settings) as (core, _):
        was = AcmeFiles(settings.gateway_dir, core.keyring.metadata_key).forget()
    if was:
        _note(settings, "gateway.acme-off", "")
    return 0


def status_command(settings: Settings) -> int:
    """Say how it stands with each relay."""
    states = standing(settings.gateway_dir, SystemClock().now())
    if not states:
        typer.echo("no agent runs here" if is_enrolled(settings) else "enrolled at no relay")
    for state in states or ():
        how = "connected" if state.connected else f"not connected ({state.trouble or 'not tried yet'})"
        since = f" since {state.since:%Y-%m-%d %H:%M:%S}" if state.since else ""
        names = ", ".join([*state.hosts, *(f"DICOM port {port}" for port in state.ports)]) or "no names yet"
        ends = f"certificate until {state.certificate_ends:%Y-%m-%d}" if state.certificate_ends else "no certificate"
        typer.echo(f"{state.relay}\t{how}{since}\tas {state.site or '?'}: {names}\t{ends}")
    _show_acme(settings)
    return 0 if any(state.connected for state in states or ()) else 1


def _show_acme(settings: Settings) -> None:
    """Say how it stands with the certificate authority."""
    plan, state = plan_in(settings.gateway_dir), state_in(settings.gateway_dir)
    if plan is None:
        return
    how = f"asked in vain ({state.code}): {state.detail}" if state.failures else "not asked yet"
    if not state.failures and state.renews_at is not None:
        how = f"renews from {state.renews_at:%Y-%m-%d %H:%M} UTC on"
    again = f"; again at {state.again_at:%Y-%m-%d %H:%M} UTC" if state.again_at is not None else ""
    typer.echo(f"{plan.directory}\t{how}{again}")


def checklist_command(settings: Settings) -> int:
    """Print the site's own checklist."""
    states = standing(settings.gateway_dir, SystemClock().now()) or ()
    with opened(settings) as (core, prepared), core.database.read() as session:
        found = checklist(session, core.settings, prepared.organisation_id, states, whole=not settings.organisation)
    typer.echo("DICOM nodes that have to know this installation")
    for node in found.nodes:
        tls = ", TLS" if node.tls else ""
        typer.echo(
            f"  [ ] {node.name}: {node.ae_title} at {node.host}:{node.port}{tls}; it enters us as {node.calls_us}"
        )
    typer.echo("ports of this installation")
    for door in found.doors:
        named = ", ".join(door.ae_titles) or door.name
        alone = "  (answers this machine alone)" if door.is_loopback else ""
        typer.echo(f"  [ ] {door.kind} {door.host}:{door.port} {named}{alone}")
    typer.echo("ways through firewalls; all others stay closed")
    for way in found.ways:
        to = f"{way.target} {way.host}".strip()
        typer.echo(f"  [ ] from {way.source} to {to}, TCP {way.port}: {way.purpose}")
    if states:
        typer.echo("  [ ] from the DMZ to the server: nothing")
    return 0


def _note(settings: Settings, action: str, relay: str) -> None:
    """Put on record what was done."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        subject = ("relay", relay) if relay else ("", "")
        audit.record(session, audit.AuditRecord(action, command_principal(prepared), *subject))
