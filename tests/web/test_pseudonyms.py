"""A study handed out under an alias: what leaves, who may learn whose it is, what comes back."""

from __future__ import annotations

import io
import uuid
import zipfile
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import UID, generate_uid

from radrelay.archive.models import Instance
from radrelay.audit.models import AuditEvent
from radrelay.intake.pseudonymising import PseudonymLanding
from radrelay.pseudonyms import forget_held
from radrelay.pseudonyms.models import PseudonymHeld, PseudonymProject
from tests.dicom.deface.head import series
from tests.dicom.deidentify.made import a_study, encoded
from tests.web.conftest import Login, WebSite
from tests.web.test_contents import only_by_alias
from tests.web.test_studies import CT, file_bytes, only_study, upload, upload_bytes

PROJECT = {"name": "LUNG", "pattern": "{project}-{number:04}{check}", "options": ["modified-dates"]}


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


@pytest.fixture
def root(site: WebSite) -> Login:
    return site.login("root")


def project(root: Login, **more: object) -> dict[str, Any]:
    made = root.http.post("/api/pseudonyms/projects", json=PROJECT | more, headers=root.headers)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def copies(login: Login, study_id: object, project_id: str) -> list[pydicom.Dataset]:
    answer = login.http.get(f"/api/studies/{study_id}/archive.zip", params={"project": project_id})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.startswith("DICOM/")]
        return [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in names]


def events(site: WebSite, action: str) -> list[AuditEvent]:
    with site.database.read() as session:
        return session.query(AuditEvent).filter(AuditEvent.action == action).all()


def test_a_study_leaves_under_an_alias_and_only_who_may_learns_whose_it_is(
    site: WebSite, anna: Login, root: Login
) -> None:
    upload(site, anna, CT)
    made = project(root)
    study = only_study(anna)
    (copy,) = copies(anna, study["id"], made["id"])
    source = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    assert (copy.PatientID, str(copy.PatientName)) == ("LUNG-0001J", "LUNG-0001J")
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.StudyInstanceUID != source.StudyInstanceUID
    assert copy.PixelData == source.PixelData
    again = copies(anna, study["id"], made["id"])
    assert (again[0].PatientID, again[0].SOPInstanceUID) == (copy.PatientID, copy.SOPInstanceUID)
    listed = anna.http.get("/api/pseudonyms/aliases", params={"text": "lung-"}).json()["aliases"]
    assert [(one["alias"], one["studies"]) for one in listed] == [("LUNG-0001J", 1)]
    address = f"/api/pseudonyms/aliases/{listed[0]['id']}/identity"
    told = anna.http.post(address, json={"reason": "The trial asks whom to call in."}, headers=anna.headers).json()
    assert (told["patient_id"], told["patient_name"]) == (source.PatientID, str(source.PatientName))
    assert told["study_uids"] == [source.StudyInstanceUID]
    (look,) = events(site, "pseudonym.reidentify")
    assert look.actor_name == "anna"
    assert look.patient_ref is not None
    only_by_alias(site)
    assert copies(anna, study["id"], made["id"])[0].PatientID == copy.PatientID
    assert anna.http.get(f"/api/studies/{study['id']}/archive.zip").status_code == 403
    assert anna.http.post(address, json={"reason": "I am curious."}, headers=anna.headers).status_code == 404
    assert anna.http.get("/api/pseudonyms/aliases").status_code == 403
    assert len(events(site, "pseudonym.reidentify")) == 1


def test_what_was_done_to_a_study_is_told_without_any_value(site: WebSite, anna: Login, root: Login) -> None:
    upload(site, anna, CT)
    made, study = project(root), only_study(anna)
    copies(anna, study["id"], made["id"])
    told = anna.http.get(f"/api/studies/{study['id']}/handouts")
    (handout,) = told.json()["handouts"]
    assert (handout["project"], handout["objects"], handout["kept_back"]) == ("LUNG", 1, 0)
    assert handout["ended_at"] is not None
    done = handout["report"]["attributes"]
    assert done["uid-replaced"]["StudyInstanceUID"] == 1
    source = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    (copy,) = copies(anna, study["id"], made["id"])
    stayed = {one.keyword for one in source if one.keyword in copy and copy[one.tag] == one and one.VR != "SQ"}
    assert {"Rows", "PixelData", "KVP"} <= set(done["kept"]) <= stayed | {"BurnedInAnnotation"}
    assert set(done["kept"]).isdisjoint(done["removed"])
    assert "CompressedSamples" not in told.text
    assert "1.3.6.1.4.1" not in told.text


