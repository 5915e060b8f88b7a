"""Commands of schedules of fetching: parse and call, nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from radrelay.cli_organisation import chosen_settings

schedule_app = typer.Typer(no_args_is_help=True, help="what is fetched from a PACS by itself")
Named = Annotated[str, typer.Argument(help="the schedule's id, or its name")]
File = Annotated[Path, typer.Argument(help="a file with it as JSON, as `schedule show` prints it; - is stdin")]


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


@schedule_app.command("list")
def schedule_list() -> None:
    """List the schedules by name, when they run next and what came of the last run."""
    from radrelay.app.schedule_commands import list_command

    _leave(list_command(chosen_settings()))


@schedule_app.command("show")
def schedule_show(schedule: Named) -> None:
    """Print a schedule as JSON."""
    from radrelay.app.schedule_commands import show_command

    _leave(show_command(chosen_settings(), schedule))


@schedule_app.command("add")
def schedule_add(file: File) -> None:
    """Make a schedule; a PACS is named by its id or its name."""
    from radrelay.app.schedule_commands import add_command

    _leave(add_command(chosen_settings(), sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")))


@schedule_app.command("switch")
def schedule_switch(
    schedule: Named, off: Annotated[bool, typer.Option("--off/--on", help="switch it off, or on")] = False
) -> None:
    """Switch a schedule on, or off."""
    from radrelay.app.schedule_commands import switch_command

    _leave(switch_command(chosen_settings(), schedule, enabled=not off))


@schedule_app.command("run")
def schedule_run(
    schedule: Named,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only tell what it would fetch now")] = False,
    study: Annotated[str, typer.Option(help="of priors with --dry-run: whose, by a Study Instance UID here")] = "",
) -> None:
    """Run a schedule now; the role `work` carries it out."""
    from radrelay.app.schedule_commands import run_command

    _leave(run_command(chosen_settings(), schedule, study, dry_run=dry_run))


@schedule_app.command("history")
def schedule_history(schedule: Named) -> None:
    """Print a schedule's runs, newest first."""
    from radrelay.app.schedule_commands import history_command

    _leave(history_command(chosen_settings(), schedule))


@schedule_app.command("remove")
def schedule_remove(schedule: Named) -> None:
    """Remove a schedule; what it has fetched stays."""
    from radrelay.app.schedule_commands import remove_command

    _leave(remove_command(chosen_settings(), schedule))
