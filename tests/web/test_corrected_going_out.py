"""Objects of a corrected study as they leave: by WADO-RS, by C-STORE to a real receiver, by a link's download."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset, FileDataset

from radrelay.app.stored import ArchiveSource, DicomCarrier
from radrelay.archive.models import Instance
from radrelay.dicom.syntaxes import J2K_LOSSLESS
from radrelay.routing import deliveries
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.models import Delivery
from radrelay.storage import outbox
from tests.system.peers import storescp
from tests.web.conftest import Login, WebSite
from tests.web.dicomweb.conftest import parts_of
from tests.web.test_corrections import completed, settled
from tests.web.test_data_subjects import compact, entered, issuer_of, officer, root, verified
from tests.web.test_incidents import asked
from tests.web.test_links import make, opened, token_of
from tests.web.test_studies import CT, file_bytes, only_study

__all__ = ["officer", "root"]

VALUES = {
    "patient_name": "Richtig^Ríta", "patient_id": "R-77", "birth_date": "19700203", "sex": "F",
    "accession_number": "A-9", "description": "Head, corrected", "referring_physician": "Arzt^Anna",
}  # fmt: skip
KEYWORDS = {
    "patient_name": "PatientName", "patient_id": "PatientID", "birth_date": "PatientBirthDate", "sex": "PatientSex",
    "accession_number": "AccessionNumber", "description": "StudyDescription",
    "referring_physician": "ReferringPhysicianName",
}  # fmt: skip


def by_wado(root: Login, uid: str, syntax: str = "*") -> FileDataset:
    answer = root.http.get(
        f"/dicom-web/studies/{uid}",
        headers={"Accept": f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'},
    )
    assert answer.status_code == 200, answer.text
    (body,) = parts_of(answer).bodies
    return pydicom.dcmread(io.BytesIO(body))


def by_file(site: WebSite, root: Login) -> FileDataset:
    with site.database.read() as session:
        one = session.scalars(sa.select(Instance.id).where(Instance.current)).one()
    answer = root.http.get(f"/api/instances/{one}/file")
    assert int(answer.headers["content-length"]) == len(answer.content)
    return pydicom.dcmread(io.BytesIO(answer.content))


def by_metadata(root: Login, uid: str, mark: str) -> Dataset:
    answer = root.http.get(f"/dicom-web/studies/{uid}/metadata", headers={"If-None-Match": mark})
    assert answer.status_code == 200, "what was kept of it before does not count"
    (one,) = answer.json()
    return Dataset.from_json(one, bulk_data_uri_handler=lambda tag, vr, uri: b"")


def by_link(site: WebSite, root: Login, study: str, *, renamed: bool = True) -> FileDataset:
    browser = opened(site, make(site, root, studies=[study], may_download=True))
    content = browser.http.get(f"/api/studies/{study}/archive.zip").content
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        (name,) = [name for name in made.namelist() if name.startswith("DICOM/")]
        records = pydicom.dcmread(io.BytesIO(made.read("DICOMDIR"))).DirectoryRecordSequence
        (patient,) = [record for record in records if record.DirectoryRecordType == "PATIENT"]
        assert ((patient.PatientID, str(patient.PatientName)) == ("R-77", VALUES["patient_name"])) is renamed
        return pydicom.dcmread(io.BytesIO(made.read(name)))


def by_exchange(site: WebSite, root: Login, study: str) -> FileDataset:
    """Fetch a study as another house's importer does; what it was known by before a correction is known no more."""
    token = token_of(make(site, root, studies=[study], may_download=True, protection="pin", pin="481516"))
    program = site.client("198.51.100.7")
    given = {"tfaAnswer": [{"questionId": "1", "answer": "481516"}]}
    ticket = program.post(f"/dlx/v1/tokentfa/{token}", json=given).text
    answer = program.get("/dlx/v1/downloadall", headers={"Authorization": f"Bearer {ticket}"})
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as made_of:
        assert made_of.testzip() is None
        (name,) = [name for name in made_of.namelist() if name.startswith("DICOM/")]
        assert b"CompressedSamples" not in made_of.read("IHE_XDM/SUBSET01/METADATA.XML")
        return pydicom.dcmread(io.BytesIO(made_of.read(name)))


