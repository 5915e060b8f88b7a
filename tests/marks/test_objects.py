"""What Radrelay writes of marks: exact both ways, without an error for dciodvfy, readable by highdicom and dcmtk."""

from __future__ import annotations

import subprocess
import uuid
from datetime import UTC, date, datetime, time
from pathlib import Path

import highdicom
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from radrelay.dicom.encapsulate import StudyContext
from radrelay.dicom.measurement_codes import UNITS
from radrelay.marks.objects.key_objects import key_objects_file
from radrelay.marks.objects.presentation import presentation_file
from radrelay.marks.objects.report import report_file
from radrelay.marks.objects.report_reading import NotOurReport, read_report, read_report_file
from radrelay.marks.objects.shapes import KINDS, POINTS
from radrelay.marks.objects.sheet import (
    Author,
    DrawnMark,
    Issued,
    Picture,
    Sheet,
    Shown,
    Table,
    Value,
    decode,
    encode,
    uid,
)
from radrelay.marks.objects.writing import person_name
from tests.marks.marking import complaints, opened

STUDY = StudyContext(
    "1.2.3.4.5", "Müller^Änne=山田^太郎=やまだ^たろう", "ID-1", "Klinik", date(1970, 1, 2), "F", date(2026, 2, 3),
    time(4, 5, 6), "ACC1", "S1", "Ελληνικά und Umläute", "Παπαδόπουλος^Νίκος",
)  # fmt: skip
CT = Picture(
    uuid.UUID(int=1), "1.2.840.10008.5.1.4.1.1.2", "1.2.3.1", "1.2.3", "CT", 1, 512, 512,
    Shown(slope=1.0, intercept=-1024.0, window=(40.0, 400.0, "LINEAR")),
)  # fmt: skip
US = Picture(
    uuid.UUID(int=2), "1.2.840.10008.5.1.4.1.1.3.1", "1.2.4.1", "1.2.4", "US", 30, 480, 640, Shown(colour=True)
)
MR = Picture(uuid.UUID(int=3), "1.2.840.10008.5.1.4.1.1.4.1", "1.2.5.1", "1.2.5", "MR", 12, 256, 256, Shown())
ANNA, TARO = Author("1", "Dr. Änne Müller"), Author("2", "山田 太郎")
ROBOT = Author("3", "AI server", "token")


def drawn(kind: str, picture: Picture = CT, frame: int = 1, author: Author = ANNA, text: str = "") -> DrawnMark:
    points = [(10.5 + 7 * n, 20.25 + 13 * n % 31) for n in range(max(POINTS[kind][0], 3 if kind == "counter" else 0))]
    values = {
        "length": [Value("length", 1 / 3, "mm")],
        "bidirectional": [Value("long_axis", 12.5, "mm"), Value("short_axis", 7.1, "px")],
        "angle": [Value("angle", 33.3, "deg")],
        "cobb": [Value("angle", 12.0, "deg")],
        "ellipse": [Value("area", 1e-7 / 3, "mm2"), Value("mean", -12.25, "[hnsf'U]"), Value("sd", 3.5, "[hnsf'U]")],
        "rectangle": [Value("area", 99.0, "px2"), Value("min", 0.1, "{SUVbw}g/ml"), Value("max", 7.3, "{SUVbw}g/ml")],
        "freehand": [Value("perimeter", 55.0, "mm"), Value("mean", 101.0, "1")],
        "counter": [Value("count", 3.0, "1")],
        "point": [Value("value", -1000.0, "[hnsf'U]")],
    }.get(kind, [])
    return DrawnMark(
        uuid.uuid5(uuid.NAMESPACE_OID, kind + picture.sop_uid),
        kind,
        picture.sop_uid,
        frame,
        points,
        text,
        values,
        author,
    )


def sheet(marks: list[DrawnMark], pictures: list[Picture], kind: str = "report", number: int = 1) -> Sheet:
    return Sheet(
        kind, STUDY, uid("series", kind), uid("object", kind, number), number,  # type: ignore[arg-type]  # one of three
        datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=UTC), uid("device"), marks, pictures,
    )  # fmt: skip


DRAWN = [kind for kind in KINDS if kind != "key"]
WORDS = "Rundherd Ödem\nΕλληνικά 日本語 \\ ^ ="


