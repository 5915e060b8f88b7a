"""Where each frame of an object lies: enhanced objects, tomograms, dose grids, single pictures, and what is broken."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom.header import parse
from radrelay.dicom.planes import MOST_PLANES, Planes, planes_of
from tests.dicom.objects import wheel_file

AXIAL = [1, 0, 0, 0, 1, 0]
ENHANCED_MR, NM, RT_DOSE = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("4.1", "20", "481.2"))


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def planes(dataset: Dataset, frames: int) -> Planes:
    return planes_of(dataset.to_json(suppress_invalid_tags=True).encode(), frames)


def enhanced(frames: int) -> Dataset:
    """Return an enhanced MR: two slices, each at several moments and b-values; plane and measures are shared."""
    groups = []
    for frame in range(frames):
        content = item(
            StackID="1",
            InStackPositionNumber=frame % 2 + 1,
            TemporalPositionIndex=frame // 2 + 1,
            DimensionIndexValues=[1, frame % 2 + 1, frame // 2 + 1],
            FrameAcquisitionDateTime=f"2024010223595{frame // 2 + 8}.5" if frame < 4 else "20240103000001",
        )
        group = item(
            FrameContentSequence=Sequence([content]),
            PlanePositionSequence=Sequence([item(ImagePositionPatient=[0, 0, 5 * (frame % 2)])]),
            MREchoSequence=Sequence([item(EffectiveEchoTime=85.0)]),
            MRDiffusionSequence=Sequence([item(DiffusionBValue=800.0 if frame // 2 else 0.0)]),
        )
        groups.append(group)
    shared = item(
        PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=AXIAL)]),
        PixelMeasuresSequence=Sequence([item(PixelSpacing=[0.9, 0.8], SliceThickness=4, SpacingBetweenSlices=5)]),
    )
    pointers = [item(DimensionIndexPointer=tag) for tag in (0x00209056, 0x00209057, 0x00209128)]
    return item(
        SOPClassUID=ENHANCED_MR,
        NumberOfFrames=frames,
        FrameOfReferenceUID="1.2.3",
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(groups),
        DimensionIndexSequence=Sequence(pointers),
    )


def test_each_frame_of_an_enhanced_object_has_its_own_plane_and_what_all_share() -> None:
    found = planes(enhanced(6), 6)
    assert found.frame_of_reference == "1.2.3"
    assert found.dimensions == ("00209056", "00209057", "00209128")
    assert [plane.position for plane in found.planes[:2]] == [(0, 0, 0), (0, 0, 5)]
    second = found.planes[3]
    assert (second.orientation, second.spacing, second.thickness) == ((1, 0, 0, 0, 1, 0), (0.9, 0.8), 4)
    assert (second.stack_id, second.stack_position, second.temporal_position) == ("1", 2, 2)
    assert (second.echo_time, second.b_value, second.dimensions) == (85, 800, (1, 2, 2))


def test_each_frame_of_an_enhanced_mr_tells_what_it_is() -> None:
    dataset = enhanced(2)
    for group, component in zip(dataset.PerFrameFunctionalGroupsSequence, ("MAGNITUDE", "PHASE"), strict=True):
        told = item(FrameType=["ORIGINAL", "PRIMARY", "FLOW_ENCODED", "NONE"], ComplexImageComponent=component)
        group.MRImageFrameTypeSequence = Sequence([told])
    assert [plane.kinds for plane in planes(dataset, 2).planes] == [("magnitude",), ("phase",)]


def test_times_go_on_beyond_midnight() -> None:
    times = [plane.time for plane in planes(enhanced(6), 6).planes]
    assert times == [86398.5, 86398.5, 86399.5, 86399.5, 86401, 86401]


def test_a_frame_that_cannot_be_understood_takes_nothing_from_the_others() -> None:
    metadata = json.loads(enhanced(4).to_json())
    metadata["52009230"]["Value"][1]["00209113"]["Value"] = [{"00200032": {"vr": "DS", "Value": [{}]}}]
    metadata["52009230"]["Value"][2]["00209113"]["Value"] = [{"00200032": {"vr": "DS", "Value": ["here", None, 3]}}]
    found = planes_of(msgspec.json.encode(metadata), 4).planes
    assert [plane.position for plane in found] == [(0, 0, 0), None, None, (0, 0, 5)]


def test_a_header_that_names_millions_of_frames_is_answered_for_those_that_it_describes() -> None:
    dataset = enhanced(4)
    dataset.NumberOfFrames = 2_000_000_000
    assert len(planes(dataset, 2_000_000_000).planes) == 4
    dose = item(
        SOPClassUID=RT_DOSE, NumberOfFrames=2_000_000, ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=AXIAL,
        GridFrameOffsetVector=[0, 1, 2],
    )  # fmt: skip
    assert planes(dose, 2_000_000).planes == ()
    tomogram = item(
        SOPClassUID=NM, NumberOfFrames=2_000_000, SliceVector=[1, 2], SpacingBetweenSlices=1,
        DetectorInformationSequence=Sequence([item(ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=AXIAL)]),
    )  # fmt: skip
    assert len(planes(tomogram, 2_000_000).planes) == MOST_PLANES


@pytest.mark.parametrize(("between", "last"), [(4.5, 109), (-4.5, 91)])
def test_the_slices_of_a_tomogram_stand_behind_or_before_the_first_as_the_sign_says(
    between: float, last: float
) -> None:
    detector = item(ImagePositionPatient=[-100, -90, 100], ImageOrientationPatient=AXIAL)
    tomogram = item(
        SOPClassUID=NM, NumberOfFrames=6, SliceVector=[1, 2, 3] * 2, TimeSlotVector=[1, 1, 1, 2, 2, 2],
        SpacingBetweenSlices=between, SliceThickness=4.5, PixelSpacing=[4.5, 4.5],
        DetectorInformationSequence=Sequence([detector]),
    )  # fmt: skip
    found = planes(tomogram, 6).planes
    assert found[2].position == found[5].position == (-100, -90, last)
    assert [plane.temporal_position for plane in found] == [1, 1, 1, 2, 2, 2]


def test_a_planar_picture_of_a_camera_lies_nowhere() -> None:
    planar = item(SOPClassUID=NM, NumberOfFrames=2, DetectorInformationSequence=Sequence([item(), item()]))
    assert planes(planar, 2).planes == ()


@pytest.mark.parametrize("offsets", [[0, 2.5, 7.5], [-40, -37.5, -32.5]])
def test_a_dose_grid_lies_by_its_offsets_whether_they_are_distances_or_coordinates(offsets: list[float]) -> None:
    dose = item(
        SOPClassUID=RT_DOSE, NumberOfFrames=3, ImagePositionPatient=[-10, -20, -40], ImageOrientationPatient=AXIAL,
        PixelSpacing=[2.5, 2.5], GridFrameOffsetVector=offsets,
    )  # fmt: skip
    assert [plane.position for plane in planes(dose, 3).planes] == [
        (-10, -20, -40),
        (-10, -20, -37.5),
        (-10, -20, -32.5),
    ]


def test_coordinates_of_a_dose_grid_grow_toward_the_head_however_its_planes_are_turned() -> None:
    dose = item(
        SOPClassUID=RT_DOSE, NumberOfFrames=2, ImagePositionPatient=[10, -20, -40],
        ImageOrientationPatient=[-1, 0, 0, 0, 1, 0], PixelSpacing=[2.5, 2.5], GridFrameOffsetVector=[-40, -37],
    )  # fmt: skip
    assert planes(dose, 2).planes[1].position == (10, -20, -37)


def test_the_wheels_dose_lies_as_pydicom_reads_it() -> None:
    data_set, syntax = wheel_file("rtdose.dcm")
    found = planes_of(msgspec.json.encode(parse(data_set, syntax).to_json()), 15)
    assert len(found.planes) == 15
    assert found.planes[14].position == pytest.approx((189.43125, 199.43125, -691.87))


def test_a_single_picture_has_one_plane_and_a_loop_has_none() -> None:
    single = item(ImagePositionPatient=[1, 2, 3], ImageOrientationPatient=AXIAL, PixelSpacing=[0.5, 0.5], EchoTime=12)
    (plane,) = planes(single, 1).planes
    assert (plane.position, plane.echo_time) == ((1, 2, 3), 12)
    single.NumberOfFrames = 30
    assert planes(single, 30).planes == ()
    assert planes(item(NumberOfFrames=30, FrameTime=33), 30).planes == ()


def test_directions_that_are_none_are_not_told() -> None:
    for wrong in ([1, 0, 0, 1, 0, 0], [2, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0]):
        (plane,) = planes(item(ImagePositionPatient=[1, 2, 3], ImageOrientationPatient=wrong), 1).planes
        assert plane.orientation is None, wrong
    for text in (b"", b"[]", b"{", b'{"52009230":{"Value":"x"}}', b'{"52009230":{"Value":[1,null,"x"]}}'):
        assert planes_of(text, 3).planes == (), text
