"""Imports from other institutions in the browser: begun, asked about, checked, chosen, confirmed, filed, taken back."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Dialog, FilePayload, Page, expect

from tests.frontend.conftest import OpenPage, Site, settled, until, where
from tests.frontend.fake_bringing import NUMBER, PASSWORD, TEXT, brought
from tests.frontend.fake_imports import CONSENT, HERE, finding, fitting
from tests.frontend.fake_office import ago
from tests.pages import violations

FITS, STOPPED, FAILED, ASKING = (f"/imports/{uuid.UUID(int=7000 + number)}" for number in (2, 3, 4, 5))


def _begin(page: Page) -> None:
    page.locator("input[name=birth_date]").fill("24. Dezember 1978")
    expect(page.get_by_text("24.12.1978", exact=True)).to_be_visible()
    page.get_by_label("Behandlung").check()
    page.locator("input[name=confirmed]").check()


@pytest.mark.parametrize("width", [360, 1440])
def test_a_link_from_paper_becomes_a_filed_study(open_page: OpenPage, site: Site, width: int) -> None:
    world = site.world.imports
    page = open_page("/imports", width=width, height=800, language="de", touch=width < 400)
    page.locator("textarea[name=link]").fill("https://portal.klinik-nord.example/?token=ABC")
    _begin(page)
    page.get_by_role("button", name="Abholen").click()
    until(lambda: where(page).rpartition("/")[2] == world.cases[0]["id"], "the import's own page")
    assert world.calls[0][1]["link"].endswith("?token=ABC")
    assert (world.calls[0][1]["birth_date"], world.calls[0][1]["basis"]) == ("1978-12-24", "treatment")
    expect(page.locator("[data-state=fetching]")).to_be_visible()
    world.cases[0] |= {**fitting(0), "id": world.cases[0]["id"]}
    site.world.changed.add("imports")
    file = page.locator("button.file")
    expect(file).to_be_disabled()
    proposed = page.locator("[data-candidate='0'] input[type=radio]")
    expect(proposed).to_be_checked()
    assert [name for name, _ in world.calls] == ["begin"], "nobody is chosen by itself"
    assert page.locator("[data-candidate='1'] [data-field=name]").get_attribute("data-verdict") == "other"
    page.get_by_role("button", name="Ja, das ist Müller-Groß, Anna-Luise").click()
    expect(file).to_contain_text("Müller-Groß, Anna-Luise, geboren 24.12.1978, ID P10001 (KLINIKUM)")
    page.locator("select[name=order]").select_option("A2026-17 ")
    expect(page.get_by_text("2 Punkte abhaken")).to_be_visible()
    for number in range(2):
        page.locator("li[data-level=look]:not(.done) input").first.check()
        expect(page.get_by_text("Angesehen von Dr. Katharina Weber")).to_have_count(number + 1)
    page.locator("li[data-level=look] input").first.uncheck()
    expect(page.get_by_text("1 Punkt abhaken")).to_be_visible()
    page.locator("li[data-level=look] input").first.check()
    page.locator("[data-candidate='1'] input[type=radio]").check()
    expect(file).to_be_disabled()  # somebody else is marked, and nobody has said that it is they
    expect(page.locator("[data-person]")).to_have_attribute("data-verdict", "look")
    proposed.check()
    expect(file).to_be_enabled()
    expect(page.locator("[data-person]")).to_have_attribute("data-verdict", "ready")
    expect(page.locator("[data-keyword=AccessionNumber]")).to_contain_text("leer")
    page.locator("select[name=destination]").select_option("dest-1")
    places, site.world.office.destinations = site.world.office.destinations, []
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    gone = page.locator("select[name=destination] option:checked")
    expect(gone).to_have_text("PACS Nord (gibt es nicht mehr)")  # and not kept here in silence
    site.world.office.destinations = places
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    expect(gone).to_have_text("PACS Nord")
    settled(page, site)
    assert violations(page) == []
    file.click()
    expect(page.get_by_text("Abgelegt unter Müller-Groß, Anna-Luise")).to_be_visible()
    stays = page.locator("[data-stays]")
    expect(stays).to_contain_text(re.compile(r"bleibt hier bis \d\d\.\d\d\.\d{4}"))
    expect(stays).to_contain_text(re.compile(r"Bis \d\d\.\d\d\.\d{4}.* kann es zurückgenommen"))
    expect(page.locator("[data-delivery]").first).to_contain_text("PACS Nord")
    expect(page.get_by_role("link", name="Öffnen").first).to_have_attribute("href", f"/view?study={uuid.UUID(int=1)}")
    assert world.calls[-1] == (
        "file", {
            "destination_id": "dest-1", "under": {"patient_id": "P10001", "issuer": "KLINIKUM"},
            "order": {"accession": "A2026-17", "procedure_id": "1", "step_id": ""},
        },
    )  # fmt: skip
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    if width > 400:
        page.get_by_role("button", name="Zurücknehmen").click()
        page.get_by_role("dialog").get_by_role("button", name="Zurücknehmen").click()
        expect(file).to_be_disabled()
        assert [told for name, told in world.calls if name == "take-back"] == [{"for_good": False}]


def test_what_does_not_fit_says_so_and_cannot_be_filed(open_page: OpenPage, site: Site) -> None:
    world = site.world.imports
    page = open_page(STOPPED)
    person = page.locator("[data-person]")
    expect(person).to_have_attribute("data-verdict", "stop")
    expect(page.locator("li[data-code=birth-date-differs]")).to_contain_text("do not file them")
    expect(page.get_by_text("2 points that stop it")).to_be_visible()
    expect(page.locator("button.file")).to_be_disabled()
    page.get_by_role("button", name="Correct").click()
    page.locator("input[name=entered]").fill("24/12/1987")
    page.get_by_role("button", name="check anew").click()
    until(lambda: ("birth-date", {"birth_date": "1987-12-24"}) in world.calls, "the date is corrected")
    page.get_by_role("button", name="Öztürk").click()
    expect(person).to_have_attribute("data-verdict", "look")
    page.locator("input[name=patient_id]").fill("P30003")
    page.get_by_role("button", name="Choose this patient").click()
    expect(page.locator("button.file")).to_contain_text("ID P30003")
    assert world.calls[-1][1]["patient"]["birth_date"] == "19900501"


def test_a_portal_is_confirmed_and_its_questions_are_answered(open_page: OpenPage, site: Site) -> None:
    world = site.world.imports
    page = open_page("/imports")
    today = page.locator("section.today")
    waits = today.locator("[data-patient]")
    expect(waits).to_have_count(2)
    expect(waits.first).to_contain_text("09:15")
    expect(waits.first.get_by_role("link")).to_have_text("411 new images are waiting")
    expect(waits.first.get_by_role("link")).to_have_attribute("href", FITS)
    expect(waits.first).to_contain_text("6 other imports bring nothing more.")
    expect(waits.last).to_contain_text("1 new image may be for them")
    expect(waits.last.get_by_role("button", name="Check again")).to_be_visible()
    expect(waits.first.get_by_role("button", name="Check again")).to_have_count(0)
    today.get_by_text("1 more patient today").click()
    expect(waits).to_have_count(3)
    soon = page.get_by_role("region", name="Ends within two days").locator("[data-import]")
    expect(soon).to_have_count(1)
    expect(soon.locator("[data-ending=link]")).to_have_text(re.compile(r"the link ends (today|tomorrow) \d\d:\d\d"))
    expect(page.locator(f"[data-import='{ASKING.rpartition('/')[2]}']")).to_have_count(1)
    page.get_by_label("Order").select_option("ending")
    expect(page.locator("[data-import]").first).to_have_attribute("data-import", ASKING.rpartition("/")[2])
    expect(page.get_by_role("region", name="Ends within two days")).to_have_count(0)
    decide = page.get_by_role("region", name="Portals to be decided on").locator("[data-portal]")
    expect(decide).to_contain_text("portal.example names this host in its answer")
    expect(decide).to_contain_text("by an import of weber")
    expect(decide.get_by_role("link", name="to the import")).to_have_attribute("href", FAILED)
    expect(decide.get_by_role("note")).to_contain_text("another host than the link’s")
    page.locator("summary", has=page.get_by_role("heading", name="Portals", exact=True)).click()
    way = page.locator("[data-portal] [data-way=dlx]")
    expect(way).to_contain_text("DICOM Link Exchange: 88 % of 34 fetches in 30 days went well · median 12 s")
    clinic = page.locator("[data-recipe=clinic]")
    expect(clinic).to_contain_text("fails most at the step “log in” (3)")
    expect(clinic).to_contain_text("while it was downloaded: The portal took the request")
    expect(clinic).to_contain_text("Self-test “right” fails at the step “log in”: comes to wrong, not to fetched")
    expect(page.locator("[data-recipe=practice]")).to_contain_text("Its self-test passes.")
    expect(page.locator("[data-recipe=practice]")).to_contain_text("3 lines about failures are guesses")
    expect(page.locator("[data-recipe=torn]")).to_contain_text("Is no recipe")
    expect(page.locator("[data-recipe=torn]")).to_contain_text("torn.toml, line 1: recipe: input should be 1")
    page.locator("[data-portal]").get_by_role("button", name="Confirm").click()
    until(lambda: world.portals[0]["state"] == "confirmed", "the host is confirmed")
    page.goto(site.address + FAILED)
    expect(page.get_by_role("link", name="To the portals")).to_have_attribute("href", "/imports")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-state=fetching]")).to_be_visible()
    page.goto(site.address + ASKING)
    page.get_by_label("Date of birth?").fill("24 Dec 1978")
    page.get_by_label("PIN", exact=True).fill("1234")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("[data-state=fetching]")).to_be_visible()
    assert world.calls[-1] == ("answers", {"answers": {"q1": "1978-12-24", "q2": "1234"}})
    clicked = {"id": "captcha.1", "kind": "custom", "form": "clicks", "texts": {"en": "Click the red field"}}
    again = {"code": "browser-begun-again", "detail": "", "facts": {}}
    world.cases[4] |= {"state": "asking", "asks_until": ago(minutes=-9), "questions": [clicked], "error": again}
    site.world.changed.add("imports")
    shown = page.get_by_role("button", name="Click the red field")
    expect(shown.locator("img")).to_have_js_property("naturalWidth", 1280)
    box = shown.bounding_box()
    assert box is not None
    shown.click(position={"x": box["width"] * 420 / 1280, "y": box["height"] * 620 / 900})
    for key in ("ArrowUp", "ArrowRight", "Enter"):
        shown.press(key)
    expect(page.get_by_text("2 places clicked")).to_be_visible()
    expect(page.get_by_text("begun again from its start, and asks anew")).to_be_visible()
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="Answer").click()
    until(lambda: "captcha.1" in world.calls[-1][1]["answers"], "the places are answered")
    places = [tuple(map(int, one.split(","))) for one in world.calls[-1][1]["answers"]["captcha.1"].split()]
    assert places == [(pytest.approx(420, abs=3), pytest.approx(620, abs=3)), (650, 450)]


def test_a_portal_is_recorded_as_a_recipe_in_the_guide(open_page: OpenPage, site: Site) -> None:
    world = site.world.imports
    world.cases[4] |= {"state": "receiving", "connector": "guided"}
    page = open_page(ASKING, width=360, height=800, touch=True)
    page.get_by_text("Record this portal as a recipe").click()
    make = page.get_by_role("button", name="Make a draft")
    expect(make).to_be_disabled()
    page.locator("input[name=portal-name]").fill("Our portal")
    page.locator("input[name=entered-code]").fill("QX7 4K")
    for content in (b"no walk", b"walk"):
        file = page.locator("input[name=har]")
        walk: FilePayload = {"name": "portal.har", "mimeType": "application/json", "buffer": content}
        file.set_input_files(walk)
        make.click()
        if content != b"walk":
            expect(page.get_by_text("This is no HAR file")).to_be_visible()
    draft = page.locator("[data-draft]")
    expect(draft).to_contain_text("Its self-test passes.")
    expect(draft.locator("pre")).to_contain_text('name = "Our portal"')
    expect(draft).to_contain_text("No page gave surname, so it is asked for")
    expect(draft).to_contain_text("radrelay recipes check")
    assert world.calls[-1] == ("recipe", ("Our portal", "QX7%204K"))
    with page.expect_download() as saved:
        draft.get_by_role("button", name="Save as a file").click()
    assert saved.value.suggested_filename == "our-portal.toml"
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_files_that_are_dropped_become_an_import_once_the_basis_is_confirmed(open_page: OpenPage, site: Site) -> None:
    world = site.world.imports
    page = open_page("/imports", language="de")
    expect(page.locator("textarea[name=link]")).to_be_visible()
    transfer = page.evaluate_handle(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(5000)], 'CD.zip', { type: 'application/zip' }));
          return transfer;
        }"""
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page.locator("[data-picked]")).to_contain_text("CD.zip")
    assert world.calls == []
    _begin(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Hochladen und prüfen").click()
    until(lambda: [name for name, _ in world.calls] == ["begin", "announce", "files", "done"], "it was brought")
    assert world.calls[1:3] == [("announce", {"files": 1, "bytes": 5000}), ("files", "CD.zip")]
    assert world.calls[3][1]["lacking"] == []
    expect(page.get_by_text("Jede Datei wird angesehen")).to_be_visible()
    assert not [url for url in asked if url.endswith("/guide")], "nobody is asked for more"


@pytest.mark.parametrize(("width", "language"), [(360, "de"), (1440, "en")])
def test_whoever_finds_an_upload_broken_off_sees_what_came_and_brings_it_once_more(
    open_page: OpenPage, site: Site, width: int, language: str
) -> None:
    world = site.world.imports
    told = {"files": 1200, "bytes": 600_000_000, "came_files": 300, "came_bytes": 150_000_000}
    world.cases[4] |= {"state": "receiving", "connector": "media", "bytes_received": 150_000_000, "announced": told}
    world.cases[4]["last_came_at"] = ago(minutes=12)
    page = open_page(ASKING, width=width, height=800, language=language, touch=width < 400)
    expect(page.locator("[data-announced]")).to_contain_text("1.200" if language == "de" else "1,200")
    expect(page.locator("[data-last-came]")).to_contain_text("12")
    more = page.get_by_role("button", name="keine mehr" if language == "de" else "No more follow")
    expect(more).to_be_visible()
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    if width < 400:
        more.click()
        until(lambda: [name for name, _ in world.calls][-1:] == ["done"], "it goes on with what is here")
        return
    once_more: FilePayload = {"name": "a.dcm", "mimeType": "application/dicom", "buffer": b"123"}
    page.locator("input[type=file]").first.set_input_files(once_more)
    until(lambda: [name for name, _ in world.calls] == ["announce", "files", "done"], "it is brought")


@pytest.mark.parametrize(("width", "language"), [(360, "de"), (1440, "en")])
def test_what_was_filed_and_not_sent_on_is_sent_on_again(
    open_page: OpenPage, site: Site, width: int, language: str
) -> None:
    world = site.world.imports
    who = {"state": "filed", "filed_at": ago(), "filed_by": "weber", "destination_id": str(uuid.UUID(int=9)),
           "unsent": "destination-not-found"}  # fmt: skip
    error = {"code": "import-not-sent-on", "detail": "", "facts": {}}
    world.cases[1] |= {"state": "filed", "error": error}
    world.cases[1]["persons"][0] |= who
    page = open_page(FITS, width=width, height=800, language=language, touch=width < 400)
    expect(page.locator("[data-unsent]")).to_be_visible()
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    places, site.world.office.destinations = site.world.office.destinations, []
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    none = "Die Administration legt eines an" if language == "de" else "An administrator adds one"
    expect(page.locator("[data-unsent]")).to_contain_text(none)
    site.world.office.destinations = places  # one was made in another window, and somebody comes back from there
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    page.locator("select[name=again]").select_option("dest-1")
    page.get_by_role("button", name="Noch einmal weitersenden" if language == "de" else "Send on again").click()
    expect(page.locator("[data-unsent]")).to_have_count(0)
    assert world.calls[-1] == ("send-on", {"destination_id": "dest-1"})


def test_who_may_not_import_is_told_so(open_page: OpenPage, site: Site) -> None:
    site.world.imports.may, site.world.role = False, "user"
    page = open_page("/import")
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    settled(page, site)
    expect(page.get_by_role("link", name="From other institutions")).to_have_count(0)
    page.goto(site.address + "/imports")
    expect(page.get_by_text("You may not import from other institutions")).to_be_visible()
    expect(page.locator("textarea[name=link]")).to_have_count(0)


@pytest.mark.parametrize(("width", "language"), [(360, "de"), pytest.param(1440, "en", marks=pytest.mark.soak)])
def test_a_patient_enters_a_link_without_an_account_and_withdraws(
    open_page: OpenPage, site: Site, width: int, language: str
) -> None:
    world = site.world.bringing
    site.world.logged_in = False
    page = open_page("/bring", width=width, height=800, language=language, touch=width < 400)
    expect(page.get_by_text("Klinikum Süd")).to_be_visible()
    settled(page, site)
    assert violations(page) == []
    page.locator("textarea[name=link]").fill("https://portal.klinik-nord.example/?token=ABC")
    page.locator("input[name=birth_date]").fill("24.12.1978")
    page.locator("input[name=agreed]").check()
    page.locator("form button[type=submit]").click()
    expect(page.locator("[data-number]")).to_have_text("7KQ2 9XBD M4TR S0EN 5HVW")
    assert world.calls == [("begin", {
        "door": "", "link": "https://portal.klinik-nord.example/?token=ABC", "birth_date": "1978-12-24",
        "text": {"id": TEXT["id"], "sha256": TEXT["sha256"]}, "language": language, "agreed": True,
    })]  # fmt: skip
    expect(page.locator("[data-step=fetching] progress")).to_have_attribute("value", "0.15")
    settled(page, site)
    assert violations(page) == []
    page.reload()  # the tab knows the number as long as it is open, and the browser keeps nothing
    expect(page.locator("[data-step=fetching]")).to_be_visible()
    assert where(page) == f"{site.address}/bring"
    kept = page.evaluate("() => [...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie].join()")
    assert NUMBER not in page.evaluate("() => JSON.stringify({ ...localStorage, ...sessionStorage })") + kept
    page.locator("button.destructive").click()
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("dialog").locator("button.destructive").click()
    expect(page.locator("[data-step=withdrawn]")).to_contain_text("80 MB")
    expect(page.locator("button.destructive")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    small = "() => [...document.querySelectorAll('main .card button')].filter((one) => one.offsetHeight < 44).length"
    assert page.evaluate(small) == 0


def test_a_patient_comes_back_by_number_and_mends_what_was_wrong(open_page: OpenPage, site: Site) -> None:
    world = site.world.bringing
    site.world.logged_in = False
    world.now = brought("wrong", code="portal-answer-wrong", left=3, questions=[PASSWORD])
    page = open_page(f"/bring#{NUMBER.lower()}", width=360, height=800, language="de", touch=True)
    expect(page.get_by_text("Sie haben noch 3 Versuche.")).to_be_visible()
    assert page.url.endswith("/bring"), "the number leaves the address bar"
    settled(page, site)
    assert violations(page) == []
    page.locator("input[name=birth_date]").fill("24.12.1978")
    page.get_by_label("PIN vom Zettel").fill("1234")
    page.get_by_role("button", name="Noch einmal versuchen").click()
    expect(page.locator("[data-step=fetching]")).to_be_visible()
    told = {"number": NUMBER.lower(), "answers": {"2": "1234"}, "birth_date": "1978-12-24"}
    assert world.calls == [("answers", told)]
    for step in ("host", "link-ended", "withdrawn-filed"):
        world.now = brought(step, withdrawn_at="2026-11-27T10:00:00Z" if step == "withdrawn-filed" else None)
        page.reload()
        expect(page.locator(f"[data-step={step}] p").first).not_to_be_empty()
        assert "{" not in page.locator("main").inner_text(), step
    world.is_open = False
    page.goto(f"{site.address}/bring/ABCDEFGHJK#{'0' * 20}")
    page.reload()
    expect(page.get_by_text("Diese Nummer kennen wir nicht")).to_be_visible()


def test_a_patient_whose_pin_was_wrong_enters_that_alone(open_page: OpenPage, site: Site) -> None:
    world = site.world.bringing
    site.world.logged_in = False
    world.now = brought("wrong", code="portal-answer-wrong", left=3, questions=[PASSWORD])
    page = open_page(f"/bring#{NUMBER}", width=360, height=800, language="de", touch=True)
    page.get_by_label("PIN vom Zettel").fill("1234")
    page.get_by_role("button", name="Noch einmal versuchen").click()
    expect(page.locator("[data-step=fetching]")).to_be_visible()
    assert world.calls == [("answers", {"number": NUMBER, "answers": {"2": "1234"}, "birth_date": None})]
    born = {"id": "1", "kind": "birth-date", "form": "date", "texts": {"de": "Wann sind Sie geboren?"}}
    world.now = brought("wrong", code="portal-answer-wrong", left=2, questions=[born, PASSWORD])
    page.reload()
    page.get_by_label("Wann sind Sie geboren?").fill("24.12.1978")
    expect(page.locator("input[name=birth_date]")).to_have_count(0)  # it is asked for once
    page.get_by_label("PIN vom Zettel").fill("1234")
    page.get_by_role("button", name="Noch einmal versuchen").click()
    expect(page.locator("[data-step=fetching]")).to_be_visible()
    told = {"number": NUMBER, "answers": {"1": "1978-12-24", "2": "1234"}, "birth_date": "1978-12-24"}
    assert world.calls[-1] == ("answers", told)


def test_a_patient_closes_the_scanner_where_dialogs_are_closed(open_page: OpenPage, site: Site) -> None:
    site.world.logged_in = False
    page = open_page("/bring", width=360, height=800, language="de", touch=True)
    page.get_by_role("button", name="Code scannen").click()
    box, close = (
        one.bounding_box() for one in (page.get_by_role("dialog"), page.get_by_role("dialog").get_by_label("Schließen"))
    )
    assert box is not None
    assert close is not None
    assert close["x"] + close["width"] > box["x"] + box["width"] - 40, "at the right edge"
    assert close["width"] < 60


def test_staff_decide_on_what_was_filed_before_a_patient_withdrew(open_page: OpenPage, site: Site) -> None:
    world = site.world.imports
    row = world.of(FITS.rpartition("/")[2])
    row |= {"state": "filed", "asked_kind": "patient", "consent": {**CONSENT}}
    row["persons"][0] |= {"state": "filed", "filed_by": "Dr. Weber", "filed_at": "2026-11-27T09:00:00Z"}
    page = open_page(FITS)
    page.get_by_role("button", name="The patient withdraws").click()
    page.get_by_role("dialog").get_by_role("button", name="The patient withdraws").click()
    expect(page.locator("[data-proof]")).to_contain_text("80 MB. The keys are destroyed.")
    assert world.calls[-1] == ("withdrawal", None)
    page.goto(f"{site.address}/imports")
    page.locator("[data-patients-page] summary").click()
    expect(page.get_by_label("Address, for letters and your website")).to_have_value("https://images.example/bring")
    settled(page, site)
    assert violations(page) == []
    page.locator("[data-patients-page]").get_by_role("button", name="Switch off").click()
    expect(page.locator("[data-patients-page] .badge")).to_have_text("Off")
    waiting = page.get_by_role("region", name="Waits for a person").locator("[data-import]", has_text="withdrawn")
    expect(waiting).to_contain_text("brought by the patient")
    waiting.get_by_role("link").click()
    expect(page.get_by_role("button", name="Delete what was filed")).to_be_visible()
    expect(page.get_by_role("button", name="Take it back")).to_have_count(0)
    expect(page.get_by_role("button", name="Erase the parcel")).to_have_count(0)
    settled(page, site)
    assert violations(page) == []
    page.locator("input[name=why]").fill("it was reported on")
    page.get_by_role("button", name="It stays in the record").click()
    until(lambda: world.calls[-1:] == [("after-withdrawal", {"keep": True, "why": "it was reported on"})], "told")


def test_what_a_colleague_does_meanwhile_is_said_and_nothing_of_ones_own_is_lost(
    open_page: OpenPage, site: Site
) -> None:
    world = site.world.imports
    row = world.of(FITS.rpartition("/")[2])
    page = open_page(FITS, language="de")
    page.locator("[data-candidate='1'] input[type=radio]").check()
    told = {"by": "Dr. Weber", "at": ago(), "number": 0, "mine": False}
    row["persons"][0]["chosen"] = {**HERE, "birth_date": "19781224"}
    row["acts"] = [{"turn": 1, "what": "choose", **told}]
    site.world.changed.add("imports")
    news = page.locator("[data-meanwhile]")
    expect(news).to_contain_text("Dr. Weber hat inzwischen für Müller, Anna Luise gewählt: Müller-Groß, Anna-Luise")
    expect(page.locator("[data-candidate='1'] input[type=radio]")).to_be_checked()
    expect(page.locator("[data-undecided]")).to_contain_text("Sie haben jemand anderen markiert")
    expect(page.locator("button.file")).to_be_disabled()
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="Gelesen").click()
    expect(news).to_have_count(0)
    row |= {"state": "over", "persons": [], "people": [], "findings": []}
    row["acts"] = [*row["acts"], {"turn": 2, "what": "give-up", **told, "number": None}]
    site.world.changed.add("imports")
    expect(news).to_contain_text("Dr. Weber hat diesen Import inzwischen aufgegeben.")
    page.reload()
    expect(page.get_by_text("Dr. Weber hat diesen Import aufgegeben, am ")).to_be_visible()
    expect(page.get_by_text("steht bei den Studien")).to_have_count(0)  # nothing of it was filed


def test_what_leads_no_further_stands_apart_and_is_given_up_or_mended(open_page: OpenPage, site: Site) -> None:
    world = site.world.imports
    row = world.of(FITS.rpartition("/")[2])
    found = [
        finding("stop", "parcel-empty"),
        finding("look", "unreadable", files=1, names="half.zip", why="no-archive"),
    ]
    row |= {"persons": [], "people": [], "came": None, "nothing_came": "parcel-empty", "findings": found}
    page = open_page("/imports", width=360, height=800, touch=True)
    expect(page.get_by_text("Or choose files of a CD, a ZIP or a folder:")).to_be_visible()
    expect(page.get_by_role("region", name="Waits for a person").locator("[data-import]")).to_have_count(2)
    dead = page.get_by_role("region", name="Lead no further").locator("[data-import]")
    expect(dead).to_contain_text("No images were among what came.")
    dead.get_by_role("link").click()
    expect(page.locator("[data-code=unreadable]")).to_contain_text("half.zip. It is called a ZIP, but is none.")
    page.get_by_role("button", name="Bring other files").click()
    until(lambda: [name for name, _ in world.calls] == ["by-hand"], "other files are to come")
    page.goto(f"{site.address}/imports")
    dead.get_by_role("button", name="Give up").click()
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("dialog").get_by_role("button", name="Give up").click()
    expect(dead).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_what_is_typed_outlives_another_page_and_is_asked_about_before_it_is_lost(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page("/imports")
    page.locator("textarea[name=link]").fill("https://portal.klinik-nord.example/?token=ABC")
    page.locator("input[name=birth_date]").fill("24 Dec 1978")
    page.get_by_role("link", name="Plain import").click()
    expect(page.get_by_role("heading", name="Import", exact=True)).to_be_visible()
    page.go_back()
    expect(page.locator("textarea[name=link]")).to_have_value("https://portal.klinik-nord.example/?token=ABC")
    expect(page.locator("input[name=birth_date]")).not_to_have_value("")
    assert "ABC" not in page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}, location.href, history.state])")  # fmt: skip  # noqa: E501
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    page.reload()
    assert asked == ["beforeunload"]
    expect(page.locator("textarea[name=link]")).to_have_value("")


def test_a_recording_that_is_brought_to_the_guide_is_no_image(open_page: OpenPage, site: Site) -> None:
    world = site.world.imports
    world.cases[4] |= {"state": "receiving", "connector": "guided"}
    page = open_page(ASKING)
    walk: FilePayload = {"name": "portal.har", "mimeType": "application/json", "buffer": b"walk"}
    page.locator("section[aria-labelledby=guide] > input[multiple]").set_input_files(walk)
    expect(page.locator("[data-walk]")).to_contain_text("holds no images")
    page.get_by_role("button", name="Make a recipe of it").click()
    expect(page.locator("[data-given]")).to_have_text("portal.har")
    page.locator("input[name=portal-name]").fill("Our portal")
    page.get_by_role("button", name="Make a draft").click()
    expect(page.locator("[data-draft]")).to_contain_text("Its self-test passes.")
    assert [name for name, _ in world.calls] == ["recipe"]
