"""From an upload to the picture: what a user of the pages does all day."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from datetime import timedelta

import pydicom
import pytest
from pydicom.data import get_testdata_file

from radrelay.access import Grantee, Right, Target, grant, revoke
from radrelay.access.models import Grant
from radrelay.audit.models import AuditEvent
from tests.web.conftest import Login, WebSite

CT = "CT_small.dcm"


def file_bytes(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    with open(path, "rb") as file:
        return file.read()


def upload(site: WebSite, login: Login, *names: str) -> str:
    return upload_bytes(site, login, {name: file_bytes(name) for name in names})


def upload_bytes(site: WebSite, login: Login, files: dict[str, bytes]) -> str:
    made = login.http.post("/api/parcels", json={"name": "a disc"}, headers=login.headers)
    assert made.status_code == 201, made.text
    parcel = made.json()["id"]
    for name, content in files.items():
        taken = login.http.put(
            f"/api/parcels/{parcel}/files", params={"name": f"disc/{name}"}, content=content,
            headers=login.headers,
        )  # fmt: skip
        assert taken.status_code == 200, taken.text
    assert login.http.post(f"/api/parcels/{parcel}/done", headers=login.headers).status_code == 202
    site.index()
    return str(parcel)


def of_another_person() -> bytes:
    """Return an object of somebody else who has the same patient ID."""
    stranger = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    stranger.PatientName, stranger.PatientBirthDate, stranger.PatientSex = "Fremd^Franz", "19500101", "M"
    for uid in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(stranger, uid, pydicom.uid.generate_uid())
    stranger.file_meta.MediaStorageSOPInstanceUID = stranger.SOPInstanceUID
    written = io.BytesIO()
    stranger.save_as(written)
    return written.getvalue()


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def only_study(login: Login) -> dict[str, object]:
    listed = login.http.get("/api/studies").json()
    assert len(listed["studies"]) == 1, listed
    study: dict[str, object] = listed["studies"][0]
    return study


def test_an_upload_appears_in_the_list_and_opens_to_its_pixels(site: WebSite, anna: Login) -> None:
    parcel = upload(site, anna, CT)
    study = only_study(anna)
    assert study["patient"]["name"] == "CompressedSamples^CT1"  # type: ignore[index]
    assert study["modalities"] == ["CT"]
    assert study["sources"] == ["Upload"]
    assert anna.http.get(f"/api/parcels/{parcel}").json()["study_ids"] == [study["id"]]
    detail = anna.http.get(f"/api/studies/{study['id']}").json()
    series = detail["series"][0]["id"]
    instance = anna.http.get(f"/api/series/{series}").json()["instances"][0]
    assert (instance["rows"], instance["columns"], instance["viewable"]) == (128, 128, True)
    frame = anna.http.get(f"/api/instances/{instance['id']}/frames/1/pixels")
    facts = json.loads(frame.headers["X-Radrelay-Frame"])
    assert len(frame.content) == facts["rows"] * facts["columns"] * facts["bits_allocated"] // 8
    expected = pydicom.dcmread(io.BytesIO(file_bytes(CT))).pixel_array
    assert frame.content == expected.astype("<i2").tobytes()
    thumbnail = anna.http.get(f"/api/series/{series}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert thumbnail.content[:2] == b"\xff\xd8"
    rendered = anna.http.get(f"/api/instances/{instance['id']}/frames/1/rendered", params={"form": "png", "width": 64})
    assert rendered.content[:4] == b"\x89PNG"
    assert anna.http.get(f"/api/instances/{instance['id']}/frames/2/pixels").status_code == 404


def test_a_file_comes_back_as_it_was_sent_and_a_study_as_a_disc(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)
    series = anna.http.get(f"/api/studies/{study['id']}").json()["series"][0]["id"]
    instance = anna.http.get(f"/api/series/{series}").json()["instances"][0]["id"]
    file = anna.http.get(f"/api/instances/{instance}/file")
    assert file.headers["content-disposition"].startswith("attachment")
    sent, got = pydicom.dcmread(io.BytesIO(file_bytes(CT))), pydicom.dcmread(io.BytesIO(file.content))
    assert got.PixelData == sent.PixelData
    for address in (f"/api/studies/{study['id']}/archive.zip", f"/api/series/{series}/archive.zip"):
        archive = zipfile.ZipFile(io.BytesIO(anna.http.get(address).content))
        assert "DICOMDIR" in archive.namelist()
        assert archive.testzip() is None


def test_the_list_is_searched_by_every_field(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT, "MR_small.dcm")
    for query, found in (
        ({"modality": "CT"}, 1), ({"modality": ["CT", "MR"]}, 2), ({"modality": "US"}, 0), ({"name": "compressed"}, 2),
        ({"name": "Compressed*^CT1"}, 1), ({"patient_id": "1CT1"}, 1), ({"text": "4MR1"}, 1),
        ({"description": "e+1"}, 1),
        ({"date_from": "2004-01-01", "date_to": "2004-12-31"}, 2), ({"date_from": "2005-01-01"}, 0),
        ({"sort": "-study_date"}, 2), ({"sort": "name"}, 2), ({"sort": "expires"}, 2),
    ):  # fmt: skip
        answer = anna.http.get("/api/studies", params=query)
        assert (answer.status_code, len(answer.json()["studies"])) == (200, found), (query, answer.text)


def test_the_list_goes_on_page_by_page(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT, "MR_small.dcm")
    first = anna.http.get("/api/studies", params={"limit": 1}).json()
    assert first["total"] == 2
    second = anna.http.get("/api/studies", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["studies"][0]["id"] != second["studies"][0]["id"]
    assert second["next_cursor"] is None
    assert anna.http.get("/api/studies", params={"cursor": "rubbish"}).status_code == 400


def test_a_search_that_makes_no_sense_says_what(anna: Login) -> None:
    answer = anna.http.get("/api/studies", params={"date_from": "yesterday", "colour": "red"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {wrong["where"] for wrong in answer.json()["errors"]} == {"query.date_from", "query.colour"}


def test_a_study_is_held_released_and_deleted(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)["id"]
    past = {"until": (site.clock.now() - timedelta(days=1)).isoformat()}
    assert anna.http.post(f"/api/studies/{study}/hold", json=past, headers=anna.headers).status_code == 400
    held = anna.http.post(f"/api/studies/{study}/hold", json={"reason": "a trial"}, headers=anna.headers)
    assert held.json() == {"expires_at": None, "ceiling_at": None, "held": True}
    assert anna.http.get(f"/api/studies/{study}").json()["holdings"][0]["hold_reason"] == "a trial"
    assert anna.http.delete(f"/api/studies/{study}/hold", headers=anna.headers).json()["held"] is False
    assert anna.http.delete(f"/api/studies/{study}", headers=anna.headers).status_code == 204
    assert anna.http.get("/api/studies").json()["studies"] == []
    assert anna.http.get(f"/api/studies/{study}").status_code == 404


def test_an_expired_study_is_gone_at_its_moment(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)
    series = anna.http.get(f"/api/studies/{study['id']}").json()["series"][0]["id"]
    instance = anna.http.get(f"/api/series/{series}").json()["instances"][0]["id"]
    site.clock.advance(timedelta(hours=169))
    anna = site.login("anna")
    assert anna.http.get("/api/studies").json()["studies"] == []
    for address in (f"studies/{study['id']}", f"series/{series}", f"instances/{instance}/frames/1/pixels",
                    f"instances/{instance}/file", f"studies/{study['id']}/archive.zip"):  # fmt: skip
        assert anna.http.get(f"/api/{address}").status_code == 404, address


def revoke_all(site: WebSite) -> None:
    with site.database.write() as session:
        for row in session.query(Grant).filter(Grant.grantee_kind == "role").all():
            revoke(session, site.organisation_id, row.id)


def grant_to(site: WebSite, login: Login, target: Target, *rights: Right, identity: str = "clear") -> None:
    account = login.http.get("/api/session").json()["account"]["id"]
    with site.database.write() as session:
        grant(
            session, site.organisation_id, Grantee("account", account), target, rights, now=site.clock.now(),
            identity="alias" if identity == "alias" else "clear",
        )  # fmt: skip


def test_who_was_granted_one_study_sees_that_one_and_can_only_look(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT, "MR_small.dcm")
    ct, mr = (anna.http.get("/api/studies", params={"modality": m}).json()["studies"][0]["id"] for m in ("CT", "MR"))
    revoke_all(site)
    grant_to(site, anna, Target("study", uuid.UUID(ct)), Right.SEE)
    assert [row["id"] for row in anna.http.get("/api/studies").json()["studies"]] == [ct]
    assert anna.http.get(f"/api/studies/{ct}").status_code == 200
    assert anna.http.get(f"/api/studies/{mr}").status_code == 404
    assert anna.http.get(f"/api/studies/{ct}/archive.zip").status_code == 404
    assert anna.http.delete(f"/api/studies/{ct}", headers=anna.headers).status_code == 404
    assert anna.http.get("/api/quarantine").status_code == 403


def test_who_sees_by_alias_learns_no_name(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    study = only_study(anna)
    seen = anna.http.get(f"/api/studies/{study['id']}").text + json.dumps(study)
    for secret in ("Compressed", "1CT1", "1.3.6.1.4.1.5962"):
        assert secret not in seen
    series = anna.http.get(f"/api/studies/{study['id']}").json()["series"][0]["id"]
    listed = anna.http.get(f"/api/series/{series}")
    assert anna.http.get(f"/api/series/{series}/thumbnail").status_code == 200
    instance = listed.json()["instances"][0]["id"]
    assert anna.http.get("/api/studies", params={"name": "Compressed"}).json()["code"] == "identity-hidden"
    for address in (f"instances/{instance}/file", f"studies/{study['id']}/archive.zip"):
        assert anna.http.get(f"/api/{address}").json()["code"] == "identity-hidden"


def test_a_series_is_listed_as_it_is_now_and_for_whom_it_is(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    root = site.login("root")
    detail = root.http.get(f"/api/studies/{only_study(root)['id']}").json()
    path = f"/api/series/{detail['series'][0]['id']}"
    (first,) = root.http.get(path).json()["instances"]
    assert first["sop_uid"]
    assert first["file_name"] == f"disc/{CT}"
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    grant_to(site, root, Target("organisation"), *Right)
    (hidden,) = anna.http.get(path).json()["instances"]
    assert (hidden["id"], hidden["sop_uid"], hidden["file_name"]) == (first["id"], "", "")
    late = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    late.SOPInstanceUID = late.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.826.0.1.3680043.10.1.2")
    written = io.BytesIO()
    late.save_as(written)
    upload_bytes(site, root, {"late.dcm": written.getvalue()})
    assert len(root.http.get(path).json()["instances"]) == 2


def test_a_view_is_one_event_per_login_and_study_and_names_the_patient_sealed(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)["id"]
    series = anna.http.get(f"/api/studies/{study}").json()["series"][0]["id"]
    for _ in range(3):
        anna.http.get(f"/api/series/{series}/thumbnail")
        anna.http.get("/api/studies")
    with site.database.read() as session:
        rows = session.query(AuditEvent).filter(AuditEvent.actor_name == "anna").all()
        actions = [row.action for row in rows]
        text = " ".join(f"{row.detail} {row.subject_id} {row.actor_name}" for row in rows)
    assert actions.count("study.view") == 1
    assert actions.count("study.search") == 1
    assert "CompressedSamples" not in text
    assert "1CT1" not in text
    root = site.login("root")
    events = root.http.get("/api/audit", params={"action": "study.view"}).json()["events"]
    assert events[0]["patient"]["patient_id"] == "1CT1"
    assert root.http.get("/api/audit/proof").json()["intact"] is True
    again = site.login("anna")
    again.http.get(f"/api/series/{series}/thumbnail")
    events = root.http.get("/api/audit", params={"action": "study.view", "patient_id": "1CT1"}).json()["events"]
    assert len(events) == 2


def test_a_machine_that_looks_again_the_next_day_is_on_record_again(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)["id"]
    machine = site.client()
    machine.headers["Authorization"] = f"Bearer {site.token()}"
    for _ in range(2):
        assert machine.get(f"/api/studies/{study}").status_code == 200
    site.clock.advance(timedelta(days=1))
    assert machine.get(f"/api/studies/{study}").status_code == 200
    with site.database.read() as session:
        opened = session.query(AuditEvent).filter(AuditEvent.action == "study.open", AuditEvent.actor_kind == "token")
        assert opened.count() == 2


def test_no_patient_data_stands_in_the_log(site: WebSite, anna: Login, capsys: pytest.CaptureFixture[str]) -> None:
    upload(site, anna, CT)
    study = only_study(anna)
    anna.http.get("/api/studies", params={"name": "CompressedSamples", "patient_id": "1CT1"})
    series = anna.http.get(f"/api/studies/{study['id']}").json()["series"][0]["id"]
    instance = anna.http.get(f"/api/series/{series}").json()["instances"][0]["id"]
    anna.http.get(f"/api/instances/{instance}/file")
    anna.http.get(f"/dicom-web/studies/{study['study_uid']}/metadata")
    anna.http.get(f"/api/studies/{study['id']}/CompressedSamples")
    written = "".join(capsys.readouterr())
    assert "route=/api/studies" in written
    for secret in ("Compressed", "1CT1", str(study["study_uid"]), "correct horse"):
        assert secret not in written
