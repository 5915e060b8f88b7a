"""Displays are registered and checked in their own browser; the log says who, when and by what."""

from __future__ import annotations

import csv
import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.audit.models import AuditEvent
from radrelay.displays.judging import QUESTIONS
from radrelay.web.api.displays import COOKIE
from tests.displays.samples import STEPS, following, gamma
from tests.proving import log_in
from tests.web.conftest import Login, WebSite

LEFT: dict[str, Any] = {
    "name": "left", "room": "Reading room 2", "room_class": "RK1", "use": "ct", "columns": 2560, "rows": 1440,
    "pixel_um": 233.0, "css_width": 2560, "css_height": 1440, "screen_left": 0, "screen_top": 0, "label": "",
}  # fmt: skip
SEEN = {"columns": 2560, "rows": 1440, "pixel_um": 233.0}
LOOK: dict[str, Any] = {"kind": "visual", **SEEN, "answers": dict.fromkeys(QUESTIONS, True)}


def measured(luminances: tuple[float, ...], **more: Any) -> dict[str, Any]:
    readings = {
        "greys": list(STEPS), "luminances": list(luminances), "ambient": 0.1, "with_ambient": True,
        "points": [200, 195, 190, 198, 185], "illuminance": 40,
    }  # fmt: skip
    return {"kind": "photometer", **SEEN, "readings": readings, **more}


def register(login: Login, **fields: Any) -> dict[str, Any]:
    body = LEFT | {"workstation": "PC 7"} | fields
    answer = login.http.post("/api/displays", json=body, headers=login.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def check(login: Login, display: dict[str, Any], body: dict[str, Any], check_id: str = "") -> Any:
    address = f"/api/displays/{display['id']}/checks/{check_id or uuid.uuid4()}"
    return login.http.put(address, json=body, headers=login.headers)


def here(login: Login) -> dict[str, Any]:
    answer: dict[str, Any] = login.http.get("/api/displays/here").json()
    return answer


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def test_browser_is_unknown_until_a_display_is_registered_in_it(site: WebSite, anna: Login) -> None:
    assert here(anna) == {"workstation": None, "displays": []}
    made = register(anna)
    assert (made["workstation"], made["state"]) == ("PC 7", {"checked": False, "reason": "never", "until": None})
    shown = here(anna)
    assert shown["displays"] == [made]
    second = register(anna, name="right", screen_left=2560, workstation="ignored now")
    assert second["workstation_id"] == made["workstation_id"]
    assert here(site.login("anna"))["displays"] == []  # another browser of the same person


def test_cookie_of_a_workstation_is_for_the_server_alone_and_outlives_the_login(anna: Login) -> None:
    body = LEFT | {"workstation": "PC 7"}
    kept = anna.http.post("/api/displays", json=body, headers=anna.headers).headers["set-cookie"]
    for said in ("HttpOnly", "SameSite=strict", "Path=/api/displays", "Max-Age=34560000"):
        assert said in kept
    anna.http.delete("/api/session", headers=anna.headers)
    again = log_in(anna.http, "root", "correct horse battery staple")
    assert again.status_code == 200
    assert here(anna)["workstation"] == "PC 7"


def test_check_counts_for_the_day_and_is_logged_with_who_and_when(site: WebSite, anna: Login) -> None:
    display = register(anna)
    made = check(anna, display, LOOK)
    assert made.status_code == 200, made.text
    assert (made.json()["passed"], made.json()["account_name"]) == (True, "anna")
    assert here(anna)["displays"][0]["state"]["checked"]
    site.clock.advance(timedelta(hours=7))
    (logged,) = anna.http.get(f"/api/displays/{display['id']}/checks").json()["checks"]
    assert logged == made.json()
    assert logged["checked_at"] == "2026-03-01T12:00:00Z"
    assert {one["name"] for one in logged["criteria"]} == {"columns", "rows", "pixel_um", *QUESTIONS}
    with site.database.read() as session:
        event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "display.check")).one()
        assert (event.actor_name, event.outcome, event.subject_id) == ("anna", "success", display["id"])
        assert '"sha256"' in event.detail


def test_failed_check_is_logged_and_says_by_which_criterion(site: WebSite, anna: Login) -> None:
    display = register(anna)
    answers = dict.fromkeys(QUESTIONS, True) | {"patches": False}
    made = check(anna, display, LOOK | {"answers": answers}).json()
    assert (made["passed"], made["valid_until"]) == (False, None)
    assert [one["name"] for one in made["criteria"] if not one["passed"]] == ["patches"]
    assert here(anna)["displays"][0]["state"]["reason"] == "failed"


