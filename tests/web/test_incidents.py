"""Incidents: which patients' data could have been touched by an access, the clocks, and the officer's register."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.web.conftest import START, Login, WebSite
from tests.web.test_studies import CT, of_another_person, only_study, upload, upload_bytes


@pytest.fixture
def root(site: WebSite) -> Login:
    login = site.login("root")
    upload(site, login, CT)
    return login


@pytest.fixture
def officer(site: WebSite) -> Login:
    site.account("dora", "dpo")
    return site.login("dora")


def asked(login: Login, method: str, path: str, body: object = None, status: int = 200) -> Any:
    answer = login.http.request(method, f"/api/privacy/{path}", json=body, headers=login.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def incident(kind: str, subject: str, noticed: datetime, **more: object) -> dict[str, object]:
    return {
        "title": "Lost <phone>", "description": "left in a tram", "kind": kind, "subject": subject,
        "began_at": START.isoformat(), "ended_at": (START + timedelta(hours=12)).isoformat(),
        "noticed_at": noticed.isoformat(), **more,
    }  # fmt: skip


def named(officer: Login, kind: str, text: str) -> str:
    found = asked(officer, "GET", f"suspects?kind={kind}&text={text}")["found"]
    return str(found[0]["id"])


def rows(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_an_incident_names_the_patients_that_were_touched_and_those_within_reach(
    site: WebSite, root: Login, officer: Login
) -> None:
    study = only_study(root)["id"]
    anna = site.login("anna", "198.51.100.7")
    anna.http.get("/api/studies", params={"name": "Comp*"})
    anna.http.get(f"/api/studies/{study}")
    assert anna.http.get(f"/api/studies/{study}/archive.zip").status_code == 200
    ends = (site.clock.now() + timedelta(days=1)).isoformat()
    link = anna.http.post("/api/links", json={"studies": [study], "ends_at": ends}, headers=anna.headers).json()["link"]
    site.clock.advance(timedelta(hours=1))
    anna = site.login("anna", "203.0.113.5")
    anna.http.get(f"/api/studies/{study}")
    account = named(officer, "account", "ANN")
    now = site.clock.now()

    made = asked(officer, "POST", "incidents", incident("account", account, now), 201)
    assert (made["subject_name"], made["authority"], made["patients"]) == ("anna", "running", "running")
    assert datetime.fromisoformat(made["authority_due_at"]) == now + timedelta(hours=72)
    assert datetime.fromisoformat(made["patients_due_at"]) == now + timedelta(days=60)
    report = asked(officer, "GET", f"incidents/{made['id']}/report")
    (touched,) = report["touched"]
    assert (touched["patient_id"], touched["left"]) == ("1CT1", 2)
    assert touched["actions"] == {"study.open": 2, "study.download": 1, "link.make": 1}
    assert (report["reached_patients"], report["reached_studies"]) == (1, 1)
    assert (report["searches"], report["links"], report["unnamed"]) == (1, [link["id"]], 0)
    (line,) = rows(officer.http.get(f"/api/privacy/incidents/{made['id']}/report.csv"))
    assert (line["patient_id"], line["events"]) == ("1CT1", "4")
    (line,) = rows(officer.http.get(f"/api/privacy/incidents/{made['id']}/report.csv?part=reached"))
    assert (line["patient_id"], line["studies"]) == ("1CT1", "1")
    page = officer.http.get(f"/api/privacy/incidents/{made['id']}/report.html?language=de")
    assert "Patienten: 1; Studien: 1." in page.text, "a count that reads well of one, too"
    assert "attachment" in page.headers["content-disposition"]
    for said in ("Lost &lt;phone&gt;", "1CT1", "DSGVO Art. 33", "Konto: anna", "Studie heruntergeladen: 1"):
        assert said in page.text
    assert "<phone>" not in page.text

    first_login = asked(officer, "GET", "suspects?kind=session&text=anna")["found"][-1]
    assert "198.51.100.7" in first_login["name"]
    other = {
        "token": (named(officer, "token", "machine"), 0) if site.token() else ("", 0),
        "link": (link["id"], 0),
        "session": (first_login["id"], 5),
        "device": ("203.0.113.5", 2),
    }
    for kind, (subject, events) in other.items():
        entry = asked(officer, "POST", "incidents", incident(kind, subject, now), 201)
        found = asked(officer, "GET", f"incidents/{entry['id']}/report")
        assert found["events"] >= events, kind
        assert len(found["touched"]) == (1 if events else 0), kind
        assert found["reached_patients"] == (0 if kind == "device" else 1), kind
    ae = asked(officer, "POST", "incidents", incident("device", "STRANGER", now), 201)
    assert asked(officer, "GET", f"incidents/{ae['id']}/report")["reached_patients"] == 1, "any node may ask here"
    assert root.http.delete(f"/api/studies/{study}", headers=root.headers).status_code == 204
    later = asked(officer, "GET", f"incidents/{made['id']}/report")
    assert [one["patient_id"] for one in later["touched"]] == ["1CT1"], "though the study is gone"
    assert later["reached_patients"] == 0


def test_people_who_have_one_id_are_named_each_though_the_record_met_one_of_them_first(
    site: WebSite, root: Login, officer: Login
) -> None:
    upload_bytes(site, root, {"stranger.dcm": of_another_person()})
    studies = root.http.get("/api/studies").json()["studies"]
    anna = site.login("anna")
    for study in studies:
        anna.http.get(f"/api/studies/{study['id']}")
    ends = (site.clock.now() + timedelta(days=1)).isoformat()
    both = {"studies": [study["id"] for study in studies], "ends_at": ends}
    assert anna.http.post("/api/links", json=both, headers=anna.headers).status_code == 201
    made = incident("account", named(officer, "account", "anna"), site.clock.now())
    made = asked(officer, "POST", "incidents", made, 201)
    report = asked(officer, "GET", f"incidents/{made['id']}/report")
    assert {(one["name"], one["birth_date"]) for one in report["touched"]} == {
        (study["patient"]["name"], study["patient"]["birth_date"] or None) for study in studies
    }
    assert {(one["left"], one["actions"]["link.make"]) for one in report["touched"]} == {(1, 1)}, "shared, each of them"
    assert (report["reached_patients"], report["reached_studies"], len(report["links"])) == (2, 2, 1)
    table = rows(officer.http.get(f"/api/privacy/incidents/{made['id']}/report.csv?part=reached"))
    assert {line["patient_name"] for line in table} == {study["patient"]["name"] for study in studies}


def test_the_register_keeps_its_clocks_and_takes_no_nonsense(site: WebSite, officer: Login) -> None:
    now = site.clock.now()
    good = incident("device", "CT1", now, began_at=(now - timedelta(hours=2)).isoformat(), ended_at=now.isoformat())
    for change, field in (
        ({"ended_at": good["began_at"]}, "ended_at"),
        ({"noticed_at": (now + timedelta(days=1)).isoformat()}, "noticed_at"),
        ({"title": " "}, "title"),
    ):
        refused = asked(officer, "POST", "incidents", good | change, 400)
        assert (refused["code"], refused["field"]) == ("incident-invalid", field)
    unknown = asked(officer, "POST", "incidents", good | {"kind": "account", "subject": "anna"}, 404)
    assert unknown["code"] == "suspect-unknown"
    made = asked(officer, "POST", "incidents", good, 201)
    site.clock.advance(timedelta(hours=73))
    officer = site.login("dora")
    (late,) = asked(officer, "GET", "incidents")["incidents"]
    assert (late["authority"], late["patients"]) == ("late", "running")
    change = good | {"revision": 1, "authority_told_at": (now + timedelta(hours=71)).isoformat()}
    told = asked(officer, "PUT", f"incidents/{made['id']}", change)
    assert (told["authority"], told["patients"], told["revision"]) == ("told", "running", 2)
    assert asked(officer, "PUT", f"incidents/{made['id']}", change, 409)["code"] == "incident-changed"
    closing = change | {"revision": 2, "closed_at": site.clock.now().isoformat()}
    assert asked(officer, "PUT", f"incidents/{made['id']}", closing, 400)["field"] == "outcome"
    closed = asked(officer, "PUT", f"incidents/{made['id']}", closing | {"outcome": "no data on it"})
    assert closed["closed_at"]
    record = site.login("root").http.get("/api/audit", params={"subject_kind": "incident"}).json()["events"]
    assert [one["action"] for one in record] == ["incident.change", "incident.change", "incident.open"]
