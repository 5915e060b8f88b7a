"""A running installation files marks by itself, also when its worker is killed in between."""

from __future__ import annotations

import io
import time
import uuid
from pathlib import Path
from typing import Any

import pydicom

from radrelay.dicom import phantoms
from tests.system.installation import Installation, running, until

RESTS_S = 2


def bring(served: Installation, content: bytes) -> str:
    """Upload a file and return the id of the only instance once it is listed."""
    parcel = served.send("POST", "/api/parcels", {"name": "one"})["id"]
    with served.http() as http:
        answer = http.put(f"/api/parcels/{parcel}/files", params={"name": "a.dcm"}, content=content)
        assert answer.status_code == 200, answer.text
    served.send("POST", f"/api/parcels/{parcel}/done")
    study = until(served.studies, "the study to be listed")[0]["id"]
    (series,) = served.get(f"/api/studies/{study}")["series"]
    found: str = served.get(f"/api/series/{series['id']}")["instances"][0]["id"]
    return found


def reports(served: Installation) -> list[dict[str, Any]]:
    (study,) = served.studies()
    series = served.get(f"/api/studies/{study['id']}")["series"]
    ids = [one["id"] for one in series if one["modality"] == "SR"]
    return [instance for one in ids for instance in served.get(f"/api/series/{one}")["instances"]]


def test_marks_are_filed_by_themselves_once_and_survive_a_killed_worker(tmp_path: Path) -> None:
    with running(tmp_path / "marks", {"RADRELAY_MARKS__FILE_AFTER_S": str(RESTS_S)}) as served:
        instance = bring(served, next(iter(phantoms.study("cr-chest", seed=3))))
        (study,) = served.studies()
        mark, address = uuid.uuid4(), f"/api/studies/{study['id']}/marks"
        body = {
            "kind": "length", "instance_id": instance, "frame": 1, "points": [[10, 20], [30, 40]], "text": "",
            "values": [{"name": "length", "value": 12.5, "unit": "mm"}], "revision": 0,
        }  # fmt: skip
        served.send("PUT", f"{address}/{mark}", body)
        until(lambda: len(reports(served)) == 1, "the marks to be filed")
        served.send("PUT", f"{address}/{mark}", body | {"text": "grown", "revision": 1})
        time.sleep(RESTS_S)
        served.kill("work")
        until(lambda: len(reports(served)) == 2, "the changed marks to be filed")
        time.sleep(3 * RESTS_S)
        found = reports(served)
        assert len(found) == 2, "what was filed is not filed again"
        with served.http() as http:
            files = [http.get(f"/api/instances/{one['id']}/file").content for one in found]
        first, second = sorted(map(pydicom.dcmread, map(io.BytesIO, files)), key=lambda data: int(data.InstanceNumber))
        named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
        assert named.ReferencedSOPInstanceUID == first.SOPInstanceUID
        assert served.get("/api/quarantine")["quarantined"] == []