def by_store(site: WebSite, root: Login, study: str, folder: Path) -> FileDataset:
    with storescp(folder) as receiver:
        node = {"name": folder.name, "ae_title": "PACS", "host": "127.0.0.1", "port": receiver.port}
        destination = root.http.post("/api/destinations", json=node, headers=root.headers).json()["id"]
        order = {"study_id": study, "destination_id": destination}
        made = root.http.post("/api/deliveries", json=order, headers=root.headers)
        assert made.status_code in (200, 201, 202), made.text
        source = ArchiveSource(site.database, site.clock, site.services.reader)
        work = DeliveryWork(
            site.database, site.clock, site.settings.work, source, {"dicom": DicomCarrier(site.settings.dicom)}
        )  # fmt: skip
        with site.database.write() as session:
            deliveries.emit_due(session, site.clock)
            events = outbox.open_events(session, [deliveries.ATTEMPT])
            outbox.mark_taken(session, [event.id for event in events], site.clock.now())
        for event in events:
            work.attempt(event)
        with site.database.read() as session:
            assert {one.state for one in session.query(Delivery)} == {"done"}
    (path,) = list(folder.iterdir())
    return pydicom.dcmread(path)


@pytest.mark.timeout(120)
def test_a_corrected_object_leaves_with_the_new_values_by_every_way_before_it_is_written_and_after(
    site: WebSite, root: Login, officer: Login, tmp_path: Path
) -> None:
    received = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    compact(site)
    completed(site)
    study: Any = only_study(root)["id"]
    uid = received.StudyInstanceUID
    marks = [root.http.get(f"/dicom-web/studies/{uid}/metadata").headers["etag"]]
    by_link(site, root, study, renamed=False)
    one = verified(officer, entered(officer, "correction", issuer_of(site)))
    wanted = {"revision": 2, "studies": [study], "values": VALUES, "reason": "mixed up at the desk", "carry_out": True}
    asked(officer, "POST", f"requests/{one['id']}/correction", wanted)
    site.clock.advance(timedelta(minutes=1))
    for folder in ("before", "after"):
        marks.append(root.http.get(f"/dicom-web/studies/{uid}/metadata").headers["etag"])
        out = {
            "WADO-RS": by_wado(root, uid), "WADO-RS, compressed": by_wado(root, uid, J2K_LOSSLESS),
            "metadata": by_metadata(root, uid, marks[-2]), "a file": by_file(site, root),
            "a link": by_link(site, root, study), "DICOM Link Exchange": by_exchange(site, root, study),
            "C-STORE": by_store(site, root, study, tmp_path / folder),
        }  # fmt: skip
        for way, data in out.items():
            says_what_was_corrected(data, received, way)
        if folder == "before":
            assert settled(site) == 1, "it is written anew all the same"
    assert len(set(marks)) == 3


def says_what_was_corrected(data: Any, received: FileDataset, way: str) -> None:
    for name, value in VALUES.items():
        assert str(data[KEYWORDS[name]].value) == value, (way, name)
    (item,) = data.OriginalAttributesSequence
    (before,) = item.ModifiedAttributesSequence
    for name, keyword in KEYWORDS.items():
        said = str(before[keyword].value if keyword in before else "")
        assert said == str(received.get(keyword, "")), (way, name)
    told = (item.ReasonForTheAttributeModification, item.ModifyingSystem, item.SourceOfPreviousValues)
    assert told == ("CORRECT", "Radrelay, dora", "Radrelay"), way
    assert item.AttributeModificationDateTime.startswith("20260301"), way
    assert (data.SOPInstanceUID, data.SOPClassUID) == (received.SOPInstanceUID, received.SOPClassUID), way
    assert (data.StudyInstanceUID, data.SeriesInstanceUID) == (received.StudyInstanceUID, received.SeriesInstanceUID)
    assert data.SpecificCharacterSet, "the name's letters can be read"
    if isinstance(data, FileDataset):
        meta = data.file_meta
        assert meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID == received.SOPInstanceUID, way
        assert meta.MediaStorageSOPClassUID == data.SOPClassUID, way
        assert (data.pixel_array == received.pixel_array).all(), way
        others = {elem.keyword for elem in received} - set(KEYWORDS.values()) - {"SpecificCharacterSet", "PixelData"}
        for keyword in filter(None, others):
            assert data[keyword] == received[keyword], (way, keyword)
