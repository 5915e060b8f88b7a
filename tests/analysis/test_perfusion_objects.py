"""What is written of a perfusion result: without an error for dciodvfy, read by highdicom, the same however often."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import msgspec
import numpy as np
import pydicom
import pypdfium2
import pytest
from pydicom.dataset import Dataset

from radrelay.analysis.objects import hand_over, write
from radrelay.analysis.objects.captures import series_of
from radrelay.analysis.objects.findings import findings_of, sides
from radrelay.analysis.objects.identity import LEFT, RIGHT, write_identity
from radrelay.analysis.objects.pictures import font
from radrelay.analysis.objects.sheet import Sheet
from radrelay.analysis.objects.summary import summary
from radrelay.analysis.objects.words import WORDS, say
from radrelay.analysis.perfusion import WARNINGS
from radrelay.analysis.study import Findings
from radrelay.dicom.deidentify import Reason, Refused
from tests.analysis.perfusion_result import FRAME_UID, ORDER, SERIES_UID, STUDY_UID, analysed, without_lesion
from tests.dicom.deidentify.made import outcome_of, project
from tests.marks.marking import complaints

MAPS = ("CBF", "CBV", "MTT", "TTP", "Tmax")
CODES = {"CBF": "113055", "CBV": "113056", "MTT": "113052", "TTP": "113069", "Tmax": "113084"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("objects")
    write(*analysed(), ORDER, found)
    return found


@pytest.fixture(scope="module")
def objects(folder: Path) -> dict[str, pydicom.FileDataset]:
    return {path.stem: pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))}


def test_dciodvfy_finds_no_error(folder: Path, tmp_path: Path) -> None:
    paths = [*folder.glob("*-001.dcm"), *folder.glob("9[1-4]*.dcm"), folder / "9000-summary.dcm"]
    assert len(paths) == 16
    assert {path.name: found for path in paths if (found := complaints(path.read_bytes(), tmp_path))} == {}


def test_images_of_several_series_have_objects_that_name_them_all(tmp_path: Path) -> None:
    study, result = analysed()
    upper = tuple(replace(one, series_uid="2.25.99") for one in study.perfusion.references[1])
    two = replace(study.perfusion, references=(study.perfusion.references[0], upper))
    write(replace(study, perfusion=two), result, ORDER, tmp_path)
    for name in ("9101-map-CBF.dcm", "9201-segments.dcm", "9301-report.dcm"):
        assert complaints((tmp_path / name).read_bytes(), tmp_path) == []
    named = pydicom.dcmread(tmp_path / "9201-segments.dcm").ReferencedSeriesSequence
    assert {one.SeriesInstanceUID: len(one.ReferencedInstanceSequence) for one in named} == {
        SERIES_UID: 40,
        "2.25.99": 40,
    }
    evidence = pydicom.dcmread(tmp_path / "9301-report.dcm").CurrentRequestedProcedureEvidenceSequence[0]
    assert {"2.25.99", SERIES_UID} <= {one.SeriesInstanceUID for one in evidence.ReferencedSeriesSequence}


def test_patient_and_study_are_those_of_the_images(objects: dict[str, pydicom.FileDataset]) -> None:
    for data in objects.values():
        assert data.SpecificCharacterSet == "ISO_IR 192"
        assert data.PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"
        assert (data.PatientID, data.PatientBirthDate, data.PatientSex) == ("P-1", "19500101", "M")
        assert (data.StudyInstanceUID, data.StudyDescription) == (STUDY_UID, "頭部")
        assert (data.StudyDate, data.AccessionNumber, data.ReferringPhysicianName) == ("20260301", "A1", "Ref^Rita")
        assert data.Manufacturer == "Radrelay"
        assert data.ContentDate == data.InstanceCreationDate == "20260301"
        assert {one.Manufacturer for one in data.ContributingEquipmentSequence} >= {"Radrelay", "Scanners"}
        if "Rows" in data:
            assert data.LossyImageCompression == "01"
            assert data.LossyImageCompressionRatio == 8


def test_written_twice_everything_is_the_same(folder: Path) -> None:
    again: dict[str, bytes] = {}
    hand_over(*analysed(), ORDER, again.__setitem__)
    assert again.keys() == {path.name for path in folder.iterdir()}
    assert [name for name, content in again.items() if content != (folder / name).read_bytes()] == []


def test_another_run_has_other_uids(objects: dict[str, pydicom.FileDataset]) -> None:
    again: dict[str, bytes] = {}
    hand_over(*analysed(), replace(ORDER, run="run-2", language="de"), again.__setitem__)
    others = {
        pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID
        for name, content in again.items()
        if name != "findings.json"
    }
    assert len(others) == len(objects)
    assert others.isdisjoint(data.SOPInstanceUID for data in objects.values())


def test_pictures_lie_where_their_slices_lie(objects: dict[str, pydicom.FileDataset]) -> None:
    _, result = analysed()
    for at in range(2):
        picture = objects[f"9002-CBF-{at + 1:03}"]
        assert picture.pixel_array.shape == (512, 512, 3)
        assert picture.FrameOfReferenceUID == FRAME_UID
        assert picture.PixelSpacing == [1.7 / 4, 1.7 / 4]
        # the middle of the first pixel that was enlarged is where the image's first pixel lies
        corner = np.array(picture.ImagePositionPatient, dtype=float) + 1.5 * 0.425 * np.array([1, 1, 0])
        assert corner == pytest.approx([-100, -110, 8 * at])
        assert len(picture.SourceImageSequence) == 40
        inside = result.tissue[at].repeat(4, axis=0).repeat(4, axis=1)
        assert (picture.pixel_array[128:384, 128:350].any(axis=-1) == inside[128:384, 128:350]).mean() > 0.99


def test_series_are_numbered_and_named(objects: dict[str, pydicom.FileDataset]) -> None:
    named = {int(data.SeriesNumber): str(data.SeriesDescription) for data in objects.values()}
    assert sorted(named) == [*range(9000, 9008), *range(9101, 9106), 9201, 9301, 9401]
    assert named[9002] == "Perfusion CBF"
    assert len({data.SeriesInstanceUID for data in objects.values()}) == len(named)
    burned = [data for data in objects.values() if 9000 <= data.SeriesNumber < 9100]
    assert {data.BurnedInAnnotation for data in burned} == {"YES"}


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_read_back_as_they_were(name: str, folder: Path) -> None:
    _, result = analysed()
    read = hd.imread(folder / f"{9101 + MAPS.index(name)}-map-{name}.dcm")
    volume = read.get_volume()
    values = volume.array if volume.get_affine("LPS")[2, 0] > 0 else volume.array[::-1]
    assert np.array_equal(values, result.maps[name])
    mapping = read.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeValue == CODES[name]
    assert read.FrameOfReferenceUID == FRAME_UID


def test_segments_are_read_back_and_name_their_sources(folder: Path) -> None:
    study, result = analysed()
    read = hd.seg.segread(folder / "9201-segments.dcm")
    labels = [one.SegmentLabel for one in read.SegmentSequence]
    assert labels == ["Infarct core", "Tmax > 4 s", "Tmax > 6 s", "Tmax > 8 s", "Tmax > 10 s"]
    volume = read.get_volume(combine_segments=False)
    assert volume.array[..., 0].sum() == result.lesions.core.sum()
    assert volume.array[..., 2].sum() == result.lesions.late[6.0].sum()
    named = {one.ReferencedSOPInstanceUID for one in read.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert named == {one.sop_uid for of in study.perfusion.references for one in of}


def test_report_tells_the_volumes_and_where_they_are(folder: Path) -> None:
    _, result = analysed()
    read = hd.sr.srread(folder / "9301-report.dcm")
    content: Any = read.content
    groups = content.get_volumetric_roi_measurement_groups()
    core = groups[0].get_measurements()[0]
    assert (core.name.meaning, core.unit.value) == ("Volume", "ml")
    assert core.value == pytest.approx(result.lesions.core_ml, abs=1e-4)
    segment = pydicom.dcmread(folder / "9201-segments.dcm")
    assert segment.SOPInstanceUID in str(read.ContentSequence)
    mismatch = content.get_image_measurement_groups()[0].get_measurements()
    told = {one.name.meaning: one.value for one in mismatch}
    assert told["Mismatch ratio"] == pytest.approx(result.lesions.ratio, abs=1e-4)
    texts = {str(one.value) for one in read.iterall() if one.keyword == "TextValue"}
    assert {"oscillation_index=0.035", "density_g_per_ml=1.04"} <= texts
    evidence = read.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {len(one.ReferencedSOPSequence) for one in evidence} == {80, 1}


def test_every_object_says_that_it_is_for_research(objects: dict[str, pydicom.FileDataset]) -> None:
    words = "For research use, not a certified medical device"
    assert str(objects["9301-report"].ContentSequence[-1].TextValue) == words
    measured = {name: data for name, data in objects.items() if 9100 <= data.SeriesNumber < 9400}
    assert len(measured) == 7
    for name, data in measured.items():
        assert "for research use" in data.SeriesDescription
        assert name == "9301-report" or words in data.ContentDescription
    assert words in words_of(objects["9401-document"])


def test_without_a_lesion_there_is_no_segmentation_and_no_ratio(tmp_path: Path) -> None:
    found = write(*without_lesion(), ORDER, tmp_path)
    assert not list(tmp_path.glob("9201*"))
    report = (tmp_path / "9301-report.dcm").read_bytes()
    assert complaints(report, tmp_path) == []
    content: Any = hd.sr.srread(io.BytesIO(report)).content
    groups = content.get_image_measurement_groups()
    assert [one.get_measurements()[0].value for one in groups] == [0] * 6
    assert "ratio" not in " ".join(one.name.meaning for group in groups for one in group.get_measurements()).lower()
    assert found.mismatch_ratio is None


def words_of(document: pydicom.FileDataset) -> str:
    pdf = pypdfium2.PdfDocument(document.EncapsulatedDocument)
    assert len(pdf) == 1
    return str(pdf[0].get_textpage().get_text_range())


def test_document_is_a_page_whose_text_can_be_found(objects: dict[str, pydicom.FileDataset]) -> None:
    text = words_of(objects["9401-document"])
    for part in ("For research use, not a certified medical device", "Mismatch ratio", "oscillation index 0.035"):
        assert part in text


def test_document_says_whose_it_is_as_the_images_do_and_the_picture_does_not(
    objects: dict[str, pydicom.FileDataset],
) -> None:
    study, result = analysed()
    text = words_of(objects["9401-document"])
    for part in ("Yamada, Tarou", "ID P-1", "born 1950-01-01", "study of 2026-03-01"):
        assert part in text
    shown = summary(study, result, ORDER, series_of(study, result, ORDER))
    assert not re.search("Yamada|P-1|1950", " ".join(one.text for one in shown.written))
    assert np.array_equal(objects["9000-summary"].pixel_array, shown.pixels())


def test_document_of_pseudonymised_images_says_the_alias_in_the_readers_language() -> None:
    study, _ = analysed()
    header = Dataset()
    header.PatientName, header.PatientID, header.StudyDate = "TRIAL-0007K", "1.5", "20260301"
    other = replace(study, header=header)
    page = Sheet(2000, 1414)
    write_identity(page, other, "de")
    assert [one.text for one in page.written] == ["TRIAL-0007K", "ID 1.5  ·  Studie vom 01.03.2026"]
    header.PatientName, header.PatientID = "Müller-Lüdenscheidt^Hans-Jürgen^Günther^Dr.^MSc", "0" * 64
    page = Sheet(2000, 1414)
    write_identity(page, other, "de")
    assert page.written[0].text == "Müller-Lüdenscheidt, Hans-Jürgen Günther Dr. MSc"
    assert all(font(one.size).getlength(one.text) <= RIGHT - LEFT for one in page.written)


def test_what_has_words_in_its_pixels_is_kept_back_from_copies_under_an_alias(folder: Path) -> None:
    kept = {}
    for path in folder.glob("9[04]*.dcm"):
        made = outcome_of(path, project())
        kept[path.stem] = list(made.reasons) if isinstance(made, Refused) else []
    assert kept["9401-document"] == [Reason.DOCUMENT]
    pictures = [name for name in kept if name.startswith("90")]
    assert len(pictures) == 15
    assert all(kept[name] == [Reason.BURNED_IN] for name in pictures)


def test_findings_are_complete(folder: Path, objects: dict[str, pydicom.FileDataset]) -> None:
    _, result = analysed()
    found = msgspec.json.decode((folder / "findings.json").read_bytes(), type=Findings)
    assert {one.name for one in found.maps} == {*MAPS, "mean", "lesions"}
    uids = {data.SOPInstanceUID for data in objects.values()}
    assert all(uid in uids for one in found.maps for uid in one.sop_uids)
    assert found.summary is not None
    assert found.summary.sop_uids[0] in uids
    assert sum(found.core.runs[0][1::2]) == result.lesions.core[0].sum()
    assert len(found.frame_times_s) == 40
    assert found.artery.places
    assert found.picture_scale == 4
    assert found.constants["density_g_per_ml"] == 1.04
    assert not re.search("Yamada|P-1|19500101", msgspec.json.encode(found).decode())


def test_every_warning_has_words_in_both_languages() -> None:
    assert set(WARNINGS) <= set(WORDS)
    assert say("de", "much-motion", most_mm=3.5, most_deg=1.2) == "Viel Bewegung: bis 3,5 mm und 1,2°"


def test_notes_on_the_images_stand_on_the_page_and_in_the_findings() -> None:
    study, result = analysed()
    noted = replace(study, notes=("two-boluses",))
    series = series_of(noted, result, ORDER)
    assert any("A second bolus" in one.text for one in summary(noted, result, ORDER, series).written)
    assert "two-boluses" in {one.code for one in findings_of(noted, result, ORDER, []).warnings}


def test_the_summary_names_the_patients_sides_as_the_images_lie() -> None:
    study, result = analysed()
    slab = replace(study.perfusion.slab, orientation=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    turned = replace(study, perfusion=replace(study.perfusion, slab=slab))
    for one, expected in ((study, ["R", "L"]), (turned, ["L", "R"])):
        page = summary(one, result, ORDER, series_of(one, result, ORDER))
        letters = sorted((mark for mark in page.written if mark.text in {"R", "L"}), key=lambda mark: mark.x)
        assert [mark.text for mark in letters[:2]] == expected
    assert sides((0.0, 1.0, 0.0, 0.0, 0.0, -1.0)) == ("", "")


def test_where_nothing_tells_the_core_no_object_says_that_there_is_none(tmp_path: Path) -> None:
    study, result = analysed()
    lesions = replace(result.lesions, core=np.zeros_like(result.lesions.core), core_known=False, mismatch_ml=0.0)
    found = write(study, replace(result, lesions=replace(lesions, ratio=None)), ORDER, tmp_path)
    assert (found.core_ml, found.mismatch_ml, found.mismatch_ratio) == (None, None, None)
    read = hd.sr.srread(tmp_path / "9301-report.dcm")
    assert "Infarct core" not in read.to_json()
    assert "Mismatch volume" not in read.to_json()
    document = pydicom.dcmread(tmp_path / "9401-document.dcm").EncapsulatedDocument
    assert pypdfium2.PdfDocument(document)[0].get_textpage().get_text_range().count("n/a") == 3
