"""Searching and fetching elsewhere by REST: off by default, for those alone who were granted it, on record."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from radrelay.access import Right, Target
from radrelay.access.models import Grant
from radrelay.retrieve.models import FetchRunStudy, Pacs
from radrelay.retrieve.ports import FoundStudy
from radrelay.retrieve.worklist import WorklistItem
from radrelay.routing.secrets import SecretSeal
from radrelay.web.application import create
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.elsewhere import Elsewhere
from tests.web.test_studies import CT, grant_to, only_study, upload

NODE = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    made = open_site(tmp_path_factory.mktemp("pacs"))
    made.account("root", "admin")
    made.account("anna")
    made.account("stranger")
    yield made
    close_site(made)


@pytest.fixture(scope="module")
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture(scope="module")
def site(plain: WebSite, elsewhere: Elsewhere) -> WebSite:
    """The same site with the module switched on; `plain` is as it was."""
    services = replace(plain.services, archives=elsewhere, worklists=elsewhere, registry=CollectorRegistry())
    return replace(plain, services=services, app=create(services))


def source_of(login: Login) -> str:
    listed = login.http.get("/api/sources").json()["sources"]
    return str(next(one["id"] for one in listed if one["kind"] == "dicom"))


def send(login: Login, path: str, body: Any = None) -> tuple[int, Any]:
    answer = login.http.post(f"/api/{path}", json=body, headers=login.headers)
    return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def pacs(site: WebSite) -> str:
    root = site.login("root")
    status, made = send(root, "pacs", NODE | {"port": 104, "source_id": source_of(root)})
    assert status == 201, made
    return str(made["id"])


def test_switched_off_nobody_reaches_a_pacs(plain: WebSite) -> None:
    root = plain.login("root")
    with socket.create_server(("127.0.0.1", 0)) as there:
        there.settimeout(0.3)
        port = there.getsockname()[1]
        status, made = send(root, "pacs", NODE | {"name": "off", "port": port, "source_id": source_of(root)})
        assert status == 201
        assert root.http.get("/api/pacs").json()["enabled"] is False
        order = {"fetches": [{"pacs_id": made["id"], "study_uid": "1.2.3"}]}
        for path, body in (
            ("pacs/search", {"patient_id": "4711"}), (f"pacs/{made['id']}/series", {"study_uid": "1.2.3"}),
            (f"pacs/{made['id']}/echo", None), ("fetches", order), (f"fetches/{uuid.uuid4()}/retry", None),
        ):  # fmt: skip
            status, problem = send(root, path, body)
            assert (status, problem["code"]) == (404, "retrieve-off"), path
        with pytest.raises(TimeoutError):
            there.accept()
    assert root.http.delete(f"/api/pacs/{made['id']}", headers=root.headers).status_code == 204


def test_search_is_merged_marked_and_on_record(site: WebSite, pacs: str, elsewhere: Elsewhere) -> None:
    root = site.login("root")
    upload(site, root, CT)
    here = only_study(root)
    elsewhere.studies = (
        FoundStudy(str(here["study_uid"]), patient_name="A^B"),
        FoundStudy("1.2.77", patient_id="4711"),
    )
    status, found = send(root, "pacs/search", {"patient_name": "müller", "modalities": ["CT"]})
    assert status == 200
    told = {one["study_uid"]: one["here"] for one in found["studies"]}
    assert told == {here["study_uid"]: here["id"], "1.2.77": None}
    assert found["asked"] == [{"pacs": pacs, "found": 2, "more": False, "unreadable": 0, "error": None}]
    assert (elsewhere.asked[-1].patient_name, elsewhere.asked[-1].modalities) == ("müller", ("CT",))
    (event,) = root.http.get("/api/audit?action=pacs.search").json()["events"]
    assert event["detail"] == {"pacs": ["PACS"], "by": ["modalities", "patient_name"]}
    assert "müller" in str(event["patient"])


def test_what_a_cache_keeps_answers_without_asking_the_archive(site: WebSite, pacs: str, elsewhere: Elsewhere) -> None:
    root = site.login("root")
    upload(site, root, CT)
    here = only_study(root)
    look, before = {"study_uid": here["study_uid"], "cached": True}, len(elsewhere.asked)
    assert send(root, "pacs/search", look) == (200, {"studies": [], "asked": []}), "it came by itself"
    kept = FetchRunStudy(
        run_id=uuid.uuid4(), schedule_id=uuid.uuid4(), kind="cache", place=0, pacs_id=uuid.UUID(pacs), state="done",
        study_uid=here["study_uid"], organisation_id=site.services.organisation_id, asked_at=site.clock.now(),
    )  # fmt: skip
    with site.services.database.write() as session:
        session.add(kept)
    found = send(root, "pacs/search", look)[1]
    assert [(one["here"], one["pacs"]) for one in found["studies"]] == [(here["id"], [pacs])]
    assert datetime.fromisoformat(found["studies"][0]["as_of"]) == site.clock.now(), "and says of when that is"
    assert send(root, "pacs/search", look | {"patient_id": "nobody's"})[1]["studies"] == []
    assert len(elsewhere.asked) == before


def test_search_for_everything_and_wrong_uids_are_refused(site: WebSite, pacs: str) -> None:
    root = site.login("root")
    status, problem = send(root, "pacs/search", {"modalities": ["CT"]})
    assert (status, problem["code"]) == (400, "search-too-wide"), problem
    status, problem = send(root, "pacs/search", {"study_uid": "1.2*"})
    assert (status, problem["code"]) == (422, "invalid"), problem


def test_restricted_patients_are_found_by_who_may_see_them_alone(
    site: WebSite, pacs: str, elsewhere: Elsewhere
) -> None:
    root, anna = site.login("root"), site.login("anna")
    elsewhere.studies = (FoundStudy("1.2.78", patient_id="VIP"), FoundStudy("1.2.79", patient_id="4711"))
    status, made = send(root, "restrictions", {"kind": "patient", "value": "VIP"})
    assert status == 201, made
    for login in (root, anna):
        found = send(login, "pacs/search", {"patient_id": "x"})[1]
        assert [one["study_uid"] for one in found["studies"]] == ["1.2.79"]
    root.http.delete(f"/api/restrictions/{made['id']}", headers=root.headers)
    found = send(anna, "pacs/search", {"patient_id": "x"})[1]
    assert len(found["studies"]) == 2


def test_archive_that_is_down_is_told_of(site: WebSite, pacs: str, elsewhere: Elsewhere) -> None:
    root = site.login("root")
    elsewhere.down = True
    try:
        status, found = send(root, "pacs/search", {"patient_id": "4711"})
        assert (status, found["studies"], found["asked"][0]["error"]["code"]) == (200, [], "nobody-listens")
        status, series = send(root, f"pacs/{pacs}/series", {"study_uid": "1.2.3"})
        assert (status, series["series"], series["error"]["code"]) == (200, [], "nobody-listens")
    finally:
        elsewhere.down = False
    status, series = send(root, f"pacs/{pacs}/series", {"study_uid": "1.2.3"})
    assert [one["number"] for one in series["series"]] == [1, 2]


def test_only_who_was_granted_fetching_into_its_source_sees_an_archive(site: WebSite, pacs: str) -> None:
    with site.database.write() as session:
        session.query(Grant).filter(Grant.grantee_kind == "role", Grant.grantee_id == "user").delete()
    root, anna, stranger = site.login("root"), site.login("anna"), site.login("stranger")
    order = {"fetches": [{"pacs_id": pacs, "study_uid": "1.2.5", "patient_id": "4711", "patient_name": "A^B"}]}
    for body in (send(stranger, "pacs/search", {"patient_id": "1"}), send(stranger, "fetches", order),
                 send(stranger, f"pacs/{pacs}/series", {"study_uid": "1.2.3"})):  # fmt: skip
        assert (body[0], body[1]["code"]) == (404, "pacs-not-found")
    grant_to(site, anna, Target("source", uuid.UUID(source_of(root))), Right.FETCH)
    assert [one["id"] for one in anna.http.get("/api/pacs").json()["pacs"]] == [pacs]
    status, made = send(anna, "fetches", order)
    assert (status, made["fetches"][0]["state"], made["fetches"][0]["patient_name"]) == (201, "waiting", "A^B")
    number = made["fetches"][0]["id"]
    assert send(anna, "fetches", order)[1]["fetches"][0]["id"] == number, "asked for twice, it is fetched once"
    assert stranger.http.get("/api/fetches").json() == {"fetches": []}
    assert send(stranger, f"fetches/{number}/cancel")[0] == 404
    assert send(anna, f"fetches/{number}/cancel")[1]["state"] == "cancelled"
    assert send(anna, f"fetches/{number}/cancel")[1]["code"] == "fetch-ended"
    assert send(anna, f"fetches/{number}/retry")[1]["state"] == "waiting"
    assert root.http.delete(f"/api/pacs/{pacs}", headers=root.headers).json()["code"] == "pacs-in-use"


def test_archive_is_changed_by_administrators_and_leads_to_a_source_of_devices(site: WebSite, pacs: str) -> None:
    root = site.login("root")
    uploads = next(one["id"] for one in root.http.get("/api/sources").json()["sources"] if one["kind"] == "upload")
    changed = root.http.patch(f"/api/pacs/{pacs}", json={"source_id": uploads}, headers=root.headers)
    assert (changed.status_code, changed.json()["code"], changed.json()["field"]) == (400, "pacs-invalid", "source_id")
    changed = root.http.patch(f"/api/pacs/{pacs}", json={"method": "get", "enabled": False}, headers=root.headers)
    assert (changed.json()["method"], changed.json()["enabled"]) == ("get", False)
    status, problem = send(root, "pacs/search", {"pacs": [pacs], "patient_id": "4711"})
    assert (status, problem["code"]) == (409, "pacs-off")
    root.http.patch(f"/api/pacs/{pacs}", json={"enabled": True}, headers=root.headers)
    status, problem = send(root, "pacs", NODE | {"name": "PACS", "port": 1, "source_id": source_of(root)})
    assert (status, problem["code"]) == (400, "pacs-exists")


def test_a_service_keeps_its_secret_sealed_and_loses_it_where_its_address_changes(
    site: WebSite, elsewhere: Elsewhere
) -> None:
    root = site.login("root")
    service = {"name": "Web", "kind": "dicomweb", "address": "https://pacs.example/dicom-web", "secret": "s3cret"}
    status, made = send(root, "pacs", service | {"source_id": source_of(root)})
    assert (status, made["has_secret"], "secret" in made) == (201, True, False)
    assert "s3cret" not in root.http.get("/api/pacs").text
    with site.database.read() as session:
        row = session.get(Pacs, uuid.UUID(made["id"]))
        assert row is not None
        assert b"s3cret" not in (row.sealed or b"")
        assert SecretSeal(site.services.metadata_key).open(row.id, row.sealed) == "s3cret"
    assert send(root, f"pacs/{made['id']}/echo")[1]["ok"], "asked by a search that nothing matches"
    at = f"/api/pacs/{made['id']}"
    renamed = root.http.patch(at, json={"name": "Other"}, headers=root.headers).json()
    assert renamed["has_secret"]
    moved = root.http.patch(at, json={"address": "https://thief.example/dicom-web"}, headers=root.headers).json()
    assert not moved["has_secret"]
    for wrong in ({"address": "http://pacs.example/"}, {"username": "a:b"}, {"kind": "dicom"}):
        answer = root.http.patch(at, json=wrong, headers=root.headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "pacs-invalid"), wrong
    assert root.http.delete(at, headers=root.headers).status_code == 204


def test_a_worklist_is_asked_by_who_may_fetch_on_record_and_never_searched_as_an_archive(
    plain: WebSite, site: WebSite, elsewhere: Elsewhere
) -> None:
    with site.database.write() as session:
        session.query(Grant).filter(Grant.grantee_kind == "role", Grant.grantee_id == "user").delete()
    root, stranger = site.login("root"), site.login("stranger")
    entered = {"name": "WL", "kind": "worklist", "ae_title": "WL", "host": "127.0.0.1", "port": 104}
    status, made = send(root, "pacs", entered | {"source_id": source_of(root)})
    assert status == 201, made
    elsewhere.scheduled = (WorklistItem(patient_id="2", date="20260302"), WorklistItem(patient_id="1", date="20260301"))
    status, found = send(root, "worklists/search", {"day": "2026-03-02", "modality": "CT"})
    assert status == 200, found
    assert [(one["patient_id"], one["worklist"]) for one in found["items"]] == [("1", made["id"]), ("2", made["id"])]
    (event,) = root.http.get("/api/audit?action=pacs.worklist").json()["events"]
    assert event["detail"] == {"pacs": ["WL"], "by": ["day", "modality"]}
    assert send(root, "worklists/search", {"modality": "CT"})[1]["code"] == "worklist-too-wide"
    assert send(stranger, "worklists/search", {"patient_id": "1"})[1]["code"] == "pacs-not-found"
    assert send(plain.login("root"), "worklists/search", {"patient_id": "1"})[1]["code"] == "retrieve-off"
    for path, body in (("pacs/search", {"pacs": [made["id"]], "patient_id": "1"}),
                       ("fetches", {"fetches": [{"pacs_id": made["id"], "study_uid": "1.2"}]})):  # fmt: skip
        assert send(root, path, body)[1]["code"] == "pacs-not-found", path
    elsewhere.down = True
    try:
        (asked,) = send(root, "worklists/search", {"patient_id": "1"})[1]["asked"]
    finally:
        elsewhere.down = False
    assert asked["error"]["code"] == "nobody-listens"
    assert root.http.delete(f"/api/pacs/{made['id']}", headers=root.headers).status_code == 204
