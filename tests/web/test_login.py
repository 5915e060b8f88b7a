"""Getting in and out: what a person, a stranger and a thief of cookies see."""

from __future__ import annotations

from datetime import timedelta

import pytest

from radrelay.identity.errors import LoginRefused
from radrelay.identity.models import Session as LoginSession
from radrelay.identity.values import LoginTry
from radrelay.web.session_shapes import ProofGiven
from tests.proving import change_of, log_in, proof_of
from tests.web.conftest import ITERATIONS, PASSWORD, WebSite, close_site, open_site


def test_a_login_gives_a_cookie_that_scripts_cannot_read_and_a_token_for_changes(site: WebSite) -> None:
    client = site.client()
    answer = log_in(client, "Anna", PASSWORD)
    assert answer.status_code == 200
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("radrelay_session"))
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert answer.json()["account"]["username"] == "anna"
    assert client.get("/api/session").json()["csrf_token"] == answer.json()["csrf_token"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"username": 1}', b"[" * 100_000, b"\xff\xfe"])
def test_a_login_that_makes_no_sense_is_refused_politely(site: WebSite, body: bytes) -> None:
    answer = site.client().post("/api/session", content=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"


def test_a_wrong_password_and_an_unknown_name_read_the_same(site: WebSite) -> None:
    wrong = log_in(site.client("10.0.0.1"), "anna", "x")
    unknown = log_in(site.client("10.0.0.2"), "nobody", "x")
    assert wrong.status_code == unknown.status_code == 401
    strip = {"correlation_id"}
    assert {k: v for k, v in wrong.json().items() if k not in strip} == {
        k: v for k, v in unknown.json().items() if k not in strip
    }


def test_guessing_is_slowed_down_for_known_and_unknown_names_alike(site: WebSite) -> None:
    for name in ("anna", "nobody"):
        client = site.client("10.0.0.9")
        codes = [log_in(client, name, "x").status_code for _ in range(8)]
        assert codes == [401] * 5 + [429] * 3
        refused = log_in(client, name, PASSWORD)
        assert int(refused.headers["retry-after"]) >= 1


def test_a_stranger_cannot_lock_a_doctor_out(site: WebSite) -> None:
    at_the_clinic = site.login("anna", "192.0.2.10")
    for number in range(80):  # a stranger with many addresses, one of them the clinic's own
        stranger = site.client("192.0.2.10" if number % 2 else f"198.51.100.{number}")
        log_in(stranger, "anna", f"guess {number}")
    again = log_in(at_the_clinic.http, "anna", PASSWORD)
    assert again.status_code == 200, "the doctor's own device is known"


def test_a_doctor_on_a_new_device_waits_a_minute_at_most(site: WebSite) -> None:
    for number in range(60):
        stranger = site.client(f"198.51.{number}.7")
        log_in(stranger, "anna", "guess")
    site.clock.advance(timedelta(seconds=61))
    assert site.login("anna", "203.0.113.5").csrf


def test_the_wait_ends(site: WebSite) -> None:
    client = site.client("10.0.0.9")
    for _ in range(6):
        log_in(client, "anna", "x")
    site.clock.advance(timedelta(seconds=3))
    assert log_in(client, "anna", PASSWORD).status_code == 200


def test_a_planted_session_is_not_taken_over(site: WebSite) -> None:
    client = site.client()
    client.cookies.set("radrelay_session", "planted-by-a-stranger")
    answer = log_in(client, "anna", PASSWORD)
    assert answer.status_code == 200
    assert "planted" not in answer.headers["set-cookie"]
    thief = site.client()
    thief.cookies.set("radrelay_session", "planted-by-a-stranger")
    assert thief.get("/api/session").status_code == 401


def test_logging_in_again_ends_the_login_before(site: WebSite) -> None:
    first = site.login("anna")
    old = first.http.cookies["radrelay_session"]
    log_in(first.http, "anna", PASSWORD)
    thief = site.client()
    thief.cookies.set("radrelay_session", old)
    assert thief.get("/api/session").status_code == 401


def test_an_idle_login_ends_and_a_used_one_goes_on_until_its_day_is_over(site: WebSite) -> None:
    idle, used = site.login("anna"), site.login("root")
    site.clock.advance(timedelta(hours=5))
    assert idle.http.get("/api/studies").status_code == 200, "what a page asks by itself is no use of it"
    for _ in range(3):
        said = used.http.post("/api/session/use", json={"idle_s": 60}, headers=used.headers).json()
        assert said["idle_left_s"] == 8 * 3600 - 60
        site.clock.advance(timedelta(hours=5))
        assert used.http.get("/api/session").status_code == 200
    assert idle.http.get("/api/session").json()["code"] == "session-ended"
    used.http.post("/api/session/use", json={}, headers=used.headers)
    assert used.http.get("/api/session").json()["idle_left_s"] == used.http.get("/api/session").json()["left_s"]
    site.clock.advance(timedelta(hours=5))
    assert used.http.get("/api/session").json()["code"] == "session-ended"


def test_a_page_that_says_late_when_it_was_used_takes_nothing_back(site: WebSite) -> None:
    anna = site.login("anna")
    site.clock.advance(timedelta(hours=1))
    for idle_s, left_s in ((0, 8 * 3600), (1800, 8 * 3600)):
        said = anna.http.post("/api/session/use", json={"idle_s": idle_s}, headers=anna.headers)
        assert said.json()["idle_left_s"] == left_s
    assert anna.http.post("/api/session/use", json={"idle_s": -1}, headers=anna.headers).status_code == 422


def test_logging_out_ends_the_login_on_the_server(site: WebSite) -> None:
    login = site.login("anna")
    cookie = login.http.cookies["radrelay_session"]
    assert login.http.delete("/api/session", headers=login.headers).status_code == 204
    login.http.cookies.set("radrelay_session", cookie)
    assert login.http.get("/api/session").status_code == 401


def test_only_the_hash_of_a_login_is_kept(site: WebSite) -> None:
    secret = site.login("anna").http.cookies["radrelay_session"]
    with site.database.read() as session:
        row = session.query(LoginSession).one()
    assert secret.encode() not in row.secret_hash
    assert len(row.secret_hash) == 32


def test_a_disabled_account_is_out_at_once(site: WebSite) -> None:
    root, anna = site.login("root"), site.login("anna")
    account = anna.http.get("/api/session").json()["account"]["id"]
    assert root.http.delete(f"/api/accounts/{account}", headers=root.headers).status_code == 204
    assert anna.http.get("/api/session").status_code == 401
    refused = log_in(site.client(), "anna", PASSWORD)
    assert refused.json()["code"] == "login-refused"


def test_the_last_administrator_stays(site: WebSite) -> None:
    root = site.login("root")
    account = root.http.get("/api/session").json()["account"]["id"]
    answer = root.http.patch(f"/api/accounts/{account}", json={"role": "user"}, headers=root.headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "last-admin")


def test_the_first_admin_changes_the_one_time_password_before_anything_else(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = open_site(tmp_path_factory.mktemp("new"))
    try:
        password = site.identity.ensure_first_admin()
        assert password is not None
        client = site.client()
        answer = log_in(client, "admin", password).json()
        assert answer["account"]["must_change_password"] is True
        assert site.identity.ensure_first_admin() is None, "once used, it is not given out again"
        assert client.get("/api/system").json()["code"] == "password-change-required"
        change = change_of(client, "admin", password, "a much better one")
        changed = client.post("/api/session/password", json=change, headers={"X-CSRF-Token": answer["csrf_token"]})
        assert changed.status_code == 200
        assert client.get("/api/system").status_code == 200
    finally:
        close_site(site)


def test_a_verifier_that_was_stretched_too_little_is_refused(site: WebSite) -> None:
    anna = site.login("anna")
    body = change_of(anna.http, "anna", PASSWORD, "ein ganz neues Passwort", iterations=ITERATIONS - 1)
    refused = anna.http.post("/api/session/password", json=body, headers=anna.headers)
    assert (refused.status_code, refused.json()["field"]) == (400, "iterations")


def test_somebody_elses_password_changes_nobodys(site: WebSite) -> None:
    anna = site.login("anna")
    body = change_of(anna.http, "root", PASSWORD, "ein ganz neues Passwort")
    assert anna.http.post("/api/session/password", json=body, headers=anna.headers).status_code == 401
    assert site.login("anna").csrf
    assert site.login("root").csrf


def test_changing_the_password_ends_all_other_logins_and_this_secret(site: WebSite) -> None:
    here, there = site.login("anna"), site.login("anna", "10.0.0.3")
    old = here.http.cookies["radrelay_session"]
    body = change_of(here.http, "anna", PASSWORD, "ein ganz neues Passwort")
    assert here.http.post("/api/session/password", json=body, headers=here.headers).status_code == 200
    assert here.http.get("/api/session").status_code == 200
    assert here.http.cookies["radrelay_session"] != old
    assert there.http.get("/api/session").status_code == 401


def test_a_login_that_was_checked_before_the_password_was_reset_is_refused(site: WebSite) -> None:
    client = site.client()
    asked = client.post("/api/session/challenge", json={"username": "anna"}).json()
    answer = ProofGiven.model_validate(proof_of(asked, PASSWORD)[0])
    checked = site.identity.check_login(LoginTry("", "203.0.113.9"), answer.proof())
    _, encoded = site.identity.new_one_time_password("anna")
    with site.database.write() as session:
        site.identity.reset_password(session, site.organisation_id, checked.account.id, encoded)
    with site.database.write() as session, pytest.raises(LoginRefused):
        site.identity.open_session(session, checked, ())


def test_a_client_does_not_name_its_own_address_where_the_proxy_adds_a_line(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = open_site(tmp_path_factory.mktemp("proxied"), {"behind_proxy": True})
    try:
        site.account("anna")
        lines = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "198.51.100.4")]
        made = log_in(site.client(), "anna", PASSWORD, headers=lines)
        assert made.status_code == 200
        with site.database.read() as session:
            assert session.query(LoginSession).one().peer == "198.51.100.4"
    finally:
        close_site(site)


def test_the_cookie_is_for_tls_only_once_a_proxy_ends_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    site = open_site(tmp_path_factory.mktemp("proxied"), {"behind_proxy": True})
    try:
        site.account("anna")
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9, 198.51.100.4"}
        answer = log_in(site.client(), "anna", PASSWORD, headers=forwarded)
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "max-age" in answer.headers["strict-transport-security"]
        with site.database.read() as session:
            assert session.query(LoginSession).one().peer == "198.51.100.4"
    finally:
        close_site(site)
