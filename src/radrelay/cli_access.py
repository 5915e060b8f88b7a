"""Commands of who sees what beyond grants: parse and call, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from radrelay.settings import Settings


def access_commands(settings: Callable[[], Settings], leave: Callable[[int], None]) -> typer.Typer:
    """Return the commands of `radrelay access`."""
    commands = typer.Typer(no_args_is_help=True, help="restricted studies, earlier studies by rule, proven devices")

    @commands.command("restrict")
    def restrict(
        kind: Annotated[Literal["study", "patient", "source"], typer.Argument(help="study, patient or source")],
        value: Annotated[str, typer.Argument(help="Study Instance UID, patient ID, or a source's id")],
        issuer: Annotated[str, typer.Option(help="of the patient ID")] = "",
        reason: Annotated[str, typer.Option(help="why, as the list shows it")] = "",
    ) -> None:
        """Let grants on studies themselves alone show them."""
        from radrelay.access import WantedRestriction
        from radrelay.app.seeing import restrict_command

        leave(restrict_command(settings(), WantedRestriction(kind, value, issuer, reason)))

    @commands.command("prior-rule")
    def prior_rule(
        reach: Annotated[Literal["none", "body-part", "all"], typer.Argument(help="none, body-part or all")],
        years: Annotated[int | None, typer.Option(min=1, max=100, help="not older than so many years")] = None,
        marked_only: Annotated[
            bool, typer.Option("--marked-only", help="by grants that are marked for it alone")
        ] = False,
    ) -> None:
        """Say which other studies of a patient somebody sees by seeing one."""
        from radrelay.access import PriorRuleView
        from radrelay.app.seeing import prior_rule_command

        leave(prior_rule_command(settings(), PriorRuleView(reach, years, marked_only)))

    @commands.command("bind-device")
    def bind_device(
        ae_title: Annotated[str, typer.Argument(help="calling AE title")],
        address: Annotated[list[str] | None, typer.Option(help="IP address or network; may be given again")] = None,
        subject: Annotated[str, typer.Option(help="name in its TLS client certificate")] = "",
        fingerprint: Annotated[str, typer.Option(help="SHA-256 of that certificate")] = "",
    ) -> None:
        """Say what proves a DICOM device that queries; all that is given must fit."""
        from radrelay.access import Binding
        from radrelay.app.seeing import bind_device_command

        leave(bind_device_command(settings(), ae_title, Binding(tuple(address or ()), subject, fingerprint)))

    return commands
