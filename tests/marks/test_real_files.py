"""Marks on pictures of real devices: what is filed of them is valid, and refers to what was marked."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.archive.models import Instance, Study
from radrelay.dicom import phantoms
from radrelay.dicom.phantoms import Kind
from radrelay.intake.models import Quarantined
from radrelay.marks.objects.report_reading import read_report
from tests.marks.marking import complaints, file, length, put
from tests.marks.test_filing import objects
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import anna, upload_bytes

__all__ = ["anna"]

WORDS = "Größe Ωδή 日本"
FILES = [
    "cd/pydicom-dicomdirtests/77654033/CR1/6154",
    "cd/pydicom-dicomdirtests/77654033/CT2/17106",
    "cd/pydicom-dicomdirtests/98892003/MR1/15820",
    "charset/pydicom-charset/chrArab.dcm",
    "charset/pydicom-charset/chrH32.dcm",
    "charset/pydicom-charset/chrGreek.dcm",
    "charset/pydicom-charset/chrGerm.dcm",
    "codecs/cornerstone-dicomParser/encapsulated/multi-frame/CT0012.explicit_little_endian.dcm",
    "codecs/cornerstone-dicomParser/encapsulated/multi-frame/IM00001.implicit_little_endian.dcm",
    "codecs/nema-wg04/REF/US1_UNC",
    "codecs/pydicom-data/OBXXXX1A.dcm",
    "codecs/pydicom-data/OBXXXX1A_rle_2frame.dcm",
    "codecs/pydicom-data/emri_small.dcm",
    "codecs/pydicom-data/vlut_04.dcm",
    "codecs/pydicom-data/parametric_map_double_float.dcm",
    "misc/orthanc-tests/2021-02-19-MalaterreCP246.dcm",
    "misc/orthanc-tests/Issue16.dcm",
    "misc/orthanc-tests/UnknownSopClassUid.dcm",
]
FRAMES_OF_A_ONE_FRAME_CLASS = "misc/orthanc-tests/MultiframeWindowing.dcm"
TABLE_OF_12_BITS = "misc/orthanc-tests/KarstenHilbertRF.dcm"


def mark_and_file(site: WebSite, login: Login, content: bytes) -> None:
    """Put marks on the first and last frame of an uploaded file, and file them."""
    upload_bytes(site, login, {"a.dcm": content})
    with site.database.read() as session:
        instance = session.scalars(sa.select(Instance).where(Instance.rows.is_not(None))).first()
        assert instance is not None, [row.reason for row in session.scalars(sa.select(Quarantined))]
    changes: list[dict[str, Any]] = [
        {"text": WORDS},
        {"kind": "ellipse", "points": [[1, 2], [3, 2], [2, 1], [2, 3]]},
        {"kind": "arrow", "points": [[3, 3], [1, 1]], "values": [], "text": WORDS},
        {"kind": "key", "points": [], "values": []},
    ]
    for frame in {1, instance.frames}:
        for change in changes:
            body = length(instance.id, **{"points": [[1, 1], [3, 3]], **change, "frame": frame})
            answer = put(login, instance.study_id, uuid.uuid4(), body)
            assert answer.status_code == 200, answer.text
    assert {one["kind"] for one in file(login, instance.study_id)} == {"key-objects", "presentation", "report"}
    site.index()
    with site.database.read() as session:
        assert session.scalars(sa.select(Quarantined.reason)).all() == []
        study = session.scalars(sa.select(Study)).one()
    for made in objects(site):
        assert str(made.PatientName) == study.patient_name
    (report,) = objects(site, "SR")
    assert {mark.frame for mark in read_report(report)} == {1, instance.frames}
    assert {mark.sop_uid for mark in read_report(report)} == {instance.sop_uid}


def said_of_all(site: WebSite, login: Login, study: uuid.UUID, folder: Path) -> list[str]:
    """Return what dciodvfy says of the objects as they are downloaded again."""
    detail = login.http.get(f"/api/studies/{study}").json()
    found = []
    for series in detail["series"]:
        if series["modality"] in ("SR", "PR", "KO") and series["series_uid"].startswith("2.25."):
            for instance in login.http.get(f"/api/series/{series['id']}").json()["instances"]:
                content = login.http.get(f"/api/instances/{instance['id']}/file").content
                found += complaints(content, folder)
    return found


def only_study(site: WebSite) -> uuid.UUID:
    with site.database.read() as session:
        return session.scalars(sa.select(Study.id)).one()


@pytest.mark.parametrize("name", FILES)
def test_marks_on_a_real_picture_make_valid_objects(
    site: WebSite, anna: Login, shared_data: Path, tmp_path: Path, name: str
) -> None:
    mark_and_file(site, anna, (shared_data / name).read_bytes())
    assert said_of_all(site, anna, only_study(site), tmp_path) == []


def test_a_modality_table_keeps_its_units(site: WebSite, anna: Login, shared_data: Path, tmp_path: Path) -> None:
    """dciodvfy takes entries that do not use all of 16 bits for a mistake; scaled, they were other values."""
    mark_and_file(site, anna, (shared_data / TABLE_OF_12_BITS).read_bytes())
    said = said_of_all(site, anna, only_study(site), tmp_path)
    assert all("LookupTableData bad - Modality LUT" in line for line in said)


def test_a_frame_is_named_where_the_class_of_the_picture_knows_none(
    site: WebSite, anna: Login, shared_data: Path, tmp_path: Path
) -> None:
    """An MR Image of four frames is against the standard; without their numbers nobody knew which is meant."""
    mark_and_file(site, anna, (shared_data / FRAMES_OF_A_ONE_FRAME_CLASS).read_bytes())
    said = said_of_all(site, anna, only_study(site), tmp_path)
    assert all("that is not multi-frame - attribute <ReferencedFrameNumber>" in line for line in said)


@pytest.mark.parametrize("kind", ["cr-chest", "mg", "us-heart", "mr-head"])
def test_marks_on_a_phantom_make_valid_objects(site: WebSite, anna: Login, tmp_path: Path, kind: Kind) -> None:
    content = next(iter(phantoms.study(kind, seed=1, slices=1)))
    mark_and_file(site, anna, content)
    assert said_of_all(site, anna, only_study(site), tmp_path) == []
