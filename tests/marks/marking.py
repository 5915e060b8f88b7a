"""What tests of marks have in common: a study of two series on the site, and bodies as the viewer sends them."""

from __future__ import annotations

import io
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pydicom
import sqlalchemy as sa
from pydicom.dataset import Dataset

from radrelay.archive.cited import space_of
from radrelay.archive.models import Instance, Series, Study
from tests.archive.house import made
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import upload_bytes

STUDY_UID = "1.2.826.0.1.3680043.10.511.3"


@dataclass(frozen=True)
class Shelf:
    """A study with its series, and the first instance of each."""

    study: uuid.UUID
    series: list[uuid.UUID]
    instances: list[uuid.UUID]


def two_series(site: WebSite, login: Login) -> Shelf:
    """Upload a study of a CT and an MR series."""
    files = {
        "ct.dcm": made("CT_small.dcm", StudyInstanceUID=STUDY_UID, SeriesInstanceUID=f"{STUDY_UID}.1", **SAME),
        "mr.dcm": made("MR_small.dcm", StudyInstanceUID=STUDY_UID, SeriesInstanceUID=f"{STUDY_UID}.2", **SAME),
    }
    upload_bytes(site, login, files)
    return shelf(site)


SAME = {"PatientID": "P1", "PatientName": "Müller^Änne", "SpecificCharacterSet": "ISO_IR 192", "PatientBirthDate": ""}


def shelf(site: WebSite) -> Shelf:
    """Return the only study of the site."""
    with site.database.read() as session:
        study = session.scalars(sa.select(Study.id)).one()
        rows = session.execute(
            sa.select(Series.id, sa.func.min(Instance.sop_uid)).join(Instance, Instance.series_id == Series.id)
            .where(Series.modality.in_(("CT", "MR"))).group_by(Series.id, Series.modality).order_by(Series.modality)
        ).all()  # fmt: skip
        instances = [session.scalars(sa.select(Instance.id).where(Instance.sop_uid == uid)).one() for _, uid in rows]
    return Shelf(study, [row[0] for row in rows], instances)


def length(instance: uuid.UUID, revision: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a body that measures a length."""
    body = {
        "kind": "length", "instance_id": str(instance), "frame": 1, "points": [[10.5, 20.25], [40.0, 60.5]],
        "text": "", "values": [{"name": "length", "value": 33.3333333333333357, "unit": "mm"}], "revision": revision,
    }  # fmt: skip
    return {**body, **changes}


def in_space(site: WebSite, series: uuid.UUID, revision: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a body that measures a length in the patient, in the frame of reference of a series."""
    with site.database.read() as session:
        attributes = session.scalars(sa.select(Series.attributes).where(Series.id == series)).one()
    points = [[-10.5, 20.25, 1000.125], [19.5, 60.25, 1000.125]]
    space = {"series_id": str(series), "frame_of_reference": space_of(attributes), "points": points}
    values = [{"name": "length", "value": 50.0, "unit": "mm"}]
    return {"kind": "length", "space": space, "values": values, "revision": revision, **changes}


def put(login: Login, study: uuid.UUID, mark: uuid.UUID, body: dict[str, Any]) -> httpx.Response:
    return login.http.put(f"/api/studies/{study}/marks/{mark}", json=body, headers=login.headers)


def delete(login: Login, study: uuid.UUID, mark: uuid.UUID, revision: int) -> httpx.Response:
    address = f"/api/studies/{study}/marks/{mark}"
    return login.http.delete(address, params={"revision": revision}, headers=login.headers)


def listed(login: Login, study: uuid.UUID) -> dict[str, Any]:
    answer = login.http.get(f"/api/studies/{study}/marks")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def file(login: Login, study: uuid.UUID) -> list[dict[str, Any]]:
    answer = login.http.post(f"/api/studies/{study}/marks/file", headers=login.headers)
    assert answer.status_code == 202, answer.text
    objects: list[dict[str, Any]] = answer.json()["objects"]
    return objects


def opened(file: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(file))


def complaints(file: bytes, folder: Path) -> list[str]:
    """Return what dicom3tools' dciodvfy calls an error in an object."""
    path = folder / f"{uuid.uuid4()}.dcm"
    path.write_bytes(file)
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=60, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    return [line for line in lines if line.startswith(("Error", "Abort"))]
