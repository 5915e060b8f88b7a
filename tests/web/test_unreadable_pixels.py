"""Objects whose headers promise more pixels than there are: what the viewer is told of them."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pydicom
import pydicom.encaps
import pytest
from PIL import Image
from pydicom.uid import UID

from tests.web.conftest import Login, WebSite
from tests.web.test_studies import file_bytes, upload_bytes

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def changed(**changes: Any) -> bytes:
    """Return the CT of the other tests with other attributes."""
    dataset = pydicom.dcmread(io.BytesIO(file_bytes("CT_small.dcm")))
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def opened(site: WebSite, login: Login, file: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bring a file in; return its series and its instance as the viewer reads them."""
    upload_bytes(site, login, {"one.dcm": file})
    study = login.http.get("/api/studies").json()["studies"][0]["id"]
    series = login.http.get(f"/api/studies/{study}").json()["series"][0]
    return series, login.http.get(f"/api/series/{series['id']}").json()["instances"][0]


def facts_of(login: Login, instance: dict[str, Any], number: int = 1) -> dict[str, Any]:
    answer = login.http.get(f"/api/instances/{instance['id']}/frames/{number}/pixels")
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = json.loads(answer.headers["X-Radrelay-Frame"])
    return facts


def test_a_frame_whose_end_never_came_says_how_much_is_missing(site: WebSite, anna: Login) -> None:
    whole = pydicom.dcmread(io.BytesIO(file_bytes("CT_small.dcm"))).PixelData
    _, instance = opened(site, anna, changed(PixelData=whole[: len(whole) // 4]))
    facts = facts_of(anna, instance)
    assert facts["cut"] is True
    assert facts["missing"] == pytest.approx(0.75)


def test_the_thumbnail_of_a_cut_picture_is_hatched_where_nothing_came(site: WebSite, anna: Login) -> None:
    whole = pydicom.dcmread(io.BytesIO(file_bytes("CT_small.dcm"))).PixelData
    series, _ = opened(site, anna, changed(PixelData=whole[: len(whole) // 4]))
    small = f"/api/series/{series['id']}/thumbnail"
    rendered = f"/dicom-web/studies/{pydicom.dcmread(io.BytesIO(changed())).StudyInstanceUID}/rendered"
    for address, form in ((small, "image/jpeg"), (rendered, "image/png")):
        answer = anna.http.get(address, headers={"Accept": form})
        assert answer.status_code == 200, answer.text
        picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
        amber = picture[..., 0] - picture[..., 2] > 60
        rows = len(picture)
        assert not amber[: rows // 4 - 4].any(), "what came is grey"
        assert 0.05 < amber[rows // 4 + 4 :].mean() < 0.5, "hatched, not filled"


def test_a_whole_frame_is_not_called_cut_and_tells_where_it_lies(site: WebSite, anna: Login) -> None:
    series, instance = opened(site, anna, changed())
    assert series["pictured"] is True
    facts = facts_of(anna, instance)
    assert (facts["cut"], facts["missing"], facts["frames"], facts["frames_named"]) == (False, 0.0, 1, 1)
    assert facts["orientation"] == [1, 0, 0, 0, 1, 0]
    assert facts["pixel_spacing"] == pytest.approx([0.661468, 0.661468])
    assert facts["imager_spacing"] is None


def test_frames_are_those_that_can_be_read_whatever_the_header_names(site: WebSite, anna: Login) -> None:
    series, instance = opened(site, anna, changed(NumberOfFrames=2_147_483_647))
    assert anna.http.get(f"/api/series/{series['id']}/thumbnail").content[:2] == b"\xff\xd8"
    assert (instance["frames"], instance["frames_named"]) == (1, 2_147_483_647)
    facts = facts_of(anna, instance)
    assert (facts["frames"], facts["frames_named"]) == (1, 2_147_483_647)


def test_an_object_with_rows_but_no_pixels_is_no_picture(site: WebSite, anna: Login) -> None:
    series, instance = opened(site, anna, changed(PixelData=None))
    assert (instance["viewable"], instance["why_not_code"]) == (False, "no-pixels")
    assert anna.http.get(f"/api/series/{series['id']}/thumbnail").status_code == 204
    refused = anna.http.get(f"/api/instances/{instance['id']}/frames/1/pixels")
    assert (refused.status_code, refused.json()["code"]) == (400, "not-viewable")


@pytest.mark.parametrize("bits", [24, 48])
def test_a_depth_that_cannot_be_shown_is_said_before_it_is_asked_for(site: WebSite, anna: Login, bits: int) -> None:
    series, instance = opened(site, anna, changed(BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1))
    assert (instance["viewable"], instance["why_not_code"]) == (False, "unsupported-pixels")
    for way in (f"instances/{instance['id']}/frames/1/pixels", f"series/{series['id']}/thumbnail"):
        assert anna.http.get(f"/api/{way}").status_code < 500


def test_a_study_tells_which_series_hold_pictures(site: WebSite, anna: Login) -> None:
    report = pydicom.dcmread(io.BytesIO(file_bytes("CT_small.dcm")))
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(report, keyword)
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.481.3")
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    report.SeriesInstanceUID, report.Modality, report.SeriesNumber = "1.2.3", "RTSTRUCT", 0
    out = io.BytesIO()
    report.save_as(out)
    upload_bytes(site, anna, {"ct.dcm": changed(), "rt.dcm": out.getvalue()})
    study = anna.http.get("/api/studies").json()["studies"][0]["id"]
    series = anna.http.get(f"/api/studies/{study}").json()["series"]
    assert {one["modality"]: one["pictured"] for one in series} == {"CT": True, "RTSTRUCT": False}


def test_a_code_stream_without_its_end_is_called_cut(site: WebSite, anna: Login) -> None:
    whole = pydicom.dcmread(io.BytesIO(file_bytes("JPEG2000.dcm")))
    _, instance = opened(site, anna, file_bytes("JPEG2000.dcm"))
    assert facts_of(anna, instance)["cut"] is False
    (stream,) = pydicom.encaps.generate_frames(whole.PixelData, number_of_frames=1)
    whole.PixelData = pydicom.encaps.encapsulate([stream[: len(stream) * 3 // 4 & ~1]])
    whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    whole.StudyInstanceUID, whole.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    out = io.BytesIO()
    whole.save_as(out)
    upload_bytes(site, anna, {"cut.dcm": out.getvalue()})
    (study,) = anna.http.get("/api/studies", params={"study_uid": "1.2.3"}).json()["studies"]
    series = anna.http.get(f"/api/studies/{study['id']}").json()["series"][0]["id"]
    (instance,) = anna.http.get(f"/api/series/{series}").json()["instances"]
    answer = anna.http.get(f"/api/instances/{instance['id']}/frames/1/pixels")
    if answer.status_code == 200:
        assert json.loads(answer.headers["X-Radrelay-Frame"])["cut"] is True
    else:
        assert answer.json()["code"] == "broken-pixels"
