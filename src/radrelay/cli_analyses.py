"""Commands of analyses: parse and call, nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from radrelay.cli_organisation import chosen_settings

analysis_app = typer.Typer(no_args_is_help=True, help="analyses of studies: switched, started, looked up")
Kind = Annotated[str, typer.Argument(help="the analysis's name, as `analysis list` prints it")]


class OnOff(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


@analysis_app.command("list")
def analysis_list() -> None:
    """List the analyses, whether they are on, and what waits and runs."""
    from radrelay.app.analysis_commands import list_command

    _leave(list_command(chosen_settings()))


@analysis_app.command("switch")
def analysis_switch(kind: Kind, state: Annotated[OnOff, typer.Argument(help="on, or off")]) -> None:
    """Switch an analysis on or off."""
    from radrelay.app.analysis_commands import switch_command

    _leave(switch_command(chosen_settings(), kind, enabled=state is OnOff.ON))


@analysis_app.command("run")
def analysis_run(
    kind: Kind,
    study: Annotated[str, typer.Argument(help="the study, by its Study Instance UID")],
    parameters: Annotated[str, typer.Option(help='values other than the usual ones, as JSON: {"method": "…"}')] = "",
) -> None:
    """Have a study that is here analysed; the role `work` carries it out."""
    from radrelay.app.analysis_commands import run_command

    _leave(run_command(chosen_settings(), kind, study, parameters))


@analysis_app.command("runs")
def analysis_runs(state: Annotated[str, typer.Option(help="only those in this state")] = "") -> None:
    """List runs, newest first."""
    from radrelay.app.analysis_commands import runs_command

    _leave(runs_command(chosen_settings(), state))


@analysis_app.command("cancel")
def analysis_cancel(run: Annotated[str, typer.Argument(help="the run's id")]) -> None:
    """Stop a run; it leaves nothing."""
    from radrelay.app.analysis_commands import cancel_command

    _leave(cancel_command(chosen_settings(), run))
