"""Metadata: complete, the same from landing records and packs, with a mark of its version."""

from __future__ import annotations

import gzip
import json
import re
from xml.etree import ElementTree

import pydicom
import pytest

from radrelay.web.dicomweb import answering, stow
from radrelay.web.dicomweb.native_model import NAMESPACE, to_xml
from tests.archive.house import WHEEL, made, slices
from tests.web.dicomweb.conftest import Dicomweb, parts_of, settle

NAMES = [
    "CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "rtstruct.dcm", "waveform_ecg.dcm", "test-SR.dcm",
    "JPEG2000.dcm",
]  # fmt: skip


def expected_tags(name: str) -> set[str]:
    data = pydicom.dcmread(WHEEL / name, force=True)
    return {f"{element.tag:08X}" for element in data if element.tag.element}


@pytest.mark.parametrize("name", NAMES)
def test_metadata_holds_every_attribute(dicomweb: Dicomweb, kept: str, name: str) -> None:
    settle(dicomweb, kept, [name])
    (path,) = dicomweb.instances()
    answer = dicomweb.get(f"{path}/metadata")
    assert answer.headers["content-type"] == "application/dicom+json"
    (found,) = answer.json()
    assert expected_tags(name) <= set(found) | {"00080005", "FFFCFFFC"}
    sent = pydicom.dcmread(WHEEL / name, force=True)
    assert found["00080018"]["Value"] == [sent.SOPInstanceUID]
    assert pydicom.Dataset.from_json(json.dumps(found), lambda *_: b"").get("PatientID") == sent.get("PatientID")


def test_contours_longer_than_a_landed_head_are_there_before_packing(dicomweb: Dicomweb) -> None:
    data = pydicom.dcmread(WHEEL / "rtstruct.dcm", force=True)
    points = data.ROIContourSequence[0].ContourSequence[0]
    points.ContourData = [1.25] * 150_000  # some 750 kB of text
    dicomweb.store(made("rtstruct.dcm", ROIContourSequence=data.ROIContourSequence))
    (path,) = dicomweb.instances()
    (found,) = dicomweb.get(f"{path}/metadata").json()
    contour = found["30060039"]["Value"][0]["30060040"]["Value"][0]
    assert len(contour["30060050"]["Value"]) == 150_000
    before = dicomweb.get(f"{path}/metadata").content
    dicomweb.compact()
    assert dicomweb.get(f"{path}/metadata").content == before


def test_a_series_in_several_packs_and_records_is_one_list_in_order(dicomweb: Dicomweb) -> None:
    files = slices(6)
    dicomweb.store(files[4], files[0])
    dicomweb.compact()
    dicomweb.store(files[2], files[5])
    dicomweb.compact()
    dicomweb.store(files[1], files[3])
    for path in ("/studies/1.2.9/metadata", "/studies/1.2.9/series/1.2.9.1/metadata"):
        found = dicomweb.get(path).json()
        assert [one["00200013"]["Value"] for one in found] == [[n] for n in range(1, 7)]
        assert all(one["7FE00010"]["BulkDataURI"].startswith("http://127.0.0.1:8080/dicom-web/") for one in found)
    landed = dicomweb.get("/studies/1.2.9/metadata").json()
    dicomweb.compact()
    assert dicomweb.get("/studies/1.2.9/metadata").json() == landed


def test_an_unchanged_series_costs_nothing(dicomweb: Dicomweb) -> None:
    files = slices(3)
    dicomweb.store(*files[:2])
    path = "/studies/1.2.9/series/1.2.9.1/metadata"
    first = dicomweb.get(path)
    mark = first.headers["etag"]
    again = dicomweb.get(path, headers={"If-None-Match": f'"other", {mark}'})
    assert (again.status_code, again.content) == (304, b"")
    dicomweb.store(files[2])
    changed = dicomweb.get(path, headers={"If-None-Match": mark})
    assert (changed.status_code, len(changed.json())) == (200, 3)
    assert dicomweb.http.delete("/dicom-web" + path.replace("/metadata", "/instances/1.2.9.1.1")).status_code == 204
    assert len(dicomweb.get(path, headers={"If-None-Match": changed.headers["etag"]}).json()) == 2


def test_metadata_is_compressed_for_who_takes_it(dicomweb: Dicomweb) -> None:
    dicomweb.store(*slices(3))
    path = "/studies/1.2.9/metadata"
    plain = dicomweb.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for _ in range(2):  # made, then kept
        with dicomweb.http.stream("GET", f"/dicom-web{path}", headers={"Accept-Encoding": "br, gzip;q=0.8"}) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == plain.content
    with dicomweb.http.stream("GET", f"/dicom-web{path}", headers={"Accept-Encoding": "gzip;q=0"}) as answer:
        assert "content-encoding" not in answer.headers
    assert len(plain.content) > answering.SMALL


def test_metadata_as_xml(dicomweb: Dicomweb) -> None:
    dicomweb.store(*slices(2))
    answer = dicomweb.get("/studies/1.2.9/metadata", 'multipart/related; type="application/dicom+xml"')
    got = parts_of(answer)
    assert got.types == ["application/dicom+xml"] * 2
    root = ElementTree.fromstring(got.bodies[0])
    space = {"n": NAMESPACE}
    assert root.find("n:DicomAttribute[@keyword='PatientID']/n:Value", space).text == "1CT1"  # type: ignore[union-attr]
    family = "n:DicomAttribute[@tag='00100010']/n:PersonName/n:Alphabetic/n:FamilyName"
    assert root.find(family, space).text == "CompressedSamples"  # type: ignore[union-attr]
    assert root.find("n:DicomAttribute[@tag='7FE00010']/n:BulkData", space).get("uri")  # type: ignore[union-attr]
    assert dicomweb.get("/studies/1.2.9/metadata", "text/html").status_code == 406


def test_xml_holds_what_is_strange() -> None:
    strange = {
        "00091001": {"vr": "LO", "Value": ['a<b>&\x01"\ud800', None]},
        "00090010": {"vr": "LO", "Value": ['ACME "1"']},
        "00081140": {"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": ["1.2"]}}, None]},
        "00100010": {"vr": "PN", "Value": [{"Ideographic": "山田^太郎"}, None]},
        "00420011": {"vr": "OB", "InlineBinary": "AAA="},
    }
    root = ElementTree.fromstring(to_xml(strange))
    private = next(one for one in root if one.get("tag") == "00091001")
    assert private.get("privateCreator") == 'ACME "1"'
    assert [value.text for value in private] == ['a<b>&"', None]
    assert re.search("太郎", to_xml(strange).decode())


def test_metadata_that_would_take_the_machines_memory_is_refused(
    dicomweb: Dicomweb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow, "METADATA_LIMIT", 4096)
    body = b"[" + b"{}," * 4000 + b"{}]"
    answer = dicomweb.http.post("/dicom-web/studies", content=body, headers={"Content-Type": "application/dicom+json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-metadata")
    assert "4096" in answer.json()["detail"]
