"""Invitations and links for a new password: what a person, an administrator and a stranger see of them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.app.mail import Mailing
from radrelay.identity import LoginTry, throttle, to_text, verifiers
from radrelay.identity.models import LoginAttempt, PasswordLink, SignOn
from radrelay.identity.srp import SRP
from radrelay.mail.models import MailLetter
from tests.proving import change_of, log_in
from tests.web.conftest import ITERATIONS, Login, WebSite, close_site, open_site

NEW = "ein ganz neues Passwort"
MAIL: dict[str, object] = {"host": "mail.example", "sender": "radrelay@clinic.example"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    """An installation with a mail server, an administrator `root` and a user `anna` with an e-mail address."""
    made = open_site(tmp_path, mail=MAIL, web={"address": "https://pacs.example"})
    made.account("root", "admin")
    account_id = made.account("anna")
    with made.database.write() as session:
        made.identity.change_account(session, made.organisation_id, account_id, email="anna@clinic.example")
    yield made
    close_site(made)


def letters(site: WebSite) -> list[tuple[str, str, str]]:
    """Return kind, recipient and words of all letters that wait, the oldest first, and forget them."""
    post = site.services.password_links.post
    with site.database.write() as session:
        rows = session.scalars(sa.select(MailLetter).order_by(MailLetter.id)).all()
        found = [(row.kind, row.recipient, post.opened(row).text) for row in rows]
        session.execute(sa.delete(MailLetter))
    return found


def work(site: WebSite) -> None:
    """Let `work` answer who has forgotten a password; the letters stay."""
    mailing = Mailing(site.settings, site.database, site.clock, site.services.metadata_key)
    mailing.postman.tick = lambda: 0  # type: ignore[method-assign]
    mailing.tick()


def token_in(text: str) -> str:
    found = re.search(r"https://pacs\.example/password#([\w-]{43})$", text, re.MULTILINE)
    assert found is not None, text
    return found.group(1)


def choose(http: Any, token: str, password: str = NEW) -> Any:
    """Open a link and choose a password, as the page does."""
    opened = http.post("/api/password-links/open", json={"token": token})
    if opened.status_code != 200:
        return opened
    made = verifiers.make(opened.json()["identity"], password, opened.json()["iterations"])
    new = {"salt": to_text(made.salt), "iterations": made.iterations, "verifier": to_text(SRP.group.pad(made.value))}
    return http.post("/api/password-links/use", json={"token": token, "new": new})


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    make = verifiers.make
    monkeypatch.setattr("tests.web.test_password_links.verifiers.make", lambda i, p, n: make(i, p, min(n, ITERATIONS)))


def post(login: Login, path: str, **body: object) -> Any:
    return login.http.post(path, json=body, headers=login.headers)


def test_somebody_invited_by_mail_chooses_a_password_that_nobody_else_has_seen(site: WebSite) -> None:
    root = site.login("root")
    made = post(
        root, "/api/accounts", username="Ben", full_name="Ben B.", email="ben@Clinic.example", invite=True
    ).json()
    assert made["one_time_password"] is None
    assert (made["invitation"]["address"], made["invitation"]["mailed_to"]) == (None, "ben@clinic.example")
    [(kind, recipient, text)] = letters(site)
    assert (kind, recipient) == ("invitation", "ben@clinic.example")
    with site.database.read() as session:
        assert token_in(text).encode() not in session.scalars(sa.select(PasswordLink.token_hash)).one()
    assert log_in(site.client(), "ben", "").status_code == 401, "there is no password yet"
    here = site.client("10.0.0.5")
    assert here.post("/api/password-links/open", json={"token": token_in(text)}).json()["purpose"] == "invitation"
    assert choose(here, token_in(text)).status_code == 204
    assert log_in(here, "ben", NEW).json()["account"]["must_change_password"] is False
    again = choose(site.client(), token_in(text), "another password")
    assert (again.status_code, again.json()["code"]) == (404, "password-link-over")
    assert letters(site) == [], "nobody is told that a first password was changed"


def test_an_invitation_without_mail_is_handed_over_listed_made_anew_and_taken_back(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    site.account("root", "admin")
    try:
        root = site.login("root")
        made = post(root, "/api/accounts", username="ben", email="ben@clinic.example", invite=True).json()
        first = made["invitation"]["address"].partition("#")[2]
        assert made["invitation"]["address"].startswith("http://127.0.0.1:8080/password#")
        account = made["account"]["id"]
        refused = post(root, f"/api/accounts/{account}/password-link", by_mail=True)
        assert (refused.status_code, refused.json()["code"]) == (409, "mail-not-set")
        second = post(root, f"/api/accounts/{account}/password-link").json()["address"].partition("#")[2]
        assert choose(site.client(), first).status_code == 404, "the newer one takes its place"
        [listed] = root.http.get("/api/password-links").json()["links"]
        assert (listed["username"], listed["purpose"], listed["made_by"]) == ("ben", "invitation", "root")
        assert second not in str(listed)
        assert root.http.delete(f"/api/password-links/{listed['id']}", headers=root.headers).status_code == 204
        assert choose(site.client(), second).status_code == 404
        third = post(root, f"/api/accounts/{account}/password-link").json()["address"].partition("#")[2]
        site.clock.advance(timedelta(days=7))
        assert choose(site.client(), third).status_code == 404, "it ends"
        assert site.client().post("/api/password-links/forgotten", json={"name": "ben"}).json() == {"by_mail": False}
    finally:
        close_site(site)


def test_a_forgotten_password_is_replaced_by_mail_and_all_logins_end(site: WebSite) -> None:
    elsewhere = site.login("anna")
    stranger, here = site.client("203.0.113.5"), site.client("10.0.0.5")
    known = here.post("/api/password-links/forgotten", json={"name": "ANNA"})
    unknown = stranger.post("/api/password-links/forgotten", json={"name": "nobody"})
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (202, {"by_mail": True})
    work(site)
    [(kind, recipient, text)] = letters(site)
    assert (kind, recipient) == ("reset", "anna@clinic.example")
    here.post("/api/password-links/forgotten", json={"name": "Anna@clinic.example"})
    work(site)
    [(_, _, other)] = letters(site)
    assert elsewhere.http.get("/api/session").status_code == 200, "to ask changes nothing"
    assert choose(here, token_in(text)).status_code == 204
    assert elsewhere.http.get("/api/session").status_code == 401
    assert choose(here, token_in(other)).status_code == 404, "one that is used ends the others"
    assert [one[0] for one in letters(site)] == ["password-changed"]
    assert log_in(here, "anna", NEW).status_code == 200
    root = site.login("root")
    actions = [one["action"] for one in root.http.get("/api/audit").json()["events"]]
    assert {"password.forgotten", "password.choose"} <= set(actions)


def test_strangers_who_ask_flood_nobody_and_keep_nobody_from_asking(site: WebSite) -> None:
    answers = [
        site.client(f"198.51.100.{number % 3}").post("/api/password-links/forgotten", json={"name": "anna"}).status_code
        for number in range(40)
    ]
    assert answers.count(202) == 30
    assert answers[-1] == 429
    work(site)
    sent = letters(site)
    assert len(sent) == 3, "in an hour"
    assert site.client("10.0.0.5").post("/api/password-links/forgotten", json={"name": "anna"}).status_code == 202
    name = throttle.counters("", "anna", known=False)[-1][0]
    with site.database.write() as session:  # and guess meanwhile, so that all unknown places wait
        session.add(LoginAttempt(id=uuid.uuid4(), key=name, failures=60, last_at=site.clock.now()))
    assert log_in(site.client("10.0.0.5"), "anna", "correct horse battery staple").status_code == 429
    here = site.client("10.0.0.5")
    assert choose(here, token_in(sent[0][2])).status_code == 204
    assert log_in(here, "anna", NEW).status_code == 200, "who has chosen it here is known here"


def test_who_comes_from_the_directory_is_told_where_the_password_is_changed(site: WebSite) -> None:
    root = site.login("root")
    with site.database.write() as session:
        account = site.identity.create_account(
            session, site.organisation_id, username="dora", full_name="", role="user", encoded=None,
            email="dora@clinic.example",
        )  # fmt: skip
        session.execute(sa.text("UPDATE account SET directory_id = 'entry-1' WHERE username = 'dora'"))
    refused = post(root, f"/api/accounts/{account.id}/password-link")
    assert (refused.status_code, refused.json()["code"]) == (409, "directory-keeps-password")
    site.client().post("/api/password-links/forgotten", json={"name": "dora"})
    work(site)
    assert [one[:2] for one in letters(site)] == [("reset-elsewhere", "dora@clinic.example")]


def test_who_comes_by_single_sign_on_gets_no_password_by_an_address_that_a_stolen_login_changed(site: WebSite) -> None:
    now = site.clock.now()
    with site.database.write() as session:
        account = site.identity.create_account(
            session, site.organisation_id, username="sara", full_name="", role="user", encoded=None,
            must_change_password=False, email="sara@clinic.example",
        )  # fmt: skip
        session.add(
            SignOn(
                id=uuid.uuid4(), organisation_id=site.organisation_id, issuer="https://id.example", subject="7",
                account_id=account.id, username="sara", full_name="", email="", seen_at=now, linked_at=now,
            )
        )  # fmt: skip
        opened = site.identity.open_signed_on(session, account, LoginTry("sara", "10.0.0.1"), (), two_factors=False)
    thief = site.client("10.0.0.1")
    thief.cookies.set("radrelay_session", opened.secret)
    site.clock.advance(timedelta(minutes=6))
    headers = {"X-CSRF-Token": opened.csrf_token}
    refused = thief.patch("/api/me", json={"email": "thief@evil.example"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "fresh-proof-wanted")
    site.client().post("/api/password-links/forgotten", json={"name": "sara"})
    work(site)
    assert [one[:2] for one in letters(site)] == [("reset-elsewhere", "sara@clinic.example")]


def test_an_address_that_an_administrator_changed_is_told_at_the_old_one(site: WebSite) -> None:
    root = site.login("root")
    account = next(a["id"] for a in root.http.get("/api/accounts").json()["accounts"] if a["username"] == "anna")
    changed = root.http.patch(f"/api/accounts/{account}", json={"email": "new@clinic.example"}, headers=root.headers)
    assert changed.json()["email"] == "new@clinic.example"
    assert [one[:2] for one in letters(site)] == [("address-changed", "anna@clinic.example")]


def test_a_suspended_person_gets_no_link_and_an_older_one_opens_nothing(site: WebSite) -> None:
    root = site.login("root")
    account = next(a["id"] for a in root.http.get("/api/accounts").json()["accounts"] if a["username"] == "anna")
    made = post(root, f"/api/accounts/{account}/password-link", by_mail=False).json()
    root.http.delete(f"/api/accounts/{account}", headers=root.headers)
    assert choose(site.client(), made["address"].partition("#")[2]).status_code == 404
    assert post(root, f"/api/accounts/{account}/password-link").json()["code"] == "account-disabled"
    site.client().post("/api/password-links/forgotten", json={"name": "anna"})
    work(site)
    assert letters(site) == []


@pytest.mark.parametrize("token", ["x", "é" * 40, "a" * 43])
def test_a_made_up_token_opens_nothing(site: WebSite, token: str) -> None:
    assert choose(site.client(), token).json()["code"] == "password-link-over"
    assert site.client().post("/api/password-links/open", json={"token": "a" * 101}).status_code == 422


def test_another_sites_page_can_neither_ask_nor_choose(site: WebSite) -> None:
    foreign = {"Origin": "https://evil.example"}
    for path, body in (("forgotten", {"name": "anna"}), ("open", {"token": "x"})):
        answer = site.client().post(f"/api/password-links/{path}", json=body, headers=foreign)
        assert answer.json()["code"] == "csrf"


# One's own account


def test_a_person_sees_where_they_are_logged_in_and_ends_it(site: WebSite) -> None:
    here, ward, home = (site.login("anna", f"10.0.0.{number}") for number in (1, 2, 3))
    root = site.login("root")
    listed = here.http.get("/api/me/sessions").json()["sessions"]
    assert {one["peer"]: one["here"] for one in listed} == {"10.0.0.1": True, "10.0.0.2": False, "10.0.0.3": False}
    wards = next(one["id"] for one in listed if one["peer"] == "10.0.0.2")
    assert here.http.delete(f"/api/me/sessions/{wards}", headers=here.headers).json() == {"ended": 1}
    assert ward.http.get("/api/session").status_code == 401
    roots = root.http.get("/api/me/sessions").json()["sessions"][0]["id"]
    assert here.http.delete(f"/api/me/sessions/{roots}", headers=here.headers).status_code == 404
    assert here.http.delete("/api/me/sessions", headers=here.headers).json() == {"ended": 1}
    assert home.http.get("/api/session").status_code == 401
    account = here.http.get("/api/session").json()["account"]["id"]
    path = f"/api/accounts/{account}/sessions"
    assert [one["peer"] for one in root.http.get(path).json()["sessions"]] == ["10.0.0.1"]
    assert root.http.delete(path, headers=root.headers).json() == {"ended": 1}
    assert here.http.get("/api/session").status_code == 401
    assert root.http.get(f"/api/accounts/{uuid.uuid4()}/sessions").status_code == 404


def test_lost_credentials_shut_the_account_until_a_new_password_opens_it(site: WebSite) -> None:
    root, there = site.login("root"), site.login("anna", "10.0.0.2")
    root_id = root.http.get("/api/session").json()["account"]["id"]
    root.http.patch(f"/api/accounts/{root_id}", json={"email": "root@clinic.example"}, headers=root.headers)
    here = site.login("anna")
    assert here.http.post("/api/me/lost", headers=here.headers).status_code == 204
    assert there.http.get("/api/session").status_code == 401
    assert log_in(site.client(), "anna", "correct horse battery staple").json()["code"] == "login-refused"
    assert [(kind, who) for kind, who, _ in letters(site)] == [
        ("lost", "anna@clinic.example"), ("lost-told", "root@clinic.example"),
    ]  # fmt: skip
    row = next(a for a in root.http.get("/api/accounts").json()["accounts"] if a["username"] == "anna")
    assert row["lost_at"] is not None
    site.client().post("/api/password-links/forgotten", json={"name": "anna"})
    work(site)
    assert choose(site.client(), token_in(letters(site)[0][2])).status_code == 204
    assert log_in(site.client(), "anna", NEW).status_code == 200


def test_an_administrators_lost_credentials_shut_the_tokens_they_made_too(site: WebSite) -> None:
    site.account("chief", "admin")
    chief, root = site.login("chief"), site.login("root")
    secret = post(chief, "/api/tokens", name="a PACS", role="user").json()["secret"]
    machine = {"Authorization": f"Bearer {secret}"}
    assert site.client().get("/api/studies", headers=machine).status_code == 200
    account = chief.http.get("/api/session").json()["account"]["id"]
    chief.http.post("/api/me/lost", headers=chief.headers)
    assert site.client().get("/api/studies", headers=machine).json()["code"] == "token-refused"
    opened = root.http.patch(f"/api/accounts/{account}", json={"lost": False}, headers=root.headers)
    assert opened.json()["lost_at"] is None
    assert site.client().get("/api/studies", headers=machine).status_code == 200
    assert site.login("chief").csrf, "found again: the password counts as before"


def test_the_address_that_links_go_to_is_changed_by_who_knows_the_password_alone(site: WebSite) -> None:
    anna = site.login("anna")
    unproven = anna.http.patch("/api/me", json={"email": "thief@evil.example"}, headers=anna.headers)
    assert unproven.json()["code"] == "login-refused"
    proof = change_of(anna.http, "anna", "correct horse battery staple", NEW, iterations=ITERATIONS)["current"]
    body = {"email": "a.new@clinic.example", "current": proof}
    asked = anna.http.patch("/api/me", json=body, headers=anna.headers).json()
    assert (asked["email"], asked["email_waits"]) == ("anna@clinic.example", "a.new@clinic.example")
    assert [one[:2] for one in letters(site)] == [("address-confirm", "a.new@clinic.example")]
    proof = change_of(anna.http, "anna", "correct horse battery staple", NEW, iterations=ITERATIONS)["current"]
    taken = anna.http.patch("/api/me", json={"email": "", "current": proof}, headers=anna.headers).json()
    assert (taken["email"], taken["email_waits"]) == (None, None), "none at all counts at once, and ends what waits"
    assert [one[:2] for one in letters(site)] == [("address-changed", "anna@clinic.example")]


def test_an_administrator_sees_how_mail_stands_and_tries_it(site: WebSite) -> None:
    root = site.login("root")
    assert post(root, "/api/mail/test").json()["code"] == "mail-address"
    posted = post(root, "/api/mail/test", address="ops@clinic.example").json()
    mail = root.http.get("/api/mail").json()
    assert (mail["configured"], mail["server"], mail["waiting"]) == (True, "mail.example:587", 1)
    assert mail["letters"][0]["id"] == posted["id"]
    assert post(root, "/api/mail/test", address="ops@clinic").status_code == 202
    assert post(root, "/api/mail/test", address="ops").json()["code"] == "mail-address"