@pytest.mark.parametrize("picture", [CT, US, MR], ids=["one frame", "colour frames", "enhanced frames"])
def test_a_report_of_every_kind_is_valid_and_read_by_others(picture: Picture, tmp_path: Path) -> None:
    marks = [drawn(kind, picture, min(7, picture.frames), text=WORDS) for kind in DRAWN]
    file = report_file(sheet(marks, [picture]))
    assert complaints(file, tmp_path) == []
    document = highdicom.sr.ComprehensiveSR.from_dataset(opened(file))
    assert document.PatientName == STUDY.patient_name
    report = document.content
    assert isinstance(report, highdicom.sr.MeasurementReport)
    groups = [*report.get_planar_roi_measurement_groups(), *report.get_image_measurement_groups()]
    assert {group.tracking_uid for group in groups} == {f"2.25.{mark.id.int}" for mark in marks}
    (tmp_path / "report.dcm").write_bytes(file)
    dump = subprocess.run(["dsrdump", "+Pl", tmp_path / "report.dcm"], capture_output=True, timeout=60, check=True)
    text = dump.stdout.decode()
    for said in ('"Length")="0.33333333333333" (mm', "Müller^Änne", '"-12.25"', "Cobb angle"):
        assert said in text
    assert ("USm image,,7" in text) == (picture is US)


def test_uptake_and_activity_of_a_region_are_both_in_the_report_and_read_back(tmp_path: Path) -> None:
    values = [Value("mean", 1 / 3, "{SUVbw}g/ml"), Value("mean", 1234.5, "Bq/ml"), Value("max", 9.5, "{SUVbw}g/ml"),
              Value("max", 40000.25, "Bq/ml")]  # fmt: skip
    mark = msgspec.structs.replace(drawn("rectangle"), values=values)
    file = report_file(sheet([mark], [CT]))
    assert complaints(file, tmp_path) == []
    assert read_report_file(file)[0].values == values


def test_a_cobb_angle_above_ninety_degrees_is_read_back_with_its_lines(tmp_path: Path) -> None:
    points = [(10.0, 10.0), (90.0, 12.0), (80.0, 100.0), (20.0, 60.0)]
    mark = msgspec.structs.replace(drawn("cobb"), points=points, values=[Value("angle", 147.7, "deg")])
    file = report_file(sheet([mark], [CT]))
    assert complaints(file, tmp_path) == []
    (read,) = read_report_file(file)
    assert (read.points, read.values) == (points, mark.values)


def test_a_report_names_its_authors_and_the_one_before(tmp_path: Path) -> None:
    marks = [drawn("length"), drawn("angle", author=TARO), drawn("point", author=ROBOT)]
    first = sheet(marks, [CT])
    before = Issued("1.2.840.10008.5.1.4.1.1.88.33", first.sop_uid, first.series_uid)
    file = report_file(msgspec.structs.replace(first, sop_uid="1.2.9", number=2, predecessor=before))
    assert complaints(file, tmp_path) == []
    (earlier,) = opened(file).PredecessorDocumentsSequence
    named = earlier.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == first.sop_uid
    authors = [mark.author.name for mark in read_report_file(file)]
    assert authors == ["Dr. Änne Müller", "太郎 山田", "AI server"]


def test_a_report_without_marks_says_that_they_were_taken_back(tmp_path: Path) -> None:
    file = report_file(sheet([], [CT]))
    assert complaints(file, tmp_path) == []
    assert read_report_file(file) == []


def test_the_same_sheet_makes_the_same_bytes() -> None:
    given_sheet = sheet([drawn(kind, text=WORDS) for kind in DRAWN], [CT])
    again = decode(encode(given_sheet))
    assert again == given_sheet
    for build in (report_file, presentation_file):
        assert build(again) == build(given_sheet)
    keys = sheet([drawn("key")], [CT], "key-objects")
    assert key_objects_file(decode(encode(keys))) == key_objects_file(keys)


@pytest.mark.parametrize("picture", [CT, US, MR], ids=["grey", "colour frames", "grey frames"])
def test_a_presentation_state_of_every_kind_is_valid(picture: Picture, tmp_path: Path) -> None:
    marks = [drawn(kind, picture, min(7, picture.frames), text=WORDS) for kind in DRAWN]
    file = presentation_file(sheet(marks, [picture], "presentation"))
    assert complaints(file, tmp_path) == []
    data = opened(file)
    assert len(data.GraphicAnnotationSequence) == len(marks)
    for annotation in data.GraphicAnnotationSequence:
        (image,) = annotation.ReferencedImageSequence
        assert image.get("ReferencedFrameNumber") == (7 if picture.frames > 1 else None)
    (area,) = data.DisplayedAreaSelectionSequence
    assert list(area.DisplayedAreaBottomRightHandCorner) == [picture.columns, picture.rows]
    if picture is CT:
        assert (data.RescaleIntercept, data.SoftcopyVOILUTSequence[0].WindowCenter) == (-1024, 40)


def test_a_presentation_state_keeps_tables_inversion_and_pictures_of_other_sizes(tmp_path: Path) -> None:
    table = Table(-200, 10, np.arange(1024).astype("<u2").tobytes())
    inverse = msgspec.structs.replace(CT, shown=Shown(inverse=True, voi_table=table))
    small = msgspec.structs.replace(inverse, sop_uid="1.2.3.2", rows=64, instance_id=uuid.UUID(int=9))
    beside = msgspec.structs.replace(drawn("length"), points=[(-20.0, 5.0), (600.0, 700.0)])
    file = presentation_file(sheet([beside, drawn("arrow", small)], [inverse, small], "presentation"))
    assert complaints(file, tmp_path) == []
    data = opened(file)
    assert data.PresentationLUTShape == "INVERSE"
    assert list(data.SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTDescriptor) == [1024, -200, 16]
    assert len(data.DisplayedAreaSelectionSequence) == 2


