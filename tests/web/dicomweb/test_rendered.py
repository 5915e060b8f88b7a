"""Rendered pictures, documents and films, and thumbnails."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from tests.archive.house import WHEEL, slices
from tests.web.dicomweb.conftest import Dicomweb, parts_of, settle


def picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_an_instance_is_given_as_a_picture_of_the_kind_asked_for(dicomweb: Dicomweb, kept: str) -> None:
    settle(dicomweb, kept, ["CT_small.dcm"])
    (path,) = dicomweb.instances()
    for accept, form in (("", "JPEG"), ("image/png", "PNG"), ("image/gif", "GIF"), ("image/*", "JPEG"),
                         ("image/jpeg;q=0.1, image/png", "PNG")):  # fmt: skip
        answer = dicomweb.get(f"{path}/rendered", accept)
        assert (picture(answer.content).format, picture(answer.content).size) == (form, (128, 128)), accept
    frame = dicomweb.get(f"{path}/frames/1/rendered", "image/png")
    assert frame.content == dicomweb.get(f"{path}/rendered", "image/png").content
    assert dicomweb.get(f"{path}/rendered", "image/tiff").status_code == 406
    assert dicomweb.get(f"{path}/frames/2/rendered").status_code == 404


def test_window_viewport_and_quality_are_followed(dicomweb: Dicomweb) -> None:
    dicomweb.store_named("CT_small.dcm")
    (path,) = dicomweb.instances()

    def grey(**params: str) -> np.ndarray:
        answer = dicomweb.get(f"{path}/rendered", "image/png", params=params)
        assert answer.status_code == 200, answer.text
        return np.asarray(picture(answer.content).convert("L")).astype(int)

    assert grey(window="-1000,10,linear").mean() > grey(window="3000,10,linear").mean() + 100
    assert not np.array_equal(grey(window="0,400,sigmoid"), grey(window="0,400,linear-exact"))
    assert grey(viewport="64,32").shape == (32, 32)
    whole, part = grey(), grey(viewport="64,64,10,20,64,64")
    assert np.array_equal(part, whole[20:84, 10:74])
    assert np.array_equal(grey(viewport="64,64,10,20,-64,64"), whole[20:84, 10:74][:, ::-1])
    low = dicomweb.get(f"{path}/rendered", params={"quality": "5"})
    assert len(low.content) < len(dicomweb.get(f"{path}/rendered", params={"quality": "95"}).content) / 2
    warned = dicomweb.get(f"{path}/rendered", params={"annotation": "patient,technique", "iccprofile": "srgb"})
    assert "annotation, iccprofile" in warned.headers["warning"]


@pytest.mark.parametrize(
    "params",
    ["window=1", "window=1,0,linear", "window=a,b,linear", "window=1,2,cubic", "viewport=0,5", "viewport=1,2,3",
     "viewport=99999,5", "viewport=10,10,500,500,5,5", "viewport=10,10,-5,0,5,5", "quality=0", "quality=101",
     "quality=x", "window=nan,5,linear", "window=1e300,5,linear"],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(dicomweb: Dicomweb, params: str) -> None:
    dicomweb.store_named("CT_small.dcm")
    (path,) = dicomweb.instances()
    answer = dicomweb.get(f"{path}/rendered?{params}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_all_frames_of_an_instance_and_all_instances_of_a_series_come_as_parts(dicomweb: Dicomweb, kept: str) -> None:
    dicomweb.store(*slices(3))
    settle(dicomweb, kept, ["SC_rgb_rle_2frame.dcm"])
    (movie,) = dicomweb.instances(Modality="OT")
    jpegs = 'multipart/related; type="image/jpeg"'
    assert parts_of(dicomweb.get(f"{movie}/rendered", jpegs)).types == ["image/jpeg"] * 2
    assert len(parts_of(dicomweb.get(f"{movie}/frames/2,1,2/rendered", jpegs)).bodies) == 3
    for path in ("/studies/1.2.9/rendered", "/studies/1.2.9/series/1.2.9.1/rendered"):
        got = parts_of(dicomweb.get(path, 'multipart/related; type="image/png"'))
        assert [picture(body).size for body in got.bodies] == [(128, 128)] * 3
        assert dicomweb.get(path, "image/png").status_code == 406


def test_what_has_no_picture_says_why(dicomweb: Dicomweb) -> None:
    dicomweb.store_named("rtstruct.dcm")
    (path,) = dicomweb.instances()
    for place in (f"{path}/rendered", f"{path}/frames/1/rendered", path.partition("/instances")[0] + "/rendered"):
        answer = dicomweb.get(place)
        assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable"), place
    assert "contours" in dicomweb.get(f"{path}/rendered").json()["detail"]
    assert dicomweb.get(f"{path}/thumbnail").status_code == 404


def test_thumbnails_at_every_level(dicomweb: Dicomweb, kept: str) -> None:
    dicomweb.store(*slices(3))
    if kept == "packed":
        dicomweb.compact()
    series = "/studies/1.2.9/series/1.2.9.1"
    for path in ("/studies/1.2.9", series, f"{series}/instances/1.2.9.1.2", f"{series}/instances/1.2.9.1.2/frames/1"):
        for _ in range(2):
            answer = dicomweb.get(f"{path}/thumbnail")
            assert picture(answer.content).format == "JPEG"
            assert max(picture(answer.content).size) <= 256
        small = dicomweb.get(f"{path}/thumbnail", "image/png", params={"viewport": "40,40"})
        assert (picture(small.content).format, picture(small.content).size) == ("PNG", (40, 40))
    assert dicomweb.get(f"{series}/instances/1.2.9.1.2/frames/5/thumbnail").status_code == 404
    assert dicomweb.get("/studies/1.2.9/thumbnail", "text/html").status_code == 406


def test_a_pdf_is_given_as_it_is(dicomweb: Dicomweb, kept: str) -> None:
    data = pydicom.dcmread(WHEEL / "CT_small.dcm")
    del data.PixelData, data.Rows, data.Columns
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.104.1")
    data.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data.EncapsulatedDocument = b"%PDF-1.4 " + bytes(range(256)) * 2000 + b" "
    out = io.BytesIO()
    data.save_as(out)
    dicomweb.store(out.getvalue())
    if kept == "packed":
        dicomweb.compact()
    (path,) = dicomweb.instances()
    answer = dicomweb.get(f"{path}/rendered", "application/pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.rstrip(b"\0") == data.EncapsulatedDocument.rstrip(b"\0")
    part = dicomweb.get(f"{path}/rendered", headers={"Range": "bytes=0-7"})
    assert (part.status_code, part.content) == (206, b"%PDF-1.4")
    assert dicomweb.get(f"{path}/rendered", "image/jpeg").status_code == 406


def test_a_film_is_given_as_its_stream_in_ranges(dicomweb: Dicomweb, kept: str) -> None:
    stream = b"\0\0\0\x18ftypmp42" + np.random.default_rng(1).bytes(300_001)
    data = pydicom.dcmread(WHEEL / "SC_rgb_jpeg_dcmtk.dcm")
    data.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    data.NumberOfFrames = 50
    data.PixelData = encapsulate([stream + b"\0"], has_bot=False)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.save_as(out)
    dicomweb.store(out.getvalue())
    if kept == "packed":
        dicomweb.compact()
    (path,) = dicomweb.instances()
    answer = dicomweb.get(f"{path}/rendered", "video/*")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert answer.content == stream + b"\0"
    part = dicomweb.get(f"{path}/rendered", "video/mp4", headers={"Range": "bytes=100000-200000"})
    assert (part.status_code, part.content) == (206, stream[100_000:200_001])
    assert part.headers["content-length"] == "100001"
    assert dicomweb.get(f"{path}/rendered", "video/mp4", headers={"Range": "bytes=900000-"}).status_code == 416
    assert dicomweb.get(f"{path}/rendered", "video/mpeg").status_code == 406
    whole = parts_of(dicomweb.get(path, 'multipart/related; type="application/dicom"'))
    assert whole.types == ["application/dicom; transfer-syntax=1.2.840.10008.1.2.4.102"]
    assert dicomweb.get(f"{path}/frames/1", "application/octet-stream").status_code == 406


@pytest.mark.shared
def test_every_codec_with_a_picture_renders(dicomweb: Dicomweb, shared_data: Path) -> None:
    files = sorted((shared_data / "codecs").rglob("*.dcm"))
    for path in files:
        dicomweb.store(path.read_bytes())
    for instance in dicomweb.instances():
        answer = dicomweb.get(f"{instance}/rendered")
        assert answer.status_code in (200, 406, 400), (instance, answer.text)
        if answer.headers["content-type"].startswith("image/"):
            assert picture(answer.content).format == "JPEG"
