"""A link from its making to its end: what it opens, what it does not, how often, for whom, and what is on record."""

from __future__ import annotations

import io
import uuid
import zipfile
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.access import Right, Target
from radrelay.archive import deletion
from radrelay.audit.models import AuditEvent
from tests.archive.house import made as file_of
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import CT, grant_to, revoke_all, upload, upload_bytes

MR = "MR_small.dcm"


@pytest.fixture
def anna(site: WebSite) -> Login:
    login = site.login("anna")
    upload(site, login, CT, MR)
    return login


def study_of(login: Login, modality: str = "CT") -> dict[str, Any]:
    [study] = login.http.get("/api/studies", params={"modality": modality}).json()["studies"]
    found: dict[str, Any] = login.http.get(f"/api/studies/{study['id']}").json()
    return found


def make(site: WebSite, login: Login, status: int = 201, **wanted: Any) -> dict[str, Any]:
    body = {"ends_at": (site.clock.now() + timedelta(days=7)).isoformat(), **wanted}
    answer = login.http.post("/api/links", json=body, headers=login.headers)
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    return made


def token_of(made: dict[str, Any]) -> str:
    return str(made["address"]).partition("#")[2]


def try_open(browser: Login, token: str, **more: Any) -> Any:
    return browser.http.post("/api/shared", json={"token": token, **more})


def opened(site: WebSite, made: dict[str, Any], **more: Any) -> Login:
    """Open a link in a browser that was never here."""
    browser = Login(site.client("198.51.100.7"))
    answer = try_open(browser, token_of(made), **more)
    assert (answer.status_code, answer.json()["wants"]) == (200, ""), answer.text
    browser.csrf = browser.http.get("/api/session").json()["csrf_token"]
    return browser


def pictures_of(browser: Login, study: str) -> int:
    return int(browser.http.get(f"/api/studies/{study}/opening").status_code)


def refused(browser: Login, token: str, **more: Any) -> tuple[int, str]:
    answer = try_open(browser, token, **more)
    return answer.status_code, answer.json().get("code", answer.json().get("wants"))


def actions(site: WebSite) -> list[tuple[str, str, str]]:
    with site.database.read() as session:
        rows = session.execute(
            sa.select(AuditEvent.action, AuditEvent.outcome, AuditEvent.actor_kind).order_by(AuditEvent.sequence)
        )
        return [(action, outcome, kind) for action, outcome, kind in rows if action.startswith("link.")]


def test_a_link_opens_its_study_in_a_browser_that_was_never_here_until_it_is_revoked(
    site: WebSite, anna: Login
) -> None:
    ct, mr = study_of(anna), study_of(anna, "MR")
    made = make(site, anna, studies=[ct["id"]], label="for the GP")
    assert made["address"].startswith("http://127.0.0.1:8080/s#")
    assert made["qr"].startswith("<svg")
    browser = opened(site, made)
    assert try_open(browser, token_of(made)).json()["studies"] == [ct["id"]]
    account = browser.http.get("/api/session").json()
    assert (account["account"]["role"], account["shared"]) == (
        "link",
        {"may_download": False, "organisation": "Radrelay", "organisation_id": str(site.organisation_id)},
    )
    opening = browser.http.get(f"/api/studies/{ct['id']}/opening").json()
    assert opening["study"]["patient"]["name"] == "CompressedSamples^CT1"
    assert (opening["study"]["sources"], opening["study"]["holdings"]) == ([], [])
    instance = opening["series"]["instances"][0]["id"]
    assert browser.http.get(f"/api/studies/{ct['id']}/glimpse").status_code == 200
    assert browser.http.get(f"/api/instances/{instance}/frames/1/pixels").status_code == 200
    shared = browser.http.get("/api/shared").json()
    assert [one["id"] for one in shared["studies"]] == [ct["id"]]
    assert pictures_of(browser, mr["id"]) == 404
    assert anna.http.delete(f"/api/links/{made['link']['id']}", headers=anna.headers).status_code == 204
    gone = browser.http.get(f"/api/instances/{instance}/frames/1/pixels")
    assert (gone.status_code, gone.json()["code"]) == (401, "link-over")
    assert refused(browser, token_of(made)) == (401, "link-refused")
    assert actions(site) == [
        ("link.make", "success", "account"),
        ("link.open", "success", "link"),
        ("link.revoke", "success", "account"),
        ("link.open", "refused", "link"),
    ]


def test_only_who_may_share_a_study_makes_a_link_to_it(site: WebSite, anna: Login) -> None:
    study = study_of(anna)
    whole = Target("study", uuid.UUID(study["id"]))
    site.account("bert")
    bert = site.login("bert")
    revoke_all(site)
    make(site, bert, 404, studies=[study["id"]])
    grant_to(site, bert, whole, Right.SEE, Right.SHARE)
    make(site, bert, studies=[study["id"]])
    make(site, bert, 404, studies=[study["id"]], may_download=True)
    make(site, bert, 404, studies=[str(uuid.uuid4())])
    make(site, bert, 400, studies=[])
    for wrong in ({"ends_at": "2026-02-01T00:00:00Z"}, {"ends_at": "2036-02-01T00:00:00Z"}, {"max_uses": 0},
                  {"protection": "pin", "pin": "123456"}, {"protection": "pin", "pin": "12x456"}):  # fmt: skip
        assert make(site, bert, 400, studies=[study["id"]], **wrong)["code"] == "link-wanted"


