"""What pictures tell of themselves: what was lost of them, doses, mosaics, slides; as real files have it."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.archive.house import wheel_file
from tests.collection import COLLECTION
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import upload_bytes

MOSAIC = "series/siemens-mr-orient/ax/axasc35/MR.1.3.12.2.1107.5.2.32.35131.2014031012493950715786673"
J2KI = "codecs/nema-wg04/J2KI"
GREY, REVERSED, COLOUR = (
    f"seg-sr-wsi/highdicom/sm_image{kind}.dcm" for kind in ("_grayscale", "_grayscale_reversed", "")
)


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def bring(site: WebSite, anna: Login, *files: bytes) -> dict[str, dict[str, Any]]:
    """Bring files; return what the viewer is told of each instance, with its `series_id`, by its UID."""
    upload_bytes(site, anna, {f"{number}.dcm": file for number, file in enumerate(files)})
    found = {}
    for study in anna.http.get("/api/studies").json()["studies"]:
        for series in anna.http.get(f"/api/studies/{study['id']}").json()["series"]:
            for one in anna.http.get(f"/api/series/{series['id']}").json()["instances"]:
                found[one["sop_uid"]] = {**one, "series_id": series["id"]}
    return found


def real(name: str, **changes: Any) -> tuple[bytes, pydicom.Dataset]:
    """Return a real file, some attributes changed (None: taken out), and how pydicom reads it."""
    dataset = pydicom.dcmread(COLLECTION / name)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
        if value is None:
            delattr(dataset, keyword)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue(), dataset


def frame(anna: Login, instance: dict[str, Any], number: int = 1) -> tuple[dict[str, Any], bytes]:
    answer = anna.http.get(f"/api/instances/{instance['id']}/frames/{number}/pixels")
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = json.loads(answer.headers["X-Radrelay-Frame"])
    return facts, answer.content


@pytest.mark.shared
def test_a_picture_says_what_was_lost_of_it_even_where_only_its_code_stream_shows_it(
    site: WebSite, anna: Login
) -> None:
    said, _ = real(f"{J2KI}/NM1_J2KI")
    kept_quiet, quiet = real(
        f"{J2KI}/CT1_J2KI", LossyImageCompression="00", LossyImageCompressionRatio=None, SOPInstanceUID="1.2.9.1"
    )
    near, nearly = real("codecs/nema-wg04/JLSN/NM1_JLSN", LossyImageCompression=None, SOPInstanceUID="1.2.9.2")
    lossless, kept = real("codecs/nema-wg04/J2KR/NM1_J2KR", SOPInstanceUID="1.2.9.3")
    plain = wheel_file("CT_small.dcm")
    found = bring(site, anna, said, kept_quiet, near, lossless, plain)
    told = {uid: frame(anna, one)[0]["loss"] for uid, one in found.items()}
    blurred = pydicom.dcmread(COLLECTION / J2KI / "NM1_J2KI")
    assert told.pop(blurred.SOPInstanceUID) == {"ratios": [2097.0]}
    assert told.pop(quiet.SOPInstanceUID) == {"ratios": []}
    assert told.pop(nearly.SOPInstanceUID) == {"ratios": [float(nearly.LossyImageCompressionRatio)]}
    assert told.pop(kept.SOPInstanceUID) is None
    assert list(told.values()) == [None]
    # 250 bytes are all of it: very blurred, and as pydicom reads it
    samples = np.frombuffer(frame(anna, found[blurred.SOPInstanceUID])[1], "<i2").reshape(1024, 256)
    assert np.array_equal(samples, blurred.pixel_array)


@pytest.mark.shared
def test_a_dose_is_in_gray_or_relative_and_a_mosaic_lies_nowhere(site: WebSite, anna: Login) -> None:
    one, dose = real("misc/pydicom-wheel/rtdose_1frame.dcm", SOPInstanceUID="1.2.9.1", DoseUnits="GY")
    other, relative = real(
        "misc/pydicom-wheel/rtdose_1frame.dcm", SOPInstanceUID="1.2.9.2", DoseUnits="RELATIVE", DoseGridScaling="0.5"
    )
    many, mosaic = real(MOSAIC)
    found = bring(site, anna, one, other, many)
    facts, data = frame(anna, found[dose.SOPInstanceUID])
    assert (facts["pixel_unit"], facts["slope"], facts["intercept"]) == ("Gy", float(dose.DoseGridScaling), 0)
    grays = np.frombuffer(data, "<u4").reshape(10, 10) * facts["slope"]
    assert np.allclose(grays, dose.pixel_array * float(dose.DoseGridScaling))
    facts, _ = frame(anna, found[relative.SOPInstanceUID])
    assert (facts["pixel_unit"], facts["slope"]) == ("{relative}", 0.5)

    assert found[mosaic.SOPInstanceUID]["position"] == []
    planes = anna.http.get(f"/api/instances/{found[mosaic.SOPInstanceUID]['id']}/planes").json()
    assert planes["planes"] == []
    facts, _ = frame(anna, found[mosaic.SOPInstanceUID])  # the sides of its slices, and their lengths, are known
    assert facts["orientation"] == pytest.approx(list(mosaic.ImageOrientationPatient))
    assert facts["pixel_spacing"] == list(mosaic.PixelSpacing)


@pytest.mark.shared
def test_slides_of_one_size_are_slides_of_their_own_and_each_is_seen_with_one_window(
    site: WebSite, anna: Login
) -> None:
    grey, first = real(GREY)
    backwards, second = real(REVERSED)
    found = bring(site, anna, grey, backwards)
    series = found[first.SOPInstanceUID]["series_id"]
    pyramids = anna.http.get(f"/api/series/{series}/slide").json()["pyramids"]
    ids = {found[one.SOPInstanceUID]["id"] for one in (first, second)}
    assert {level["instance_id"] for one in pyramids for level in one["levels"]} == ids
    assert [len(one["levels"]) for one in pyramids] == [1, 1]
    for one in pyramids:
        window = one["window"]
        source = first if one["levels"][0]["instance_id"] == found[first.SOPInstanceUID]["id"] else second
        most = source.pixel_array.max()
        for number in (1, 13, 25):
            address = f"/api/instances/{one['levels'][0]['instance_id']}/frames/{number}/rendered"
            shown = anna.http.get(
                address, params={"center": window["center"], "window": window["width"], "form": "png"}
            )
            grey_of_tile = np.asarray(Image.open(io.BytesIO(shown.content)))
            assert np.array_equal(grey_of_tile, np.rint(source.pixel_array[number - 1] / most * 255))


@pytest.mark.shared
def test_levels_of_one_slide_go_together_and_a_colour_slide_needs_no_window(site: WebSite, anna: Login) -> None:
    whole, first = real(COLOUR)
    coarse, second = real(COLOUR, SOPInstanceUID="1.2.9.1")
    half, _ = real(
        COLOUR, SOPInstanceUID="1.2.9.2", TotalPixelMatrixColumns=20, TotalPixelMatrixRows=20, NumberOfFrames=4,
        PixelData=second.PixelData[: 4 * 300],
    )  # fmt: skip
    found = bring(site, anna, whole, half)
    address = f"/api/series/{found[first.SOPInstanceUID]['series_id']}/slide"
    (pyramid,) = anna.http.get(address).json()["pyramids"]
    assert [level["columns"] for level in pyramid["levels"]] == [50, 20]
    assert (pyramid["window"], pyramid["loss"]) == (None, None)
    bring(site, anna, coarse)  # of the same size: whose the coarse level is, nobody can tell
    assert [len(one["levels"]) for one in anna.http.get(address).json()["pyramids"]] == [1, 1, 1]
