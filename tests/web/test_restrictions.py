"""Restricted studies as people meet them: gone from everywhere but for some, opened by breaking glass, on record."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.access.models import Notice
from radrelay.audit.models import AuditEvent
from radrelay.storage.ids import new_id
from tests.archive.house import made
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import CT, only_study, upload, upload_bytes

WHY = {"kind": "emergency", "reason": "unconscious, before surgery"}


@pytest.fixture
def study(site: WebSite) -> dict[str, Any]:
    root = site.login("root")
    upload(site, root, CT)
    found: dict[str, Any] = root.http.get(f"/api/studies/{only_study(root)['id']}").json()
    return found


def restrict(login: Login, **wanted: str) -> Any:
    return login.http.post("/api/restrictions", json=wanted, headers=login.headers)


def everywhere(login: Login, study: dict[str, Any]) -> set[int]:
    """Return what the addresses of a study answer; the list counts as one of them."""
    series = study["series"][0]["id"]
    paths = (f"studies/{study['id']}", f"studies/{study['id']}/archive.zip", f"series/{series}",
             f"studies/{study['id']}/priors", f"series/{series}/thumbnail")  # fmt: skip
    answers = {login.http.get(f"/api/{path}").status_code for path in paths}
    answers.add(login.http.get(f"/dicom-web/studies/{study['study_uid']}/metadata").status_code)
    listed = login.http.get("/api/studies").json()["studies"], login.http.get("/dicom-web/studies").content
    return answers | ({200} if listed[0] or study["study_uid"].encode() in listed[1] else {404})


def test_an_administrator_restricts_a_patient_and_nobody_finds_the_study_any_more(
    site: WebSite, study: dict[str, Any]
) -> None:
    site.account("officer", "dpo")
    root, anna, officer = (site.login(name) for name in ("root", "anna", "officer"))
    ends_at = (site.clock.now() + timedelta(days=1)).isoformat()
    wanted = {"studies": [study["id"]], "ends_at": ends_at}
    token = anna.http.post("/api/links", json=wanted, headers=anna.headers).json()["address"].partition("#")[2]
    assert everywhere(anna, study) == {200}
    patient = study["patient"]
    made = restrict(root, kind="patient", value=patient["id"], issuer=patient["issuer"], reason="staff")
    assert (made.status_code, made.json()["studies"]) == (201, 1), made.text
    for login in (anna, root):
        assert everywhere(login, study) == {404}
    assert site.client("203.0.113.1").post("/api/shared", json={"token": token}).status_code == 401
    told = root.http.get("/api/audit?limit=200")
    assert patient["id"] not in told.text, "the record names the patient to the officer alone"
    assert patient["id"] not in root.http.get("/api/audit/export").text
    assert patient["id"] in officer.http.get("/api/audit?limit=200").text
    upload(site, root, "MR_small.dcm")
    assert len(anna.http.get("/api/studies").json()["studies"]) == 1, "what is not restricted is as before"
    assert root.http.delete(f"/api/restrictions/{made.json()['id']}", headers=root.headers).status_code == 204
    assert anna.http.get(f"/api/studies/{study['id']}").status_code == 200


def test_a_restriction_says_how_many_people_have_the_id_and_hides_them_all(site: WebSite) -> None:
    root, anna = site.login("root"), site.login("anna")
    people = (("1.2.1", "Doe^Jane", "19700102", "F"), ("1.2.2", "Doe^Jane", "19700102", "F"),
              ("1.2.3", "Roe^Richard", "19500607", "M"))  # fmt: skip
    files = {
        f"{study}.dcm": made(
            CT, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", SOPInstanceUID=f"{study}.1.1",
            PatientID="4711", PatientName=name, PatientBirthDate=born, PatientSex=sex,
        )
        for study, name, born, sex in people
    }  # fmt: skip
    upload_bytes(site, root, files)
    meant = root.http.get("/api/restrictions/people", params={"value": "4711"})
    issuers = {one["patient"]["issuer"] for one in root.http.get("/api/studies").json()["studies"]}
    assert issuers == {""}, "the ID stands alone"
    told = meant.json()
    assert (told["people"], told["other_issuers"]) == (2, [])
    assert sorted((one["name"], one["birth_date"], one["studies"]) for one in told["named"]) == [
        ("Doe^Jane", "1970-01-02", 2), ("Roe^Richard", "1950-06-07", 1),
    ]  # fmt: skip
    elsewhere = root.http.get("/api/restrictions/people", params={"value": "4711", "issuer": "CLINIC"}).json()
    assert (elsewhere["people"], elsewhere["other_issuers"]) == (0, [""]), "a restriction there would hide nothing"
    made_one = restrict(root, kind="patient", value="4711").json()
    assert (made_one["studies"], made_one["people"]) == (3, 2)
    assert anna.http.get("/api/studies").json()["studies"] == [], "rather too much is hidden than too little"
    assert [one["people"] for one in root.http.get("/api/restrictions").json()["restrictions"]] == [2]
    hidden = root.http.get("/api/restrictions/people", params={"value": "4711"}).json()
    assert (hidden["people"], hidden["named"]) == (2, []), "who may not see them is told no name"
    assert anna.http.get("/api/restrictions/people", params={"value": "4711"}).status_code == 403


def test_who_restricts_their_own_study_keeps_it_and_another_copy_stays_hidden(
    site: WebSite, study: dict[str, Any]
) -> None:
    root, anna = site.login("root"), site.login("anna")
    path = f"/api/studies/{study['id']}/restrictions"
    for _ in range(2):
        assert anna.http.put(path, json={"reason": "a colleague"}, headers=anna.headers).status_code == 200
    assert everywhere(anna, study) == {200}
    assert everywhere(root, study) == {404}
    [one] = anna.http.get(path).json()["restrictions"]
    assert (one["kind"], one["studies"]) == ("study", 1)
    assert anna.http.delete(f"/api/studies/{study['id']}", headers=anna.headers).status_code == 204
    upload(site, root, CT)
    assert root.http.get("/api/studies").json()["studies"] == [], "it is restricted when it comes again"


def test_glass_is_broken_by_who_may_and_the_officer_is_told_and_looks_into_it(
    site: WebSite, study: dict[str, Any]
) -> None:
    site.account("officer", "dpo")
    ben_id = site.account("ben")
    root, anna, ben, officer = (site.login(name) for name in ("root", "anna", "ben", "officer"))
    patient = study["patient"]
    ask = {"patient_id": patient["id"], **WHY}

    def broken(login: Login, **more: str) -> Any:
        return login.http.post("/api/broken-glass", json=ask | more, headers=login.headers)

    with site.database.write() as session:
        to = Grantee("account", str(ben_id))
        access.grant(session, site.organisation_id, to, Target("organisation"), [Right.BREAK_GLASS],
                     now=site.clock.now())  # fmt: skip
    assert broken(ben).status_code == 404, "nothing is restricted: there is no glass"
    restrict(root, kind="study", value=study["study_uid"])
    assert broken(anna).json()["code"] == "no-glass"
    assert broken(ben, patient_id="nobody").status_code == 404
    assert broken(ben, reason="urgent").json()["code"] == "invalid"
    first, second = broken(ben), broken(ben)
    assert (first.status_code, first.json()["id"]) == (201, second.json()["id"])
    assert ben.http.get(f"/api/studies/{study['id']}").status_code == 200
    assert ben.http.get(f"/api/studies/{study['id']}/archive.zip").status_code == 404
    assert everywhere(anna, study) == {404}
    sharing = Grantee("account", str(site.account("owner")))
    with site.database.write() as session:
        access.grant(session, site.organisation_id, sharing, Target("study", uuid.UUID(study["id"])),
                     [Right.SEE, Right.SHARE], now=site.clock.now())  # fmt: skip
    owner = site.login("owner")
    path = f"/api/studies/{study['id']}/releases"
    told = owner.http.get(path).json()
    assert (told["releases"], [one["name"] for one in told["opened"]]) == ([], ["ben"])
    ended = owner.http.delete(f"{path}/{told['opened'][0]['id']}", headers=owner.headers)
    assert ended.status_code == 404, "nobody released it"
    wanted = {"kind": "account", "id": str(ben_id)}
    assert owner.http.post(path, json=wanted, headers=owner.headers).status_code == 201
    assert len(owner.http.get(path).json()["releases"]) == 1, "a release beside the glass is one of its own"
    released = owner.http.get(path).json()["releases"][0]["id"]
    assert owner.http.delete(f"{path}/{released}", headers=owner.headers).status_code == 204
    [notice] = officer.http.get("/api/me/notices").json()["notices"]
    assert notice["broken"]["reason"] == WHY["reason"]
    named = {"study_uid": study["study_uid"], "study_date": study["study_date"].replace("-", ""), "modalities": "CT"}
    assert notice["broken"]["study"].items() >= named.items(), "the officer is told which study it was"
    assert patient["id"] not in str(notice), "and not yet whose: that is looked up, on record"
    assert anna.http.get("/api/me/notices").json()["notices"] == []
    own = anna.http.get("/api/session").json()["account"]["id"]
    with site.database.write() as session:
        known = session.scalars(sa.select(Notice)).one()
        session.add(Notice(id=new_id(), organisation_id=site.organisation_id, kind=known.kind, at=known.at,
                           account_id=uuid.UUID(own), subject_id=known.subject_id))  # fmt: skip
    [hers] = anna.http.get("/api/me/notices").json()["notices"]
    assert (hers["broken"]["study"], hers["broken"]["patient"]) == (None, None), "who is no officer reads who and why"
    put_away = officer.http.delete(f"/api/me/notices/{notice['id']}", headers=officer.headers)
    assert (put_away.status_code, officer.http.get("/api/me/notices").json()["notices"]) == (204, [])
    reviewed = officer.http.put(f"/api/broken-glass/{first.json()['id']}/review", headers=officer.headers)
    assert reviewed.json()["reviewed_by"] == "officer"
    [one] = officer.http.get("/api/broken-glass").json()["broken"]
    assert one["reviewed_at"] is not None
    assert (one["patient"]["patient_id"], one["study"]["study_uid"]) == (patient["id"], study["study_uid"])
    looked = officer.http.get("/api/audit?action=audit.view").json()["events"]
    assert {"kind": "broken-glass"} in [each["detail"] for each in looked], "that the officer looked is on record"
    with site.database.read() as session:
        events = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "access.break-glass")).all()
    assert sorted((one.outcome, str(one.subject_id)) for one in events) == [
        ("failure", ""), ("failure", ""), ("success", study["id"]),
    ]  # fmt: skip
    site.clock.advance(timedelta(hours=4))
    ben = site.login("ben")
    assert ben.http.get(f"/api/studies/{study['id']}").status_code == 404, "it ends by itself"


def test_where_there_is_no_officer_the_administrators_are_told_that_glass_was_broken(
    site: WebSite, study: dict[str, Any]
) -> None:
    root = site.login("root")
    with site.database.write() as session:
        to = Grantee("account", str(site.account("ben")))
        access.grant(session, site.organisation_id, to, Target("organisation"), [Right.BREAK_GLASS],
                     now=site.clock.now())  # fmt: skip
    restrict(root, kind="study", value=study["study_uid"])
    ben, ask = site.login("ben"), {"study_uid": study["study_uid"], **WHY}
    assert ben.http.post("/api/broken-glass", json=ask, headers=ben.headers).status_code == 201
    [notice] = root.http.get("/api/me/notices").json()["notices"]
    assert notice["broken"]["account_name"] == "ben"
    assert (notice["broken"]["study"], notice["broken"]["patient"]) == (None, None), "and no more than that"
    assert site.login("anna").http.get("/api/me/notices").json()["notices"] == []


def test_a_rule_of_earlier_studies_counts_from_when_it_is_made(site: WebSite) -> None:
    root = site.login("root")
    assert root.http.get("/api/prior-rule").json() == {"reach": "none", "years": None, "marked_only": False}
    wanted = {"reach": "body-part", "years": 10, "marked_only": True}
    assert root.http.put("/api/prior-rule", json=wanted, headers=root.headers).json() == wanted
    assert root.http.get("/api/prior-rule").json() == wanted
    wrong = root.http.put("/api/prior-rule", json={"reach": "none", "years": 0}, headers=root.headers)
    assert wrong.status_code == 422
