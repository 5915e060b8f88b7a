"""Whole imports by links of other languages than DLX, on a real site: DICOMweb with a token, a health link, a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.audit.models import AuditEvent
from radrelay.importer.models import PortalFetch
from tests.importer.house import ImportHouse, open_house
from tests.importer.portal import Portal, portal
from tests.importer.recipe_portals import FORM, form_portal, page
from tests.importer.test_dicomweb import FILES, PAGE, STUDY, Service
from tests.importer.test_health_link_errand import PASSCODE, ZIP, Sharing
from tests.importer.test_imports import BORN_CT, confirmed
from tests.importer.test_recipe_files import documented
from tests.importer.test_recording import entry, har, walked
from tests.importer.walked_portals import CODE, SHARE
from tests.web.conftest import Login


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, elsewhere: Portal) -> Iterator[ImportHouse]:
    recipes = tmp_path_factory.mktemp("recipes")
    (recipes / "form.toml").write_text(FORM.replace("{HOST}", f"127.0.0.1:{elsewhere.port}"))
    (recipes / "shown.toml").write_text(documented())
    (recipes / "moved.toml").write_text(documented().replace("{birth_date:DD.MM.YYYY}", "{birth_date:DD/MM/YYYY}"))
    (recipes / "broken.toml").write_text("recipe = 1")
    (recipes / "browsed.toml").write_text(documented("example of a browser"), encoding="utf-8")
    with open_house(tmp_path_factory.mktemp("house"), recipes=recipes) as found:
        confirmed(found, f"127.0.0.1:{elsewhere.port}")
        yield found


def test_a_share_by_dicomweb_is_fetched_checked_and_filed(house: ImportHouse, elsewhere: Portal) -> None:
    case_id = house.begin(BORN_CT, link=Service(elsewhere).link)
    found = house.turn(case_id)
    assert (found["state"], found["connector"], found["objects"]) == ("open", "dicomweb", len(FILES)), found["error"]
    assert "promised-of-another" in {one["code"] for one in found["findings"]}  # the list names Max Muster
    house.delete(case_id)


def test_what_a_list_names_without_a_way_to_it_is_told_as_missing(house: ImportHouse, elsewhere: Portal) -> None:
    service = Service(elsewhere)
    named: list[dict[str, object]] = [{"0020000D": {"vr": "UI", "Value": [one]}} for one in (STUDY, "Studie 2")]
    elsewhere.answers["/rs/studies"] = lambda asked: service.json(asked, named)
    case_id = house.begin(BORN_CT, link=service.link.replace(f"/{STUDY}", ""))
    found = house.turn(case_id)
    assert (found["state"], found["objects"]) == ("open", len(FILES)), found["error"]
    assert [(one["level"], one["facts"]["by"], one["facts"]["missing"]) for one in found["findings"]
            if one["code"] == "files-missing"] == [("look", "unreached", 1)]  # fmt: skip
    house.delete(case_id)


def test_two_studies_under_one_id_are_fetched_once_and_both_promised(house: ImportHouse, elsewhere: Portal) -> None:
    listed = [{"id": 7.0, "studyInstanceUID": STUDY, "fileCount": len(FILES)},
              {"id": 7.0, "studyInstanceUID": "1.2.4", "fileCount": 3}]  # fmt: skip
    elsewhere.answers |= {
        "/dlx/v1/token/ABC-S1Z": lambda asked: asked.give(200, b'{"tfaQuestion": []}'),
        "/dlx/v1/tokentfa/ABC-S1Z": lambda asked: asked.give(200, b"a.b.c"),
        "/dlx/v1/list": lambda asked: asked.give(200, json.dumps({"dataItem": listed}).encode()),
        "/dlx/v1/download/7.0": lambda asked: asked.give(200, ZIP),
    }
    elsewhere.asked.clear()
    case_id = house.begin(BORN_CT, link=f"http://127.0.0.1:{elsewhere.port}/dlx/v1/token/ABC-S1Z")
    found = house.turn(case_id)
    assert (found["state"], found["objects"]) == ("open", len(FILES)), found["error"]
    assert [path for _, path, _, _ in elsewhere.asked].count("/dlx/v1/download/7.0") == 1
    assert "study-missing" in {one["code"] for one in found["findings"]}
    house.delete(case_id)


def test_a_health_link_asks_for_its_passcode_and_is_filed(house: ImportHouse, elsewhere: Portal) -> None:
    sharing = Sharing(elsewhere)
    sharing.passcode = PASSCODE
    sharing.puts("/shl/1", ZIP, "application/zip")
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    case_id = house.begin(BORN_CT, link=sharing.link(flag="LP", exp=int(ends.timestamp())))
    asks = house.turn(case_id)
    assert (asks["state"], [one["id"] for one in asks["questions"]]) == ("asking", ["passcode"])
    assert datetime.fromisoformat(asks["link_ends_at"]) == ends
    house.post(f"/{case_id}/answers", {"answers": {"passcode": PASSCODE}}, expect=202)
    found = house.turn(case_id)
    assert (found["state"], found["connector"], found["objects"]) == ("open", "shl", len(FILES)), found["error"]
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    assert house.file(case_id)["state"] == "filed"
    assert [one.study_uid for one in house.studies()] == [STUDY]


def test_a_page_for_browsers_waits_for_a_person(house: ImportHouse, elsewhere: Portal) -> None:
    elsewhere.answers["/bilder"] = lambda asked: asked.give(200, PAGE, "text/html")
    case_id = house.begin(BORN_CT, link=f"http://127.0.0.1:{elsewhere.port}/bilder")
    failed = house.turn(case_id)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "portal-unclear")
    by_hand = house.post(f"/{case_id}/by-hand", expect=202)
    assert (by_hand["state"], by_hand["connector"], by_hand["error"] is None) == ("receiving", "guided", False)
    guide = house.get(f"/{case_id}/guide")
    assert guide["address"].endswith("/bilder")
    assert (guide["doing"][0], guide["doing"][-1]) == ("open", "bring-file")
    house.put_file(case_id, "von-hand.zip", ZIP)
    house.put_file(case_id, "lies-mich.txt", b" " * (2 << 20))  # larger than bodies may be that go nowhere
    house.post(f"/{case_id}/done", expect=202)
    assert house.turn(case_id)["objects"] == len(FILES)
    house.delete(case_id)


def test_a_walk_through_the_portal_becomes_a_draft_in_the_guide(house: ImportHouse, elsewhere: Portal) -> None:
    elsewhere.answers[f"/abholen/{CODE}"] = lambda asked: asked.give(200, PAGE, "text/html")
    case_id = house.begin("1961-03-24", link=f"http://127.0.0.1:{elsewhere.port}/abholen/{CODE}")
    address, walk = f"/api/imports/{case_id}/recipe", walked("form", elsewhere.port)

    def sent(raw: bytes, code: str = "", who: Login = house.root) -> tuple[int, dict[str, Any]]:
        headers = {**who.headers, "Entered-Code": code}
        answer = who.http.post(address, params={"name": "Our portal"}, content=raw, headers=headers)
        return answer.status_code, answer.json()

    house.turn(case_id)
    assert sent(walk)[1]["code"] == "import-moved-on"  # nothing is fetched by hand yet
    house.post(f"/{case_id}/by-hand", expect=202)
    status, draft = sent(walk)
    assert (status, draft["broken"], [one["passed"] for one in draft["tests"]]) == (200, [], [True, True]), draft
    assert (draft["name"], draft["hosts"]) == ("Our portal", [f"127.0.0.1:{elsewhere.port}"])
    assert (draft["steps"], draft["questions"]) == (["open", "step 2", "download"], ["birth_date"])
    assert "guess = true" in draft["text"]
    assert [one["code"] for one in draft["notes"]] == ["draft", "fails-guessed"]
    for secret in (CODE, "1961", "24.03", "Mustermann", "Erika"):
        assert secret not in str(draft)
    for raw, code, wrong in (
        (b"no walk", "", "walk-unreadable"), (b'{"log": {"entries": []}}', "", "walk-elsewhere"),
        (walked("form", 9), "", "walk-elsewhere"), (walk.replace(CODE.encode(), b"other-9K9M"), "", "walk-code-wanted"),
        (walk, "AB-123", "walk-code-nowhere"), (walk, "A1", "walk-code-short"),
        (b" " * ((64 << 20) + 1), "", "walk-too-large"),
        (har(entry(elsewhere.url("/", "127.0.0.1"))), "", "walk-empty"),
    ):  # fmt: skip
        assert sent(raw, code)[1]["code"] == wrong
    house.site.account("weber")
    assert sent(walk, who=house.site.login("weber"))[0] == 403
    with house.site.database.read() as session:
        told = session.scalars(sa.select(AuditEvent.detail).where(AuditEvent.action == "recipe.record")).all()
    assert [json.loads(one) for one in told] == [{"host": f"127.0.0.1:{elsewhere.port}"}]
    house.delete(case_id)


def test_a_code_that_was_entered_by_hand_is_named_and_no_birth_date_is_left_out(
    house: ImportHouse, elsewhere: Portal
) -> None:
    elsewhere.answers["/"] = lambda asked: asked.give(200, PAGE, "text/html")
    case_id = house.begin("1961-03-25", link=f"http://127.0.0.1:{elsewhere.port}/#/{SHARE}")
    house.turn(case_id)
    house.post(f"/{case_id}/by-hand", expect=202)
    headers = {**house.root.headers, "Entered-Code": "%20" + CODE}
    raw = walked("scripts", elsewhere.port) + b" " * (2 << 20)  # larger than other bodies may be
    answer = house.root.http.post(f"/api/imports/{case_id}/recipe", content=raw, headers=headers)
    draft = answer.json()
    assert (answer.status_code, draft["broken"]) == (200, []), draft
    (noted,) = [one for one in draft["notes"] if one["code"] == "no-birth-date"]
    assert noted["text"].startswith("The birth date of the import was not found in the walk")
    assert not any(secret in str(draft) for secret in (CODE, SHARE, "1961"))
    house.delete(case_id)


def test_recipes_and_portals_are_told_with_their_health(house: ImportHouse, elsewhere: Portal) -> None:
    with house.site.database.write() as session:
        session.execute(sa.delete(PortalFetch))  # of walks before
    form_portal(elsewhere)
    link = elsewhere.url("/abholen/Q7-XK4%20P%2F2", "127.0.0.1")
    assert house.turn(house.begin("1970-01-31", link=link))["connector"] == "recipe:form"
    wrong = house.turn(house.begin("1970-01-30", link=link))
    assert wrong["error"]["code"] == "portal-answer-wrong"
    for _ in range(2):
        elsewhere.answers["/anmelden"] = page("Ganz neu hier")
        failed = house.turn(house.begin("1970-01-31", link=link))
        assert failed["error"]["code"] == "portal-recipe-outdated"
    told = {one["id"]: one for one in house.root.http.get("/api/recipes").json()["recipes"]}
    fares = told["form"]["fares"]
    assert {name: fares[name] for name in ("connector", "state", "fetched", "failed", "worst_step")} == {
        "connector": "recipe:form", "state": "failing", "fetched": 1, "failed": 2, "worst_step": "log in",
    }  # fmt: skip
    assert 0 < fares["median_s"] < 60
    assert (fares["last_failure_code"], fares["last_failure_step"]) == ("portal-recipe-outdated", "log in")
    assert [one["passed"] for one in told["shown"]["tests"]] == [True] * 3
    assert told["shown"]["fares"]["state"] == "untried"
    assert (told["browsed"]["browser"], told["browsed"]["tests"], told["browsed"]["broken"]) == (True, [], [])
    assert (told["moved"]["tests"][0]["passed"], told["moved"]["tests"][0]["step"]) == (False, "log in")
    assert {(one["file"], one["said"]["code"]) for one in told["broken"]["broken"]} == {("broken.toml", "missing")}
    portals = {one["host"]: one for one in house.root.http.get("/api/portals").json()["portals"]}
    ways = {one["connector"]: one for one in portals[f"127.0.0.1:{elsewhere.port}"]["ways"]}
    assert ways["recipe:form"] == fares
