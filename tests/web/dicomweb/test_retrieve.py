"""WADO-RS: objects, frames and bulk data, from landing records and from packs alike."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE, JPEG_LS_LOSSLESS
from tests.archive.house import WHEEL, data_set_of, made, slices, wheel_file
from tests.web.dicomweb.conftest import ANY_SYNTAX, DICOM, Dicomweb, parts_of, settle

OCTETS = 'multipart/related; type="application/octet-stream"'


def dataset(file: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(file), force=True)


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "image_dfl.dcm", "JPEG2000.dcm",
     "SC_rgb_small_odd.dcm", "examples_ybr_color.dcm", "rtstruct.dcm", "liver_1frame.dcm"],
)  # fmt: skip
def test_an_object_is_given_as_it_was_received_and_in_explicit_little_endian(
    dicomweb: Dicomweb, kept: str, name: str
) -> None:
    settle(dicomweb, kept, [name])
    (path,) = dicomweb.instances()
    received = parts_of(dicomweb.get(path, ANY_SYNTAX))
    syntax = parse_preamble(wheel_file(name)).transfer_syntax_uid
    assert received.types == [f"application/dicom; transfer-syntax={syntax}"]
    assert data_set_of(received.bodies[0]) == data_set_of(wheel_file(name))
    plain = parts_of(dicomweb.get(path, DICOM))
    assert plain.types == [f"application/dicom; transfer-syntax={EXPLICIT_LE}"]
    sent, got = dataset(wheel_file(name)), dataset(plain.bodies[0])
    assert got.file_meta.TransferSyntaxUID == EXPLICIT_LE
    assert (got.SOPInstanceUID, got.get("PatientID")) == (sent.SOPInstanceUID, sent.get("PatientID"))
    if "PixelData" in sent:
        assert np.array_equal(got.pixel_array, sent.pixel_array)


def test_one_object_bare_and_in_other_syntaxes(dicomweb: Dicomweb, kept: str) -> None:
    settle(dicomweb, kept, ["CT_small.dcm"])
    (path,) = dicomweb.instances()
    bare = dicomweb.get(path, "application/dicom; transfer-syntax=*")
    assert bare.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT_LE}"
    assert data_set_of(bare.content) == data_set_of(wheel_file("CT_small.dcm"))
    for syntax in (IMPLICIT_LE, JPEG_LS_LOSSLESS):
        answer = dicomweb.get(path, f"application/dicom; transfer-syntax={syntax}")
        assert dataset(answer.content).file_meta.TransferSyntaxUID == UID(syntax)
    by_query = dicomweb.get(path, params={"accept": f"application/dicom;transfer-syntax={IMPLICIT_LE}"})
    assert dataset(by_query.content).file_meta.TransferSyntaxUID == UID(IMPLICIT_LE)


def test_what_cannot_be_given_is_refused_in_words(dicomweb: Dicomweb) -> None:
    dicomweb.store_named("CT_small.dcm", "rtstruct.dcm")
    (path,) = dicomweb.instances(Modality="CT")
    for accept in ("text/html", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", "application/dicom;q=0"):
        answer = dicomweb.get(path, accept)
        assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable"), accept
    (plan,) = dicomweb.instances(Modality="RTSTRUCT")
    answer = dicomweb.get(plan, f"application/dicom; transfer-syntax={JPEG_LS_LOSSLESS}")
    assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")
    assert dicomweb.get(path, "application/dicom", params={"charset": "latin1"}).status_code == 406
    assert dicomweb.get("/studies/1.2.3", ANY_SYNTAX).status_code == 404


def test_quality_and_order_decide(dicomweb: Dicomweb) -> None:
    dicomweb.store_named("CT_small.dcm")
    (path,) = dicomweb.instances()
    accept = (
        f"application/dicom;transfer-syntax={IMPLICIT_LE};q=0.5, application/dicom;transfer-syntax={JPEG_LS_LOSSLESS}"
    )
    assert dataset(dicomweb.get(path, accept).content).file_meta.TransferSyntaxUID == UID(JPEG_LS_LOSSLESS)
    both = f"application/dicom;q=0.3, {ANY_SYNTAX};q=0.9, */*;q=0.1"
    assert dicomweb.get(path, both).headers["content-type"].startswith("multipart/related")


def test_a_series_and_a_study_come_whole_in_order(dicomweb: Dicomweb, kept: str) -> None:
    files = slices(5)
    assert dicomweb.store(*reversed(files)).status_code == 200
    if kept == "packed":
        dicomweb.compact()
    for path in ("/studies/1.2.9", "/studies/1.2.9/series/1.2.9.1"):
        got = parts_of(dicomweb.get(path, ANY_SYNTAX))
        assert [data_set_of(body) for body in got.bodies] == [data_set_of(file) for file in files]
        zipped = dicomweb.get(path, "application/zip")
        names = zipfile.ZipFile(io.BytesIO(zipped.content)).namelist()
        assert len([name for name in names if name.startswith("DICOM/")]) == 5
    refused = dicomweb.get("/studies/1.2.9", "application/dicom")
    assert refused.status_code == 406


def test_who_reads_htj2k_gets_the_same_before_and_after_packing(dicomweb: Dicomweb) -> None:
    assert dicomweb.store(*slices(3), wheel_file("CT_small.dcm"), wheel_file("MR_small.dcm")).status_code == 200
    accept = f"{DICOM}; transfer-syntax={HTJ2K_LOSSLESS_RPCL}"
    studies = sorted({path.partition("/series")[0] for path in dicomweb.instances()})
    landed = [parts_of(dicomweb.get(study, accept)) for study in studies]
    dicomweb.compact()
    assert [parts_of(dicomweb.get(study, accept)) for study in studies] == landed
    for part in landed:
        for body in part.bodies:
            read = dataset(body)
            assert read.file_meta.TransferSyntaxUID == UID(HTJ2K_LOSSLESS_RPCL)
            assert read.PatientID


def test_some_of_a_study_that_cannot_be_given_are_left_out_with_a_warning(dicomweb: Dicomweb) -> None:
    ct = dataset(slices(1)[0])
    photo = made(
        "SC_rgb_jpeg_dcmtk.dcm", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.2", SOPInstanceUID="1.2.9.2.1",
        PatientID=ct.PatientID, PatientName=ct.PatientName,
    )  # fmt: skip
    assert dicomweb.store(*slices(2), photo).status_code == 200
    answer = dicomweb.get("/studies/1.2.9", f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50")
    assert answer.status_code == 206
    assert "left out" in answer.headers["warning"]
    assert [data_set_of(body) for body in parts_of(answer).bodies] == [data_set_of(photo)]
    whole = dicomweb.get("/studies/1.2.9", f"{DICOM}; transfer-syntax={EXPLICIT_LE}")
    assert (whole.status_code, len(parts_of(whole).bodies)) == (200, 3)


def test_frames_are_given_as_received_in_the_metadatas_layout(dicomweb: Dicomweb, kept: str) -> None:
    names = ["CT_small.dcm", "MR_small_bigendian.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_ybr_full_422_uncompressed.dcm",
             "image_dfl.dcm", "liver_1frame.dcm", "examples_palette.dcm"]  # fmt: skip
    for name in names:
        dicomweb.store(wheel_file(name))
    if kept == "packed":
        dicomweb.compact()
    seen = 0
    for name in names:
        sent = dataset(wheel_file(name))
        paths = [path for path in dicomweb.instances() if path.endswith("/" + sent.SOPInstanceUID)]
        if not paths:
            continue  # its UIDs are another file's, too
        answer = dicomweb.get(f"{paths[0]}/frames/1", "application/octet-stream")
        assert answer.headers["content-type"] == f"application/octet-stream; transfer-syntax={EXPLICIT_LE}", name
        expected = sent.PixelData
        if sent.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.2" and sent.BitsAllocated == 16:
            expected = np.frombuffer(expected, ">u2").astype("<u2").tobytes()
        if sent.get("BitsAllocated") != 8 or not sent.file_meta.TransferSyntaxUID.is_compressed:
            assert answer.content == expected[: len(answer.content)], name
            assert len(expected) - len(answer.content) <= 1, name
        seen += 1
    assert seen >= 5


def test_compressed_frames_are_given_as_stored_decoded_or_encoded(dicomweb: Dicomweb, kept: str) -> None:
    settle(dicomweb, kept, ["MR_small_jp2klossless.dcm"])
    (path,) = dicomweb.instances()
    stored = dicomweb.get(f"{path}/frames/1", "image/jp2")
    assert stored.headers["content-type"] == "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90"
    assert stored.content[:4] == b"\xff\x4f\xff\x51"
    as_any = parts_of(dicomweb.get(f"{path}/frames/1", 'multipart/related; type="*/*"; transfer-syntax=*'))
    assert as_any.bodies == [stored.content]
    plain = dicomweb.get(f"{path}/frames/1", "application/octet-stream")
    assert plain.content == dataset(wheel_file("MR_small_jp2klossless.dcm")).pixel_array.astype("<i2").tobytes()
    jls = dicomweb.get(f"{path}/frames/1", "image/jls")
    assert (jls.status_code, jls.content[:2]) == (200, b"\xff\xd8")
    default = parts_of(dicomweb.get(f"{path}/frames/1"))
    assert default.bodies == [plain.content]


def test_the_viewer_gets_htj2k_wherever_the_frame_lies_in_ranges(dicomweb: Dicomweb, kept: str) -> None:
    settle(dicomweb, kept, ["CT_small.dcm"])
    (path,) = dicomweb.instances()
    accept = f"image/jphc; transfer-syntax={HTJ2K_LOSSLESS_RPCL}"
    whole = dicomweb.get(f"{path}/frames/1", accept)
    assert whole.headers["content-type"] == accept
    part = dicomweb.get(f"{path}/frames/1", accept, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole.content)}"
    assert dicomweb.get(f"{path}/frames/1", accept, headers={"Range": "bytes=-10"}).content == whole.content[-10:]
    assert dicomweb.get(f"{path}/frames/1", accept, headers={"Range": "bytes=9999999-"}).status_code == 416
    listed = dicomweb.get(f"{path}/frames/1", accept, headers={"Range": "bytes=0-1,4-5"})
    assert (listed.status_code, listed.content) == (200, whole.content)


def test_many_frames_come_in_the_order_asked_for_twice_if_asked_twice(dicomweb: Dicomweb, kept: str) -> None:
    settle(dicomweb, kept, ["SC_rgb_rle_2frame.dcm"])
    (path,) = dicomweb.instances()
    sent = dataset(wheel_file("SC_rgb_rle_2frame.dcm")).pixel_array
    got = parts_of(dicomweb.get(f"{path}/frames/2,1,2", OCTETS))
    assert len(got.bodies) == 3
    assert got.bodies[0] == got.bodies[2] != got.bodies[1]
    flat = [np.frombuffer(body, np.uint8).size for body in got.bodies]
    assert flat == [sent[0].size] * 3
    for frames, status in (("3", 404), ("1,3", 404), ("0", 400), ("a", 400), ("1,,2", 400), ("-1", 400), ("²", 400)):
        assert dicomweb.get(f"{path}/frames/{frames}", OCTETS).status_code == status, frames


def test_a_frame_of_what_has_no_pixels_is_refused(dicomweb: Dicomweb, kept: str) -> None:
    settle(dicomweb, kept, ["rtstruct.dcm"])
    (path,) = dicomweb.instances()
    answer = dicomweb.get(f"{path}/frames/1", OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (400, "not-viewable")


def test_every_address_of_bulk_data_in_metadata_answers(dicomweb: Dicomweb, kept: str) -> None:
    names = ["CT_small.dcm", "waveform_ecg.dcm", "examples_palette.dcm", "JPEG2000.dcm", "liver_1frame.dcm",
             "image_dfl.dcm", "MR_small_bigendian.dcm"]  # fmt: skip
    for name in names:
        dicomweb.store(wheel_file(name))
    if kept == "packed":
        dicomweb.compact()
    asked = 0
    for path in dicomweb.instances():
        (found,) = dicomweb.get(f"{path}/metadata").json()
        sent = next(data for data in map(dataset, map(wheel_file, names)) if path.endswith(data.SOPInstanceUID))
        for tag, attribute in found.items():
            if "BulkDataURI" not in attribute:
                continue
            address = attribute["BulkDataURI"]
            assert address.startswith("http://127.0.0.1:8080/dicom-web/studies/")
            answer = dicomweb.http.get(address, headers={"Accept": "application/octet-stream"})
            assert answer.status_code == 200, (path, tag, answer.text)
            asked += 1
            if tag != "7FE00010":
                assert answer.content == sent[int(tag, 16)].value, tag
            elif not sent.file_meta.TransferSyntaxUID.is_compressed:
                assert abs(len(answer.content) - len(sent.PixelData)) <= 1
    assert asked >= 6
    (ct,) = dicomweb.instances(Modality="CT", PatientID="1CT1")
    for wrong in ("00100010x", "7FE00010/1", "99999999", "00081140/5/00081150", "%2e%2e"):
        assert dicomweb.get(f"{ct}/bulkdata/{wrong}").status_code == 404, wrong
    assert (
        dicomweb.get(f"{ct}/bulkdata/7FE00010", "application/octet-stream", headers={"Range": "bytes=0-9"}).content
        == (dataset(wheel_file("CT_small.dcm")).PixelData[:10])
    )


def test_a_document_cannot_smuggle_a_page_in(dicomweb: Dicomweb) -> None:
    data = pydicom.dcmread(WHEEL / "CT_small.dcm")
    del data.PixelData, data.Rows, data.Columns
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.104.1")
    data.MIMETypeOfEncapsulatedDocument = "text/html"
    data.EncapsulatedDocument = b"<script>alert(1)</script>" * 100
    out = io.BytesIO()
    data.save_as(out)
    dicomweb.store(out.getvalue())
    (path,) = dicomweb.instances()
    answer = dicomweb.get(f"{path}/bulkdata/00420011")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert dicomweb.get(f"{path}/rendered").headers["content-type"] == "application/octet-stream"
