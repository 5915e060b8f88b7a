"""Usage statistics: off by default, of nobody who has not agreed, under pseudonyms, shown in large counts alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.app.consent_keeping import keep_usage
from radrelay.app.rows import LEFT_OUT
from radrelay.privacy.consent_models import UsageEvent
from radrelay.privacy.in_browser import EVERYTHING
from radrelay.privacy.usage import KINDS
from radrelay.web import services
from radrelay.web.usage_door import PER_ADDRESS, TooManyEvents, UsageDoor
from tests.web.conftest import WebSite, close_site, open_site

FRONTEND = Path(__file__).parents[2] / "frontend"
DAY = timedelta(days=1)
STUDIES = {"kind": "page", "value": "studies"}


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    made = open_site(tmp_path_factory.mktemp("counting"), statistics={"enabled": True, "retention_days": 30})
    made.account("root", "admin")
    made.account("dora", "dpo")
    made.account("anna")
    static = made.services.static_dir
    static.mkdir()
    (static / "index.html").write_text('<!doctype html><html lang="en"><head></head><body></body></html>')
    yield made
    close_site(made)


def browser(number: int) -> str:
    return f"{number:032x}"


def sent(site: WebSite, who: int, *events: dict[str, str], **more: object) -> Any:
    body: dict[str, Any] = {"consent": "yes", "version": 1, "id": browser(who), "events": list(events)} | more
    return site.client(f"203.0.113.{who % 200}").post("/api/statistics/events", json=body)


def counts(site: WebSite, by: str = "day") -> dict[tuple[str, str, str], int]:
    answer = site.login("dora").http.get("/api/statistics", params={"by": by})
    assert answer.status_code == 200, answer.text
    return {(one["since"], one["kind"], one["value"]): one["count"] for one in answer.json()["counts"]}


def kept(site: WebSite) -> int:
    with site.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(UsageEvent)) or 0


def test_where_a_site_does_not_count_there_is_no_banner_and_no_route(tmp_path: Path, counting: WebSite) -> None:
    assert "data-statistics" in counting.client().get("/login").text
    site = open_site(tmp_path)
    site.account("root", "admin")
    site.services.static_dir.mkdir()
    (site.services.static_dir / "index.html").write_text('<!doctype html><html lang="en"></html>')
    for path in ("/", "/login", "/s", "/view"):
        assert "data-statistics" not in site.client().get(path).text
        assert 'data-statistics="1"' in counting.client().get(path).text, "also behind links"
    assert sent(site, 1, STUDIES).status_code == 404
    assert site.client().post("/api/statistics/withdrawals", json={"id": browser(1)}).status_code == 404
    assert site.login("root").http.get("/api/statistics").status_code == 404
    facts = site.client().get("/api/privacy/facts").json()
    assert facts["statistics"]["state"] == "off"
    assert not [one for one in facts["browser"] if one["name"].startswith("tracking")]
    close_site(site)


def test_nobody_is_counted_who_has_not_agreed_or_what_is_not_written_down(counting: WebSite) -> None:
    before = kept(counting)
    for refused in ({"consent": "no"}, {"consent": ""}, {"version": 0}, {"version": 2}):
        answer = sent(counting, 1, STUDIES, **refused)
        assert (answer.status_code, answer.json()["code"]) == (403, "consent-wanted"), refused
    for event in (
        {"kind": "page", "value": "Meier^Anna"}, {"kind": "agent", "value": "x"}, {"kind": "viewer", "value": "page"},
    ):  # fmt: skip
        answer = sent(counting, 1, event)
        assert (answer.status_code, answer.json()["code"]) == (400, "usage-invalid"), event
    assert sent(counting, 1, STUDIES, id="anna").status_code == 400
    assert sent(counting, 1, STUDIES | {"study": "1.2.3"}).status_code in (400, 422), "nothing can be put beside it"
    foreign = counting.client().post(
        "/api/statistics/events",
        json={},
        headers={"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert foreign.status_code == 403
    assert kept(counting) == before
    assert all(len(value) <= 16 for values in KINDS.values() for value in values)


def test_a_pseudonym_leads_to_nobody_and_changes_with_the_day_and_all_days_go_with_a_withdrawal(
    counting: WebSite,
) -> None:
    first = counting.clock.now().date()
    assert sent(counting, 7, STUDIES, {"kind": "device", "value": "phone"}).status_code == 204
    counting.clock.advance(DAY)
    assert sent(counting, 7, STUDIES, STUDIES).status_code == 204
    assert sent(counting, 8, STUDIES).status_code == 204
    with counting.database.read() as session:
        rows = session.execute(sa.text("SELECT * FROM usage_event")).mappings().all()
        pseudonyms = session.execute(sa.select(UsageEvent.day, UsageEvent.pseudonym).distinct()).all()
    assert {*rows[0]} == {"id", "organisation_id", "day", "pseudonym", "kind", "value"}, (
        "no time, no address, no account"
    )
    assert len({row.pseudonym for row in pseudonyms}) == len(pseudonyms) == 3
    assert not [row for row in rows if browser(7).encode() in bytes(row["pseudonym"])]
    taken = {date.fromisoformat(str(row["day"])) for row in rows}
    assert {first, first + DAY} <= taken
    answer = counting.client().post("/api/statistics/withdrawals", json={"id": browser(7)})
    assert answer.json() == {"deleted": 4}
    assert kept(counting) == 1, "another browser's stay"
    late = sent(counting, 7, STUDIES)
    assert (late.status_code, late.json()["code"]) == (403, "consent-wanted"), "what was still on its way is refused"
    assert {"usage_event", "usage_withdrawal"} <= LEFT_OUT, "no backup brings back what was withdrawn"


def test_counts_of_fewer_than_five_are_not_shown_and_are_no_difference_of_what_is(counting: WebSite) -> None:
    counting.clock.advance(timedelta(days=7 - counting.clock.now().weekday()))  # a Monday
    monday = counting.clock.now().date()

    def of(kind: str, value: str, browsers: range, times: int = 1) -> None:
        for who in browsers:
            assert sent(counting, who, *[{"kind": kind, "value": value}] * times).status_code == 204

    of("page", "studies", range(20, 25), times=2)
    of("page", "import", range(20, 24), times=9)
    of("viewer", "CT", range(20, 28))
    of("viewer", "MR", range(20, 24))
    of("first-picture", "under-1s", range(20, 32))
    of("device", "desktop", range(20, 25), times=3)
    assert counts(counting) == {}, "a day is shown when it is over"
    counting.clock.advance(DAY)
    day = monday.isoformat()
    shown = {(day, "page", "studies"): 10, (day, "viewer", "CT"): 8, (day, "device", "desktop"): 5}
    assert counts(counting) == shown, "twelve first pictures less eight of CT would tell the four of MR"
    of("page", "studies", range(20, 26))
    of("page", "import", range(20, 24))
    of("first-picture", "under-1s", range(20, 26))
    of("viewer", "CT", range(20, 26))
    counting.clock.advance(DAY)
    assert counts(counting)[(monday + DAY).isoformat(), "first-picture", "under-1s"] == 6, "no small count is beside it"
    week = counts(counting, "week")
    assert week[day, "page", "studies"] == 16
    assert (day, "page", "import") not in week, "one browser on many days is still one"
    assert counting.login("root").http.get("/api/statistics").status_code == 200
    assert counting.login("anna").http.get("/api/statistics").status_code == 403
    backwards = counting.login("dora").http.get("/api/statistics", params={"since": "2020-01-01"})
    assert (backwards.status_code, backwards.json()["code"]) == (400, "usage-invalid")


def test_what_was_counted_ends_with_its_time_or_with_the_setting(counting: WebSite) -> None:
    assert sent(counting, 40, STUDIES).status_code == 204
    counting.clock.advance(timedelta(days=30))
    assert sent(counting, 41, STUDIES).status_code == 204
    counting.clock.advance(DAY)
    keep_usage(counting.parts)  # type: ignore[arg-type]  # what it needs of a role's process
    assert kept(counting) == 1


def test_one_address_cannot_fill_the_store_and_a_ward_behind_one_is_counted() -> None:
    at = [0.0]
    door = UsageDoor(lambda: at[0])
    for _ in range(PER_ADDRESS // 50):
        door.take("192.0.2.1", 50)
    with pytest.raises(TooManyEvents):
        door.take("192.0.2.1", 1)
    door.take("192.0.2.2", 50)
    at[0] += 5
    door.take("192.0.2.1", 50)
    for host in range(10_000):
        door.take(f"2001:db8:{host:x}::1", 0)
    assert len(door._known) <= 5_000


def test_what_is_kept_in_a_browser_is_all_on_the_list(counting: WebSite) -> None:
    sources = Path(services.__file__).parent
    code = "".join(one.read_text() for one in sources.rglob("*.py"))
    named = set(re.findall(r'COOKIE = "(radrelay_[a-z_]+)"', code))
    cookies = {one.name.rstrip("*") for one in EVERYTHING if one.where == "cookie"}
    assert named == cookies
    assert set(re.findall(r"\.set_cookie\(\s*(\w+)", code)) == {"COOKIE", "DEVICE_COOKIE", "LINK_COOKIE"}
    given = {cookie.name for login in ("root", "anna") for cookie in counting.login(login).http.cookies.jar}
    assert given == {"radrelay_session", "radrelay_device"}
    assert all(any(one.is_called(name) for one in EVERYTHING) for name in given)
    keeper = FRONTEND / "app/state/kept.ts"  # all that is kept goes through it
    pages = [one for ending in ("ts", "svelte") for part in ("app", "share", "viewer")
             for one in (FRONTEND / part).rglob(f"*.{ending}")
             if ".test." not in one.name and one != keeper]  # fmt: skip
    text = "".join(one.read_text() for one in pages)
    assert not re.search(r"(?:local|session)Storage", text)
    writers = set(re.findall(r"kept(?:InTab)?\.setItem\((\w+)", text))
    assert writers == {"READER", "STORED", "CONSENT", "BROWSER", "LEAVING", "JUST_CLOSED"}
    keys = set(re.findall(rf"const (?:{'|'.join(writers)}) = '([a-z-]+)';", text))
    assert keys == {one.name for one in EVERYTHING if one.where != "cookie"}
    assert not re.search(r"document\.cookie|indexedDB|caches\.open", text)
    facts = counting.client("203.0.113.9").get("/api/privacy/facts").json()
    assert {one["name"] for one in facts["browser"]} == {one.name for one in EVERYTHING}
    assert (facts["statistics"], facts["processors"]) == ({"state": "on", "retention_days": 30}, [])
    assert {one["source"] for one in facts["retention"]} >= {"DICOM", "Upload"}
