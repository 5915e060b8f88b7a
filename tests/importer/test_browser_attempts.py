"""What a walk in a browser costs of a link's attempts: all that was told to a portal counts, however the walk ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.browser.errand import BrowserErrand
from radrelay.importer.browser.tab import Tab
from radrelay.importer.connectors.ports import Lead
from radrelay.importer.errors import (
    AnswerUnusable,
    AnswerWrong,
    AttemptsSpent,
    BrowserEnded,
    InMaintenance,
    PageHangs,
    PortalTrouble,
    PortalUnreachable,
    RecipeOutdated,
)
from radrelay.importer.outgoing import Reply
from radrelay.importer.places import Target
from radrelay.importer.recipes.page import Page
from radrelay.importer.recipes.reading import parsed
from radrelay.importer.secret import Secret
from radrelay.importer.turns import TurnOver
from tests.importer.portal import outgoing
from tests.importer.provider import Waits

HOST = "portal.example"
RECIPE = """
recipe = 1
name = "Portal"
browser = true
hosts = ["portal.example"]
[[link]]
address = "/p/{code}"
[[ask]]
name = "birth_date"
kind = "birth-date"
[[fails]]
as = "maintenance"
text = "Wartung"
[[step]]
name = "open"
goto = "/p/{code}"
expect = { text = "Geburtsdatum" }
within_s = 1
[[step]]
name = "write"
fill = [{ field = "born", with = "{birth_date:DD.MM.YYYY}" }]
[[step]]
name = "log in"
click = { button = "Weiter" }
expect = { text = ["SMS", "Bilder"] }
fails = [{ as = "wrong", text = "falsch" }]
within_s = 1
[[step]]
name = "sms"
when = { text = "SMS" }
ask = { as = "sms" }
[[step]]
name = "write sms"
when = { text = "SMS" }
fill = [{ field = "otp", with = "{sms}" }]
[[step]]
name = "send sms"
when = { text = "SMS" }
click = { button = "Weiter" }
expect = { text = "Bilder" }
within_s = 1
[[step]]
name = "bring"
save = { button = "Laden" }
"""


@dataclass
class Pages:
    """A page in a browser that shows one text after the other: the next with each click."""

    shown: list[str]
    raised: PortalTrouble | None = None
    filled: list[str] = field(default_factory=list)

    def go(self, url: str) -> None:
        del url

    def page(self) -> tuple[Page, bool]:
        if self.raised is not None and self.filled:
            raise self.raised
        body = self.shown[0].encode()
        return Page(Reply(Target(True, HOST, 443, "/p"), 200, {"content-type": "text/html"}, body)), True

    def fill(self, way: str, text: str, value: str) -> str:
        del way, text
        self.filled.append(value)
        return ""

    def click(self, way: str, text: str) -> bool:
        del way, text
        del self.shown[: len(self.shown) > 1]
        return True

    def picture(self) -> bytes:
        return b"picture"

    def require_well(self) -> None:
        """All that came is within bounds."""


@dataclass
class House:
    """Walks of one link, each in a browser of its own."""

    attempts: AttemptsInMemory

    def errand(self, pages: Pages) -> BrowserErrand:
        waits = Waits()
        lead = Lead("recipe:portal", HOST, Secret("AB12"), Secret(f"https://{HOST}/p/AB12"))
        made = BrowserErrand(
            parsed(RECIPE, Path("portal.toml")), outgoing(), lead, {"code": Secret("AB12")}, self.attempts,
            waits.pause, waits.clock,
        )  # fmt: skip
        made._tabbed = lambda: cast("Tab", pages)  # type: ignore[method-assign]
        made.answer({"birth_date": "1970-01-31"})
        return made

    def left(self) -> int:
        """Return how many attempts are left."""
        taken = 0
        try:
            while True:
                self.attempts.spend(Secret(f"{HOST} ab12"))
                taken += 1
        except AttemptsSpent:
            for _ in range(taken):
                self.attempts.give_back(Secret(f"{HOST} ab12"))
            return taken


@pytest.fixture
def house() -> House:
    return House(AttemptsInMemory(3))


@pytest.mark.parametrize(
    ("pages", "trouble", "left"),
    [
        (Pages(["Geburtsdatum", "falsch"]), AnswerWrong, 2),
        (Pages(["Geburtsdatum", "etwas anderes"]), RecipeOutdated, 2),
        (Pages(["Geburtsdatum"], PageHangs()), PageHangs, 2),
        (Pages(["Geburtsdatum"], BrowserEnded()), BrowserEnded, 2),
        (Pages(["Geburtsdatum"], PortalUnreachable(host=HOST)), PortalUnreachable, 2),
        (Pages(["Geburtsdatum", "Wartung"]), InMaintenance, 3),
        (Pages(["etwas anderes"]), RecipeOutdated, 3),
    ],
)
def test_what_was_told_counts_whatever_comes_of_it(
    house: House, pages: Pages, trouble: type[PortalTrouble], left: int
) -> None:
    made = house.errand(pages)
    with pytest.raises(trouble):
        made.carry_on({}, lambda: None)
    made.close()
    assert house.left() == left


def test_a_walk_that_hangs_is_not_a_way_to_guess(house: House) -> None:
    for _ in range(3):
        with pytest.raises(PageHangs):
            house.errand(Pages(["Geburtsdatum"], PageHangs())).carry_on({}, lambda: None)
    pages = Pages(["Geburtsdatum"], PageHangs())
    with pytest.raises(AttemptsSpent):
        house.errand(pages).carry_on({}, lambda: None)
    assert pages.filled == []


@pytest.mark.parametrize(("said", "left"), [(False, 3), (True, 2)])
def test_a_walk_that_is_given_up_on_its_way_counts_once_it_had_told_the_portal(
    house: House, said: bool, left: int
) -> None:
    pages = Pages(["Geburtsdatum"])

    def look() -> None:
        if bool(pages.filled) is said:
            raise TurnOver

    made = house.errand(pages)
    with pytest.raises(TurnOver):
        made.carry_on({}, look)
    made.close()
    assert house.left() == left


def test_an_sms_that_nobody_answers_costs_nothing_and_one_that_was_answered_counts(house: House) -> None:
    made = house.errand(Pages(["Geburtsdatum", "Code per SMS"]))
    assert made.carry_on({}, lambda: None) is not None
    made.close()
    assert house.left() == 3
    made = house.errand(Pages(["Geburtsdatum", "Code per SMS"]))
    pending = made.carry_on({}, lambda: None)
    assert pending is not None
    with pytest.raises(AnswerUnusable):
        made.carry_on({pending.question.id: "\n"}, lambda: None)
    made.close()
    assert house.left() == 3
    made = house.errand(Pages(["Geburtsdatum", "Code per SMS", "etwas anderes"]))
    pending = made.carry_on({}, lambda: None)
    assert pending is not None
    with pytest.raises(RecipeOutdated):
        made.carry_on({pending.question.id: "481516"}, lambda: None)
    made.close()
    assert house.left() == 2


def test_a_walk_that_comes_to_its_images_costs_nothing(house: House) -> None:
    made = house.errand(Pages(["Geburtsdatum", "Ihre Bilder"]))
    assert made.carry_on({}, lambda: None) is None
    made.close()
    assert house.left() == 3
