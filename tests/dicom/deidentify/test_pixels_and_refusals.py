"""Text in pixels is covered or the object is kept back; the rest of the pixels is the source's own bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom.deidentify import Deidentified, Device, Option, Outcome, Reason, Refused, Warned, read_devices
from radrelay.dicom.deidentify.regions import known_devices
from radrelay.dicom.syntaxes import EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, J2K_LOSSLESS, JPEG_LS_LOSSLESS, RLE_LOSSLESS
from radrelay.dicom.transcode import transcode
from radrelay.errors import Invalid
from tests.dicom.deidentify.made import SC, US, a_study, encoded, outcome_of, project, read, result_of
from tests.dicom.objects import frames_of, wheel_file

CLEAN = Option.CLEAN_PIXELS
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def a_picture(
    sop_class: str = US, *, samples: int = 3, signed: bool = False, frames: int = 2, **more: object
) -> Dataset:
    """Return an object with random pixels of 32 × 24."""
    bits = 8 if samples == 3 else 16
    made = a_study(sop_class, Modality="US", Rows=24, Columns=32, SamplesPerPixel=samples, BitsAllocated=bits,
                   BitsStored=bits, HighBit=bits - 1, PixelRepresentation=int(signed), NumberOfFrames=frames,
                   PhotometricInterpretation="RGB" if samples == 3 else "MONOCHROME2",
                   Manufacturer="Maker", ManufacturerModelName="Model X")  # fmt: skip
    if samples == 3:
        made.PlanarConfiguration = 0
    noise = np.random.default_rng(7).integers(0, 255, (frames, 24, 32, samples), dtype=np.uint8)
    made.add_new(0x7FE00010, "OB" if bits == 8 else "OW", noise.astype(f"<u{bits // 8}").tobytes())
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def ours(**more: object) -> Device:
    return Device("ours", 32, 24, ((0, 0, 32, 5), (4, 20, 8, 2)), model="model x", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("ts", [EXPLICIT_LE, JPEG_LS_LOSSLESS, J2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, RLE_LOSSLESS])
@pytest.mark.parametrize("samples", [1, 3])
def test_regions_are_black_and_the_rest_is_untouched(ts: str, samples: int) -> None:
    source = encoded(a_picture(samples=samples))
    before = frames_of(source, EXPLICIT_LE)
    made = result_of((transcode(source, EXPLICIT_LE, ts), ts), project(CLEAN, devices=(ours(),)))
    assert made.ts == ts
    after = frames_of(made.data_set, made.ts)
    black = 0 if samples == 3 else min(int(frame.min()) for frame in before)
    for one, other in zip(before, after, strict=True):
        covered = np.zeros(one.shape[:2], bool)
        covered[:5, :] = covered[20:22, 4:12] = True
        assert (other[covered] == black).all()
        assert np.array_equal(one[~covered], other[~covered])
    assert read(made).BurnedInAnnotation == "NO"
    assert made.report.template == "ours"
    assert made.report.covered == ours().cover


def test_lossy_pixels_stand_uncompressed_when_covered_and_it_is_said() -> None:
    data_set, ts = wheel_file("SC_rgb_jpeg_dcmtk.dcm")
    device = Device("jpeg", 100, 100, ((0, 0, 100, 10),))
    made = result_of((data_set, ts), project(CLEAN, devices=(device,)))
    assert made.ts == EXPLICIT_LE
    assert Warned.REENCODED in made.report.warnings
    assert (frames_of(made.data_set, made.ts)[0][:10] == 0).all()


def test_notes_within_coded_pictures_go() -> None:
    data_set, ts = wheel_file("SC_rgb_jpeg_dcmtk.dcm")
    at = data_set.index(b"\xff\xd8\xff")
    note = b"\xff\xfe\0\x12Quastenflosser  \xff\xe1\0\x04GP"
    length = int.from_bytes(data_set[at - 4 : at], "little") + len(note)
    noted = data_set[: at - 4] + length.to_bytes(4, "little") + data_set[at : at + 2] + note + data_set[at + 2 :]
    trusting = project(trust_unmarked=frozenset(("OT", "")))
    made = result_of((noted, ts), trusting)
    assert b"Quasten" not in made.data_set
    assert made.report.count(Outcome.NOTES_REMOVED) == 1
    assert np.array_equal(frames_of(made.data_set, ts)[0], frames_of(data_set, ts)[0])
    assert result_of((data_set, ts), trusting).report.count(Outcome.NOTES_REMOVED) == 0


def test_ultrasound_regions_of_the_object_itself_serve() -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 4, 6
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 27, 19
    source = a_picture(SequenceOfUltrasoundRegions=Sequence([region]))
    frame = frames_of(result_of(source, project(CLEAN)).data_set, EXPLICIT_LE)[0].copy()
    inside = frame[6:20, 4:28].copy()
    frame[6:20, 4:28] = 0
    assert not frame.any()
    assert np.array_equal(inside, frames_of(encoded(source), EXPLICIT_LE)[0][6:20, 4:28])


def test_pixels_of_what_is_not_covered_are_views_of_the_source() -> None:
    data_set, ts = wheel_file("CT_small.dcm")
    made = result_of((data_set, ts), project(CLEAN))
    assert isinstance(made.pieces[-1], memoryview)
    assert made.pieces[-1].obj is data_set
    assert data_set.endswith(bytes(made.pieces[-1])) or bytes(made.pieces[-1]) in data_set


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (a_picture(), Reason.MAYBE_BURNED_IN),
        (a_picture(BurnedInAnnotation="YES"), Reason.BURNED_IN),
        (a_picture(SC, Modality="OT"), Reason.MAYBE_BURNED_IN),
        (a_picture("1.2.840.10008.5.1.4.1.1.2", Modality="CT", ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"],
                   samples=1), Reason.SCREEN_CAPTURE),
        (a_picture("1.2.840.10008.5.1.4.1.1.2", Modality="CT"), Reason.SCREEN_CAPTURE),
        (a_picture("1.2.840.10008.5.1.4.1.1.77.1.6", Modality="SM", ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"],
                   BurnedInAnnotation="NO"), Reason.SLIDE_LABEL),
        (a_picture("1.3.12.2.1107.5.9.1", BurnedInAnnotation="NO"), Reason.UNKNOWN_CLASS),
        (a_study("1.2.840.10008.5.1.4.1.1.9.4.1"), Reason.VOICE),
        (a_study(PDF, EncapsulatedDocument=b"%PDF-1.4", MIMETypeOfEncapsulatedDocument="application/pdf"),
         Reason.DOCUMENT),
    ],
)  # fmt: skip
def test_what_may_hold_text_is_kept_back(source: Dataset, why: Reason) -> None:
    assert outcome_of(source, project(CLEAN)) == Refused((why,))


def test_what_says_that_nothing_is_burned_in_stands_there_once() -> None:
    made = result_of(a_picture(BurnedInAnnotation="NO"), project(CLEAN))
    assert made.data_set.count(b"\x28\0\x01\x03CS") == 1


def test_a_template_of_another_size_covers_nothing() -> None:
    device = Device("other", 33, 24, ((0, 0, 33, 5),), model="model x")
    assert outcome_of(a_picture(), project(CLEAN, devices=(device,))) == Refused((Reason.MAYBE_BURNED_IN,))
    assert outcome_of(a_picture(), project(devices=(ours(),))) == Refused((Reason.MAYBE_BURNED_IN,))


def test_bits_of_an_overlay_within_the_pixels_keep_an_object_back() -> None:
    source = a_picture(samples=1, BurnedInAnnotation="NO")
    source.add_new(0x60000102, "US", 12)
    assert outcome_of(source, project()) == Refused((Reason.EMBEDDED_OVERLAY,))


def test_documents_that_a_person_looked_at_pass() -> None:
    source = a_study(PDF, EncapsulatedDocument=b"%PDF-1.4", DocumentTitle="Quastenflosser")
    made = result_of(source, project(keep_documents=True))
    assert read(made).EncapsulatedDocument == b"%PDF-1.4"
    assert Warned.DOCUMENT_KEPT in made.report.warnings


def test_documents_that_name_the_patient_do_not_pass_all_the_same() -> None:
    source = a_study(PDF, EncapsulatedDocument=b"%PDF-1.4 (QUASTENFLOSSER)")
    assert outcome_of(source, project(keep_documents=True)) == Refused((Reason.DOCUMENT,))


def test_short_names_are_not_taken_for_found_in_binary_values() -> None:
    source = a_study(PatientName="Abc^Xyz", PatientID="QQ1", ICCProfile=b"\0abc\0xyz\0qq1")
    assert read(result_of(source, project())).ICCProfile == b"\0abc\0xyz\0qq1"


def test_clean_and_trusted_pictures_pass() -> None:
    assert isinstance(outcome_of(a_picture(BurnedInAnnotation="NO"), project()), Deidentified)
    assert isinstance(outcome_of(a_picture(), project(trust_unmarked=frozenset({"US"}))), Deidentified)


def test_faces_are_warned_of() -> None:
    assert Warned.FACE in result_of(a_study(BodyPartExamined="HEAD"), project()).report.warnings
    for terms in ("ISO_IR 192", "ISO_IR 100"):
        described = a_study(SpecificCharacterSet=terms, SeriesDescription="Schädel nativ")
        assert Warned.FACE in result_of(described, project()).report.warnings, terms
    assert Warned.FACE in result_of(a_study(SeriesDescription="Schädel nativ"), project()).report.warnings
    assert Warned.FACE not in result_of(a_study(BodyPartExamined="CHEST"), project()).report.warnings
    assert Warned.FACE not in result_of(a_study(BodyPartExamined="HEAD", Modality="DX"), project()).report.warnings


@pytest.mark.parametrize("cut", [1, 7, 40, 300])
def test_what_is_cut_off_is_kept_back(cut: int) -> None:
    source = encoded(a_picture(BurnedInAnnotation="NO"))
    found = outcome_of((source[:-cut], EXPLICIT_LE), project())
    assert isinstance(found, Refused)


def test_what_stands_behind_the_data_set_is_kept_back() -> None:
    source = encoded(a_picture(BurnedInAnnotation="NO"))
    assert outcome_of((source + b"PK\3\4 Quastenflosser", EXPLICIT_LE), project()) == Refused((Reason.CUT_OFF,))


def test_templates_come_along_and_a_sites_own_are_read() -> None:
    assert len(known_devices()) >= 9
    text = '[[device]]\nname = "A"\nmodality = "US"\nsize = [10, 20]\ncover = [[0, 0, 10, 2]]\n'
    assert read_devices(text) == (Device("A", 10, 20, ((0, 0, 10, 2),), modality="US"),)
    for wrong in (
        text.replace("20]", "20"),
        text.replace("10, 2]", "11, 2]"),
        "[[device]]\n",
        text.replace("2]]", "x]]"),
    ):
        with pytest.raises(Invalid):
            read_devices(wrong)


@pytest.mark.shared
def test_pictures_with_fake_patients_burned_in_are_kept_back(shared_data: Path) -> None:
    for path in sorted((shared_data / "deid").rglob("*.dcm")):
        assert outcome_of(path, project(CLEAN)) == Refused((Reason.MAYBE_BURNED_IN,)), path
