"""Attributes of a patient or a study are corrected: what is shown, found and sent says so, and what was said before."""

from __future__ import annotations

import io
import uuid
import zipfile
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.archive import corrected, indexing, uncorrected
from radrelay.archive.instances import find_instances
from radrelay.archive.models import Correction, Instance, Patient, Study
from radrelay.dicom.errors import NotWritable
from radrelay.intake.correcting import CorrectionLanding
from tests.web.conftest import Login, WebSite
from tests.web.test_data_subjects import compact, entered, issuer_of, officer, root, verified
from tests.web.test_incidents import asked
from tests.web.test_studies import CT, file_bytes, only_study, upload, upload_bytes

__all__ = ["officer", "root"]


def settled(site: WebSite) -> int:
    """Do what `work` does by itself; returns how many objects were written anew."""
    landing = CorrectionLanding(site.database, site.services.reader, site.landing, site.clock)
    landed = landing.run()
    site.index()
    landing.run()
    return landed


def completed(site: WebSite) -> None:
    with site.database.write() as session:
        indexing.complete_quiet(session, site.clock.now() + timedelta(hours=1))


def patient_of(login: Login) -> Any:
    """Return the ID of the only study's patient, as it is shown."""
    patient: Any = only_study(login)["patient"]
    return patient["id"]


def sent(login: Login, study: object) -> pydicom.Dataset:
    """Return the study's object as it leaves, the same from DICOMweb and in the ZIP."""
    content = login.http.get(f"/api/studies/{study}/archive.zip").content
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        (name,) = [name for name in made.namelist() if name.startswith("DICOM/") and not name.endswith("/")]
        return pydicom.dcmread(io.BytesIO(made.read(name)))


def changed(sop_uid: str, **values: str) -> bytes:
    """Return the CT object as another one of the same series, with other values."""
    data = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(sop_uid)
    for keyword, value in values.items():
        setattr(data, keyword, value)
    made = io.BytesIO()
    data.save_as(made)
    return made.getvalue()


def put_right(site: WebSite, officer: Login, study: object, values: dict[str, str]) -> None:
    """Correct a study that is whole."""
    one = verified(officer, entered(officer, "correction", issuer_of(site)))
    completed(site)
    wanted = {"revision": 2, "studies": [study], "values": values, "carry_out": True, "reason": "a slip at the desk"}
    asked(officer, "POST", f"requests/{one['id']}/correction", wanted)


def test_what_is_let_in_after_its_study_was_corrected_is_written_anew_all_the_same(
    site: WebSite, root: Login, officer: Login
) -> None:
    upload_bytes(site, root, {"other.dcm": changed("1.2.3.4.5", PatientID="OTHER")})
    study = only_study(root)["id"]
    site.clock.advance(timedelta(minutes=5))
    put_right(site, officer, study, {"accession_number": "A-9"})
    site.clock.advance(timedelta(minutes=1))
    assert settled(site) == 1
    (kept,) = root.http.get("/api/quarantine").json()["quarantined"]
    body = {"as": "as-received", "reason": "it is hers"}
    answer = root.http.post(f"/api/quarantine/{kept['id']}/release", json=body, headers=root.headers)
    assert answer.status_code == 200, answer.text
    site.index()
    with site.database.read() as session:
        assert uncorrected.is_open(session, uuid.UUID(str(study)))
    assert settled(site) == 1
    with site.database.read() as session:
        assert not uncorrected.is_open(session, uuid.UUID(str(study)))
        assert not uncorrected.any_open(session)