def test_key_images_are_selected_with_their_frames(tmp_path: Path) -> None:
    marks = [
        drawn("key", CT, text="look"),
        drawn("key", US, 3),
        msgspec.structs.replace(drawn("key", US, 9), id=uuid.uuid4()),
    ]
    file = key_objects_file(sheet(marks, [CT, US], "key-objects"))
    assert complaints(file, tmp_path) == []
    document = highdicom.ko.KeyObjectSelectionDocument.from_dataset(opened(file))
    references = document.content.get_references()
    frames = {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID): item.ReferencedSOPSequence[0].get(
            "ReferencedFrameNumber"
        )
        for item in references
    }
    assert frames[CT.sop_uid] is None
    assert list(frames[US.sop_uid]) == [3, 9]


finite = st.floats(allow_nan=False, allow_infinity=False)
units = st.one_of(st.sampled_from(sorted(UNITS)), st.just("cm3"))
names = (
    "length",
    "long_axis",
    "short_axis",
    "angle",
    "area",
    "perimeter",
    "mean",
    "sd",
    "min",
    "max",
    "value",
    "count",
)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.just("\n"), max_size=60)


PHASES = [phase for phase in Phase if phase is not Phase.shrink]  # an example takes a tenth of a second


@st.composite
def any_mark(draw: st.DrawFn) -> DrawnMark:
    kind = draw(st.sampled_from(DRAWN))
    least, most = POINTS[kind]
    coordinate = st.floats(-2000, 4000)
    points = draw(st.lists(st.tuples(coordinate, coordinate), min_size=least, max_size=min(most, 12)))
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=4))
    values = [Value(name, draw(finite), draw(units)) for name in chosen]
    picture = draw(st.sampled_from([CT, US, MR]))
    frame = draw(st.integers(1, picture.frames))
    author = draw(st.sampled_from([ANNA, ROBOT]))
    return DrawnMark(draw(st.uuids()), kind, picture.sop_uid, frame, points, draw(texts), values, author)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(st.lists(any_mark(), min_size=1, max_size=3, unique_by=lambda mark: mark.id))
def test_what_was_saved_reads_back_the_same(marks: list[DrawnMark]) -> None:
    """Values are the same 64-bit floats, points the nearest 32-bit ones (SCOORD is FL), texts without end spaces."""
    read = read_report_file(report_file(sheet(marks, [CT, US, MR])))
    assert len(read) == len(marks)
    for before, after in zip(marks, read, strict=True):
        assert after.id == before.id
        assert (after.kind, after.sop_uid, after.frame) == (before.kind, before.sop_uid, before.frame)
        assert after.points == [(float(np.float32(x)), float(np.float32(y))) for x, y in before.points]
        assert after.text == before.text.rstrip()
        assert sorted(after.values, key=lambda v: v.name) == sorted(before.values, key=lambda v: v.name)
        assert after.author == msgspec.structs.replace(before.author, id="")


def test_a_damaged_group_of_ours_is_said_to_be_so() -> None:
    data = opened(report_file(sheet([drawn("length")], [CT])))
    group = data.ContentSequence[-1].ContentSequence[0]
    group.ContentSequence[-1].ContentSequence[0].ContentSequence = []
    with pytest.raises(NotOurReport):
        read_report(data)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Änne Müller", "Müller^Änne"),
        ("Müller, Änne", "Müller^Änne"),
        ("anna", "anna^"),
        ("山田 太郎", "山田^太郎"),
        ("a^b\\c=d", "d^a b c"),
        ("", "^"),
    ],
)
def test_names_of_people_are_written_as_dicom_has_them(typed: str, written: str) -> None:
    assert person_name(typed) == written


@pytest.mark.parametrize("count", [8_189, 8_190, 8_191, 10_000])
def test_the_longest_outline_is_written_whole(count: int, tmp_path: Path) -> None:
    points = [(n % 500 + 0.5, n / 40) for n in range(count)]
    outline = msgspec.structs.replace(drawn("freehand"), points=points)
    file = report_file(sheet([outline], [CT]))
    assert complaints(file, tmp_path) == []
    (read,) = read_report_file(file)
    assert read.points == [(float(np.float32(x)), float(np.float32(y))) for x, y in points]
    state = presentation_file(sheet([outline], [CT], "presentation"))
    assert complaints(state, tmp_path) == []
    (graphic,) = opened(state).GraphicAnnotationSequence[0].GraphicObjectSequence
    assert (graphic["GraphicData"].VR, len(graphic.GraphicData)) == ("FL", 2 * count + 2)
