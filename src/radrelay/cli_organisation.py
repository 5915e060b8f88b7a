"""Commands of the organisations on one installation, and `--organisation` of all that acts for one of them.

They parse and call, no more. Who may use them is whoever may read this machine's keys: no organisation's administrator.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import date, datetime
from typing import Annotated, Any, Literal, NoReturn, get_type_hints

import typer

from radrelay.settings import Settings, load_settings

_CHOSEN: ContextVar[str] = ContextVar("organisation", default="")
_OPTION = "acts_for"
_Organisation = Annotated[
    str, typer.Option("--organisation", help="for which organisation; without: the first", show_default=False)
]
organisation_app = typer.Typer(no_args_is_help=True, help="organisations that share this installation")
agreement_app = typer.Typer(no_args_is_help=True, help="agreements about processing that are on record")
organisation_app.add_typer(agreement_app, name="agreement")


def for_one_organisation(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that takes `--organisation NAME` besides, which `chosen_settings` gives on."""

    @functools.wraps(command)
    def act(**given: Any) -> Any:
        _CHOSEN.set(given.pop(_OPTION))
        return command(**given)

    told, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    own = [one.replace(annotation=hints[one.name]) for one in told.parameters.values()]  # typer reads no strings here
    option = inspect.Parameter(_OPTION, inspect.Parameter.KEYWORD_ONLY, default="", annotation=_Organisation)
    act.__signature__ = told.replace(parameters=[*own, option])  # type: ignore[attr-defined]
    act.__annotations__ = {**hints, _OPTION: _Organisation}
    return act


def act_for_one(apps: Iterable[typer.Typer]) -> None:
    """Let all commands of these groups take `--organisation`."""
    for app in apps:
        for command in app.registered_commands:
            command.callback = for_one_organisation(command.callback) if command.callback else None
        act_for_one(group.typer_instance for group in app.registered_groups if group.typer_instance is not None)


def chosen_settings() -> Settings:
    """Return the settings, with the organisation that the command line names."""
    settings = load_settings()
    chosen = _CHOSEN.get()
    return settings.model_copy(update={"organisation": chosen}) if chosen else settings


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


Region = Annotated[str, typer.Option(help="where its data are kept: a country as ISO 3166-1 (DE), or EU")]
Titles = Annotated[
    list[str] | None, typer.Option("--ae-title", help="AE title that the DICOM port is called by; may be given again")
]
Folders = Annotated[list[str] | None, typer.Option("--watch", help="a folder that is watched for it; may be repeated")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@organisation_app.command("add")
def organisation_add(
    name: Annotated[str, typer.Argument(help="what it is called")],
    region: Region,
    ae_title: Titles = None,
    watch: Folders = None,
    admin: Annotated[str, typer.Option(help="user name of its first administrator")] = "",
) -> None:
    """Make an organisation with its own people, sources, terms and agreements; prints a one-time password."""
    from radrelay.app.organisation_commands import Asked, add_command

    _leave(add_command(load_settings(), name, Asked(None, region, ae_title or [], [], watch or []), admin))


@organisation_app.command("list")
def organisation_list() -> None:
    """Print the organisations: region, AE titles, people, studies."""
    from radrelay.app.organisation_commands import list_command

    _leave(list_command(load_settings()))


@organisation_app.command("change")
def organisation_change(
    name: Annotated[str, typer.Argument(help="the organisation")],
    new_name: Annotated[str | None, typer.Option("--name", help="what it is called from now on")] = None,
    region: Annotated[str | None, typer.Option(help="where its data are kept: DE, EU, …")] = None,
    ae_title: Titles = None,
    take_ae_title: Annotated[
        list[str] | None, typer.Option("--take-ae-title", help="AE title that leads to it no more")
    ] = None,
    watch: Folders = None,
) -> None:
    """Rename or place an organisation, give AE titles to it or take them, let a folder be watched for it."""
    from radrelay.app.organisation_commands import Asked, change_command

    asked = Asked(new_name, region, ae_title or [], take_ae_title or [], watch or [])
    _leave(change_command(load_settings(), name, asked))


@agreement_app.command("add")
def agreement_add(
    kind: Annotated[Literal["dpa", "baa", "other"], typer.Argument(help="dpa, baa or other")],
    party: Annotated[str, typer.Argument(help="with whom")],
    purpose: Annotated[str, typer.Option(help="what is processed for whom, and why")],
    signed_on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the day that it was signed")],
    ends_on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="its last day, as agreed")] = None,
    document: Annotated[str, typer.Option(help="where it lies, or a note")] = "",
) -> None:
    """Put an agreement about processing on record."""
    from radrelay.app.organisation_commands import agreement_add_command
    from radrelay.privacy.agreements import Agreement

    wanted = Agreement(kind, party, purpose, signed_on.date(), _day(ends_on), document)
    _leave(agreement_add_command(chosen_settings(), wanted))


@agreement_app.command("list")
def agreement_list() -> None:
    """Print the agreements on record, those that have ended too."""
    from radrelay.app.organisation_commands import agreement_list_command

    _leave(agreement_list_command(chosen_settings()))


@agreement_app.command("end")
def agreement_end(
    agreement: Annotated[str, typer.Argument(help="its id, as the list has it")],
    why: Annotated[str, typer.Option(help="why it ends")],
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="its last day; without: today")] = None,
) -> None:
    """Note that an agreement has ended; it stays on record."""
    from radrelay.app.organisation_commands import agreement_end_command

    _leave(agreement_end_command(chosen_settings(), agreement, _day(on), why))


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


act_for_one([agreement_app])