def test_a_link_ends_with_the_right_of_its_maker_and_with_what_it_shows(site: WebSite, anna: Login) -> None:
    study = study_of(anna)
    site.account("bert")
    bert, root = site.login("bert"), site.login("root")
    bert_id = bert.http.get("/api/session").json()["account"]["id"]
    made = make(site, bert, studies=[study["id"]])
    browser = opened(site, made)

    revoke_all(site)
    assert pictures_of(browser, study["id"]) == 404, "its maker may not share any more"
    assert refused(Login(site.client()), token_of(made)) == (401, "link-refused")
    [gone] = bert.http.get("/api/links").json()["links"]
    assert (gone["state"], gone["shows"]) == ("gone", [])

    whole = Target("study", uuid.UUID(study["id"]))
    grant_to(site, bert, whole, Right.SEE)
    assert pictures_of(browser, study["id"]) == 404, "who may see alone may not show"
    grant_to(site, bert, whole, Right.SHARE)
    assert pictures_of(browser, study["id"]) == 200

    assert root.http.patch(f"/api/accounts/{bert_id}", json={"disabled": True}, headers=root.headers).status_code == 200
    assert pictures_of(browser, study["id"]) == 401, "its maker is suspended"
    assert refused(Login(site.client()), token_of(made)) == (401, "link-refused")
    root.http.patch(f"/api/accounts/{bert_id}", json={"disabled": False}, headers=root.headers)
    assert pictures_of(browser, study["id"]) == 200

    with site.database.write() as session:
        deletion.delete_study(session, uuid.UUID(study["id"]), site.clock.now())
    assert pictures_of(browser, study["id"]) == 404
    assert refused(Login(site.client()), token_of(made)) == (401, "link-refused")


def test_a_link_to_a_series_shows_that_series_alone(site: WebSite, anna: Login) -> None:
    files = [
        file_of(CT, StudyInstanceUID="1.9", SeriesInstanceUID=f"1.9.{n}", SOPInstanceUID=f"1.9.{n}.1") for n in (1, 2)
    ]
    upload_bytes(site, anna, {f"{n}.dcm": file for n, file in enumerate(files)})
    study = next(one for one in anna.http.get("/api/studies").json()["studies"] if one["series_count"] == 2)
    first, second = (one["id"] for one in anna.http.get(f"/api/studies/{study['id']}").json()["series"])
    browser = opened(site, make(site, anna, series=[first], may_download=True))
    shown = browser.http.get(f"/api/studies/{study['id']}").json()
    assert ([one["id"] for one in shown["series"]], shown["series_count"], shown["instance_count"]) == ([first], 1, 1)
    assert [browser.http.get(f"/api/series/{one}").status_code for one in (first, second)] == [200, 404]
    names = zipfile.ZipFile(io.BytesIO(browser.http.get(f"/api/studies/{study['id']}/archive.zip").content)).namelist()
    assert len([name for name in names if not name.startswith(("DICOMDIR", "README", "INDEX"))]) == 1


def test_five_wrong_answers_close_a_link_for_a_time_that_grows_and_its_maker_is_told(
    site: WebSite, anna: Login
) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]], protection="pin")
    assert len(made["pin"]) == 6
    wrong = "111112" if made["pin"] != "111112" else "111113"
    stranger, patient, token = Login(site.client("192.0.2.9")), Login(site.client("198.51.100.7")), token_of(made)
    assert refused(stranger, token) == (200, "pin")
    for minutes in (15, 30, 60):
        answers = [try_open(stranger, token, answer=wrong).json() for _ in range(5)]
        assert [one.get("left") for one in answers] == [4, 3, 2, 1, None]
        assert (answers[-1]["code"], answers[-1]["retry_after_s"]) == ("link-closed", minutes * 60)
        for answer in (wrong, made["pin"]):
            assert refused(patient, token, answer=answer) == (429, "link-closed")
        listed = anna.http.get("/api/links").json()
        assert listed["links"][0]["state"] == "closed"
        assert [(one["kind"], one["peer"]) for one in listed["notices"]] == [("closed", "192.0.2.9")]
        assert anna.http.put("/api/links/notices/read", headers=anna.headers).status_code == 204
        assert anna.http.get("/api/links").json()["notices"] == []
        site.clock.advance(timedelta(minutes=minutes, hours=2))
    assert ("link.close", "refused", "link") in actions(site)
    assert try_open(patient, token, answer=f" {made['pin'][:3]} {made['pin'][3:]}").status_code == 200
    arabic = "".join(chr(0x660 + int(digit)) for digit in made["pin"])
    for typed in (arabic, f"{made['pin'][:3]}-{made['pin'][3:]}"):
        assert try_open(Login(site.client("198.51.100.8")), token, answer=typed).status_code == 200, typed


