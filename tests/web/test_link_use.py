"""A link as it is used: how often, from where, by whom, and by what is not a person; on one site for all of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pypdfium2
import pytest
import segno
import sqlalchemy as sa

from radrelay.access import link_keys
from radrelay.access.models import LinkAccess, LinkVisit, ShareLink
from radrelay.audit.models import AuditEvent
from radrelay.identity.models import Account
from radrelay.web import downloads, streaming
from radrelay.web.link_sheet import CODE, MARGIN, SMALL_CODE, LinkSheet, link_sheet
from radrelay.web.paper import WIDTH
from tests.proving import log_in
from tests.web.conftest import PASSWORD, START, Login, WebSite, close_site, open_site
from tests.web.test_links import make, opened, pictures_of, refused, study_of, token_of, try_open
from tests.web.test_studies import CT, upload


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    folder = tmp_path_factory.mktemp("links")
    made = open_site(folder)
    made.account("anna")
    (folder / "static").mkdir()
    (folder / "static" / "index.html").write_text("<html><head><title>Radrelay</title></head><body></body></html>")
    yield made
    close_site(made)


@pytest.fixture(scope="module")
def anna(site: WebSite) -> Login:
    login = site.login("anna")
    upload(site, login, CT, "MR_small.dcm")
    return login


def test_who_may_only_look_downloads_nothing_and_who_may_is_seen_to(site: WebSite, anna: Login) -> None:
    study = study_of(anna)
    instance = anna.http.get(f"/api/series/{study['series'][0]['id']}").json()["instances"][0]["id"]
    files = (f"/api/studies/{study['id']}/archive.zip", f"/api/instances/{instance}/file")
    picture = {"form": "png", "named": False, "instance_ids": [instance]}
    for may, status in ((False, 404), (True, 200)):
        made = make(site, anna, studies=[study["id"]], may_download=may)
        browser = opened(site, made)
        assert [browser.http.get(path).status_code for path in files] == [status, status]
        taken = browser.http.post(f"/api/studies/{study['id']}/exports", json=picture, headers=browser.headers)
        assert taken.status_code == (201 if may else 404)
        happened = anna.http.get(f"/api/links/{made['link']['id']}").json()["accesses"]
        assert [one["kind"] for one in happened] == (["downloaded"] * 3 if may else []) + ["opened"]
        assert {one["peer"] for one in happened} == {"198.51.100.7"}


@pytest.mark.parametrize("ends", ["the link", "the maker", "nothing"])
def test_a_download_that_is_under_way_breaks_off_when_its_link_is_revoked_or_its_maker_suspended(
    site: WebSite, anna: Login, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    maker = site.login("anna") if ends != "the maker" else another(site)
    study = study_of(anna)["id"]
    made = make(site, maker, studies=[study], may_download=True)
    browser = opened(site, made)

    def pieces(*given: object, **named: object) -> Iterator[bytes]:
        del given, named
        yield bytes(streaming.BATCH_BYTES)
        if ends == "the link":
            maker.http.delete(f"/api/links/{made['link']['id']}", headers=maker.headers)
        elif ends == "the maker":
            with site.database.write() as session:
                session.execute(sa.update(Account).where(Account.username == "bert").values(disabled_at=START))
        for _ in range(4):
            yield bytes(streaming.BATCH_BYTES)

    monkeypatch.setattr(streaming, "ASK_EVERY_S", 0.0)
    monkeypatch.setattr(downloads, "stream_zip", pieces)
    got = browser.http.get(f"/api/studies/{study}/archive.zip")
    assert got.status_code == 200
    assert len(got.content) == streaming.BATCH_BYTES * (5 if ends == "nothing" else 1)


def another(site: WebSite) -> Login:
    site.account("bert")
    return site.login("bert")


def test_twelve_browsers_at_once_use_up_three_uses_and_no_more(site: WebSite, anna: Login) -> None:
    study = study_of(anna)
    made = make(site, anna, studies=[study["id"]], max_uses=3)
    browsers = [Login(site.client(f"198.51.100.{number}")) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda one: try_open(one, token_of(made), tapped=True).status_code, browsers))
    assert sorted(answers) == [200] * 3 + [401] * 9
    link = anna.http.get(f"/api/links/{made['link']['id']}").json()
    assert (link["uses"], link["state"]) == (3, "used-up")
    kept = browsers[answers.index(200)]
    assert try_open(kept, token_of(made)).status_code == 200, "who is in may come back"
    assert pictures_of(kept, study["id"]) == 200


def test_where_uses_are_counted_a_person_has_to_tap(site: WebSite, anna: Login) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]], max_uses=1)
    bot = Login(site.client("192.0.2.1"))
    for _ in range(3):
        assert refused(bot, token_of(made)) == (200, "tap")
    assert anna.http.get(f"/api/links/{made['link']['id']}").json()["uses"] == 0
    opened(site, made, tapped=True)
    assert refused(bot, token_of(made), tapped=True) == (401, "link-refused")


def test_what_fetches_the_address_by_itself_opens_nothing(site: WebSite, anna: Login) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]], max_uses=1)
    bot = site.client("192.0.2.1")
    for method in ("GET", "HEAD"):
        answer = bot.request(method, "/s", headers={"User-Agent": "WhatsApp/2.23 facebookexternalhit/1.1"})
        assert answer.status_code == 200
        assert "noindex" in answer.headers["x-robots-tag"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "CompressedSamples" not in answer.text
        assert "set-cookie" not in answer.headers
    assert bot.get("/api/shared").status_code == 401
    link = anna.http.get(f"/api/links/{made['link']['id']}").json()
    assert (link["uses"], link["accesses"]) == (0, [])


def test_wrong_answers_at_once_are_counted_each(site: WebSite, anna: Login) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]], protection="pin", pin="730518")
    browsers = [Login(site.client(f"192.0.2.{number}")) for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda one: refused(one, token_of(made), answer="000001")[1], browsers))
    assert sorted(codes) == ["link-answer-wrong"] * 4 + ["link-closed"] * 12


def test_links_that_are_forged_revoked_over_or_used_up_are_answered_alike(site: WebSite, anna: Login) -> None:
    study = study_of(anna)["id"]
    revoked, over, used = (make(site, anna, studies=[study], max_uses=1) for _ in range(3))
    anna.http.delete(f"/api/links/{revoked['link']['id']}", headers=anna.headers)
    opened(site, used, tapped=True)
    with site.database.write() as session:
        session.execute(
            sa.update(ShareLink).where(ShareLink.id == uuid.UUID(over["link"]["id"])).values(ends_at=site.clock.now())
        )
        foreign = token_of(used)[:-1] + ("A" if token_of(used)[-1] != "A" else "B")
        planted = "A" * 54  # by who can write the database, and has no keyring
        session.execute(
            sa.update(ShareLink)
            .where(ShareLink.id == uuid.UUID(revoked["link"]["id"]))
            .values(secret_hash=link_keys.digest(planted), revoked_at=None)
        )
    answers = []
    for token in (token_of(revoked), token_of(over), token_of(used), foreign, planted, "", "é" * 60, "x" * 200):
        answer = try_open(Login(site.client("192.0.2.1")), token, tapped=True, answer="1")
        body = answer.json()
        body.pop("correlation_id")
        answers.append((answer.status_code, body, sorted(answer.headers)))
    assert all(one == answers[0] for one in answers), answers
    assert answers[0][0] == 401
    assert answers[0][1]["code"] == "link-refused"


def test_a_browser_is_logged_in_or_came_with_a_link_and_never_both(site: WebSite, anna: Login) -> None:
    study, other = study_of(anna)["id"], study_of(anna, "MR")["id"]
    made = make(site, anna, studies=[study])
    reader = site.login("anna")
    assert refused(reader, token_of(made)) == (200, "leave")
    assert pictures_of(reader, other) == 200, "nothing was left unasked"
    assert refused(reader, token_of(made), leave=True) == (200, "")
    assert [pictures_of(reader, one) for one in (study, other)] == [200, 404]
    again = log_in(reader.http, "anna", PASSWORD)
    assert again.status_code == 200
    assert [pictures_of(reader, one) for one in (study, other)] == [200, 200]
    reader.http.cookies.delete("radrelay_session")
    assert pictures_of(reader, study) == 401, "the login ended the visit"


def test_a_browser_shows_what_one_link_opened_and_comes_back_to_the_others_without_a_further_use(
    site: WebSite, anna: Login
) -> None:
    ct, mr = study_of(anna)["id"], study_of(anna, "MR")["id"]
    first, second = (make(site, anna, studies=[one], max_uses=1) for one in (ct, mr))
    browser = opened(site, first, tapped=True)
    assert refused(browser, token_of(second), tapped=True) == (200, "")
    assert [pictures_of(browser, one) for one in (ct, mr)] == [404, 200]
    assert refused(browser, token_of(first)) == (200, ""), "it was opened once, and may be come back to"
    assert [pictures_of(browser, one) for one in (ct, mr)] == [200, 404]
    assert refused(Login(site.client()), token_of(first), tapped=True) == (401, "link-refused")
    anna.http.delete(f"/api/links/{first['link']['id']}", headers=anna.headers)
    assert [pictures_of(browser, one) for one in (ct, mr)] == [401, 401], "nothing else takes its place unasked"
    assert refused(browser, token_of(second)) == (200, "")
    browser.csrf = browser.http.get("/api/session").json()["csrf_token"]
    cookie = browser.http.cookies["radrelay_link"]
    assert browser.http.delete("/api/shared", headers=browser.headers).status_code == 204
    browser.http.cookies.set("radrelay_link", cookie)
    assert refused(browser, token_of(second)) == (401, "link-refused"), "who leaves, leaves all"
    assert told_to_leave(site, first, second) == [0, 1], "what was revoked is over; the other is on record"


def told_to_leave(site: WebSite, *made: dict[str, Any]) -> list[int]:
    """Return how often each link was left, by the record."""
    with site.database.read() as session:
        left = session.scalars(sa.select(AuditEvent.actor_id).where(AuditEvent.action == "link.leave")).all()
    return [left.count(one["link"]["id"]) for one in made]


@pytest.mark.parametrize("by", ["leaving", "logging in"])
def test_who_leaves_several_links_leaves_each_of_them_on_record(site: WebSite, anna: Login, by: str) -> None:
    study = study_of(anna)["id"]
    first, second = (make(site, anna, studies=[study]) for _ in range(2))
    browser = opened(site, first)
    assert refused(browser, token_of(second)) == (200, "")
    browser.csrf = browser.http.get("/api/session").json()["csrf_token"]
    if by == "leaving":
        assert browser.http.delete("/api/shared", headers=browser.headers).status_code == 204
    else:
        assert log_in(browser.http, "anna", PASSWORD).status_code == 200
    assert told_to_leave(site, first, second) == [1, 1]


def test_leaving_closes_what_was_opened_in_this_browser_alone(site: WebSite, anna: Login) -> None:
    study = study_of(anna)["id"]
    made = make(site, anna, studies=[study])
    one, other = opened(site, made), opened(site, made)
    assert one.http.delete("/api/shared").status_code == 403, "not without the CSRF token"
    cookie = one.http.cookies["radrelay_link"]
    assert one.http.delete("/api/shared", headers=one.headers).status_code == 204
    one.http.cookies.set("radrelay_link", cookie)
    assert [pictures_of(browser, study) for browser in (one, other)] == [401, 200]


def test_another_site_opens_no_link_in_somebodys_browser(site: WebSite, anna: Login) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]])
    answer = site.client().post(
        "/api/shared", json={"token": token_of(made)}, headers={"Origin": "https://evil.example"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


def test_nothing_that_opens_a_link_is_kept_in_the_clear(site: WebSite, anna: Login) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]], protection="pin")
    browser = opened(site, made, answer=made["pin"])
    secrets = [token_of(made).encode(), made["pin"].encode(), browser.http.cookies["radrelay_link"].encode()]
    with site.database.read() as session:
        for table in (ShareLink, LinkVisit, LinkAccess, AuditEvent):
            for row in session.execute(sa.select(table.__table__)):
                text = repr(tuple(row)).encode()
                assert not [secret for secret in secrets if secret in text], table


@pytest.mark.parametrize(("language", "words"), [("de", "Ihre medizinischen Bilder"), ("en", "Your medical images")])
def test_a_sheet_to_hand_out_has_the_code_and_names_nobody(
    site: WebSite, anna: Login, language: str, words: str
) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]], protection="pin", max_uses=2, label="Mr Smith")
    path, body = f"/api/links/{made['link']['id']}/sheet", {"address": made["address"], "language": language}
    answer = anna.http.post(path, json=body, headers=anna.headers)
    assert answer.headers["content-type"] == "application/pdf"
    document = pypdfium2.PdfDocument(answer.content)
    page = document[0]
    text = page.get_textpage().get_text_range()
    assert words in text
    # a dash at the end of a line is taken for a hyphen by who reads the text out
    assert made["address"].replace("-", "") in "".join(text.split()).replace("-", "")
    assert not [one for one in ("CompressedSamples", "Smith", made["pin"]) if one in text]
    picture = page.render(scale=4, grayscale=True).to_numpy()
    document.close()
    code = [list(row) for row in segno.make(made["address"], error="m", micro=False).matrix_iter(border=0)]
    assert modules_of(picture, len(code)) == code
    foreign = anna.http.post(path, json={"address": "https://evil.example/s#x", "language": "en"}, headers=anna.headers)
    assert foreign.status_code == 400


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("Krankenhausgesellschaft der Schwestern vom Heiligen Vinzenz von Paul mbH, Radiologie Großhadern", None),
        ("W" * 120, None), ("Radrelay", ""), ("東京大学医学部附属病院", None),
    ],
)  # fmt: skip
def test_a_sheet_names_a_house_in_full_and_within_its_margins(name: str, head: str | None) -> None:
    until = datetime(2026, 3, 8, 12, tzinfo=UTC)
    sheet = LinkSheet(f"https://pictures.example/s#{'A' * 54}", name, until, 1, "pin", may_download=False)
    page = pypdfium2.PdfDocument(link_sheet(sheet, "de"))[0]
    text = "".join(page.get_textpage().get_text_range().split())
    assert text.partition("IhremedizinischenBilder")[0] == ("".join(name.split()) if head is None else head)
    assert "werdiesesblatthatundangibt" in text.lower(), "the sheet alone does not open it"
    columns = np.flatnonzero((np.squeeze(page.render(scale=1, grayscale=True).to_numpy()) < 200).any(axis=0))
    assert columns[0] >= MARGIN - 2
    assert columns[-1] <= WIDTH - MARGIN + 2


def test_a_link_that_may_be_saved_has_a_page_with_its_codes_for_programs(site: WebSite, anna: Login) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]], may_download=True, protection="pin")
    path = f"/api/links/{made['link']['id']}/sheet"
    answer = anna.http.post(path, json={"address": made["address"], "language": "en"}, headers=anna.headers)
    document = pypdfium2.PdfDocument(answer.content)
    assert len(document) == 2
    page = document[1]
    text = page.get_textpage().get_text_range()
    assert made["exchange"].replace("-", "") in "".join(text.split()).replace("-", "")
    assert not [one for one in ("CompressedSamples", "Smith", made["pin"]) if one in text]
    picture = np.squeeze(page.render(scale=4, grayscale=True).to_numpy())
    document.close()
    codes = (made["exchange"], picture), (made["health"], picture[picture.shape[0] * 11 // 20 :])  # one below the other
    for address, part in codes:
        code = [list(row) for row in segno.make(address, error="m", micro=False).matrix_iter(border=0)]
        assert modules_of(part, len(code), SMALL_CODE, MARGIN) == code
    looking = make(site, anna, studies=[study_of(anna)["id"]])
    path = f"/api/links/{looking['link']['id']}/sheet"
    answer = anna.http.post(path, json={"address": looking["address"], "language": "de"}, headers=anna.headers)
    assert len(pypdfium2.PdfDocument(answer.content)) == 1


def modules_of(picture: Any, count: int, size: int = CODE, at: float = (595 - CODE) / 2) -> list[list[int]]:
    """Read the QR code of a rendered page: its finder patterns are the largest dark part of it."""
    scale, side = 4, size * 4
    left = at * scale
    top = find_top(picture, round(left), side, count)
    step = side / (count + 8)
    return [
        [
            int(picture[round(top + (row + 4.5) * step), round(left + (column + 4.5) * step)] < 128)
            for column in range(count)
        ]
        for row in range(count)
    ]


def find_top(picture: Any, left: int, side: int, count: int) -> float:
    """Return where the code begins: a finder pattern's upper edge is seven dark modules in a row."""
    step = side / (count + 8)
    column = picture[:, round(left + 4.5 * step)]
    dark = [place for place in range(len(column)) if (column[place : place + round(6.5 * step)] < 128).all()]
    return float(dark[0] - 4 * step)
