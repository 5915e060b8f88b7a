"""The record in the pages: searched, proven, taken away as a file; and nothing is done that it cannot take."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.access.models import Grant
from radrelay.audit.models import AuditEvent
from radrelay.storage import append_only
from tests.audit.recording import full
from tests.proving import log_in
from tests.web.conftest import PASSWORD, Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, only_study, upload


@pytest.fixture
def root(site: WebSite) -> Login:
    login = site.login("root")
    upload(site, login, CT)
    return login


@pytest.fixture
def officer(site: WebSite) -> Login:
    site.account("dora", "dpo")
    return site.login("dora")


def events(site: WebSite) -> int:
    with site.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) or 0


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def refused(answer: Any) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "not-recorded"), answer.text


def test_what_cannot_be_recorded_is_not_done(site: WebSite, root: Login) -> None:
    study = only_study(root)["id"]
    series = root.http.get(f"/api/studies/{study}").json()["series"][0]["id"]
    instance = root.http.get(f"/api/series/{series}").json()["instances"][0]["id"]
    fresh = site.login("root")  # a login that has looked at nothing yet
    anna = next(one for one in root.http.get("/api/accounts").json()["accounts"] if one["username"] == "anna")
    grants, before = root.http.get("/api/grants").json(), events(site)
    with full(site.database):
        refused(fresh.http.get(f"/api/studies/{study}"))
        refused(fresh.http.get(f"/api/instances/{instance}/frames/1/pixels"))
        refused(fresh.http.get(f"/api/instances/{instance}/frames/1/rendered"))
        refused(fresh.http.get(f"/dicom-web/studies/{only_uid(site)}"))
        refused(fresh.http.get("/api/studies", params={"name": "Comp*"}))
        refused(root.http.get(f"/api/studies/{study}/archive.zip"))
        refused(root.http.get("/api/audit/export"))
        refused(root.http.patch(f"/api/accounts/{anna['id']}", json={"role": "admin"}, headers=root.headers))
        refused(root.http.delete(f"/api/accounts/{anna['id']}", headers=root.headers))
        share = {"grantee_kind": "account", "grantee_id": anna["id"], "target_kind": "study", "target_id": study}
        refused(root.http.post("/api/grants", json=share | {"rights": ["see"]}, headers=root.headers))
        refused(root.http.post(f"/api/studies/{study}/hold", json={}, headers=root.headers))
        refused(root.http.delete(f"/api/studies/{study}", headers=root.headers))
        stranger = site.client("203.0.113.9")
        refused(log_in(stranger, "anna", PASSWORD))
        assert "radrelay_session" not in stranger.cookies
    assert only_study(root)["id"] == study
    assert root.http.get("/api/grants").json() == grants
    assert next(one for one in root.http.get("/api/accounts").json()["accounts"] if one["id"] == anna["id"]) == anna
    assert events(site) <= before + 1, "but for the list that was looked at now"
    assert log_in(site.client("203.0.113.9"), "anna", PASSWORD).status_code == 200, "and goes on when there is room"
    assert root.http.get("/api/audit/proof").json()["intact"] is True


def only_uid(site: WebSite) -> str:
    with site.database.read() as session:
        return str(session.scalar(sa.text("SELECT study_uid FROM study")))


def test_the_record_is_found_by_person_patient_study_and_time(site: WebSite, root: Login, officer: Login) -> None:
    study = only_study(root)
    root.http.get(f"/api/studies/{study['id']}")
    site.clock.advance(timedelta(hours=7))
    site.login("anna").http.get(f"/api/studies/{study['id']}")

    def found(**sought: str) -> list[tuple[str, str]]:
        answer = officer.http.get("/api/audit", params={"action": "study.open", **sought})
        return [(one["actor_name"], one["study"]["study_uid"]) for one in answer.json()["events"]]

    uid = only_uid(site)
    assert found() == [("anna", uid), ("root", uid)]
    assert found(actor="ann") == [("anna", uid)]
    assert found(patient_id="1CT1") == found(study=uid) == found(study=str(study["id"])) == found()
    asked = officer.http.get("/api/audit", params={"action": "audit.view"}).json()["events"]
    about = [
        (one["patient"] and one["patient"]["patient_id"], one["study"] and one["study"]["study_uid"]) for one in asked
    ]
    assert about == [(None, uid), ("1CT1", None), (None, None)], "after whom the officer looked"
    assert found(patient_id="1CT1", issuer="elsewhere") == found(study="1.2.3") == found(study=str(uuid.uuid4())) == []
    assert found(until=(site.clock.now() - timedelta(hours=1)).isoformat()) == [("root", uid)]


def test_a_search_is_taken_away_as_a_file_which_is_on_record_with_whom_it_is_about(
    site: WebSite, root: Login, officer: Login
) -> None:
    study = str(only_study(root)["id"])
    root.http.get(f"/api/studies/{study}")
    answer = officer.http.get("/api/audit/export", params={"patient_id": "1CT1"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["action"] for row in rows] == ["audit.export", "study.open"]
    assert {row["patient_id"] for row in rows} == {"1CT1"}
    every = lines(officer.http.get("/api/audit/export", params={"form": "jsonl", "study": study}))
    assert [row["action"] for row in every] == ["audit.export", "study.open"]
    assert json.loads(every[0]["detail"])["by"] == ["study"]
    assert officer.http.get("/api/audit/export", params={"form": "xlsx"}).status_code == 422


def test_the_officer_sees_who_has_seen_a_study_and_to_whom_it_went_though_it_is_gone(
    site: WebSite, root: Login, officer: Login
) -> None:
    study, uid = only_study(root)["id"], only_uid(site)
    anna = site.login("anna")
    anna.http.get(f"/api/studies/{study}")
    assert anna.http.get(f"/api/studies/{study}/archive.zip").status_code == 200
    assert root.http.delete(f"/api/studies/{study}", headers=root.headers).status_code == 204
    seen = lines(officer.http.get("/api/audit/seen", params={"study": uid}))
    assert [(row["actor_name"], row["action"]) for row in seen] == [("anna", "study.download"), ("anna", "study.open")]
    went = lines(officer.http.get("/api/audit/disclosures", params={"patient_id": "1CT1"}))
    assert [(row["kind"], row["recipient"], row["study_uid"]) for row in went] == [("download", "anna", uid)]
    table = officer.http.get("/api/audit/disclosures", params={"patient_id": "1CT1", "form": "csv"})
    assert table.content.decode("utf-8-sig").startswith("at,kind,action,recipient,address,by")
    asked = lines(officer.http.get("/api/audit/export", params={"form": "jsonl", "action": "audit.disclosures"}))
    assert {row["patient_id"] for row in asked} == {"1CT1"}, "whom the officer asked after"


def test_nobody_sees_images_by_being_in_charge(site: WebSite, root: Login, officer: Login) -> None:
    with site.database.write() as session:  # as a site does that gives rights to its wards alone
        session.execute(sa.delete(Grant).where(Grant.grantee_kind == "role"))
    site.account("machine", "service")
    for login in (root, officer, site.login("machine")):
        assert login.http.get("/api/studies").json()["studies"] == []
        assert login.http.get(f"/dicom-web/studies/{only_uid(site)}/metadata").status_code == 404


def test_an_officer_and_a_service_see_no_images_even_where_roles_begin_with_all(site: WebSite, officer: Login) -> None:
    upload(site, site.login("root"), CT)
    site.account("machine", "service")
    for login in (officer, site.login("machine")):
        assert login.http.get("/api/studies").json()["studies"] == []


def test_the_state_tells_the_last_proof_the_times_and_their_change(site: WebSite, root: Login, officer: Login) -> None:
    state = officer.http.get("/api/audit/state").json()
    assert state == {"proven": None, "kept": {"patient_days": 2192, "usage_days": 3653}, "repository": None}
    assert officer.http.get("/api/audit/proof").json()["intact"] is True
    with site.database.write() as session:
        append_only.lift(session.connection())
        session.execute(sa.update(AuditEvent).where(AuditEvent.sequence == 1).values(actor_name="nobody"))
        append_only.hold(session.connection())
    site.clock.advance(timedelta(hours=1))
    broken = root.http.get("/api/audit/proof").json()
    assert (broken["intact"], broken["faults"]) == (False, len(broken["broken"]))
    proven = root.http.get("/api/audit/state").json()["proven"]
    assert (proven["intact"], proven["at"]) == (False, "2026-03-01T13:00:00Z")
    times = {"patient_days": 4000, "usage_days": 4000}
    assert officer.http.put("/api/audit/retention", json=times, headers=officer.headers).json() == times
    assert officer.http.get("/api/audit/state").json()["kept"] == times
    short = {"patient_days": 30, "usage_days": 4000}
    assert officer.http.put("/api/audit/retention", json=short, headers=officer.headers).status_code == 422


def test_a_repository_that_lags_is_told_and_stops_nothing(tmp_path: Path) -> None:
    made = open_site(tmp_path, audit={"repository": {"host": "localhost", "port": 1}})
    made.account("root", "admin")
    root = made.login("root")
    part = {"name": "audit repository", "ok": True, "detail": ""}
    assert part in root.http.get("/readyz").json()["parts"]
    made.clock.advance(timedelta(seconds=901))
    ready = root.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert part | {"ok": False, "detail": "audit-repository-behind"} in ready.json()["parts"]
    assert root.http.get("/api/audit/state").json()["repository"]["behind"] is True
    close_site(made)
