"""The commands of the gateway: `radrelay gateway` in the DMZ, `radrelay agent` on site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from radrelay.cli_organisation import chosen_settings

gateway_app = typer.Typer(help="the relay in the DMZ; without a command: run it")
agent_app = typer.Typer(help="the agent on site; without a command: run it alone")
gateway_commands = {"gateway": gateway_app, "agent": agent_app}


@gateway_app.callback(invoke_without_command=True)
def gateway(context: typer.Context) -> None:
    """Run the relay, or tell it of its sites."""
    if context.invoked_subcommand is None:
        from radrelay.app.relay import run

        raise typer.Exit(run(chosen_settings()))


@gateway_app.command("site")
def gateway_site(
    name: Annotated[str, typer.Argument(help="what the site is called here: small letters, digits, hyphens")],
    host: Annotated[list[str] | None, typer.Option(help="a host name under which browsers reach it")] = None,
    port: Annotated[list[int] | None, typer.Option(help="a port of its own for DICOM TLS")] = None,
) -> None:
    """Add a site, or give it other host names and ports; a running relay follows at once."""
    from radrelay.app.relay_commands import site_command

    raise typer.Exit(site_command(chosen_settings(), name, host or [], port or []))


@gateway_app.command("sites")
def gateway_sites() -> None:
    """List the sites, their names, ports and certificates."""
    from radrelay.app.relay_commands import sites_command

    raise typer.Exit(sites_command(chosen_settings()))


@gateway_app.command("code")
def gateway_code(name: Annotated[str, typer.Argument(help="the site")]) -> None:
    """Print a code that enrols one agent of a site, once."""
    from radrelay.app.relay_commands import code_command

    raise typer.Exit(code_command(chosen_settings(), name))


@gateway_app.command("revoke")
def gateway_revoke(name: Annotated[str, typer.Argument(help="the site")]) -> None:
    """Take all certificates and codes of a site back; its agents are cut off within a second."""
    from radrelay.app.relay_commands import revoke_command

    raise typer.Exit(revoke_command(chosen_settings(), name))


@gateway_app.command("remove")
def gateway_remove(name: Annotated[str, typer.Argument(help="the site")]) -> None:
    """Forget a site."""
    from radrelay.app.relay_commands import remove_command

    raise typer.Exit(remove_command(chosen_settings(), name))


@gateway_app.command("checklist")
def gateway_checklist() -> None:
    """Print this site's own checklist, on site: nodes, ports, listeners, firewall rules, certificates."""
    from radrelay.app.agent_commands import checklist_command

    raise typer.Exit(checklist_command(chosen_settings()))


@agent_app.callback(invoke_without_command=True)
def agent(context: typer.Context) -> None:
    """Run the agent alone, beside `radrelay web`; `radrelay serve` starts it where there is an enrolment."""
    if context.invoked_subcommand is None:
        from radrelay.app.agent import run

        raise typer.Exit(run(chosen_settings()))


@agent_app.command("enrol")
def agent_enrol(
    relay: Annotated[str, typer.Argument(help="the relay's address: host or host:port")],
    code: Annotated[str, typer.Argument(help="the code from the relay; -: read it from standard input")],
) -> None:
    """Become a site of a relay, by a code that its administrator has handed over."""
    from radrelay.app.agent_commands import enrol_command

    given = sys.stdin.readline() if code == "-" else code
    raise typer.Exit(enrol_command(chosen_settings(), relay, given))


@agent_app.command("leave")
def agent_leave(relay: Annotated[str, typer.Argument(help="the relay's address: host or host:port")]) -> None:
    """Use a relay no more; the key for it is thrown away."""
    from radrelay.app.agent_commands import leave_command

    raise typer.Exit(leave_command(chosen_settings(), relay))


@agent_app.command("status")
def agent_status() -> None:
    """Say how it stands with each relay; exit status 1 if none is connected."""
    from radrelay.app.agent_commands import status_command

    raise typer.Exit(status_command(chosen_settings()))


@agent_app.command("certificate")
def agent_certificate(
    chain: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="PEM, the pages' certificate first")],
    key: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="PEM of its key")],
) -> None:
    """Hand in the certificate for who comes through a relay; it counts from the next connection on."""
    from radrelay.app.agent_commands import certificate_command

    raise typer.Exit(certificate_command(chosen_settings(), chain, key))


@agent_app.command("acme")
def agent_acme(
    directory: Annotated[str, typer.Argument(help="the authority's directory; none: Let's Encrypt")] = "",
    contact: Annotated[list[str] | None, typer.Option(help="a mail address that the authority may write to")] = None,
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="accept the authority's terms")] = False,
    binding_id: Annotated[str, typer.Option(help="key ID of an account that the authority knows otherwise")] = "",
    off: Annotated[bool, typer.Option("--off", help="ask nobody any more")] = False,
) -> None:
    """Have the certificate for outside asked for and renewed (ACME); a binding's key is read from standard input."""
    from radrelay.app.agent_commands import acme_command, acme_off_command
    from radrelay.gateway.acme_account import LETS_ENCRYPT, AcmeAccount

    settings = chosen_settings()
    if off:
        raise typer.Exit(acme_off_command(settings))
    binding = (binding_id, sys.stdin.readline().strip()) if binding_id else None
    account = AcmeAccount(directory or LETS_ENCRYPT, tuple(contact or ()), accept_terms, binding)
    raise typer.Exit(acme_command(settings, account))
