"""Commands of what waits for its release by hand: parse and call, nothing else."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from radrelay.cli_organisation import chosen_settings

waiting_app = typer.Typer(no_args_is_help=True, help="what waits until a person releases it")
Ids = Annotated[list[str] | None, typer.Argument(help="ids, as `waiting list` prints them")]
OfSource = Annotated[str, typer.Option("--source", help="all that waits of a source, by its name or id")]


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


@waiting_app.command("list")
def waiting_list() -> None:
    """List what waits, what came last first."""
    from radrelay.app.waiting_commands import list_command

    _leave(list_command(chosen_settings()))


@waiting_app.command("release")
def waiting_release(ids: Ids = None, source: OfSource = "") -> None:
    """Let in what waits: rules, searches and deliveries meet it from now on."""
    from radrelay.app.waiting_commands import decide_command

    _leave(decide_command(chosen_settings(), ids or [], source, release=True))


@waiting_app.command("reject")
def waiting_reject(ids: Ids = None, source: OfSource = "") -> None:
    """Put what waits into the quarantine."""
    from radrelay.app.waiting_commands import decide_command

    _leave(decide_command(chosen_settings(), ids or [], source, release=False))
