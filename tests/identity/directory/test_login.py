"""Logging in with the directory's password: what people, strangers and the directory itself get to see."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.identity.errors import LoginRefused
from radrelay.identity.models import Account, LoginAttempt
from radrelay.identity.values import LoginTry
from radrelay.web.api import session as session_routes
from tests.identity.directory.conftest import Build, House
from tests.proving import log_in
from tests.slapd import PASSWORD, Branch
from tests.web.conftest import PASSWORD as OWN
from tests.web.conftest import close_site, open_site


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_routes, "REFUSED_S", 0.05)


@pytest.fixture
def house(branch: Branch, build: Build) -> House:
    for login in ("anna", "ben"):
        branch.person(login)
    made = build(branch)
    made.follow()
    return made


def _challenge(house: House, name: str) -> dict[str, Any]:
    found: dict[str, Any] = house.site.client().post("/api/session/challenge", json={"username": name}).json()
    return found


def _nobody(house: House) -> str:
    """Return a name that nobody has and that is asked for its password, as some are."""
    return next(name for name in (f"nobody{n}" for n in range(99)) if not _challenge(house, name)["salt"])


def test_people_log_in_with_the_directorys_password_and_nothing_of_it_is_kept(house: House) -> None:
    assert _challenge(house, "Anna")["salt"] == ""
    answer = house.enter("Anna")
    assert answer.status_code == 200
    assert answer.json()["account"] == answer.json()["account"] | {"username": "anna", "from_directory": True}
    with house.site.database.read() as session:
        assert session.scalar(sa.select(Account.password_hash).where(Account.username == "anna")) is None
    assert [one.actor_name for one in house.actions("login") if one.outcome == "success"] == ["anna"]


@pytest.mark.parametrize("password", ["", "wrong", "\0", f"{PASSWORD}\0", "*"])
def test_a_wrong_and_no_password_are_refused(house: House, password: str) -> None:
    answer = house.enter("anna", password)
    assert (answer.status_code, answer.json()["code"]) == (401, "login-refused")


def test_own_accounts_go_on_proving_theirs(house: House) -> None:
    assert log_in(house.site.client(), "root", OWN).status_code == 200
    assert house.enter("root", OWN).json()["code"] == "proof-wanted"


def test_nobody_and_a_wrong_password_read_the_same(house: House) -> None:
    nobody = _nobody(house)
    answers = [house.enter(name, "x", address="127.0.0.1").json() for name in ("anna", nobody)]
    for answer in answers:
        del answer["correlation_id"]
    assert answers[0] == answers[1]
    asked = [_challenge(house, name) for name in ("anna", nobody)]
    assert [{**one, "identity": ""} for one in asked] == [{**asked[0], "identity": ""}] * 2


def test_names_that_nobody_has_are_asked_like_both_kinds(house: House) -> None:
    kinds = [bool(_challenge(house, f"stranger {number}")["salt"]) for number in range(60)]
    assert 5 < sum(kinds) < 40, "one of three accounts proves its password, two are the directory's"
    assert kinds == [bool(_challenge(house, f"stranger {number}")["salt"]) for number in range(60)]


def test_a_refusal_comes_no_earlier_for_anybody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_routes, "REFUSED_S", 0.4)
    for name in ("anna", _nobody(house)):
        begun = time.monotonic()
        assert house.enter(name, "x").status_code == 401
        assert time.monotonic() - begun >= 0.4


def test_who_is_disabled_here_stays_out_with_the_right_password(house: House) -> None:
    root = house.site.login("root")
    anna = house.accounts()["anna"].id
    root.http.delete(f"/api/accounts/{anna}", headers=root.headers)
    assert house.enter("anna").json()["code"] == "login-refused"


def test_a_password_in_the_clear_from_another_machine_is_not_looked_at(house: House) -> None:
    answer = house.enter("anna", address="203.0.113.7")
    assert (answer.status_code, answer.json()["code"]) == (401, "password-in-the-clear")


def test_without_the_directory_own_accounts_log_in_and_its_people_are_told(branch: Branch, build: Build) -> None:
    branch.person("anna")
    house = build(branch)
    house.follow()
    directory = house.site.identity.directory
    assert directory is not None
    missing = {"urls": ("ldaps://127.0.0.1:1",)}, {"ca_file": Path("/etc/away/ca.pem")}
    for number in range(9):
        directory.processes._settings = directory.settings.model_copy(update=missing[number % 2])
        answer = house.enter("anna")
        assert (answer.status_code, answer.json()["code"]) == (503, "directory-unavailable")
        assert not [one for one in ("127.0.0.1", "away") if one in answer.text], "how the site is built is nobody's"
    assert log_in(house.site.client(), "root", OWN).status_code == 200
    directory.processes._settings = directory.settings
    assert house.enter("anna").status_code == 200, "what nobody could check was not counted"


def test_few_guesses_reach_the_directory_from_unknown_places(branch: Branch, build: Build) -> None:
    branch.person("anna")
    house = build(branch, guesses=3)
    house.follow()
    identity = house.site.identity
    outcomes = []
    for number in range(6):
        try:
            identity.check_login(LoginTry("anna", f"198.51.100.{number}"), "guess")
        except Exception as error:
            outcomes.append(getattr(error, "code", str(error)))
    assert outcomes == ["login-refused"] * 3 + ["too-many-attempts"] * 3
    house.site.clock.advance(timedelta(seconds=1801))
    assert identity.check_login(LoginTry("anna", "198.51.100.77"), PASSWORD).account.username == "anna"


def test_a_stranger_does_not_lock_a_doctor_out_of_her_own_device(branch: Branch, build: Build) -> None:
    branch.person("anna")
    house = build(branch, guesses=3)
    house.follow()
    anna = house.login("anna")
    for number in range(9):
        with pytest.raises(Exception, match=r"wrong|wait"):
            house.site.identity.check_login(LoginTry("anna", f"198.51.100.{number}"), "guess")
    again = anna.http.post("/api/session", json={"username": "anna", "password": PASSWORD})
    assert again.status_code == 200
    with house.site.database.read() as session:
        assert session.scalar(sa.select(sa.func.max(LoginAttempt.failures))) == 3


def test_somebody_of_the_directory_may_have_a_password_of_their_own(house: House) -> None:
    root = house.site.login("root")
    anna = house.accounts()["anna"].id
    given = root.http.post(f"/api/accounts/{anna}/password", headers=root.headers).json()["one_time_password"]
    assert log_in(house.site.client(), "anna", given).json()["account"]["must_change_password"] is True
    assert house.enter("anna").json()["code"] == "proof-wanted"
    gone = root.http.delete(f"/api/accounts/{anna}/password", headers=root.headers)
    assert (gone.status_code, gone.json()["must_change_password"]) == (200, False)
    assert house.enter("anna").status_code == 200
    me = root.http.get("/api/session").json()["account"]["id"]
    refused = root.http.delete(f"/api/accounts/{me}/password", headers=root.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "own-password-only")


def test_a_login_that_was_checked_before_an_own_password_was_given_is_refused(house: House) -> None:
    identity, site = house.site.identity, house.site
    checked = identity.check_login(LoginTry("anna", "127.0.0.1"), PASSWORD)
    _, encoded = identity.new_one_time_password("anna")
    with site.database.write() as session:
        identity.reset_password(session, site.organisation_id, checked.account.id, encoded)
    with site.database.write() as session, pytest.raises(LoginRefused):
        identity.open_session(session, checked, ())


def test_the_directorys_password_is_not_changed_here(house: House) -> None:
    anna = house.login("anna")
    body = {
        "current": {"challenge": "x", "client_public": "AA", "client_proof": "AA"},
        "new": {"salt": "A" * 86, "iterations": 210_000, "verifier": "Ag"},
    }
    refused = anna.http.post("/api/session/password", json=body, headers=anna.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "directory-keeps-password")


def test_where_no_directory_is_set_administrators_are_told(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    try:
        site.account("root", "admin")
        root = site.login("root")
        assert root.http.get("/api/directory").json()["set"] is False
        for path, body in (("check", None), ("runs", {"kind": "preview"})):
            refused = root.http.post(f"/api/directory/{path}", json=body, headers=root.headers)
            assert (refused.status_code, refused.json()["code"]) == (409, "no-directory")
    finally:
        close_site(site)


def test_an_administrator_checks_the_directory(house: House) -> None:
    root = house.site.login("root")
    checked = root.http.post("/api/directory/check", headers=root.headers)
    assert (checked.status_code, checked.json()["people"]) == (200, 2)
    assert "reader-secret" not in root.http.get("/api/directory").text
