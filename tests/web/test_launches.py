"""Another program opens the viewer in somebody's name: once, soon, on what it asked for, and on record."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from starlette.testclient import TestClient

from radrelay.access import Right, Target
from radrelay.access.models import Grant, Launch
from radrelay.audit.models import AuditEvent
from radrelay.settings import WebSettings
from tests.archive.house import made as file_of
from tests.web.conftest import BASE, Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, grant_to, revoke_all, upload_bytes

FRAME = "https://ris.clinic.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    folder = tmp_path_factory.mktemp("launches")
    made = open_site(folder, web={"frame_ancestors": [FRAME], "behind_proxy": True})
    (folder / "static").mkdir()
    (folder / "static" / "index.html").write_text("<html><head><title>Radrelay</title></head><body></body></html>")
    for name, role in (("root", "admin"), ("anna", "user"), ("bert", "user"), ("nobody", "user")):
        made.account(name, role)
    yield made
    close_site(made)


@pytest.fixture(scope="module")
def studies(site: WebSite) -> dict[str, str]:
    """Two studies of one patient and one of another; Anna may see all three, Bert the first alone."""
    root, anna, bert = (site.login(name) for name in ("root", "anna", "bert"))
    files = {
        f"{n}.dcm": file_of(
            CT, StudyInstanceUID=f"1.9.{n}", SeriesInstanceUID=f"1.9.{n}.1", SOPInstanceUID=f"1.9.{n}.1.1",
            AccessionNumber=f"A{n}", PatientID="P1" if n < 3 else "P2", PatientName="One" if n < 3 else "Two",
            PatientBirthDate="19500101",
        )
        for n in (1, 2, 3)
    }  # fmt: skip
    upload_bytes(site, root, files)
    found = {one["accession_number"]: one["id"] for one in root.http.get("/api/studies").json()["studies"]}
    revoke_all(site)
    for study in found.values():
        grant_to(site, anna, Target("study", uuid.UUID(study)), Right.SEE, Right.ANNOTATE)
    grant_to(site, bert, Target("study", uuid.UUID(found["A1"])), Right.SEE)
    return found


@pytest.fixture
def ris(site: WebSite) -> TestClient:
    """A program whose token may open the viewer."""
    site.clock.advance(timedelta(minutes=1))
    client = site.client("192.0.2.50")
    client.headers["Authorization"] = f"Bearer {token(site)}"
    return client


def token(site: WebSite, *, may_launch: bool = True) -> str:
    with site.database.write() as session:
        made = site.identity.create_token(
            session, site.organisation_id, name="RIS", role="service", may_launch=may_launch
        )
    return made.secret


def ask(ris: TestClient, user: str = "anna", **wanted: str) -> Any:
    return ris.post("/api/launches", json={"user": user, **wanted})


def address(ris: TestClient, user: str = "anna", **wanted: str) -> str:
    answer = ask(ris, user, **wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["address"])


def bring(browser: Login, launched: str, **more: Any) -> Any:
    answer = browser.http.post("/api/launches/open", json={"token": launched.partition("#")[2], **more})
    if answer.status_code == 200:
        browser.csrf = browser.http.get("/api/session").json()["csrf_token"]
    return answer


def came(site: WebSite, launched: str) -> Login:
    browser = Login(site.client("198.51.100.7"))
    answer = bring(browser, launched)
    assert answer.status_code == 200, answer.text
    return browser


def refused(site: WebSite, launched: str) -> str:
    return str(bring(Login(site.client("198.51.100.7")), launched).json()["code"])


def why_over(browser: Login) -> str:
    """Return what a page is told that asks why what it showed is closed."""
    answer = browser.http.get("/api/session")
    assert answer.status_code == 401, answer.text
    return str(answer.json()["why"])


def seen(browser: Login, study: str) -> int:
    return int(browser.http.get(f"/api/studies/{study}").status_code)


def told(site: WebSite, action: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return outcome, who it was and what is told, oldest first."""
    with site.database.read() as session:
        rows = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.sequence))
        return [(row.outcome, row.actor_name, json.loads(row.detail)) for row in rows]


