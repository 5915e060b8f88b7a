"""A draft knows how a portal refuses: from a wrong try in the walk, else by a guess that says that it is one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.errors import (
    AnswerWrong,
    AttemptsSpent,
    LinkExpiredThere,
    LockedThere,
    NothingListed,
    NotThere,
    PortalTrouble,
    RecipeOutdated,
)
from radrelay.importer.health import Fetch, health_of
from radrelay.importer.recipes.errand import RecipeErrand
from radrelay.importer.recipes.recording import Recorded, record
from tests.importer import walked_portals
from tests.importer.portal import Asked, Kept, Portal, portal
from tests.importer.provider import Waits
from tests.importer.recipe_portals import errand, packed, page, told
from tests.importer.refusing_portals import HINT, PORTALS, ErrorBox, RedirectsBack
from tests.importer.test_recording import recorded
from tests.importer.walker import Walker

CODE, BORN, MISTAKEN = "QX7-4K9M", date(1961, 3, 24), date(1961, 3, 25)
OTHER_CODE, OTHER_BORN = "ZZ9-81PK", date(1999, 12, 5)


@pytest.fixture(scope="module")
def running() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture
def here(running: Portal) -> Portal:
    running.answers.clear()
    running.asked.clear()
    return running


def drafted(here: Portal, kind: Any, *, tried: bool) -> Recorded:
    """A draft from a walk in which somebody made a wrong try first, or did not."""
    kind.open(here, CODE, BORN.strftime(kind.form), "recorded")
    walker = Walker(here)
    kind.walk(walker, CODE, BORN.strftime(kind.form), MISTAKEN.strftime(kind.form) if tried else "")
    here.answers.clear()
    return record(walker.har, CODE, BORN)


def begun(here: Portal, draft: Recorded, kind: Any, attempts: AttemptsInMemory | None = None) -> RecipeErrand:
    kind.open(here, OTHER_CODE, OTHER_BORN.strftime(kind.form), "another-day")
    return errand(here, draft.text, kind.link.format(code=OTHER_CODE), Waits(), attempts)


def answered(made: RecipeErrand, born: date = OTHER_BORN) -> None:
    given = {"code": OTHER_CODE, "birth_date": born.isoformat()}
    made.answer({one.id: given[one.id] for one in made.ask()})


@pytest.mark.parametrize("kind", PORTALS)
@pytest.mark.parametrize("tried", [True, False], ids=["a wrong try", "no wrong try"])
def test_a_wrong_birth_date_is_told_as_such_and_a_right_one_fetches(here: Portal, kind: Any, tried: bool) -> None:
    draft = drafted(here, kind, tried=tried)
    assert draft.problems == ()
    assert [one.test for one in draft.played] == ["as it was walked", "something wrong"]
    attempts = AttemptsInMemory(2)
    made = begun(here, draft, kind, attempts)
    with pytest.raises(AnswerWrong) as wrong:
        answered(made, MISTAKEN)
    assert (wrong.value.facts.get("guessed"), wrong.value.facts["left"]) == (None if tried else 1, 1)
    answered(made)
    (item,) = made.items()
    sink = Kept()
    made.download(item, sink)
    assert sink.bytes == packed()
    with pytest.raises(AnswerWrong):
        answered(made, MISTAKEN)
    with pytest.raises(AttemptsSpent):
        answered(made)


@pytest.mark.parametrize("kind", PORTALS)
def test_a_wrong_try_is_no_step_and_nothing_of_it_is_written_down(here: Portal, kind: Any) -> None:
    with_try, without = drafted(here, kind, tried=True), drafted(here, kind, tried=False)
    for one in (with_try, without):
        assert [step["name"] for step in one.told["step"]] == ["open", "step 2", "download"]
        assert [ask["name"] for ask in one.told.get("ask", ())][-1] == "birth_date"
    for secret in (CODE, "1961", "25.03", "03-25"):
        assert secret not in with_try.text
    codes = [[note.code for note in one.notes] for one in (with_try, without)]
    assert codes == [["draft", "fails-learned", "fails-other"], ["draft", "fails-guessed"]]
    assert not any("guess" not in fail for step in without.told["step"] for fail in step.get("fails", ()))


def learned(draft: Recorded) -> dict[str, Any]:
    """How the wrong try looks, as the draft has it."""
    fails: list[dict[str, Any]] = draft.told["step"][1]["fails"]
    return fails[0]


def test_what_is_learned_is_the_plainest_that_tells_wrong_from_right(here: Portal) -> None:
    looks = [learned(drafted(here, kind, tried=True)) for kind in PORTALS]
    assert looks == [
        {"as": "wrong", "element": "input", "where": {"name": "geb"}},
        {"as": "wrong", "text": ["stimmen nicht", "nicht überein"]},
        {"as": "wrong", "status": 401, "json": "error", "is": "invalid_credentials"},
        {"as": "wrong", "json": "success", "is": False},
    ]


@pytest.mark.parametrize("name", ["form", "scripts", "two_steps"])
def test_portals_that_were_walked_without_a_wrong_try_refuse_and_that_is_guessed(here: Portal, name: str) -> None:
    draft = recorded(name, here.port)
    form = "%Y-%m-%d" if name == "scripts" else "%d.%m.%Y"
    getattr(walked_portals, name)(here, OTHER_CODE, OTHER_BORN.strftime(form), "another-day")
    path = {"form": f"/abholen/{OTHER_CODE}", "scripts": f"/#/{walked_portals.SHARE}", "two_steps": "/"}[name]
    with pytest.raises(AnswerWrong) as wrong:
        answered(errand(here, draft.text, path, Waits()), MISTAKEN)
    assert wrong.value.facts["guessed"] == 1


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (page("Ihr Zugang wurde gesperrt."), LockedThere),
        (page("Too many attempts."), LockedThere),
        (page("Dieser Link ist abgelaufen."), LinkExpiredThere),
        (page("<p hidden>Der Link ist abgelaufen</p><script>'is locked'</script>Willkommen"), RecipeOutdated),
        (page(HINT), RecipeOutdated),
        (page("Ungültig", 500), RecipeOutdated),
        (page("falsch", 403), AnswerWrong),
        (told({"error": "account_locked"}, 403), LockedThere),
        (told({"errorCode": "linkExpired"}), LinkExpiredThere),
    ],
)
def test_what_is_guessed_of_an_answer(here: Portal, answer: Any, trouble: type[PortalTrouble]) -> None:
    draft = drafted(here, ErrorBox, tried=False)
    attempts = AttemptsInMemory(1)
    made = begun(here, draft, ErrorBox, attempts)
    here.answers["/b"] = answer
    with pytest.raises(trouble) as told_:
        answered(made)
    assert type(told_.value) is trouble
    with pytest.raises(AttemptsSpent):  # a guess gives no attempt back
        answered(made)


def test_links_that_are_not_there_or_gone(here: Portal) -> None:
    draft = drafted(here, ErrorBox, tried=False)
    for status, trouble in ((404, NotThere), (410, LinkExpiredThere)):
        made = begun(here, draft, ErrorBox)
        here.answers[f"/a/{OTHER_CODE}"] = page("?", status)
        with pytest.raises(trouble):
            answered(made)


def test_what_success_looks_like_counts_before_any_guess(here: Portal) -> None:
    draft = drafted(here, ErrorBox, tried=False)
    made = begun(here, draft, ErrorBox)
    here.answers["/b"] = page('<h1>MR Knie: falsch belastet, incorrect</h1><a href="/d/x.zip">Laden</a>')
    answered(made)
    assert len(made.items()) == 1


BARE = """
recipe = 1
name = "Portal"
hosts = ["{HOST}"]
[[link]]
address = "/start"
[[ask]]
name = "code"
kind = "password"
[[ask]]
name = "birth_date"
kind = "birth-date"
[[step]]
name = "open"
get = "/start"
take = [{ as = "token", field = "_token" }]
[[step]]
name = "log in"
post = "/pruefen"
form = { _token = "{token}", zugang = "{code}", geb = "{birth_date:DD.MM.YYYY}" }
expect = { text = "Bereit" }
take = [{ as = "zip", pattern = "(Bereit)", all = true }]
[[step]]
name = "bring"
download = "{zip}"
"""


def test_a_form_that_comes_back_is_never_an_outdated_recipe(here: Portal) -> None:
    RedirectsBack.open(here, OTHER_CODE, OTHER_BORN.strftime(RedirectsBack.form), "x")
    for text in (BARE, BARE.replace('expect = { text = "Bereit" }\n', "")):
        made = errand(here, text, "/start", Waits())
        with pytest.raises(AnswerWrong) as wrong:
            answered(made, MISTAKEN)
        assert wrong.value.facts["guessed"] == 1
    here.answers["/pruefen"] = page("etwas anderes")
    with pytest.raises(NothingListed):
        answered(errand(here, BARE.replace('expect = { text = "Bereit" }\n', ""), "/start", Waits()))
    with pytest.raises(RecipeOutdated):
        answered(errand(here, BARE, "/start", Waits()))


def test_a_portal_that_shows_its_form_on_success_too_is_left_to_a_person(here: Portal) -> None:
    def shown(asked: Asked) -> None:
        page('<form method="post" action="/x"><input name="c"><input name="d"></form>')(asked)

    here.answers |= {"/": shown, "/x": shown, "/x.zip": walked_portals.attached}
    walker = Walker(here)
    walker.get("/")
    walker.post("/x", {"c": CODE, "d": "24.03.1961"})
    walker.get("/x.zip")
    draft = record(walker.har, CODE, BORN)
    assert (draft.problems, [note.code for note in draft.notes][-1]) == ((), "fails-blind")


def test_guesses_that_nothing_contradicts_put_a_recipe_in_doubt() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)

    def guessed(*days: int) -> list[Fetch]:
        return [Fetch(now - timedelta(days=day), code="portal-answer-wrong", step="log in") for day in days]

    well = Fetch(now - timedelta(days=9), 4.0)
    fares = health_of([well, *guessed(8, 7)], now)
    assert (fares.state, fares.fetched, fares.failed) == ("well", 1, 0)
    fares = health_of([well, *guessed(8, 7, 6)], now)
    assert (fares.state, fares.failed, fares.code, fares.worst_step) == (
        "failing", 3, "portal-answer-wrong", "log in",
    )  # fmt: skip
    assert health_of([*guessed(8, 7, 6), Fetch(now, 5.0)], now).state == "well"
