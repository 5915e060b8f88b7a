"""Deleting by DICOMweb: gone at once from every address, noted, and nothing else with it."""

from __future__ import annotations

import sqlalchemy as sa

from radrelay.audit.models import AuditEvent
from tests.archive.house import slices
from tests.web.dicomweb.conftest import Dicomweb

SERIES = "/studies/1.2.9/series/1.2.9.1"


def test_an_instance_a_series_and_a_study_are_deleted(dicomweb: Dicomweb, kept: str) -> None:
    dicomweb.store(*slices(3), *slices(2, study="1.2.7"))
    if kept == "packed":
        dicomweb.compact()
    assert dicomweb.http.delete(f"/dicom-web{SERIES}/instances/1.2.9.1.2").status_code == 204
    assert dicomweb.get(f"{SERIES}/instances/1.2.9.1.2").status_code == 404
    assert dicomweb.get(f"{SERIES}/instances/1.2.9.1.2/metadata").status_code == 404
    assert len(dicomweb.get(f"{SERIES}/metadata").json()) == 2
    assert dicomweb.http.delete(f"/dicom-web{SERIES}/instances/1.2.9.1.2").status_code == 404
    assert dicomweb.http.delete(f"/dicom-web{SERIES}").status_code == 204
    assert [row["0020000D"]["Value"] for row in dicomweb.get("/studies").json()] == [["1.2.7"]]
    assert dicomweb.http.delete("/dicom-web/studies/1.2.7").status_code == 204
    assert dicomweb.get("/studies").json() == []
    assert dicomweb.http.delete("/dicom-web/studies/1.2.7").status_code == 404
    with dicomweb.site.database.read() as session:
        actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action.like("%.delete"))).all()
    assert sorted(actions) == ["instance.delete", "series.delete", "study.delete"]


def test_an_address_that_mixes_studies_deletes_nothing(dicomweb: Dicomweb) -> None:
    dicomweb.store(*slices(1), *slices(1, study="1.2.7"))
    for path in ("/studies/1.2.7/series/1.2.9.1", f"{SERIES}/instances/1.2.7.1.1"):
        assert dicomweb.http.delete(f"/dicom-web{path}").status_code == 404
    assert len(dicomweb.instances()) == 2
