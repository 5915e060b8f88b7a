"""A local ONNX model: what it finds in a volume comes back as a segmentation of it."""

from __future__ import annotations

import io
import json
import struct
import uuid
from pathlib import Path

import numpy as np
import pydicom
import pytest

from radrelay.analysis.kinds import Model, Segment
from radrelay.analysis.model import nearest, resampled, segmented
from radrelay.archive.models import Series
from tests.analysis.lab import open_lab
from tests.archive.house import made
from tests.web.test_studies import upload_bytes

STUDY_UID = "1.2.826.0.1.3680043.10.511.9"
THRESHOLD = 0.5


def _number(value: int) -> bytes:
    parts = b""
    while value > 0x7F:
        parts += bytes([value & 0x7F | 0x80])
        value >>= 7
    return parts + bytes([value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    raw = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(raw)) + raw


def _tensor(name: str) -> bytes:
    shape = b"".join(_field(1, _field(2, f"{name}{axis}")) for axis in range(5))
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def _node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    return _field(1, b"".join(_field(1, one) for one in inputs) + _field(2, output) + _field(4, kind) + attributes)


def threshold_model() -> bytes:
    """Return a model of two channels, of which the second is higher where the input is above one half."""
    constant = _field(2, 1) + _field(9, struct.pack("<f", THRESHOLD)) + _field(8, "half")
    axis = _field(5, _field(1, "axis") + _field(3, 1) + _field(20, 2))
    nodes = (
        _node("Sub", ["x", "half"], "above") + _node("Sub", ["half", "x"], "below")
        + _node("Concat", ["below", "above"], "y", axis)
    )  # fmt: skip
    graph = nodes + _field(2, "threshold") + _field(5, constant) + _field(11, _tensor("x")) + _field(12, _tensor("y"))
    return _field(1, 8) + _field(8, _field(2, 17)) + _field(7, graph)


def test_a_volume_is_normalised_resampled_and_its_labels_lie_where_it_is_high(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(threshold_model())
    volume = np.zeros((4, 20, 20), dtype=np.float32)
    volume[1:3, 5:15, 5:15] = 1000
    said = Model("m.onnx", (Segment(1, "high"),), least=0, most=500, divide=500, spacing_mm=(5.0, 2.0, 2.0))
    labels = segmented(volume, (5.0, 1.0, 1.0), said, tmp_path)
    assert labels.shape == volume.shape
    assert np.array_equal(labels[2, 6:14, 6:14], np.ones((8, 8)))
    assert labels[0].sum() == labels[3].sum() == 0
    ramp = np.arange(8, dtype=np.float32).reshape(1, 1, 8)
    assert resampled(ramp, [1, 1, 4]).ravel() == pytest.approx([0.5, 2.5, 4.5, 6.5])
    assert nearest(np.arange(4, dtype=np.uint8).reshape(1, 1, 4), (1, 1, 8)).ravel().tolist() == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]


def test_a_model_s_segmentation_joins_the_study(tmp_path: Path) -> None:
    place = tmp_path / "kinds" / "bright"
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(threshold_model())
    said = {
        "name": "bright", "title": "Bright", "version": "3", "modalities": ["CT"],
        "model": {"file": "model.onnx", "least": 0, "most": 200, "divide": 200,
                  "segments": [{"value": 1, "label": "Bright"}]},
    }  # fmt: skip
    (place / "analysis.json").write_text(json.dumps(said))
    with open_lab(tmp_path) as lab:
        assert lab.root.http.put("/api/analyses/bright", json={"enabled": True}, headers=lab.root.headers).is_success
        slices = {
            f"{number}.dcm": made(
                "CT_small.dcm", StudyInstanceUID=STUDY_UID, SeriesInstanceUID=f"{STUDY_UID}.1", PatientID="P9",
                SOPInstanceUID=f"{STUDY_UID}.1.{number + 1}", ImagePositionPatient=[0, 0, 5.0 * number],
            )
            for number in range(3)
        }  # fmt: skip
        upload_bytes(lab.site, lab.root, slices)
        studies = lab.root.http.get("/api/studies").json()["studies"]
        study = next(one["id"] for one in studies if one["instance_count"] == 3)
        asked = lab.root.http.post(f"/api/studies/{study}/analyses", json={"kind": "bright"}, headers=lab.root.headers)
        run = lab.attempt(asked.json()["id"])
        assert run["state"] == "done", run
        [series] = run["results"]
        with lab.site.database.read() as session:
            assert session.get_one(Series, uuid.UUID(series["series_id"])).modality == "SEG"
        [instance] = lab.root.http.get(f"/api/series/{series['series_id']}").json()["instances"]
        kept = lab.root.http.get(f"/api/instances/{instance['id']}/file").content
        segmentation = pydicom.dcmread(io.BytesIO(kept))
        assert segmentation.SegmentSequence[0].SegmentLabel == "Bright"
        assert {str(one) for one in (segmentation.StudyInstanceUID, segmentation.PatientID)} == {STUDY_UID, "P9"}
        expected = sum((pydicom.dcmread(io.BytesIO(one)).pixel_array - 1024 > 100).sum() for one in slices.values())
        assert segmentation.pixel_array.sum() == expected > 0
        findings = lab.root.http.get(f"/api/analysis-runs/{run['id']}/findings").json()
        assert findings["segments"][0]["ml"] > 0
