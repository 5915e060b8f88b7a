"""The recipes of a folder with what their self-tests come to, played anew only when a file changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from radrelay.importer.connectors.entered import link_in
from radrelay.importer.recipes.playing import Played, play
from radrelay.importer.recipes.reading import Recipe
from radrelay.importer.recipes.shelf import Broken, RecipeFolder, Shelf


@dataclass(frozen=True, slots=True)
class Tested:
    """A recipe, and what each of its tests comes to."""

    recipe: Recipe
    tests: tuple[Played, ...]


class TestedFolder:
    """A folder of recipes, tested. Thread-safe; nothing leaves the machine for a test."""

    __test__ = False

    def __init__(self, folder: Path | None, *, clear_loopback: bool = False) -> None:
        self._folder, self._lock, self._clear = RecipeFolder(folder), threading.Lock(), clear_loopback
        self._of: Shelf | None = None
        self._tested: tuple[Tested, ...] = ()

    def link_in(self, text: str) -> str:
        """Return the link in a text, of several rather one that a recipe knows; nothing if there is none."""
        shelf = self._folder.shelf()
        return link_in(text, lambda link: shelf.knows(link, clear_loopback=self._clear))

    def tested(self) -> tuple[tuple[Tested, ...], tuple[Broken, ...]]:
        """Return the recipes with their tests, and the files that are none."""
        with self._lock:
            shelf = self._folder.shelf()
            if shelf is not self._of:
                self._tested = tuple(Tested(one, tuple(play(one))) for one in shelf.recipes)
                self._of = shelf
            return self._tested, shelf.broken