def test_the_date_of_birth_protects_a_link_where_it_is_known(site: WebSite, anna: Login) -> None:
    study = study_of(anna)
    refusal = make(site, anna, 400, studies=[study["id"]], protection="birth-date")
    assert refusal["code"] == "link-birth-date", "this patient has none"
    file = file_of(
        CT,
        StudyInstanceUID="1.9",
        SeriesInstanceUID="1.9.1",
        SOPInstanceUID="1.9.1.1",
        PatientID="B1",
        PatientBirthDate="19700102",
    )
    upload_bytes(site, anna, {"a.dcm": file})
    born = next(
        one for one in anna.http.get("/api/studies").json()["studies"] if one["patient"]["birth_date"] == "1970-01-02"
    )
    made = make(site, anna, studies=[born["id"]], protection="birth-date")
    browser = Login(site.client("198.51.100.7"))
    assert refused(browser, token_of(made)) == (200, "birth-date")
    assert refused(browser, token_of(made), answer="1970-02-01") == (403, "link-answer-wrong")
    assert refused(browser, token_of(made), answer="not a date") == (403, "link-answer-wrong")
    for typed in ("1970-01-02", "02.01.1970", "2. 1. 1970", "１９７０-０１-０２", "٢.١.١٩٧٠", "19700102"):
        assert refused(Login(site.client("198.51.100.8")), token_of(made), answer=typed) == (200, ""), typed
    assert (
        make(site, anna, 400, studies=[born["id"], study["id"]], protection="birth-date")["code"] == "link-birth-date"
    )


def test_an_address_that_is_refused_again_and_again_has_to_wait(site: WebSite, anna: Login) -> None:
    made = make(site, anna, studies=[study_of(anna)["id"]])
    guesser = Login(site.client("192.0.2.1"))
    answers = [refused(guesser, "x" * 54)[0] for _ in range(55)]
    assert answers[:50] == [401] * 50
    assert set(answers[50:]) == {429}
    assert try_open(guesser, token_of(made)).status_code == 429
    opened(site, made)  # others are not held up
    site.clock.advance(timedelta(hours=2))
    assert try_open(guesser, token_of(made)).status_code == 200
    with site.database.read() as session:
        noted = session.scalars(sa.select(AuditEvent.detail).where(AuditEvent.outcome == "refused")).all()
    assert len(noted) == 2, "once a minute, address and reason"


def test_a_clock_that_jumps_opens_nothing_and_ends_nothing_for_good(site: WebSite, anna: Login) -> None:
    study = study_of(anna)["id"]
    made = make(site, anna, studies=[study])
    browser = opened(site, made)
    site.clock.advance(timedelta(days=400))
    assert pictures_of(browser, study) == 401
    assert refused(Login(site.client()), token_of(made)) == (401, "link-refused")
    site.clock.advance(timedelta(days=-400))
    assert try_open(Login(site.client()), token_of(made)).status_code == 200, "it was not the link's fault"
    site.clock.advance(timedelta(days=-3))
    assert refused(Login(site.client()), token_of(made)) == (401, "link-refused"), "it is not made yet"
    assert pictures_of(browser, study) == 401
    site.clock.advance(timedelta(days=3, hours=4))
    assert pictures_of(browser, study) == 401, "a visit ends after four hours"
    site.clock.advance(timedelta(days=6, hours=12))
    assert try_open(Login(site.client()), token_of(made)).status_code == 200
    site.clock.advance(timedelta(hours=12))
    assert refused(Login(site.client()), token_of(made)) == (401, "link-refused")


def test_who_may_share_a_study_sees_its_links_and_revokes_them_and_nobody_else(site: WebSite, anna: Login) -> None:
    study, other = study_of(anna), study_of(anna, "MR")
    site.account("bert")
    bert = site.login("bert")
    made = make(site, anna, series=[study["series"][0]["id"]], label="GP")
    link = made["link"]["id"]
    assert bert.http.get("/api/links").json()["links"] == []
    [seen] = bert.http.get("/api/links", params={"study": study["id"]}).json()["links"]
    assert (seen["id"], seen["own"], seen["maker"]) == (link, False, "anna")
    assert bert.http.get("/api/links", params={"study": other["id"]}).json()["links"] == []
    revoke_all(site)
    grant_to(site, bert, Target("study", uuid.UUID(study["id"])), Right.SEE)
    for method, path in (("GET", f"/api/links?study={study['id']}"), ("GET", f"/api/links/{link}"),
                         ("DELETE", f"/api/links/{link}")):  # fmt: skip
        assert bert.http.request(method, path, headers=bert.headers).status_code == 404
    grant_to(site, bert, Target("study", uuid.UUID(study["id"])), Right.SHARE)
    assert bert.http.delete(f"/api/links/{link}", headers=bert.headers).status_code == 204
    assert anna.http.get(f"/api/links/{link}").json()["state"] == "revoked"