def test_a_program_opens_a_study_for_somebody_and_nothing_else(
    site: WebSite, ris: TestClient, studies: dict[str, str]
) -> None:
    answer = ask(ris, accession="A1").json()
    assert answer["address"].startswith(f"{BASE}/launch#")
    assert (answer["lasts_s"], answer["studies"]) == (60, [studies["A1"]])
    browser = Login(site.client("198.51.100.7"))
    opened = bring(browser, answer["address"]).json()
    assert opened["address"] == f"/view?study={studies['A1']}"
    session = browser.http.get("/api/session").json()
    assert (session["account"]["username"], session["launched"]) == ("anna", {"program": "RIS"})
    assert [seen(browser, studies[name]) for name in ("A1", "A2", "A3")] == [200, 404, 404]
    assert browser.http.get(f"/api/studies/{studies['A1']}/opening").status_code == 200
    assert browser.http.get("/api/view", params={"study": studies["A1"]}).json()["open"] == studies["A1"]
    assert browser.http.get("/api/view", params={"patient": "P1"}).json()["open"] == studies["A1"], "hers, but not here"
    assert browser.http.get("/api/view", params={"accession": "A3"}).json()["code"] == "nothing-to-view"
    assert browser.http.get(f"/api/studies/{studies['A1']}/priors").json()["priors"] == []
    for path in ("/api/studies", "/api/me", "/api/links", "/api/accounts", "/dicom-web/studies", "/metrics"):
        assert browser.http.get(path).json()["code"] == "not-by-launch", path
    assert browser.http.get("/view", params={"study": studies["A1"]}).status_code == 200

    [(_, _, made)] = told(site, "launch.make")
    assert (made["for"], made["studies"]) == ("anna", [studies["A1"]])
    [(outcome, actor, detail)] = told(site, "launch.open")
    assert (outcome, actor, detail["program"], detail["studies"]) == ("success", "anna", "RIS", [studies["A1"]])
    with site.database.read() as session_:
        [row] = session_.scalars(sa.select(Launch))
    assert answer["address"].partition("#")[2].encode() not in row.secret_hash


def test_an_address_opens_once_and_within_a_minute(site: WebSite, ris: TestClient, studies: dict[str, str]) -> None:
    launched = address(ris, study="1.9.1")
    browsers = [Login(site.client(f"198.51.100.{n}")) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: bring(one, launched), browsers))
    assert sorted(one.status_code for one in answers) == [200] + [401] * 5
    assert {one.json()["code"] for one in answers if one.status_code == 401} == {"launch-used"}
    assert refused(site, launched) == "launch-used"
    late = address(ris, study=studies["A1"])
    site.clock.advance(timedelta(seconds=60))
    assert refused(site, late) == "launch-expired"
    site.clock.advance(timedelta(minutes=-20))
    assert refused(site, late) == "launch-expired", "it is not made yet, by this clock"
    site.clock.advance(timedelta(minutes=21))
    for forged in ("x#", f"x#{'A' * 43}", launched[:-1]):
        assert refused(site, forged) == "launch-refused"
    foreign = Login(site.client("198.51.100.7"))
    answer = foreign.http.post(
        "/api/launches/open", json={"token": "A" * 43}, headers={"Origin": "https://evil.example"}
    )
    assert answer.json()["code"] == "csrf"
    reasons = [detail["reason"] for outcome, _, detail in told(site, "launch.open") if outcome == "refused"]
    assert {"launch-used", "launch-expired", "launch-refused"} == set(reasons)


def test_whoever_tries_addresses_shuts_nobody_out_who_comes_from_the_same_house(
    site: WebSite, ris: TestClient, studies: dict[str, str]
) -> None:
    launched, late, next_one = (address(ris, study=studies["A1"]) for _ in range(3))
    stranger, reader = (Login(site.client("198.51.100.90")) for _ in range(2))
    codes = [bring(stranger, f"x#{'A' * 42}{n:02}").json()["code"] for n in range(51)]
    assert (codes[0], codes[-1]) == ("launch-refused", "too-many-attempts")
    assert bring(reader, launched).status_code == 200
    assert bring(stranger, launched).status_code == 429, "what was opened is no way around"
    assert bring(reader, next_one).status_code == 200
    site.clock.advance(timedelta(seconds=60))
    tries = {bring(stranger, late).status_code for _ in range(3)}
    assert 429 in tries, "nor is what is over"


