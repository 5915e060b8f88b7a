"""The recipes of this machine's folder: what their self-tests come to, and how fetching by them goes."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from radrelay.importer.health import Health, healths
from radrelay.importer.recipes.errand import PREFIX
from radrelay.web.api.portals import Fares
from radrelay.web.authentication import Administrator, Services

router = APIRouter(prefix="/recipes", tags=["imports"])


class SelfTest(BaseModel):
    """What a test in a recipe came to; `why` is empty if it passed, else in plain English. `step`: where it failed."""

    name: str
    passed: bool
    step: str
    why: str


class RecipeShown(BaseModel):
    """A recipe. `broken`: the file is none, a problem a line; then the rest is not known."""

    id: str
    name: str
    hosts: list[str]
    broken: list[str]
    tests: list[SelfTest]
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
            tests=[SelfTest(name=it.test, passed=it.passed, step=it.step, why=it.why) for it in one.tests],
            fares=fares(one.recipe.id),
        )
        for one in tested
    ]  # fmt: skip
    found += [
        RecipeShown(id=one.id, name=one.id, hosts=[], broken=one.why.splitlines(), tests=[], fares=fares(one.id))
        for one in broken
    ]
    return Recipes(folder=services.settings.importer.recipes is not None, recipes=found)
