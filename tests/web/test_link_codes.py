"""Links that ask for a code by e-mail: sent when a person asks, for ten minutes, once, in the browser that asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pypdfium2
import pytest
import sqlalchemy as sa

from radrelay.access.models import LinkCode
from radrelay.audit.models import AuditEvent
from radrelay.mail.models import MailLetter
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_links import actions, make, pictures_of, refused, study_of, token_of, try_open
from tests.web.test_studies import CT, upload

ADDRESS = "m.meier@clinic.example"
MAIL = {"host": "127.0.0.1", "port": 1, "security": "none", "sender": "radrelay@clinic.example"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    made = open_site(tmp_path_factory.mktemp("codes"), mail=MAIL)
    made.account("anna")
    yield made
    close_site(made)


@pytest.fixture(scope="module")
def anna(site: WebSite) -> Login:
    login = site.login("anna")
    upload(site, login, CT)
    return login


def link(site: WebSite, anna: Login, **more: Any) -> dict[str, Any]:
    site.clock.advance(timedelta(minutes=1))  # each its own minute on record
    return make(site, anna, studies=[study_of(anna)["id"]], protection="email", email=ADDRESS, **more)


def send(browser: Login, token: str, language: str = "en") -> Any:
    return browser.http.post("/api/shared/code", json={"token": token, "language": language})


def letters(site: WebSite) -> list[tuple[str, str]]:
    """Return the letters with codes, the newest last: to whom, and what they say."""
    with site.database.read() as session:
        rows = session.scalars(sa.select(MailLetter).where(MailLetter.kind == "link-code").order_by(MailLetter.id))
        return [(row.recipient, site.services.password_links.post.opened(row).text) for row in rows if row.sealed]


def code_of(site: WebSite) -> str:
    found = re.search(r"\b\d{6}\b", letters(site)[-1][1])
    assert found is not None
    return found.group()


def state_of(browser: Login, asked: str) -> str:
    return str(browser.http.post("/api/shared/code/state", json={"asked": asked}).json()["state"])


def test_a_code_is_sent_when_a_person_asks_and_opens_the_link_once_in_that_browser(site: WebSite, anna: Login) -> None:
    assert anna.http.get("/api/links").json()["by_email"] is True
    made, study = link(site, anna), study_of(anna)["id"]
    token, before = token_of(made), len(letters(site))
    doctor, thief = Login(site.client("198.51.100.7")), Login(site.client("192.0.2.9"))
    for browser in (doctor, thief):  # to open the page writes to nobody
        told = try_open(browser, token).json()
        assert (told["wants"], told["sends_to"], told["studies"]) == ("email", "m…@clinic.example", [])
    assert len(letters(site)) == before

    asked = send(doctor, token, "de").json()
    assert (asked["sends_to"], asked["lasts_s"]) == ("m…@clinic.example", 600)
    recipient, text = letters(site)[-1]
    code = code_of(site)
    assert recipient == ADDRESS
    assert f"Ihr Code ist {code}." in text
    assert "CompressedSamples" not in text
    assert study not in text
    assert state_of(doctor, asked["asked"]) == "waiting"
    with site.database.read() as session:
        [kept] = session.scalars(sa.select(LinkCode))
        assert code.encode() not in kept.code_hash
        assert asked["asked"].encode() not in kept.secret_hash

    assert refused(thief, token, answer=code) == (403, "link-code-over"), "who did not ask has no code"
    assert refused(thief, token, answer=code, asked="A" * 43) == (403, "link-code-over")
    assert refused(doctor, token, answer=f" {code[:3]} {code[3:]}", asked=asked["asked"]) == (200, "")
    assert pictures_of(doctor, study) == 200
    assert refused(Login(site.client()), token, answer=code, asked=asked["asked"]) == (403, "link-code-over"), "once"
    assert state_of(doctor, asked["asked"]) == "over"

    happened = anna.http.get(f"/api/links/{made['link']['id']}").json()
    assert happened["email"] == ADDRESS
    assert [(one["kind"], one["email"]) for one in happened["accesses"]] == [("opened", ADDRESS), ("code", ADDRESS)]
    assert actions(site)[-3:] == [
        ("link.make", "success", "account"), ("link.code", "success", "link"), ("link.open", "success", "link"),
    ]  # fmt: skip
    with site.database.read() as session:
        told = session.scalars(sa.select(AuditEvent.detail).where(AuditEvent.action.like("link.%"))).all()
    assert all(ADDRESS in one for one in told[-3:])


def test_a_second_code_is_not_sent_at_once_and_each_is_another(site: WebSite, anna: Login) -> None:
    token = token_of(link(site, anna))
    browser = Login(site.client("198.51.100.7"))
    first = send(browser, token).json()["asked"]
    old = code_of(site)
    for wait in (60, 120, 240):
        early = send(Login(site.client("192.0.2.9")), token)
        assert (early.status_code, early.json()["code"], early.json()["retry_after_s"]) == (
            429, "too-many-attempts", wait,
        )  # fmt: skip
        site.clock.advance(timedelta(seconds=wait))
        second = send(browser, token).json()["asked"]
    assert code_of(site) != old
    assert refused(browser, token, answer=old, asked=second) == (403, "link-answer-wrong")
    assert refused(browser, token, answer=code_of(site), asked=first)[1] in ("link-answer-wrong", "link-code-over")
    assert refused(browser, token, answer=code_of(site), asked=second) == (200, "")


def test_a_code_is_over_after_ten_minutes_and_a_clock_that_goes_back_gives_none_of_them_again(
    site: WebSite, anna: Login
) -> None:
    token = token_of(link(site, anna))
    browser = Login(site.client("198.51.100.7"))
    asked = send(browser, token).json()["asked"]
    site.clock.advance(timedelta(minutes=10))
    for _ in range(7):  # nothing to guess: none of these closes the link
        assert refused(browser, token, answer=code_of(site), asked=asked) == (403, "link-code-over")
    site.clock.advance(timedelta(minutes=-12))
    assert refused(browser, token, answer=code_of(site), asked=asked) == (403, "link-code-over")
    site.clock.advance(timedelta(minutes=12))
    assert refused(browser, token) == (200, "email")


def test_five_wrong_codes_close_the_link_for_codes_too(site: WebSite, anna: Login) -> None:
    made = link(site, anna)
    token = token_of(made)
    browsers = [Login(site.client(f"192.0.2.{number}")) for number in range(8)]
    asked = send(browsers[0], token).json()["asked"]
    wrong = f"{(int(code_of(site)) + 1) % 10**6:06d}"
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda one: refused(one, token, answer=wrong, asked=asked)[1], browsers))
    assert sorted(codes) == ["link-answer-wrong"] * 4 + ["link-closed"] * 4
    site.clock.advance(timedelta(minutes=2))
    closed = send(browsers[0], token)
    assert (closed.status_code, closed.json()["code"]) == (429, "link-closed")
    assert refused(browsers[0], token, answer=code_of(site), asked=asked) == (429, "link-closed")
    assert [one["kind"] for one in anna.http.get("/api/links").json()["notices"]] == ["closed"]
    assert anna.http.put("/api/links/notices/read", headers=anna.headers).status_code == 204


def test_one_code_given_twice_at_once_opens_one_browser(site: WebSite, anna: Login) -> None:
    token = token_of(link(site, anna))
    browsers = [Login(site.client(f"198.51.100.{number}")) for number in range(6)]
    asked = send(browsers[0], token).json()["asked"]
    code = code_of(site)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: refused(one, token, answer=code, asked=asked)[0], browsers))
    assert sorted(answers) == [200] + [403] * 5


def test_the_page_is_told_when_the_mail_waits_and_what_became_of_it(site: WebSite, anna: Login) -> None:
    browser = Login(site.client("198.51.100.7"))
    asked = send(browser, token_of(link(site, anna))).json()["asked"]
    for change, seen in (
        ({"trouble_code": "mail-server-away"}, "delayed"), ({"state": "sent"}, "sent"),
        ({"state": "failed"}, "failed"), ({"state": "late"}, "over"),
    ):  # fmt: skip
        with site.database.write() as session:
            newest = sa.select(sa.func.max(MailLetter.created_at)).scalar_subquery()
            session.execute(sa.update(MailLetter).where(MailLetter.created_at == newest).values(**change))
        assert state_of(browser, asked) == seen
    assert state_of(browser, "B" * 43) == "over", "of others nothing is told"


def test_links_that_open_nothing_or_ask_for_something_else_send_nothing(site: WebSite, anna: Login) -> None:
    made, pin = link(site, anna), make(site, anna, studies=[study_of(anna)["id"]], protection="pin")
    before, browser = len(letters(site)), Login(site.client("198.51.100.7"))
    assert send(browser, token_of(pin)).json()["code"] == "link-asks-for-none"
    anna.http.delete(f"/api/links/{made['link']['id']}", headers=anna.headers)
    for token in (token_of(made), "A" * 54, ""):
        assert send(browser, token).json()["code"] == "link-refused"
    assert len(letters(site)) == before
    body = {"token": token_of(pin)}
    foreign = browser.http.post("/api/shared/code", json=body, headers={"Origin": "https://evil.example"})
    assert foreign.json()["code"] == "csrf"
    for address in ("", "nobody", "a@b@c", "a b@c.example", "ä@clinic.example", "x\r\nBcc: y@z.example"):
        wanted = {"studies": [study_of(anna)["id"]], "protection": "email", "email": address}
        assert make(site, anna, 400, **wanted)["code"] == "mail-address"


@pytest.mark.parametrize(("language", "words"), [("en", "You will be asked for a code"), ("de", "nach einem Code")])
def test_the_sheet_says_what_will_be_asked_and_shows_no_whole_address(
    site: WebSite, anna: Login, language: str, words: str
) -> None:
    made = link(site, anna)
    body = {"address": made["address"], "language": language}
    pdf = anna.http.post(f"/api/links/{made['link']['id']}/sheet", json=body, headers=anna.headers).content
    text = " ".join(pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded().split())
    assert words in text
    assert "m…@clinic.example" in text
    assert ADDRESS not in text


def test_without_a_mail_server_no_link_asks_for_a_code(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = open_site(tmp_path_factory.mktemp("silent"))
    made.account("anna")
    anna = made.login("anna")
    upload(made, anna, CT)
    assert anna.http.get("/api/links").json()["by_email"] is False
    wanted = {"studies": [study_of(anna)["id"]], "protection": "email", "email": ADDRESS}
    assert make(made, anna, 409, **wanted)["code"] == "mail-not-set"
    close_site(made)