def test_only_a_token_that_may_opens_for_people_who_are_here_what_they_see(
    site: WebSite, ris: TestClient, studies: dict[str, str]
) -> None:
    plain = site.client("192.0.2.51")
    plain.headers["Authorization"] = f"Bearer {token(site, may_launch=False)}"
    assert ask(plain, study=studies["A1"]).json()["code"] == "launch-right"
    root = site.login("root")
    wanted = {"user": "anna", "study": studies["A1"]}
    answer = root.http.post("/api/launches", json=wanted, headers=root.headers)
    assert answer.json()["code"] == "launch-right", "an administrator is nobody else, either"
    assert ask(ris, "nemo", study=studies["A1"]).json()["code"] == "launch-user"
    for user, more in (
        ("bert", {"accession": "A2"}),
        ("nobody", {"study": studies["A1"]}),
        ("anna", {"accession": "X"}),
    ):
        assert ask(ris, user, **more).json()["code"] == "nothing-to-view", user
    assert ask(ris).json()["code"] == "view-address"
    assert ask(ris, study="1.9.1", password="x").status_code == 422
    unmade = {
        (detail["for"], detail["reason"]) for outcome, _, detail in told(site, "launch.make") if outcome == "refused"
    }
    assert {("anna", "launch-right"), ("nemo", "launch-user"), ("bert", "nothing-to-view")} <= unmade
    named = {"name": "KIS", "role": "service", "may_launch": True}
    made = root.http.post("/api/tokens", json=named, headers=root.headers)
    assert made.json()["token"]["may_launch"] is True
    plain.headers["Authorization"] = f"Bearer {made.json()['secret']}"
    assert ask(plain, study=studies["A1"]).status_code == 201


def test_what_ends_meanwhile_is_told_and_opens_nothing(site: WebSite, ris: TestClient, studies: dict[str, str]) -> None:
    root = site.login("root")
    accounts = {one["username"]: one["id"] for one in root.http.get("/api/accounts").json()["accounts"]}

    def suspend(disabled: bool) -> None:
        body = {"disabled": disabled}
        answer = root.http.patch(f"/api/accounts/{accounts['bert']}", json=body, headers=root.headers)
        assert answer.status_code == 200

    launched, browser = address(ris, "bert", study=studies["A1"]), came(site, address(ris, "bert", accession="A1"))
    suspend(True)
    assert refused(site, launched) == "launch-shut"
    assert ask(ris, "bert", study=studies["A1"]).json()["code"] == "launch-user"
    assert seen(browser, studies["A1"]) == 401
    assert why_over(browser) == "shut"
    suspend(False)
    assert why_over(browser) == "ended", "who is let in again logs in again"

    launched, browser = address(ris, "bert", study=studies["A1"]), came(site, address(ris, "bert", accession="A1"))
    with site.database.write() as session:
        session.execute(sa.delete(Grant).where(Grant.grantee_id == accounts["bert"]))
    assert seen(browser, studies["A1"]) == 404, "it ends with the right"
    assert refused(site, launched) == "launch-lost"
    grant_to(site, site.login("bert"), Target("study", uuid.UUID(studies["A1"])), Right.SEE)

    launched, browser = address(ris, study=studies["A1"]), came(site, address(ris, accession="A1"))
    [ours] = [one["id"] for one in root.http.get("/api/tokens").json()["tokens"] if one["name"] == "RIS"][
        :1
    ]  # the newest is this program's
    assert root.http.delete(f"/api/tokens/{ours}", headers=root.headers).status_code == 204
    assert refused(site, launched) == "launch-withdrawn"
    assert seen(browser, studies["A1"]) == 401, "who stood for the person stands no more"
    assert why_over(browser) == "withdrawn"


def test_a_patient_s_studies_are_chosen_from_and_those_of_another_stay_closed(
    site: WebSite, ris: TestClient, studies: dict[str, str]
) -> None:
    browser = Login(site.client("198.51.100.7"))
    opened = bring(browser, address(ris, patient="P1")).json()
    assert opened["address"] == "/view?patient=P1"
    choice = browser.http.get("/api/view", params={"patient": "P1"}).json()
    assert {one["id"] for one in choice["studies"]} == {studies["A1"], studies["A2"]}
    assert [seen(browser, studies[name]) for name in ("A1", "A2", "A3")] == [200, 200, 404]


def test_a_browser_is_one_person_s_and_a_second_study_joins_the_first(
    site: WebSite, ris: TestClient, studies: dict[str, str]
) -> None:
    browser = came(site, address(ris, study=studies["A1"]))
    assert bring(browser, address(ris, study=studies["A3"])).status_code == 200
    assert [seen(browser, studies[name]) for name in ("A1", "A2", "A3")] == [200, 404, 200], "both tabs go on"
    assert bring(browser, address(ris, "bert", study=studies["A1"])).status_code == 200
    assert browser.http.get("/api/session").json()["account"]["username"] == "bert"
    assert [seen(browser, studies[name]) for name in ("A1", "A3")] == [200, 404], "what was Anna's is closed"

    own = site.login("anna", "198.51.100.7")
    assert bring(own, address(ris, study=studies["A1"])).status_code == 200
    assert own.http.get("/api/session").json()["launched"] is None, "her own login goes on, whole"
    assert seen(own, studies["A2"]) == 200
    logouts = len(told(site, "logout"))
    assert bring(own, address(ris, "bert", study=studies["A1"])).status_code == 200
    assert (own.http.get("/api/session").json()["account"]["username"], len(told(site, "logout"))) == (
        "bert",
        logouts + 1,
    )


