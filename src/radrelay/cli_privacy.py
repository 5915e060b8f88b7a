"""Commands of the officer's registers: requests of data subjects, incidents, consents. They parse and call, no more."""

from __future__ import annotations

from typing import Annotated, Literal, NoReturn

import typer

from radrelay.cli_organisation import act_for_one, chosen_settings

request_app = typer.Typer(no_args_is_help=True, help="requests of data subjects (GDPR Art. 15 to 21)")
incident_app = typer.Typer(no_args_is_help=True, help="incidents, their clocks and reports")
consent_app = typer.Typer(no_args_is_help=True, help="consents to transfers")
privacy_commands = {"request": request_app, "incident": incident_app, "consent": consent_app}

Issuer = Annotated[str, typer.Option(help="who issued the patient's ID, as the studies have it")]
Note = Annotated[str, typer.Option(help="what else is to be kept of it")]


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


@request_app.command("list")
def request_list() -> None:
    """Print the register, open requests by when they are due; exit status 1 if one is late."""
    from radrelay.app.request_commands import list_command

    _leave(list_command(chosen_settings()))


@request_app.command("add")
def request_add(
    kind: Annotated[
        Literal["access", "correction", "erasure", "restriction", "objection"],
        typer.Argument(help="access, correction, erasure, restriction or objection"),
    ],
    requester: Annotated[str, typer.Option(help="who asks")],
    patient: Annotated[str, typer.Option(help="about the patient of this ID")] = "",
    issuer: Issuer = "",
    account: Annotated[str, typer.Option(help="about the person with this user name, instead")] = "",
    contact: Annotated[str, typer.Option(help="how to reach who asks")] = "",
    note: Note = "",
    received: Annotated[str, typer.Option(help="when it came in, a date or time (UTC); without: now")] = "",
) -> None:
    """Enter a request; it is due 30 days after it came in."""
    from radrelay.app.request_commands import AskedFor, add_command

    if bool(patient) == bool(account):
        raise typer.BadParameter("a request is about a patient or an account: give --patient or --account")
    asked = AskedFor(kind, patient, issuer, account, requester, contact, note, received)
    _leave(add_command(chosen_settings(), asked))


@request_app.command("show")
def request_show(request: Annotated[str, typer.Argument(help="its id, as the list has it")]) -> None:
    """Print a request, and what is held of whom it is about."""
    from radrelay.app.request_commands import show_command

    _leave(show_command(chosen_settings(), request))


@incident_app.command("list")
def incident_list() -> None:
    """Print the register, newest first; exit status 1 if the authority or the patients of one were not told in time."""
    from radrelay.app.incident_commands import list_command

    _leave(list_command(chosen_settings()))


@incident_app.command("add")
def incident_add(
    title: Annotated[str, typer.Argument(help="what happened, in a few words")],
    kind: Annotated[
        Literal["account", "token", "link", "session", "device"],
        typer.Option(help="account, token, link, session (one login) or device"),
    ],
    subject: Annotated[str, typer.Option(help="user name, a token's name, an id, or a device's AE title or address")],
    began: Annotated[str, typer.Option("--from", help="possible since this date or time (UTC)")],
    ended: Annotated[str, typer.Option("--until", help="possible until then; without: now")] = "",
    noticed: Annotated[str, typer.Option(help="when it was noticed: the clocks run from then; without: now")] = "",
    description: Annotated[str, typer.Option(help="what is suspected")] = "",
) -> None:
    """Enter an incident; it is to be told to the authority within 72 hours."""
    from radrelay.app.incident_commands import Noticed, add_command

    _leave(add_command(chosen_settings(), Noticed(title, kind, subject, began, ended, noticed, description)))


@incident_app.command("report")
def incident_report(
    incident: Annotated[str, typer.Argument(help="its id, as the list has it")],
    part: Annotated[
        Literal["touched", "reached"], typer.Option(help="patients whom the record names, or whom the access reaches")
    ] = "touched",
    form: Annotated[Literal["csv", "jsonl"], typer.Option("--form", help="csv, or a JSON object a line")] = "csv",
) -> None:
    """Write which patients' data could have been touched, and on standard error what else was done."""
    from radrelay.app.incident_commands import report_command

    _leave(report_command(chosen_settings(), incident, part, form))


@consent_app.command("list")
def consent_list() -> None:
    """Print the register: consents that stand, then those that were withdrawn."""
    from radrelay.app.consent_commands import list_command

    _leave(list_command(chosen_settings()))


@consent_app.command("add")
def consent_add(
    patient: Annotated[str, typer.Argument(help="the patient's ID")],
    source: Annotated[str, typer.Option(help="for all that this source has brought of the patient")],
    giver: Annotated[str, typer.Option(help="who agreed")],
    text_version: Annotated[str, typer.Option("--text", help="to which text, in which version")],
    issuer: Issuer = "",
    capacity: Annotated[
        Literal["patient", "representative", "referrer"], typer.Option(help="patient, representative or referrer")
    ] = "patient",
    shown_by: Annotated[
        Literal["written", "page", "phone", "spoken"], typer.Option("--shown-by", help="written, page, phone or spoken")
    ] = "written",
    note: Note = "",
    given: Annotated[str, typer.Option(help="when it was given, a date or time (UTC); without: now")] = "",
) -> None:
    """Enter a consent to the transfer of a patient's studies."""
    from radrelay.app.consent_commands import Agreed, add_command

    agreed = Agreed(patient, issuer, source, giver, capacity, shown_by, text_version, note, given)
    _leave(add_command(chosen_settings(), agreed))


@consent_app.command("withdraw")
def consent_withdraw(
    consent: Annotated[str, typer.Argument(help="its id, as the list has it")],
    how: Annotated[str, typer.Option(help="how and by whom it was withdrawn")],
    yes: Annotated[bool, typer.Option("--yes", help="do it; without, it is only said what would go")] = False,
) -> None:
    """Withdraw a consent: what came by it is deleted at once, and nothing brings it back."""
    from radrelay.app.consent_commands import withdraw_command

    _leave(withdraw_command(chosen_settings(), consent, how, sure=yes))


act_for_one(privacy_commands.values())
