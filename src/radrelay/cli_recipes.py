"""The commands of recipes: parse and call, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radrelay.cli_organisation import chosen_settings

recipes_app = typer.Typer(no_args_is_help=True, help="portals of no common language, each described in a file")
recipe_commands = {"recipes": recipes_app}


@recipes_app.command("list")
def recipes_list(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List the recipes with their hosts, and what is wrong with those that are broken."""
    from radrelay.app.recipe_commands import list_command

    raise typer.Exit(list_command(chosen_settings().importer.recipes, as_json=as_json))


@recipes_app.command("check")
def recipes_check(
    path: Annotated[
        Path | None, typer.Argument(exists=True, help="a recipe or a folder; without: the folder that is set")
    ] = None,
) -> None:
    """Read recipes and play their tests, asking nobody; exit status 1 if one is broken or a test fails."""
    from radrelay.app.importing.work import browser_of
    from radrelay.app.recipe_commands import check_command

    settings = chosen_settings()
    folder = None if path is not None else settings.importer.recipes
    raise typer.Exit(check_command(path, folder, browser_of(settings)))


@recipes_app.command("record")
def recipes_record(
    har: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="the walk, as the browser exports it")],
    name: Annotated[str, typer.Option(help="what the portal is called; without: its host")] = "",
) -> None:
    """Print a draft of a recipe from one walk through a portal in a browser (HAR, with sensitive data).

    What was entered is asked for, or read from standard input in three lines: code, birth date, link on the paper
    (empty: the first address). It stands in no list of processes and in no line of the draft.
    """
    from radrelay.app.recipe_commands import record_command

    raise typer.Exit(record_command(har, name))
