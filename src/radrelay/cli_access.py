"""Commands of who sees what beyond grants: parse and call, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from radrelay.settings import Settings


def access_commands(settings: Callable[[], Settings], leave: Callable[[int], None]) -> typer.Typer:
    """Return the commands of `radrelay access`."""
    commands = typer.Typer(
        no_args_is_help=True, help="restricted studies, earlier studies and releases by rule, proven devices"
    )

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

    commands.add_typer(_rule_commands(settings, leave), name="release-rule")
    return commands


def _rule_commands(settings: Callable[[], Settings], leave: Callable[[int], None]) -> typer.Typer:
    commands = typer.Typer(no_args_is_help=True, help="studies released to a group as they arrive")

    @commands.command("list")
    def list_rules() -> None:
        """List the rules."""
        from radrelay.app.rule_commands import list_command

        leave(list_command(settings()))

    @commands.command("add")
    def add(
        name: Annotated[str, typer.Argument(help="what the rule is called")],
        group: Annotated[str, typer.Argument(help="name or id of the group that the studies reach")],
        source: Annotated[str, typer.Option(help="name or id of the source that brings them")] = "",
        calling_ae: Annotated[str, typer.Option(help="calling AE title, or several with commas")] = "",
        called_ae: Annotated[str, typer.Option(help="called AE title, or several with commas")] = "",
        modality: Annotated[str, typer.Option(help="modality, or several with commas")] = "",
        body_part: Annotated[str, typer.Option(help="body part examined, or several with commas")] = "",
        referring: Annotated[str, typer.Option(help="words of the referring physician's name")] = "",
        institution: Annotated[str, typer.Option(help="words of the institution's name")] = "",
        department: Annotated[str, typer.Option(help="words of the institutional department's name")] = "",
        description: Annotated[str, typer.Option(help="what a study's or series' description contains")] = "",
        download: Annotated[bool, typer.Option("--download", help="the group may download them")] = False,
        alias: Annotated[bool, typer.Option("--alias", help="without the patients' names")] = False,
        days: Annotated[
            int | None, typer.Option(min=1, max=36_500, help="for so many days; else until they go")
        ] = None,
        apply: Annotated[bool, typer.Option("--apply", help="release what is here already, too")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="only tell what of the last 500 would fit")] = False,
    ) -> None:
        """Make a rule; all that is given must hold."""
        from radrelay.access import Conditions
        from radrelay.app.rule_commands import Asked, add_command

        texts = Conditions(None, calling_ae, called_ae, modality, body_part, referring, institution, department,
                           description)  # fmt: skip
        asked = Asked(name, group, source, texts, download, alias, days, apply)
        leave(add_command(settings(), asked, dry_run=dry_run))

    @commands.command("delete")
    def delete(
        rule_id: Annotated[str, typer.Argument(help="the rule's id, as the list has it")],
        releases: Annotated[
            Literal["keep", "end"] | None, typer.Option(help="whether its releases stay or end, too")
        ] = None,
    ) -> None:
        """Delete a rule."""
        from radrelay.app.rule_commands import delete_command

        leave(delete_command(settings(), rule_id, releases))

    return commands
