"""The folder of recipes, read anew when a file in it changes. A broken file puts that recipe aside, and no other."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from radrelay.importer.recipes.links import read_link
from radrelay.importer.recipes.reading import Fault, Recipe, RecipeInvalid, read_recipe
from radrelay.importer.recipes.words import say

MOST_RECIPES = 500
Seen = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that is no recipe: its name without the ending, and why."""

    id: str
    faults: tuple[Fault, ...]

    @property
    def why(self) -> str:
        """Return what is wrong, a fault a line."""
        return "\n".join(map(str, self.faults))


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a folder holds, by name."""

    recipes: tuple[Recipe, ...] = ()
    broken: tuple[Broken, ...] = ()

    def knows(self, link: str, *, clear_loopback: bool = False) -> bool | None:
        """Tell whether a link is a recipe's and holds something of its own; none where it is none's."""
        read = [
            read_link(one.address, recipe.told.hosts, link, clear_loopback=clear_loopback)
            for recipe in self.recipes
            for one in recipe.told.link
        ]
        found = [one for one in read if one is not None]
        return any(found) if found else None


class RecipeFolder:
    """A folder of recipes. Thread-safe; without a folder there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._seen: Seen | None = None
        self._shelf = Shelf()

    def shelf(self) -> Shelf:
        """Return what is there now."""
        if self._folder is None:
            return self._shelf
        with self._lock:
            files = _files(self._folder)
            seen = tuple(_state(one) for one in files)
            if seen != self._seen:
                self._shelf, self._seen = shelf_of(files), seen
            return self._shelf


def shelf_of(files: list[Path]) -> Shelf:
    """Return what files are."""
    recipes, broken = [], []
    for one in files[:MOST_RECIPES]:
        try:
            recipes.append(read_recipe(one))
        except RecipeInvalid as error:
            broken.append(Broken(one.stem, error.faults))
    many = say("too-many-files", limit=MOST_RECIPES)
    broken += [Broken(one.stem, (Fault(one.name, 0, "", many),)) for one in files[MOST_RECIPES:]]
    return Shelf(tuple(recipes), tuple(broken))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.glob("*.toml") if one.is_file())
    except OSError:
        return []


def _state(file: Path) -> tuple[str, int, int, int]:
    """Return by what a file is known to have changed; the folder beside it counts by what is in it."""
    found = [file, *(file.parent / file.stem).glob("**/*")]
    told = []
    for one in found:
        try:
            told.append(one.stat())
        except OSError:  # it went while we looked
            continue
    newest = max((one.st_mtime_ns for one in told), default=0)
    return file.name, newest, sum(one.st_size for one in told), len(told)
