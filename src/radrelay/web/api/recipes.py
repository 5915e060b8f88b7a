"""The recipes of this machine's folder: what their self-tests come to, and how fetching by them goes."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel

from radrelay.importer.health import Health, healths
from radrelay.importer.recipes.errand import PREFIX
from radrelay.importer.recipes.playing import Played
from radrelay.importer.recipes.reading import Fault
from radrelay.importer.recipes.words import Words
from radrelay.web.api.portals import Fares
from radrelay.web.authentication import Administrator, Services

router = APIRouter(prefix="/recipes", tags=["imports"])


class Said(BaseModel):
    """What is said of a recipe: a code and its values, for whoever says it in other words, and plain English."""

    code: str
    values: dict[str, str | int | Said]
    text: str

    @classmethod
    def of(cls, words: Words) -> Said:
        """Return words as they are shown."""
        told = {name: cls.of(one) if isinstance(one, Words) else one for name, one in words.values.items()}
        return cls(code=words.code, values=told, text=str(words))


class FaultShown(BaseModel):
    """What is wrong with a file: where (line 0: nobody can tell), and in which words."""

    file: str
    line: int
    place: str
    said: Said

    @classmethod
    def all_of(cls, faults: Sequence[Fault]) -> list[FaultShown]:
        """Return faults as they are shown."""
        return [cls(file=one.file, line=one.line, place=one.place, said=Said.of(one.words)) for one in faults]


class SelfTest(BaseModel):
    """What a test in a recipe came to; `why` is none if it passed. `step`: where it failed."""

    name: str
    passed: bool
    step: str
    why: Said | None

    @classmethod
    def all_of(cls, played: Sequence[Played]) -> list[SelfTest]:
        """Return what tests came to as it is shown."""
        return [
            cls(name=one.test, passed=one.passed, step=one.step, why=Said.of(one.words) if one.words else None)
            for one in played
        ]


class RecipeShown(BaseModel):
    """A recipe. `broken`: why the file is none; then the rest is not known. `browser`: it needs one, and its tests are
    played by `radrelay recipes check` alone.

    `guesses`: so many of its lines about failures are guesses.
    """

    id: str
    name: str
    hosts: list[str]
    broken: list[FaultShown]
    tests: list[SelfTest]
    guesses: int
    browser: bool
    fares: Fares


class Recipes(BaseModel):
    """Recipes by name; `folder`: the settings name one."""

    folder: bool
    recipes: list[RecipeShown]


@router.get("")
def list_recipes(services: Services, principal: Administrator) -> Recipes:
    """List the recipes with their health; their self-tests are played when a file has changed."""
    tested, broken = services.recipes.tested()
    with services.database.read() as session:
        ways, _ = healths(session, principal.organisation_id, services.clock.now())

    def fares(name: str) -> Fares:
        connector = f"{PREFIX}{name}"
        return Fares.of(connector, ways.get(connector, Health()))

    found = [
        RecipeShown(
            id=one.recipe.id, name=one.recipe.told.name, hosts=list(one.recipe.told.hosts), broken=[],
            tests=[] if one.recipe.told.browser else SelfTest.all_of(one.tests), guesses=one.recipe.guesses,
            browser=one.recipe.told.browser, fares=fares(one.recipe.id),
        )
        for one in tested
    ]  # fmt: skip
    found += [
        RecipeShown(
            id=one.id, name=one.id, hosts=[], broken=FaultShown.all_of(one.faults), tests=[], guesses=0, browser=False,
            fares=fares(one.id),
        )
        for one in broken
    ]  # fmt: skip
    return Recipes(folder=services.settings.importer.recipes is not None, recipes=found)