def test_it_ends_soon_without_use_and_at_the_latest_after_four_hours(
    site: WebSite, ris: TestClient, studies: dict[str, str]
) -> None:
    browser = came(site, address(ris, study=studies["A1"]))
    site.clock.advance(timedelta(minutes=14))
    used = browser.http.post("/api/session/use", json={"idle_s": 0}, headers=browser.headers).json()
    assert (used["idle_left_s"], used["launched"]) == (900, {"program": "RIS"})
    site.clock.advance(timedelta(minutes=14))
    assert seen(browser, studies["A1"]) == 200
    site.clock.advance(timedelta(minutes=1))
    assert seen(browser, studies["A1"]) == 401
    assert why_over(browser) == "idle"
    browser = came(site, address(ris, study=studies["A1"]))
    for _ in range(23):
        site.clock.advance(timedelta(minutes=10))
        browser.http.post("/api/session/use", json={"idle_s": 0}, headers=browser.headers)
    assert seen(browser, studies["A1"]) == 200
    site.clock.advance(timedelta(minutes=10))
    assert seen(browser, studies["A1"]) == 401
    assert why_over(browser) == "over"
    browser = came(site, address(ris, study=studies["A1"]))
    assert browser.http.delete("/api/session", headers=browser.headers).status_code == 204
    assert seen(browser, studies["A1"]) == 401


def test_marks_are_made_with_the_person_s_own_rights(site: WebSite, ris: TestClient, studies: dict[str, str]) -> None:
    browser = came(site, address(ris, study=studies["A1"]))
    series = browser.http.get(f"/api/studies/{studies['A1']}").json()["series"][0]["id"]
    instance = browser.http.get(f"/api/series/{series}").json()["instances"][0]["id"]
    mark = {"kind": "key", "instance_id": instance, "frame": 1, "points": [], "revision": 0}
    path = f"/api/studies/{studies['A1']}/marks/{uuid.uuid4()}"
    assert browser.http.put(path, json=mark, headers=browser.headers).status_code in (200, 201)
    bert = came(site, address(ris, "bert", study=studies["A1"]))
    path = f"/api/studies/{studies['A1']}/marks/{uuid.uuid4()}"
    assert bert.http.put(path, json=mark, headers=bert.headers).status_code == 404, "who may only look does only that"
    assert bert.http.put(path, json=mark).json()["code"] == "csrf"


def test_the_sites_that_are_named_frame_the_viewer_and_no_other_page(
    site: WebSite, ris: TestClient, studies: dict[str, str]
) -> None:
    browser = site.client("198.51.100.7")
    for path in ("/view", "/launch"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].endswith(f"frame-ancestors {FRAME}")
        assert "x-frame-options" not in headers
    for path in ("/", "/accounts", "/s", "/login", "/api/session", "/view/x"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].endswith("frame-ancestors 'none'"), path
        assert headers["x-frame-options"] == "DENY", path
    for wrong in (
        "*",
        "https:",
        "http://ris.example",
        "https://ris.example/path",
        "'self'",
        "https://*",
        "x; script-src *",
    ):
        with pytest.raises(ValidationError, match="frame_ancestors"):
            WebSettings(frame_ancestors=(wrong,))
    WebSettings(frame_ancestors=("https://*.clinic.example:8443", "http://localhost:3000"))


def test_in_a_frame_the_cookie_is_that_frame_s_alone(site: WebSite, ris: TestClient, studies: dict[str, str]) -> None:
    def cookie(*, framed: bool, tls: bool) -> str:
        launched = address(ris, study=studies["A1"]).partition("#")[2]
        headers = {"X-Forwarded-Proto": "https"} if tls else {}
        body = {"token": launched, "framed": framed}
        answer = site.client("198.51.100.7").post("/api/launches/open", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["set-cookie"])

    own = cookie(framed=True, tls=True)
    assert own.startswith("__Host-radrelay_session=")
    assert {"Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"} <= {one.strip() for one in own.split(";")}
    for other in (cookie(framed=False, tls=True), cookie(framed=True, tls=False)):
        assert "samesite=lax" in other.lower()
        assert "Partitioned" not in other