def test_what_cannot_be_made_safe_waits_for_a_person(site: WebSite, anna: Login, root: Login) -> None:
    picture = a_study(
        "1.2.840.10008.5.1.4.1.1.7", Modality="OT", Rows=8, Columns=16, BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelRepresentation=0, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", PixelData=bytes(range(128)),
    )  # fmt: skip
    encoded(picture)
    written = io.BytesIO()
    picture.save_as(written, enforce_file_format=True)
    upload_bytes(site, anna, {"a": written.getvalue()})
    made, study = project(root), only_study(anna)
    refused = anna.http.get(f"/api/studies/{study['id']}/archive.zip", params={"project": made["id"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing-handed-out")
    assert (refused.json()["n"], refused.json()["reasons"]) == (1, {"maybe-burned-in-text": 1})
    assert events(site, "study.download") == []  # nothing left
    assert anna.http.get("/api/pseudonyms/aliases").json()["aliases"] == []  # nobody gets one of whom nothing leaves
    (held,) = anna.http.get("/api/pseudonyms/held").json()["held"]
    assert (held["reasons"], held["releasable"]) == (["maybe-burned-in-text"], True)
    address = f"/api/pseudonyms/held/{held['id']}/release"
    for cover in ([[0, 0, 17, 2]], [[0, 7, 4, 2]]):
        refused = anna.http.post(address, json={"cover": cover, "note": "Name in the corner."}, headers=anna.headers)
        assert refused.json()["code"] == "cover-invalid"
    passed = anna.http.post(
        address, json={"cover": [[0, 0, 16, 2]], "note": "Name in the corner."}, headers=anna.headers
    )
    assert passed.status_code == 200, passed.text
    (copy,) = copies(anna, study["id"], made["id"])
    assert bytes(copy.PixelData) == bytes(32) + bytes(range(32, 128))
    assert anna.http.get("/api/pseudonyms/held").json()["held"] == []
    assert len(events(site, "pseudonym.release")) == 1
    with site.database.write() as session:
        forget_held(session)
        assert session.query(PseudonymHeld).count() == 1
        session.execute(sa.delete(Instance))
        forget_held(session)
        assert session.query(PseudonymHeld).count() == 0


def test_a_recognisable_face_is_warned_of_or_kept_back_and_a_study_passes_in_one_go(
    site: WebSite, anna: Login, root: Login
) -> None:
    files = {}
    for number in range(3):
        head = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
        head.BodyPartExamined = "HEAD"
        head.SOPInstanceUID = UID(f"{head.SOPInstanceUID}.{number}")
        head.file_meta.MediaStorageSOPInstanceUID = head.SOPInstanceUID
        files[f"{number}.dcm"] = written(head)
    upload_bytes(site, anna, files)
    study = only_study(anna)["id"]
    warned = project(root)["id"]
    assert len(copies(anna, study, warned)) == 3
    (told,) = anna.http.get(f"/api/studies/{study}/handouts").json()["handouts"]
    assert told["report"]["warnings"] == {"recognisable-face": 3}
    strict = project(root, name="STRICT", hold_faces=True)["id"]
    refused = anna.http.get(f"/api/studies/{study}/archive.zip", params={"project": strict})
    assert (refused.status_code, refused.json()["reasons"]) == (409, {"recognisable-face": 3})
    (held,) = anna.http.get("/api/pseudonyms/held").json()["held"]
    assert (held["reasons"], held["alike"], held["releasable"]) == (["recognisable-face"], 3, True)
    address, wanted = f"/api/pseudonyms/held/{held['id']}/release", {"note": "The ethics board agreed.", "alike": True}
    assert anna.http.post(address, json=wanted, headers=anna.headers).status_code == 200
    assert len(copies(anna, study, strict)) == 3
    assert anna.http.get("/api/pseudonyms/held").json()["held"] == []


def test_faces_are_taken_out_of_a_whole_head_and_what_is_none_is_kept_back(
    site: WebSite, anna: Login, root: Login
) -> None:
    head = series(count=36, apart=6.0, size=70, pixel=3.6)
    for one in head.slices:
        one.preamble = bytes(128)
        one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    scout = pydicom.dcmread(io.BytesIO(written(head.slices[0])))
    scout.SOPInstanceUID, scout.SeriesInstanceUID = generate_uid(), generate_uid()
    scout.file_meta.MediaStorageSOPInstanceUID = scout.SOPInstanceUID
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    files = {f"{number}.dcm": written(one) for number, one in enumerate(head.slices)}
    upload_bytes(site, anna, files | {"scout.dcm": written(scout)})
    study = only_study(anna)["id"]
    made = project(root, deface=True)["id"]
    found = copies(anna, study, made)
    assert len(found) == 36
    assert {one.RecognizableVisualFeatures for one in found} == {"NO"}
    assert {one.ImageType[0] for one in found} == {"DERIVED"}
    air = sum(int((one.pixel_array == 24).sum()) for one in found)
    assert air > 10_000  # where the face was
    (told,) = anna.http.get(f"/api/studies/{study}/handouts").json()["handouts"]
    assert told["report"]["refused"] == {"recognisable-face": 1}
    assert told["report"]["warnings"] == {}
    (held,) = anna.http.get("/api/pseudonyms/held").json()["held"]
    assert held["reasons"] == ["recognisable-face"]


def test_projects_are_set_up_by_administrators_and_keep_what_ties_copies_to_the_vault(
    site: WebSite, anna: Login, root: Login
) -> None:
    refused = anna.http.post("/api/pseudonyms/projects", json=PROJECT, headers=anna.headers)
    assert refused.status_code == 403
    made = project(root)
    twice = root.http.post("/api/pseudonyms/projects", json=PROJECT, headers=root.headers)
    assert twice.json()["code"] == "project-exists"
    wrong = root.http.post("/api/pseudonyms/projects", json=PROJECT | {"pattern": "X"}, headers=root.headers)
    assert (wrong.json()["code"], wrong.json()["field"]) == ("project-invalid", "pattern")
    upload(site, anna, CT)
    study = only_study(anna)
    copies(anna, study["id"], made["id"])
    address = f"/api/pseudonyms/projects/{made['id']}"
    fields = {key: made[key] for key in made if key not in ("id", "created_at", "aliases")}
    tied = root.http.put(address, json=fields | {"pattern": "X-{number}"}, headers=root.headers)
    assert tied.json()["code"] == "project-invalid"
    changed = root.http.put(address, json=fields | {"enabled": False}, headers=root.headers).json()
    assert (changed["enabled"], changed["revision"], changed["aliases"]) == (False, 2, 1)
    assert root.http.put(address, json=fields, headers=root.headers).json()["code"] == "project-changed"
    off = anna.http.get(f"/api/studies/{study['id']}/archive.zip", params={"project": made["id"]})
    assert off.json()["code"] == "project-disabled"
    assert root.http.delete(address, headers=root.headers).status_code == 204
    assert anna.http.get("/api/pseudonyms/aliases").json()["aliases"] == []
    small = project(root, name="SMALL", pattern="{number:01}")["id"]
    with site.database.write() as session:
        session.execute(sa.update(PseudonymProject).values(next_number=10))
    full = anna.http.get(f"/api/studies/{study['id']}/archive.zip", params={"project": small})
    assert full.json()["code"] == "project-full"
    gone = anna.http.get(f"/api/studies/{study['id']}/archive.zip", params={"project": str(uuid.uuid4())})
    assert gone.status_code == 404


def written(data_set: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    data_set.save_as(out)
    return out.getvalue()


def settle(site: WebSite) -> int:
    """Index, write anew what was kept aside, and index that."""
    site.index()
    seal = site.services.vault_seal
    done = PseudonymLanding(site.database, site.clock, site.parts.segments, site.landing, seal).run()
    site.index()
    return done


def waiting(login: Login) -> list[dict[str, str]]:
    kept: list[dict[str, str]] = login.http.get("/api/quarantine").json()["quarantined"]
    return kept


def codes(login: Login) -> list[str]:
    return sorted(one["code"] for one in waiting(login))


def pseudonymising(site: WebSite, root: Login, project_id: str | None) -> None:
    (source,) = [one for one in root.http.get("/api/sources").json()["sources"] if one["kind"] == "upload"]
    changed = root.http.patch(f"/api/sources/{source['id']}", json={"project_id": project_id}, headers=root.headers)
    assert changed.json()["project_id"] == project_id, changed.text


def a_result_of(copy: pydicom.Dataset) -> pydicom.Dataset:
    """Return what an analysis of a copy sends back: a derived image under the alias."""
    result = copy.copy()
    result.SOPInstanceUID, result.SeriesInstanceUID = "1.2.3.4.5.6", "1.2.3.4.5"
    result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    result.SeriesDescription = "Segmented"
    return result


def everything(login: Login, study_id: object) -> list[pydicom.Dataset]:
    answer = login.http.get(f"/api/studies/{study_id}/archive.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = [name for name in archive.namelist() if name.startswith("DICOM/")]
        return [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in names]


def test_a_patient_is_who_the_index_says_whatever_issuer_the_objects_name(
    site: WebSite, anna: Login, root: Login
) -> None:
    (source,) = [one for one in root.http.get("/api/sources").json()["sources"] if one["kind"] == "upload"]
    issuer = {"issuer_of_patient_id": "KLINIKUM"}
    root.http.patch(f"/api/sources/{source['id']}", json=issuer, headers=root.headers)
    upload(site, anna, CT)
    made, study = project(root), only_study(anna)
    (copy,) = copies(anna, study["id"], made["id"])
    looked = {"issuer": "KLINIKUM", "patient_id": "1CT1", "reason": "an incidental finding"}
    found = anna.http.post("/api/pseudonyms/lookups", json=looked, headers=anna.headers).json()["aliases"]
    assert [one["alias"] for one in found] == [copy.PatientID]
    upload_bytes(site, anna, {"result": written(a_result_of(copy))})
    settle(site)
    assert (only_study(anna)["patient"], only_study(anna)["instance_count"]) == (study["patient"], 2)
    with site.database.write() as session:
        assert site.services.vault(site.organisation_id).forget_patient(session, "KLINIKUM", "1CT1") == 1


def test_results_that_come_back_under_the_alias_are_the_patients_own_again(
    site: WebSite, anna: Login, root: Login
) -> None:
    upload(site, anna, CT)
    made, study = project(root), only_study(anna)
    (copy,) = copies(anna, study["id"], made["id"])
    source = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    upload_bytes(site, anna, {"result": written(a_result_of(copy))})
    assert only_study(anna)["instance_count"] == 1  # not seen yet: it is no other patient's
    assert codes(anna) == ["return-waits"]
    assert settle(site) == 1
    found = only_study(anna)
    assert (found["patient"], found["instance_count"], codes(anna)) == (study["patient"], 2, [])
    (back,) = [one for one in everything(anna, study["id"]) if one.SOPInstanceUID == "1.2.3.4.5.6"]
    assert (back.PatientID, back.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    assert back.StudyDate == source.StudyDate
    assert "PatientIdentityRemoved" not in back
    assert back.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID == copy.PatientID
    (event,) = events(site, "pseudonym.return")
    assert event.patient_ref is not None


def test_a_result_comes_back_under_the_patients_name_when_the_study_is_gone(
    site: WebSite, anna: Login, root: Login
) -> None:
    source = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    source.SpecificCharacterSet, source.PatientName, source.PatientID = "ISO_IR 192", "Schön^Käthe", "Ä-1"
    upload_bytes(site, anna, {"a.dcm": written(source)})
    (copy,) = copies(anna, only_study(anna)["id"], project(root, name="Größe")["id"])
    assert copy.PatientID.startswith("Groesse-0001")
    (listed,) = anna.http.get("/api/pseudonyms/aliases").json()["aliases"]
    asked = {"reason": "The trial asks whom to call in."}
    who = anna.http.post(f"/api/pseudonyms/aliases/{listed['id']}/identity", json=asked, headers=anna.headers).json()
    assert (who["patient_name"], who["patient_id"]) == ("Schön^Käthe", "Ä-1")
    gone = anna.http.delete(f"/api/studies/{only_study(anna)['id']}", headers=anna.headers)
    assert gone.status_code in (200, 204), gone.text
    result = a_result_of(copy)
    result.SpecificCharacterSet = "ISO_IR 100"
    upload_bytes(site, anna, {"result": written(result)})
    settle(site)
    (back,) = everything(anna, only_study(anna)["id"])
    assert (back.SpecificCharacterSet, back.PatientName, back.PatientID) == ("ISO_IR 100", "Schön^Käthe", "Ä-1")


def test_a_result_of_an_alias_that_is_forgotten_is_nobodys(site: WebSite, anna: Login, root: Login) -> None:
    upload(site, anna, CT)
    made, study = project(root), only_study(anna)
    (copy,) = copies(anna, study["id"], made["id"])
    upload_bytes(site, anna, {"result": written(a_result_of(copy))})
    with site.database.write() as session:
        patient = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
        vault = site.services.vault(site.organisation_id)
        assert vault.forget_patient(session, patient.get("IssuerOfPatientID", ""), patient.PatientID) == 1
    settle(site)
    assert codes(anna) == ["not-returned"]
    assert only_study(anna)["instance_count"] == 1


def test_a_source_that_pseudonymises_shows_nobody_as_they_came(site: WebSite, anna: Login, root: Login) -> None:
    made = project(root)
    pseudonymising(site, root, made["id"])
    parcel = upload(site, anna, CT)
    assert anna.http.get("/api/studies").json()["studies"] == []
    assert settle(site) == 1
    study = only_study(anna)
    assert study["patient"]["id"] == "LUNG-0001J"  # type: ignore[index]
    (kept,) = everything(anna, study["id"])
    source = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    assert (kept.PatientID, kept.PixelData) == ("LUNG-0001J", source.PixelData)
    counted = anna.http.get(f"/api/parcels/{parcel}").json()
    assert (counted["objects"], counted["quarantined"], counted["study_ids"]) == (1, 0, [study["id"]])
    (report,) = anna.http.get(f"/api/studies/{study['id']}/handouts").json()["handouts"]
    assert (report["purpose"], report["objects"]) == ("intake", 1)
    refused = root.http.delete(f"/api/pseudonyms/projects/{made['id']}", headers=root.headers)
    assert refused.json()["code"] == "project-in-use"
    pseudonymising(site, root, None)
    upload_bytes(site, anna, {"more": written(a_result_of(kept))})  # stays under the alias: no original is here
    settle(site)
    assert (only_study(anna)["patient"], only_study(anna)["instance_count"]) == (study["patient"], 2)


def test_a_crash_in_between_adds_nothing_and_loses_nothing(
    site: WebSite, anna: Login, root: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    pseudonymising(site, root, project(root)["id"])
    upload(site, anna, CT)
    with monkeypatch.context() as patch:
        patch.setattr(PseudonymLanding, "_settle", lambda self, done: killed())
        with pytest.raises(InterruptedError):
            settle(site)
    site.index()
    assert only_study(anna)["instance_count"] == 1
    assert codes(anna) == ["pseudonym-waits"]
    settle(site)
    assert (only_study(anna)["instance_count"], codes(anna)) == (1, [])


def killed() -> None:
    raise InterruptedError


def test_what_a_source_cannot_pseudonymise_safely_waits_in_the_quarantine(
    site: WebSite, anna: Login, root: Login
) -> None:
    pseudonymising(site, root, project(root)["id"])
    picture = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    picture.BurnedInAnnotation = "YES"
    upload_bytes(site, anna, {"a.dcm": written(picture), "letter.pdf": b"%PDF-1.4 Dear Mrs Quastenflosser"})
    settle(site)
    assert anna.http.get("/api/studies").json()["studies"] == []
    assert codes(anna) == ["file-not-safe", "not-safe"]
    (kept,) = [one for one in waiting(anna) if one["code"] == "not-safe"]
    assert "burned-in-text" in kept["reason"]
    wanted = {"as": "as-received", "reason": "Only a ruler is burned in."}
    let = anna.http.post(f"/api/quarantine/{kept['id']}/release", json=wanted, headers=anna.headers)
    assert let.status_code == 200, let.text
    settle(site)
    assert only_study(anna)["patient"]["id"] == "LUNG-0001J"  # type: ignore[index]