def test_a_file_is_as_long_as_it_says_whether_it_is_corrected_while_it_is_read_or_large_or_says_it_already(
    site: WebSite, root: Login, officer: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_bytes(site, root, {"other.dcm": changed("1.2.3.4.5", AccessionNumber="A-9")})
    with site.database.read() as session:
        found = find_instances(session, site.clock.now(), organisation_id=site.organisation_id)
    put_right(site, officer, only_study(root)["id"], {"accession_number": "A-9"})
    given: dict[int, list[bytes]] = {}
    for most in (1000, corrected.LARGEST):
        monkeypatch.setattr(corrected, "LARGEST", most)
        for ref in found:
            answer = root.http.get(f"/api/instances/{ref.id}/file")
            assert int(answer.headers["content-length"]) == len(answer.content)
            assert pydicom.dcmread(io.BytesIO(answer.content)).AccessionNumber == "A-9"
            given.setdefault(most, []).append(answer.content)
            assert sum(map(len, site.services.reader.stream(ref))) == site.services.reader.measured(ref)[0]
    large, small = given.values()
    assert large == small, "from a new header and the rest the same bytes come"
    monkeypatch.setattr(corrected, "LARGEST", 1000)
    assert settled(site) == 1
    with site.database.read() as session:
        written = find_instances(session, site.clock.now(), organisation_id=site.organisation_id)
    for ref in written:
        data_set = site.services.reader.received(ref)
        assert [file.endswith(data_set) for file in large].count(True) == 1, "what is written is what was given"


def test_what_cannot_be_corrected_is_refused_before_its_first_byte(
    site: WebSite, root: Login, officer: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_right(site, officer, only_study(root)["id"], {"patient_name": "Łoś^Ewa"})
    monkeypatch.setattr(corrected, "reidentify", Mock(side_effect=NotWritable))
    with site.database.read() as session:
        (ref,) = find_instances(session, site.clock.now(), organisation_id=site.organisation_id)
    with pytest.raises(corrected.NotYetCorrected):
        site.services.reader.stream(ref)
    assert root.http.get(f"/api/instances/{ref.id}/file").json()["code"] == "not-yet-corrected"


def test_a_corrected_study_says_so_everywhere_and_keeps_what_it_said(
    site: WebSite, root: Login, officer: Login
) -> None:
    compact(site)
    study, received = only_study(root)["id"], pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    one = entered(officer, "correction", issuer_of(site))
    path = f"requests/{one['id']}/correction"
    values = {"patient_name": "Richtig^Rita", "patient_id": "R-77", "birth_date": "19700203"}
    wanted: dict[str, Any] = {"revision": 1, "studies": [study], "values": values}
    assert asked(officer, "POST", path, wanted, 409)["code"] == "requester-unverified"
    one, wanted["revision"] = verified(officer, one), 2
    assert asked(officer, "POST", path, wanted, 409)["code"] == "study-arriving"
    completed(site)
    for bad in ({"birth_date": "19701340"}, {"sex": "X"}, {"description": "a\\b"}):
        assert asked(officer, "POST", path, wanted | {"values": bad}, 400)["field"] == next(iter(bad))
    (change,) = asked(officer, "POST", path, wanted)["studies"]
    assert (change["before"]["patient_name"], change["after"]["patient_name"]) == (
        str(received.PatientName),
        "Richtig^Rita",
    )
    assert patient_of(root) == "1CT1", "nothing is changed by looking"
    wanted["carry_out"] = True
    assert asked(officer, "POST", path, wanted, 400)["field"] == "reason"
    asked(officer, "POST", path, wanted | {"reason": "mixed up at the desk"})

    shown = root.http.get(f"/api/studies/{study}").json()["patient"]
    assert (shown["name"], shown["id"], shown["birth_date"]) == ("Richtig^Rita", "R-77", "1970-02-03")
    found = {
        name: root.http.get("/api/studies", params={"text": name}).json()["studies"] for name in ("rita", "compressed")
    }
    assert (len(found["rita"]), found["compressed"]) == (1, [])
    (answer,) = root.http.get("/dicom-web/studies", params={"PatientID": "R-77"}).json()
    assert answer["00100010"]["Value"] == [{"Alphabetic": "Richtig^Rita"}]
    assert settled(site) == 1
    assert settled(site) == 0
    out = sent(root, study)
    assert (out.PatientName, out.PatientID, out.PatientBirthDate) == ("Richtig^Rita", "R-77", "19700203")
    assert out.PixelData == received.PixelData
    (item,) = out.OriginalAttributesSequence
    (before,) = item.ModifiedAttributesSequence
    assert (before.PatientName, before.PatientID) == (received.PatientName, "1CT1")
    assert (item.ReasonForTheAttributeModification, item.ModifyingSystem) == ("CORRECT", "Radrelay, dora")
    (told,) = root.http.get(f"/dicom-web/studies/{out.StudyInstanceUID}/metadata").json()
    assert told["00100020"]["Value"] == ["R-77"]
    with site.database.read() as session:
        assert session.scalars(sa.select(Patient.patient_id)).all() == ["R-77"]
        assert session.scalars(sa.select(Correction.done_at)).one() is not None
        old = session.scalars(sa.select(Instance).where(Instance.corrected.is_(True))).one()
        (ref,) = find_instances(
            session, site.clock.now(), organisation_id=site.organisation_id, instance_ids=[old.id], current=False
        )
    kept = site.services.reader.received(ref)
    assert kept in file_bytes(CT), "what was received is kept, byte for byte"
    assert root.http.get(f"/api/instances/{old.id}/file").status_code == 404

    upload(site, root, CT)
    assert patient_of(root) == "R-77", "the same object sent again changes nothing"
    assert sent(root, study).PatientID == "R-77"
    assert root.http.get("/api/quarantine").json()["quarantined"] == []
    again = verified(officer, entered(officer, "correction", issuer_of(site), patient_id="R-77"))
    completed(site)
    second = wanted | {"values": {"accession_number": "A-9", "patient_name": "Richtig^Ria"}, "reason": "a slip"}
    asked(officer, "POST", f"requests/{again['id']}/correction", second)
    assert settled(site) == 1
    out = sent(root, study)
    assert (out.PatientName, out.PatientID, out.AccessionNumber) == ("Richtig^Ria", "R-77", "A-9")
    first, last = (item.ModifiedAttributesSequence[0] for item in out.OriginalAttributesSequence)
    assert (first.PatientName, last.PatientName) == (received.PatientName, "Richtig^Rita")
    compact(site)
    assert sent(root, study).PatientID == "R-77"
    actions = [event["action"] for event in officer.http.get("/api/audit?limit=200").json()["events"]]
    assert actions.count("study.correct") == 2


def test_a_correction_that_makes_two_patients_one_says_so_before(site: WebSite, root: Login, officer: Login) -> None:
    upload(site, root, "MR_small.dcm")
    completed(site)
    with site.database.read() as session:
        rows = {row.patient_id_value: row for row in session.scalars(sa.select(Study))}
        issuer, other = rows["1CT1"].patient_issuer, next(row for key, row in rows.items() if key != "1CT1")
        target = {"patient_id": other.patient_id_value, "patient_issuer": other.patient_issuer}
        name, study = other.patient_name, str(rows["1CT1"].id)
    body = {"kind": "patient", "value": target["patient_id"], "issuer": target["patient_issuer"], "reason": "staff"}
    assert root.http.post("/api/restrictions", json=body, headers=root.headers).status_code == 201
    one = verified(officer, entered(officer, "correction", issuer))
    wanted = {"revision": 2, "studies": [study], "values": target, "reason": "the wrong card was read"}
    path = f"requests/{one['id']}/correction"
    seen = asked(officer, "POST", path, wanted)
    assert (seen["joins"], seen["joined_names"], seen["left"]) == (1, [name], 0)
    assert (seen["restrictions_before"], seen["restrictions_after"]) == (0, 1)
    asked(officer, "POST", path, wanted | {"carry_out": True})
    assert root.http.get(f"/api/studies/{study}").status_code == 404, "it falls under what restricts its patient"
    with site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Patient)) == 1
    assert settled(site) == 1
