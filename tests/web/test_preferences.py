"""What people set for themselves: kept on the server, theirs alone, and not written over unseen."""

from __future__ import annotations

from typing import Any

import pytest

from radrelay.audit.models import AuditEvent
from tests.web.conftest import Login, WebSite

OWN, ALL = "/api/me/preferences/hanging", "/api/preferences/hanging"


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


@pytest.fixture
def root(site: WebSite) -> Login:
    return site.login("root")


def put(login: Login, path: str, value: Any, revision: int = 0) -> Any:
    return login.http.put(path, json={"value": value, "revision": revision}, headers=login.headers)


def test_a_setting_is_there_on_the_next_device_and_nobody_else_s(site: WebSite, anna: Login, root: Login) -> None:
    before = anna.http.get(OWN).json()
    assert (before["value"], before["revision"], before["changed_at"]) == (None, 0, None)
    value = {"protocols": [{"id": "a", "name": "Schädel 頭", "share": 0.5}], "off": []}
    kept = put(anna, OWN, value)
    assert (kept.status_code, kept.json()["revision"]) == (200, 1)
    elsewhere = site.login("anna").http.get(OWN).json()
    assert (elsewhere["value"], elsewhere["name"]) == (value, "hanging")
    assert root.http.get(OWN).json()["value"] is None
    assert anna.http.get("/api/me/preferences/windows").json()["value"] is None


def test_two_windows_do_not_write_over_each_other_unseen(anna: Login) -> None:
    put(anna, OWN, ["first"])
    refused = put(anna, OWN, ["second"])
    assert (refused.status_code, refused.json()["code"], refused.json()["revision"]) == (409, "preference-changed", 1)
    assert put(anna, OWN, ["second"], 1).json()["revision"] == 2
    assert put(anna, OWN, ["third"], 7).status_code == 409
    assert put(anna, "/api/me/preferences/new", ["x"], 3).status_code == 409
    assert anna.http.get(OWN).json()["value"] == ["second"]


def test_the_same_setting_again_is_the_same_answer(anna: Login) -> None:
    first = put(anna, OWN, {"a": 1})
    assert put(anna, OWN, {"a": 1}).json() == first.json()
    assert put(anna, OWN, {"a": 1}, 1).json() == first.json()


def test_a_setting_is_taken_away_and_set_anew(anna: Login) -> None:
    assert put(anna, OWN, None).json()["revision"] == 0
    put(anna, OWN, {"a": 1})
    gone = put(anna, OWN, None, 1).json()
    assert (gone["value"], gone["revision"]) == (None, 2)
    assert put(anna, OWN, {"a": 2}, 2).json()["revision"] == 3


def test_administrators_set_the_default_that_all_read(site: WebSite, anna: Login, root: Login) -> None:
    assert put(anna, ALL, ["mine"]).json()["code"] == "administrators-only"
    assert put(root, ALL, ["ours"]).status_code == 200
    shown = anna.http.get(OWN).json()
    assert (shown["value"], shown["default"]["value"], shown["default"]["revision"]) == (None, ["ours"], 1)
    assert anna.http.get(ALL).json()["value"] == ["ours"]
    assert put(root, ALL, ["newer"]).status_code == 409
    with site.database.read() as session:
        changed = session.query(AuditEvent).filter(AuditEvent.action == "preferences.change").all()
    assert len(changed) == 1


def test_tokens_have_no_settings(site: WebSite) -> None:
    machine = site.client()
    machine.headers["Authorization"] = f"Bearer {site.token()}"
    assert machine.get(OWN).json()["code"] == "people-only"
    assert machine.put(OWN, json={"value": 1, "revision": 0}).json()["code"] == "people-only"
    assert machine.get(ALL).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (OWN, b'{"value": "' + b"x" * 64_000 + b'", "revision": 0}', 413, "preference-too-large"),
        (OWN, b'{"value": NaN, "revision": 0}', 400, "preference-invalid"),
        (OWN, b'{"value": ' + b"[" * 30_000 + b"]" * 30_000 + b', "revision": 0}', 400, "error"),
        (OWN, b'{"revision": 0}', 422, "invalid"),
        (OWN, b'{"value": 1, "revision": -1}', 422, "invalid"),
        ("/api/me/preferences/Hanging", b'{"value": 1, "revision": 0}', 422, "invalid"),
        ("/api/me/preferences/" + "a" * 41, b'{"value": 1, "revision": 0}', 422, "invalid"),
    ],
    ids=["too large", "no number", "too deep", "no value", "no revision", "capitals", "long name"],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_a_reason(
    anna: Login, path: str, body: bytes, status: int, code: str
) -> None:
    headers = {**anna.headers, "Content-Type": "application/json"}
    answer = anna.http.put(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_half_a_surrogate_comes_back_as_it_was_sent(anna: Login) -> None:
    headers = {**anna.headers, "Content-Type": "application/json"}
    sent = anna.http.put(OWN, content=b'{"value": "\\ud800 \\u0000", "revision": 0}', headers=headers)
    assert sent.status_code == 200
    assert '"\\ud800 \\u0000"' in anna.http.get(OWN).text


def test_no_more_settings_are_kept_than_there_is_room_for(anna: Login) -> None:
    for number in range(64):
        assert put(anna, f"/api/me/preferences/a{number}", number).status_code == 200
    assert put(anna, OWN, 1).json()["code"] == "preference-invalid"
    assert put(anna, "/api/me/preferences/a0", "still", 1).status_code == 200


def test_a_change_needs_the_token_of_our_own_pages(anna: Login) -> None:
    assert anna.http.put(OWN, json={"value": 1, "revision": 0}).json()["code"] == "csrf"