def test_correction_table_is_made_of_readings_and_proven_by_others_behind_it(anna: Login) -> None:
    display = register(anna)
    raw = check(anna, display, measured(gamma(2.2), correct=True)).json()
    failed = [one["name"] for one in raw["criteria"] if not one["passed"]]
    assert (failed, raw["corrects"]) == (["gsdf_deviation"], True)
    assert raw["forecast"] < 15
    (shown,) = here(anna)["displays"]
    table = shown["correction"]
    assert (len(table), table[0], table[255], shown["corrected_by"]) == (256, 0, 255, raw["id"])
    assert table == sorted(table)
    proven = check(anna, display, measured(following(), through=raw["id"])).json()
    assert (proven["passed"], proven["corrects"], proven["forecast"]) == (True, True, None)
    assert here(anna)["displays"][0]["correction"] == table


def test_display_is_checked_and_changed_in_its_own_browser_alone(site: WebSite, anna: Login) -> None:
    display = register(anna)
    elsewhere = site.login("anna")
    register(elsewhere)
    assert check(elsewhere, display, LOOK).json()["code"] == "display-elsewhere"
    change = elsewhere.http.put(f"/api/displays/{display['id']}", json=LEFT, headers=elsewhere.headers)
    assert (change.status_code, change.json()["code"]) == (403, "display-elsewhere")
    assert elsewhere.http.get(f"/api/displays/{display['id']}/checks").status_code == 403
    forged = site.login("anna")
    forged.http.cookies.set(COOKIE, "A" * 43, path="/api/displays")
    assert here(forged)["workstation"] is None
    assert check(forged, display, LOOK).status_code == 403


def test_administrator_sees_all_displays_and_their_logs_and_retires_them(site: WebSite, anna: Login) -> None:
    display = register(anna)
    check(anna, display, LOOK)
    root = site.login("root")
    (listed,) = root.http.get("/api/displays").json()["displays"]
    assert (listed["id"], listed["state"]["checked"]) == (display["id"], True)
    assert len(root.http.get(f"/api/displays/{display['id']}/checks").json()["checks"]) == 1
    assert root.http.delete(f"/api/displays/{display['id']}", headers=root.headers).status_code == 204
    assert here(anna)["displays"] == []
    assert check(anna, display, LOOK).status_code == 404
    assert len(root.http.get(f"/api/displays/{display['id']}/checks").json()["checks"]) == 1


def test_log_comes_as_csv(anna: Login) -> None:
    display = register(anna, name="=1+1")
    check(anna, display, LOOK)
    answer = anna.http.get(f"/api/displays/{display['id']}/checks.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert (rows[0]["checked_by"], rows[0]["display"], rows[0]["passed"]) == ("anna", "'=1+1", "yes")


def test_same_check_sent_twice_at_once_is_logged_once(anna: Login) -> None:
    display, number = register(anna), str(uuid.uuid4())
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: check(anna, display, LOOK, number), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(anna.http.get(f"/api/displays/{display['id']}/checks").json()["checks"]) == 1
    other = check(anna, display, LOOK | {"remark": "another"}, number)
    assert (other.status_code, other.json()["code"]) == (409, "check-taken")


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        (LOOK | {"answers": {"lines": True}}, 400, "check-invalid"),
        (LOOK | {"columns": 1920}, 400, "check-invalid"),
        (measured(tuple(reversed(following()))), 400, "readings-unusable"),
        (measured(following(), through=str(uuid.uuid4())), 400, "check-invalid"),
        (LOOK | {"pixel_um": 0}, 422, "validation"),
        (LOOK | {"more": 1}, 422, "validation"),
        (measured((1.0, 2.0)), 422, "validation"),
    ],
)
def test_what_cannot_be_right_is_refused_and_not_logged(
    anna: Login, wrong: dict[str, Any], status: int, code: str
) -> None:
    display = register(anna)
    answer = check(anna, display, wrong)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code or status == 422
    assert anna.http.get(f"/api/displays/{display['id']}/checks").json()["checks"] == []


def test_rules_say_what_is_asked_and_where_it_comes_from(anna: Login) -> None:
    rules = anna.http.get("/api/displays/rules").json()
    assert [room["code"] for room in rules["rooms"]] == ["RK1", "RK2", "RK3", "RK4", "RK5", "RK6"]
    ct = next(rule for rule in rules["rules"] if (rule["use"], rule["room_class"]) == ("ct", "RK1"))
    assert ct["limits"]["pixel_um"] == {"value": 140, "source": "this site's settings (displays.*)"}
    assert "DIN 6868-157" in ct["limits"]["luminance"]["source"]
    assert rules["questions"] == list(QUESTIONS)
