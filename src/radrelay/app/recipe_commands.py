"""What `radrelay recipes …` does: list the recipes, play their tests, and draft one from a walk in a browser."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from radrelay.errors import Invalid
from radrelay.importer.browser.held import Chromium
from radrelay.importer.browser.playing import play_in_browser
from radrelay.importer.connectors.dlx_answers import date_of
from radrelay.importer.errors import BrowserMissing, BrowserNotHeld
from radrelay.importer.recipes.playing import Played, play
from radrelay.importer.recipes.reading import Recipe
from radrelay.importer.recipes.recording import record
from radrelay.importer.recipes.shelf import Broken, RecipeFolder, Shelf, shelf_of
from radrelay.importer.recipes.words import say


def list_command(folder: Path | None, *, as_json: bool) -> int:
    """List the recipes of a folder; returns 1 if one is broken."""
    shelf = RecipeFolder(folder).shelf()
    rows = [_row(one) for one in shelf.recipes] + [
        {"id": one.id, "state": "broken", "why": one.why.splitlines()} for one in shelf.broken
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return bool(shelf.broken)
    if not rows:
        typer.echo("no recipes" if folder is not None else "no recipes: importer.recipes names no folder")
    for one in shelf.recipes:
        tests = len(one.told.test)
        typer.echo(
            f"✓ {one.id}: {one.told.name} ({', '.join(one.told.hosts)}), {tests} test{'' if tests == 1 else 's'}"
        )
    _tell_broken(shelf.broken)
    return bool(shelf.broken)


def check_command(path: Path | None, folder: Path | None, chromium: Chromium | None = None) -> int:
    """Read recipes and play their tests: of a file, a folder, or the folder that is set; returns 1 if one fails."""
    shelf = _shelf(path, folder)
    failed = [one for recipe in shelf.recipes for one in _checked(recipe, chromium) if not one.passed]
    _tell_broken(shelf.broken)
    return bool(failed or shelf.broken)


def record_command(har: Path, name: str) -> int:
    """Print a draft from a walk; the code, the birth date and the link are asked for and never shown; returns 1 if it

    has to be mended before it is a recipe.
    """
    code = _asked("code that was entered")
    written = _asked("birth date that was entered (DD.MM.YYYY), nothing if none was", "")
    born = date_of(written)
    if written and born is None:
        raise Invalid("This is no birth date: write 31.01.1970 or 1970-01-31.")
    draft = record(har.read_bytes(), code, born, _asked("link on the paper, nothing for the first address", ""), name)
    typer.echo(draft.text, nl=False)
    for one in draft.problems:
        typer.echo(f"✗ {one}", err=True)
    return bool(draft.problems)


def _asked(words: str, default: str | None = None) -> str:
    """Return a line that nobody sees: from the terminal, or from what is piped in."""
    if sys.stdin.isatty():
        return str(typer.prompt(words, default=default, hide_input=True, show_default=False, err=True))
    return sys.stdin.readline().strip()


def _shelf(path: Path | None, folder: Path | None) -> Shelf:
    wanted = path or folder
    if wanted is None:
        raise Invalid("Name a recipe or a folder: importer.recipes names none.")
    return RecipeFolder(wanted).shelf() if wanted.is_dir() else shelf_of([wanted])


def _played(recipe: Recipe, chromium: Chromium | None) -> list[Played]:
    """Play the tests of a recipe, in a browser if it needs one; nothing leaves the machine."""
    if not recipe.told.browser or chromium is None or not recipe.told.test:
        return play(recipe)
    try:
        return play_in_browser(recipe, chromium)
    except (BrowserMissing, BrowserNotHeld) as error:
        return [Played(one.name, words=say("test-unplayable", why=error.message)) for one in recipe.told.test]


def _checked(recipe: Recipe, chromium: Chromium | None) -> list[Played]:
    """Play the tests of a recipe, and tell what comes of each."""
    came = _played(recipe, chromium)
    if not came:
        typer.echo(f"– {recipe.id}: has no test")
    for one in came:
        step = f", step {one.step!r}" if one.step else ""
        typer.echo(f"✓ {recipe.id}: {one.test}" if one.passed else f"✗ {recipe.id}: {one.test}{step}: {one.why}")
    return came


def _tell_broken(broken: Sequence[Broken]) -> None:
    for one in broken:
        for line in one.why.splitlines():
            typer.echo(f"✗ {line}")


def _row(recipe: Recipe) -> dict[str, object]:
    told = recipe.told
    return {
        "id": recipe.id,
        "name": told.name,
        "hosts": list(told.hosts),
        "state": "ready",
        "tests": len(told.test),
        "browser": told.browser,
    }
