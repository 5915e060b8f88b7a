"""Commands of the record: parse and call, nothing else."""

from __future__ import annotations

from typing import Annotated, Literal, NoReturn

import typer

from radrelay.cli_organisation import chosen_settings

audit_app = typer.Typer(no_args_is_help=True, help="the record of who did what")
Since = Annotated[str, typer.Option(help="not before this date or time (UTC)")]
Until = Annotated[str, typer.Option(help="before this date or time (UTC)")]
Action = Annotated[str, typer.Option(help="one action, such as study.view")]
Person = Annotated[str, typer.Option(help="who did it: an id, or a part of a name")]
PatientId = Annotated[str, typer.Option(help="a patient's ID")]
Issuer = Annotated[str | None, typer.Option(help="who issued the patient's ID; without: whoever did")]
Study = Annotated[str, typer.Option(help="a Study Instance UID, or a study's id")]
Outcome = Annotated[str, typer.Option(help="success, refused or failure")]
FileForm = Annotated[Literal["csv", "jsonl"], typer.Option("--form", help="csv, or a JSON object a line")]


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


@audit_app.command("verify")
def audit_verify() -> None:
    """Prove that nothing of the record was changed, removed or added; exit status 1 if something was."""
    from radrelay.app.audit_commands import verify_command

    _leave(verify_command(chosen_settings()))


@audit_app.command("search")
def audit_search(
    since: Since = "",
    until: Until = "",
    action: Action = "",
    person: Person = "",
    patient: PatientId = "",
    issuer: Issuer = None,
    study: Study = "",
    outcome: Outcome = "",
    limit: Annotated[int, typer.Option(help="at most so many", min=1, max=500)] = 50,
) -> None:
    """Show the newest events that match."""
    from radrelay.app.audit_commands import Sought, search_command

    sought = Sought(since, until, action, person, patient, issuer, study, outcome, limit)
    _leave(search_command(chosen_settings(), sought))


@audit_app.command("export")
def audit_export(
    since: Since = "",
    until: Until = "",
    action: Action = "",
    person: Person = "",
    patient: PatientId = "",
    issuer: Issuer = None,
    study: Study = "",
    outcome: Outcome = "",
    form: FileForm = "csv",
) -> None:
    """Write all events that match to standard output."""
    from radrelay.app.audit_commands import Sought, export_command

    sought = Sought(since, until, action, person, patient, issuer, study, outcome)
    _leave(export_command(chosen_settings(), sought, form))


@audit_app.command("seen")
def audit_seen(
    study: Annotated[str, typer.Argument(help="a Study Instance UID, or a study's id")], form: FileForm = "csv"
) -> None:
    """Write who has seen a study, or taken it away; also of one that is gone."""
    from radrelay.app.audit_commands import seen_command

    _leave(seen_command(chosen_settings(), study, form))


@audit_app.command("disclosures")
def audit_disclosures(
    patient: Annotated[str, typer.Argument(help="a patient's ID")], issuer: Issuer = None, form: FileForm = "csv",
    study: Annotated[str | None, typer.Option(help="a study of the one who is meant, where several have it")] = None,
) -> None:  # fmt: skip
    """Write to whom a patient's data went in the last six years: sent, downloaded, exported, shared."""
    from radrelay.app.audit_commands import disclosures_command

    _leave(disclosures_command(chosen_settings(), patient, issuer, form, study))
