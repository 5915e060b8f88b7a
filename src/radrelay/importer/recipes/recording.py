"""A walk in a browser, made into the text of a draft that reads as a recipe, passes its own test, and tells nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from radrelay.importer.recipes.drafting import draft_of
from radrelay.importer.recipes.errors import BirthDateNowhere, CodeNowhere, CodeShort, GivesAway
from radrelay.importer.recipes.known import BIRTH_DATE, CODE, Known, asks_for
from radrelay.importer.recipes.playing import Played, play
from radrelay.importer.recipes.reading import Fault, RecipeInvalid, parsed
from radrelay.importer.recipes.rehearsing import rehearsals_of
from radrelay.importer.recipes.walks import Visit, walk_of
from radrelay.importer.recipes.words import Words
from radrelay.importer.recipes.writing import toml_of

SHORTEST_CODE = 3


@dataclass(frozen=True, slots=True)
class Recorded:
    """The draft: `told` is what it says, `notes` what a person has to look at.

    `broken`: why it is no recipe as it stands, a problem a line; else `played` is what its test comes to.
    """

    text: str
    told: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Words, ...] = ()
    broken: tuple[Fault, ...] = ()
    played: tuple[Played, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with it as it stands."""
        return tuple(map(str, self.broken)) + tuple(
            f"step {one.step!r}: {one.why}" for one in self.played if not one.passed
        )


def record(har: bytes, code: str, born: date | None, link: str = "", name: str = "") -> Recorded:
    """Return a draft from a HAR file and what the walk was made with; raises `Invalid`."""
    if len(code.strip()) < SHORTEST_CODE:
        raise CodeShort
    return record_visits(walk_of(har), code.strip(), born, link.strip(), name)


def record_visits(
    visits: Sequence[Visit], code: str, born: date | None, link: str = "", name: str = "", notes: Sequence[Words] = ()
) -> Recorded:
    """Return a draft from the visits of a walk; raises `Invalid`.

    What was named must be found in what was asked: else the true code would be taken for a word of the portal's, and
    written down.
    """
    draft = draft_of(visits, code, born, link, name)
    said = repr(draft.told["step"])
    if not asks_for(CODE, said):
        raise CodeNowhere
    if born is not None and not asks_for(BIRTH_DATE, said):
        raise BirthDateNowhere
    known = Known(code, born)
    looked = (*draft.notes, *notes)
    text = toml_of({**draft.told, "test": rehearsals_of(draft.told, known)}, [*map(str, looked)])
    if known.shows_in(text):
        raise GivesAway
    try:
        recipe = parsed(text, Path("draft.toml"))
    except RecipeInvalid as error:
        return Recorded(text, draft.told, looked, broken=error.faults)
    return Recorded(text, draft.told, looked, played=tuple(play(recipe)))
