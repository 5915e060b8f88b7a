"""Portals that speak no common language, fetched from by a recipe; and what happens where they are otherwise."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.guided import after, guided_by
from radrelay.importer.connectors.recognising import connectors_of, leads_in
from radrelay.importer.errors import (
    AnswerUnusable,
    AnswerWrong,
    AttemptsSpent,
    HostNotAllowed,
    InMaintenance,
    LinkExpiredThere,
    LockedThere,
    LoginEnded,
    NotThere,
    PersonNeeded,
    PortalBusy,
    PortalTrouble,
    RecipeOutdated,
)
from radrelay.importer.health import Fetch, Health, health_of
from radrelay.importer.models import ImportCase, ImportReport, PortalFetch
from radrelay.importer.recipes.errand import PREFIX, RecipeErrand
from tests.importer.portal import Asked, Kept, Portal, outgoing, portal
from tests.importer.provider import Waits
from tests.importer.recipe_portals import (
    BORN,
    CODE,
    FORM,
    HOST,
    JSON,
    TWO_STEPS,
    connector,
    errand,
    fields,
    form_portal,
    json_portal,
    packed,
    page,
    told,
    two_step_portal,
    zipped,
)

FORM_LINK, JSON_LINK = "/abholen/Q7-XK4%20P%2F2", "/#/share/S1"
RIGHT = {"birth_date": "31.01.1970"}
BOTH = {"code": CODE, "birth_date": BORN}


@pytest.fixture(scope="module")
def running() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture
def here(running: Portal) -> Portal:
    running.answers.clear()
    running.asked.clear()
    return running


@pytest.fixture
def waits() -> Waits:
    return Waits()


def fetched(made: RecipeErrand) -> list[bytes]:
    came = []
    for item in made.items():
        sink = Kept()
        assert made.download(item, sink).content == "zip"
        came.append(sink.bytes)
    return came


def test_a_form_with_a_hidden_field_and_a_cookie(here: Portal, waits: Waits) -> None:
    form_portal(here)
    made = errand(here, FORM, FORM_LINK, waits)
    (question,) = made.ask()
    assert (question.id, question.kind, question.form, question.text("de")) == (
        "birth_date", "birth-date", "date", "Geburtsdatum",
    )  # fmt: skip
    assert here.asked == []
    made.answer(RIGHT)
    assert fetched(made) == [packed(), packed()]
    assert [path for _, path, _, _ in here.asked][-2:] == ["/zip?n=1&x=y", "/zip?n=2"]


def test_a_login_in_json_and_a_parcel_that_is_packed_first(here: Portal, waits: Waits) -> None:
    json_portal(here)
    made = errand(here, JSON, JSON_LINK, waits)
    assert [one.id for one in made.ask()] == ["code", "birth_date"]
    made.answer(BOTH)
    assert waits.waited == []
    assert fetched(made) == [packed()]
    assert waits.waited == [3, 3]
    assert here.asked[-1][1] == "/files/a%20b.zip"


@pytest.mark.parametrize("link", ["/p?x=1&k=Q7-XK4%20P%2F2", "/p?k=Q7-XK4+P/2", "/"])
def test_the_code_first_and_then_the_birth_date_in_three_fields(here: Portal, waits: Waits, link: str) -> None:
    two_step_portal(here)
    made = errand(here, TWO_STEPS, link, waits)
    asked = [one.id for one in made.ask()]
    assert asked == (["code", "birth_date"] if link == "/" else ["birth_date"])
    made.answer({one: BOTH[one] for one in asked})
    assert fetched(made) == [packed()]


def test_links_of_others_are_not_recognised(here: Portal, waits: Waits) -> None:
    made = connector(here, FORM, waits)
    for link in ("/abholen/", "/abholen/a/b", "/", "/abholen?code=x"):
        assert made.recognise(here.url(link, HOST)) is None
    assert made.recognise(f"http://localhost:{here.port}/abholen/x") is None
    lead = made.recognise(here.url("/abholen/x1", HOST))
    assert lead is not None
    assert (lead.connector, lead.host, lead.token.value) == ("recipe:portal", f"{HOST}:{here.port}", "x1")


def test_recipes_come_after_the_common_languages_and_a_person_is_always_there(here: Portal, waits: Waits) -> None:
    made = connector(here, FORM, waits)
    link = here.url("/abholen/AB12-34", HOST)
    found = leads_in(f"Ihre Bilder: {link}", connectors_of(outgoing(), AttemptsInMemory(), [made]))
    assert [lead.connector for lead, _ in found] == ["dlx", "recipe:portal", "document"]
    assert made.open(found[1][0]).ask()
    guided = guided_by(f"Ihre Bilder: {link}", clear_loopback=True)
    assert guided is not None
    assert (guided.host, guided.address.value, guided.awaits) == (f"{HOST}:{here.port}", link, "file")
    assert guided.doing[0] == "open"
    assert guided.doing[-1] == "bring-file"
    assert "solve-captcha" in after(guided, PersonNeeded(kind="captcha")).doing
    assert after(guided, InMaintenance()).doing[0] == "wait"
    assert after(guided, LinkExpiredThere()).doing == ("ask-sender",)
    assert after(guided, RecipeOutdated()).doing == guided.doing
    assert link not in repr(guided)
    assert guided_by("nothing") is None


def test_a_wrong_birth_date_can_be_given_again_until_the_attempts_are_spent(here: Portal, waits: Waits) -> None:
    form_portal(here)
    attempts = AttemptsInMemory(2)
    made = errand(here, FORM, FORM_LINK, waits, attempts)
    with pytest.raises(AnswerUnusable):
        made.answer({"birth_date": "31. Januar"})
    with pytest.raises(AnswerUnusable):
        made.answer({})
    assert here.asked == []
    with pytest.raises(AnswerWrong) as wrong:
        made.answer({"birth_date": "1970-01-30"})
    assert wrong.value.facts["left"] == 1
    with pytest.raises(LoginEnded):
        made.items()
    made.answer(RIGHT)
    assert len(fetched(made)) == 2
    again = errand(here, FORM, FORM_LINK, waits, attempts)
    with pytest.raises(AnswerWrong):
        again.answer({"birth_date": "1970-01-29"})
    with pytest.raises(AttemptsSpent):
        again.answer(RIGHT)


@pytest.mark.parametrize(
    ("said", "trouble", "counted"),
    [
        ("Link abgelaufen", LinkExpiredThere, False),
        ("Zugang gesperrt", LockedThere, True),
        ('<div class="box captcha">', PersonNeeded, False),
        ("Wartungsarbeiten", InMaintenance, False),
        ("Etwas ganz anderes", RecipeOutdated, True),
    ],
)
def test_each_failure_is_told_by_how_it_looks(
    here: Portal, waits: Waits, said: str, trouble: type[PortalTrouble], counted: bool
) -> None:
    form_portal(here)
    here.answers["/anmelden"] = page(said)
    made = errand(here, FORM, FORM_LINK, waits, AttemptsInMemory(1))
    for raised in (trouble, AttemptsSpent if counted else trouble):
        with pytest.raises(raised):
            made.answer(RIGHT)


def test_an_attempt_counts_once_answers_left_for_a_portal_that_is_busy(here: Portal, waits: Waits) -> None:
    form_portal(here)
    made = errand(here, FORM, FORM_LINK, waits, AttemptsInMemory(1))
    log_in, here.answers["/anmelden"] = here.answers["/anmelden"], told({}, 429)
    opened, here.answers[FORM_LINK] = here.answers[FORM_LINK], told({}, 503)
    for raised in (PortalBusy, PortalBusy, AttemptsSpent):
        with pytest.raises(raised):
            made.answer(RIGHT)
        here.answers[FORM_LINK] = opened
    here.answers["/anmelden"] = log_in


def test_what_is_no_longer_there_is_told_by_its_step_and_name_and_nothing_secret(here: Portal, waits: Waits) -> None:
    form_portal(here)
    here.answers[FORM_LINK] = page(f'<input name="_other" value="{CODE}">')
    made = errand(here, FORM, FORM_LINK, waits, AttemptsInMemory(1))
    with pytest.raises(RecipeOutdated, match=r"step 'open' of recipe portal: csrf is not where") as outdated:
        made.answer(RIGHT)
    assert outdated.value.facts["step"] == made.step == "open"
    shown = (
        "".join(traceback.format_exception(outdated.value))
        + repr(outdated.value.facts)
        + repr(made.__dict__).replace(repr(made._url), "")
    )
    assert CODE not in shown
    assert "1970" not in shown
    form_portal(here)
    made.answer(RIGHT)


def test_only_the_recipes_hosts_are_asked_and_only_if_they_are_allowed(here: Portal, waits: Waits) -> None:
    form_portal(here)
    elsewhere = f"http://localhost:{here.port}/zip"
    here.answers["/aufnahmen"] = page(f'Ihre Aufnahmen <a class="download" href="{elsewhere}">')
    made = errand(here, FORM, FORM_LINK, waits)
    made.answer(RIGHT)
    with pytest.raises(RecipeOutdated, match=r"leads to localhost:\d+, which is none of the recipe's hosts"):
        fetched(made)
    here.answers["/anmelden"] = lambda asked: asked.give(302, b"", Location=elsewhere)
    with pytest.raises(RecipeOutdated, match="none of the recipe's hosts"):
        made.answer(RIGHT)
    assert all(headers["Host"].startswith(HOST) for _, _, headers, _ in here.asked)
    knows = connector(here, FORM, waits)
    knows._outgoing = outgoing(allows=lambda host: False)
    lead = knows.recognise(here.url(FORM_LINK, HOST))
    assert lead is not None
    with pytest.raises(HostNotAllowed):
        knows.open(lead).answer(RIGHT)


def test_packing_that_does_not_end_or_comes_to_nothing(here: Portal, waits: Waits) -> None:
    json_portal(here)
    here.answers["/api/jobs/j%2F1"] = told({"state": "packing"}, 503, Retry_After="20")
    made = errand(here, JSON, JSON_LINK, waits)
    made.answer(BOTH)
    with pytest.raises(PortalBusy):
        made.items()
    assert waits.waited == [20, 20, 20]
    here.answers["/api/jobs/j%2F1"] = told({"state": "failed"}, 500)
    with pytest.raises(RecipeOutdated, match="'packing' of recipe portal: it answers HTTP 500"):
        made.items()


def test_codes_by_sms_and_links_that_end_at_the_download(here: Portal, waits: Waits) -> None:
    json_portal(here)
    made = errand(here, JSON, JSON_LINK, waits)
    made.answer(BOTH)
    (item,) = made.items()
    here.answers["/files/a%20b.zip"] = told({}, 410)
    with pytest.raises(LinkExpiredThere):
        made.download(item, Kept())
    here.answers["/api/login"] = told({"next": "otp"})
    with pytest.raises(PersonNeeded) as needed:
        made.answer(BOTH)
    assert needed.value.facts["kind"] == "sms"
    here.answers["/api/login"] = told({}, 200)
    with pytest.raises(RecipeOutdated, match="bearer"):
        made.answer(BOTH)


def test_links_without_a_code_are_counted_by_the_code_that_is_given(here: Portal, waits: Waits) -> None:
    two_step_portal(here)
    attempts = AttemptsInMemory(1)
    with pytest.raises(NotThere):
        errand(here, TWO_STEPS, "/", waits, attempts).answer({"code": "other", "birth_date": "1981-01-01"})
    with pytest.raises(AttemptsSpent):
        errand(here, TWO_STEPS, "/", waits, attempts).answer({"code": "other", "birth_date": "1980-01-01"})
    errand(here, TWO_STEPS, "/", waits, attempts).answer(BOTH)


def test_codes_are_not_guessed_for_a_birth_date(here: Portal, waits: Waits) -> None:
    two_step_portal(here)
    attempts = AttemptsInMemory(2)
    for code in ("other", "another"):
        with pytest.raises(NotThere):
            errand(here, TWO_STEPS, "/", waits, attempts).answer({"code": code, "birth_date": BORN})
    sent = len(here.asked)
    for code in ("third", CODE):
        with pytest.raises(AttemptsSpent):
            errand(here, TWO_STEPS, "/", waits, attempts).answer({"code": code, "birth_date": BORN})
    assert len(here.asked) == sent
    with pytest.raises(NotThere):  # that this was not sent has cost the code nothing
        errand(here, TWO_STEPS, "/", waits, attempts).answer({"code": "third", "birth_date": "1981-01-01"})


def test_health_tells_of_thirty_days_and_which_step_fails_most() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    ago = [now - timedelta(days=days) for days in range(60)]
    assert health_of((), now) == Health()
    assert Health().share is None
    outdated = [Fetch(at, code="portal-recipe-outdated", step="log in") for at in (ago[8], ago[2], ago[45])]
    fetches = [Fetch(ago[40], 1.0), Fetch(ago[5], 10.0), Fetch(ago[4], 30.0), Fetch(ago[3], 11.0), *outdated,
               Fetch(ago[1], code="portal-stalled", step="download")]  # fmt: skip
    fares = health_of(fetches, now)
    assert (fares.state, fares.fetched, fares.failed, fares.share, fares.median_s) == ("failing", 3, 3, 0.5, 11.0)
    assert (fares.last_success, fares.last_failure) == (ago[3], ago[1])
    assert (fares.code, fares.step) == ("portal-stalled", "download")
    assert (fares.worst_step, fares.worst_failures) == ("log in", 2)
    assert health_of([*fetches, Fetch(now, 2.0)], now).state == "well"


def test_the_longest_name_of_a_recipe_fits_where_it_is_written() -> None:
    for table in (ImportCase, ImportReport, PortalFetch):
        assert len(PREFIX) + 64 <= table.__table__.c.connector.type.length  # type: ignore[attr-defined]


GETS = """
recipe = 1
name = "Portal of one address"
hosts = ["{HOST}"]
[[link]]
address = "/f/{code}"
[[ask]]
name = "birth_date"
kind = "birth-date"
[[step]]
name = "download"
download = "/zip?k={code}&b={birth_date:YYYYMMDD}"
fails = [{ as = "wrong", status = 401 }]
"""


def test_answers_that_go_with_the_download_itself_are_counted(here: Portal, waits: Waits) -> None:
    attempts = AttemptsInMemory(2)

    def fetch(born: str) -> list[bytes]:
        made = errand(here, GETS, "/f/AB12", waits, attempts)
        made.answer({"birth_date": born})
        return fetched(made)

    here.answers["/zip"] = lambda asked: (zipped if "b=19700131" in asked.path else page("", 401))(asked)
    assert fetch(BORN) == fetch(BORN) == [packed()]
    for left in (1, 0):
        with pytest.raises(AnswerWrong) as wrong:
            fetch("1970-01-30")
        assert wrong.value.facts["left"] == left, "the page ends what has none left"
    asked = len(here.asked)
    with pytest.raises(AttemptsSpent):
        fetch(BORN)
    assert len(here.asked) == asked


FRAMED = """
recipe = 1
name = "Portal in a frame"
hosts = ["{HOST}"]
[[link]]
address = "/klinik/{code}"
[[ask]]
name = "birth_date"
kind = "birth-date"
[[fails]]
as = "maintenance"
text = "Wartung"
[[step]]
name = "open"
get = "/klinik/{code}"
frame = [{ class = "portal" }, {}]
take = [{ as = "csrf", field = "_token" }, { as = "act", element = "form", attribute = "action" }]
[[step]]
name = "log in"
post = "{act}"
form = { _token = "{csrf}", born = "{birth_date:DD.MM.YYYY}" }
take = [{ as = "zip", element = "a", attribute = "href" }]
[[step]]
name = "download"
download = "{zip}"
"""


def framing_portal(here: Portal) -> None:
    """A homepage with frames, one of them the portal's, which has its form in a frame of its own."""
    form = '<form action="log-in"><input type=hidden name=_token value=t1><input name=born></form>'

    def log_in(asked: Asked) -> None:
        right = fields(asked) == {"_token": "t1", "born": "31.01.1970"} and asked.headers["Cookie"] == "sid=s1"
        page('<a href="all.zip">' if right else "nein")(asked)

    here.answers |= {
        "/klinik/AB12": page('<iframe src="/news"></iframe><iframe class="big portal" src="/app/?k=1#x"></iframe>'),
        "/app/": page('<frameset><frame src="about:blank"><frame src="inner/form"></frameset>', Set_Cookie="sid=s1"),
        "/app/inner/form": page(form), "/app/inner/log-in": log_in, "/app/inner/all.zip": zipped,
    }  # fmt: skip


