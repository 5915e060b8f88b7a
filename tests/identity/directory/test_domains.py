"""Names with their domain, as people type them at Windows; each server asked for itself, by the page and by doctor."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from radrelay.app.people_findings import people_findings
from radrelay.identity.directory.names import domains_of, without_domain
from radrelay.settings import DirectorySettings, Settings
from radrelay.web.api import session as session_routes
from tests.identity.directory.conftest import Build, House, Opener
from tests.proving import log_in
from tests.slapd import PASSWORD, Branch, Slapd
from tests.web.conftest import PASSWORD as OWN


def test_a_domain_counts_before_and_behind_a_name() -> None:
    known = domains_of("OU=Staff,DC=klinik,DC=example") | {"alt.example"}
    assert known == {"klinik", "klinik.example", "alt.example"}
    for typed in (r"KLINIK\anna", "anna@Klinik.example", r"klinik.example\anna", "anna@alt.example", " anna@klinik "):
        assert without_domain(typed, known) == "anna", typed
    for typed in ("anna", r"OTHER\anna", "anna@other.example", "@klinik.example", "KLINIK\\", r"a\b\c", "", "\\", "@"):
        assert without_domain(typed, known) is None, typed
    assert domains_of("ou=people,o=site") == set()
    assert domains_of("no dn") == set()


@pytest.fixture
def house(ad_branch: Branch, build: Build, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(session_routes, "REFUSED_S", 0.0)
    ad_branch.ad_person("anna", uuid.uuid4())
    ad_branch.ad_person("ben", uuid.uuid4())
    made = build(ad_branch, domains=("WARD",))
    made.follow()
    return made


def test_people_of_active_directory_log_in_with_their_domain(house: House) -> None:
    for typed in ("anna", r"AD\anna", r"ward\ANNA", "anna@ad.example", "Anna@AD.Example"):
        answer = house.enter(typed)
        assert (answer.status_code, answer.json()["account"]["username"]) == (200, "anna"), typed
    for typed in (r"OTHER\anna", "anna@other.example", r"AD\nobody"):
        assert house.site.client().post("/api/session/challenge", json={"username": typed}).status_code == 200
        assert house.enter(typed).status_code == 401, typed
    assert house.enter(r"AD\anna", "wrong").status_code == 401
    assert house.actions("login")[0].actor_name == "anna", "the record names the account"


def test_a_domain_is_no_way_around_the_limit_of_guesses(house: House) -> None:
    answers = []
    for number in range(12):
        typed = ("anna", r"AD\anna", "anna@ad.example", r"WARD\anna")[number % 4]
        answers.append(house.enter(typed, "wrong", f"127.0.1.{number}").status_code)
    assert answers.count(401) == 4
    assert set(answers[4:]) == {429}


def test_an_account_with_a_password_of_its_own_is_named_plainly(house: House) -> None:
    house.site.account("carl@ad.example")
    assert log_in(house.site.client(), "carl@ad.example", OWN).status_code == 200, "an own name may look like that"
    root, ben = house.site.login("root"), house.accounts()["ben"].id
    made = root.http.post(f"/api/accounts/{ben}/password", headers=root.headers).json()
    assert log_in(house.site.client(), "ben", made["one_time_password"]).status_code == 200
    assert house.enter(r"AD\ben", PASSWORD).status_code == 401
    assert house.enter(r"AD\root", OWN).status_code == 401


def test_each_server_is_asked_for_itself(server: Slapd, branch: Branch, build: Build, opened: Opener) -> None:
    branch.person("anna")
    house = build(branch)
    root = house.site.login("root")
    assert root.http.get("/api/directory/reach").json() == {"servers": [{"url": server.ldaps, "trouble": None}]}
    assert root.http.get("/api/directory").json()["next_at"] is None
    house.follow()
    assert root.http.get("/api/directory").json()["next_at"] == "2026-03-01T12:15:00Z"
    gone = "ldaps://127.0.0.1:9"
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "directory-unavailable": ({"urls": [gone]}, "look"),
        "directory-untrusted": ({"urls": [server.under_another_name]}, "look"),
        "directory-refuses-us": ({"bind_password": "wrong"}, "bad"),
        "directory-unreadable": ({"base": f"ou=nothing,{branch.dn}"}, "bad"),
    }
    for code, (wrong, state) in cases.items():
        urls, base = [*wrong.pop("urls", []), server.ldaps], str(wrong.pop("base", branch.dn))
        settings = DirectorySettings(**{**server.section(base, urls=urls), **wrong})
        found = [one.trouble.code if one.trouble else "" for one in opened(base, **wrong, urls=urls).reach()]
        assert code in found, code
        told = list(people_findings(Settings(directory=settings)))
        assert [one.state for one in told if one.state != "good"] == [state], code
        assert all(one.advice for one in told if one.state != "good")
    assert list(people_findings(Settings())) == []