def test_a_form_in_a_frame_is_gone_on_to(here: Portal, waits: Waits) -> None:
    framing_portal(here)
    made = errand(here, FRAMED, "/klinik/AB12", waits)
    made.answer(RIGHT)
    assert fetched(made) == [packed()]
    assert [path for _, path, _, _ in here.asked[:3]] == ["/klinik/AB12", "/app/?k=1", "/app/inner/form"]
    here.answers["/app/inner/form"] = page("Wartung")
    with pytest.raises(InMaintenance):
        made.answer(RIGHT)
    here.answers["/app/"] = page(
        "<iframe srcdoc='&lt;form action=log-in>&lt;input name=_token value=t1&gt;'></iframe>", Set_Cookie="sid=s1"
    )
    here.answers["/app/log-in"] = here.answers["/app/inner/log-in"]
    here.answers["/app/all.zip"] = zipped
    made.answer(RIGHT)
    assert fetched(made) == [packed()]


@pytest.mark.parametrize(
    ("src", "said"),
    [
        ("https://evil.example/form", "leads to evil.example, which is none of the recipe's hosts"),
        ("//localhost/form", "leads to localhost"),
        ("javascript:alert(1)", "no such page in a frame"),
        ("", "no such page in a frame"),
        ("http://[::", "no such page in a frame"),
    ],
)
def test_a_frame_leads_nowhere_that_the_recipe_does_not(here: Portal, waits: Waits, src: str, said: str) -> None:
    framing_portal(here)
    here.answers["/app/"] = page(f'<iframe src="{src}"></iframe>')
    with pytest.raises(RecipeOutdated, match=said):
        errand(here, FRAMED, "/klinik/AB12", waits).answer(RIGHT)
    assert all(headers["Host"].startswith(HOST) for _, _, headers, _ in here.asked)
