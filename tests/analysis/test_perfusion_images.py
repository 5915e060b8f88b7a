"""From files to arrays: whichever way a scanner sends a perfusion, it is put in order, or refused with its reason."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless

from radrelay.analysis.images.errors import (
    CopiesDiffer,
    MosaicNotRead,
    NothingToAnalyse,
    OrientationMixed,
    RescaleWrong,
    SeriesAmbiguous,
    SeriesUnknown,
    SeveralPatients,
    SizesMixed,
)
from radrelay.analysis.images.phantom_enhanced import enhanced
from radrelay.analysis.images.phantom_files import datasets, in_turns, lesion
from radrelay.analysis.images.reading import Read, files_in, read_study
from radrelay.analysis.perfusion.phantom import Phantom, Recipe, make
from radrelay.analysis.perfusion.refusals import (
    FramesLost,
    SlicesMissing,
    TimesDisagree,
    TimesDuplicate,
    TimesUnordered,
)
from radrelay.analysis.perfusion.times import check_times

RECIPE = replace(
    lesion(modality="CT", noise=3.0, seed=5, pixels=48, slices=4, frames=24), times=2.0 * np.arange(24.0)
)  # fmt: skip
Images = list[Dataset]
Change = Callable[[Images], object]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make(RECIPE)


@pytest.fixture(scope="module")
def images() -> Images:
    return list(datasets(RECIPE))


@pytest.fixture
def read(images: Images, tmp_path: Path) -> Callable[..., Read]:
    """Write copies of the images, changed, and read them."""

    def with_change(change: Change | None = None, *, order: int = 1, series: Sequence[str] = ()) -> Read:
        own = copy.deepcopy(images) if change is not None else images
        if change is not None:
            change(own)
        for number, one in enumerate(own[::order]):
            one.save_as(tmp_path / f"{number:04d}.dcm", enforce_file_format=True)
        return read_study(files_in(tmp_path), series)

    return with_change


def check(found: Read, phantom: Phantom) -> None:
    images = found.study.perfusion
    assert images.times is not None
    np.testing.assert_array_equal(np.asarray(images.values, dtype=np.float32), phantom.volume)
    np.testing.assert_allclose(images.times, phantom.times, atol=1e-5)
    check_times(images.times, images.slab.slices, images.other_times)


def test_ct_comes_out_as_it_was_made_in_whatever_order_the_files_came(
    read: Callable[..., Read], phantom: Phantom
) -> None:
    found = read(order=-1)
    check(found, phantom)
    assert found.study.modality == "CT"
    assert found.study.perfusion.values.dtype == np.int16
    assert found.study.perfusion.slab.spacing == pytest.approx(RECIPE.spacing)
    assert [len(own) for own in found.study.perfusion.references] == [24] * 4
    assert str(found.study.header.PatientID) == "PHANTOM"


def test_slices_numbered_from_the_top_and_the_table_moved_backwards_are_the_same_head(
    read: Callable[..., Read], phantom: Phantom
) -> None:
    def backwards(own: Images) -> None:
        for number, one in enumerate(own):
            one.InstanceNumber = str(len(own) - number)

    check(read(backwards), phantom)


def _set(name: str, value: object, *, late: bool = False) -> Change:
    def change(own: Images) -> None:
        for one in own[len(own) // 2 if late else 0 :]:
            setattr(one, name, value)

    return change


def _aside(own: Images) -> None:
    for one in own[len(own) // 2 :]:
        x, y, z = one.ImagePositionPatient
        one.ImagePositionPatient = [x + 20, y, z]


def _alone(own: Images) -> None:
    own[:] = own[::4]
    _set("SliceThickness", None)(own)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("ImageOrientationPatient", None), OrientationMixed),
        (_set("ImageOrientationPatient", [1, 0, 0, 0.3, 0.95, 0]), OrientationMixed),
        (_set("FrameOfReferenceUID", "1.2.3.4", late=True), OrientationMixed),
        (_aside, OrientationMixed),
        (_alone, SizesMixed),
    ],
)
def test_images_that_do_not_say_where_or_lie_beside_each_other_are_refused(
    read: Callable[..., Read], change: Change, reason: type[Exception]
) -> None:
    with pytest.raises(reason):
        read(change)


def test_a_series_for_each_time_point_is_one_acquisition(read: Callable[..., Read], phantom: Phantom) -> None:
    def parted(own: Images) -> None:
        for number, one in enumerate(own):
            one.SeriesInstanceUID = f"1.2.3.{number // 4}"
            one.SeriesDescription = f"CTP {2 * (number // 4)} s"

    check(read(parted), phantom)


def test_two_places_of_the_table_scanned_in_turns_are_one_slab(read: Callable[..., Read]) -> None:
    def in_turns(own: Images) -> None:
        for number, one in enumerate(own):
            if number % 4 >= 2:
                one.SeriesInstanceUID = "1.2.3.2"
                one.AcquisitionTime = one.AcquisitionTime[:6] + ".900000"
                one.AcquisitionDateTime = one.AcquisitionDateTime[:14] + ".900000"

    found = read(in_turns)
    times = found.study.perfusion.times
    assert times is not None
    assert times.shape == (24, 4)
    np.testing.assert_allclose(times[:, 2] - times[:, 0], 0.65, atol=1e-4)


@pytest.mark.parametrize("recipe", [RECIPE, in_turns(RECIPE)])
def test_one_enhanced_object_is_the_same_study(tmp_path: Path, recipe: Recipe) -> None:
    enhanced(recipe).save_as(tmp_path / "1.dcm", enforce_file_format=True)
    found = read_study(files_in(tmp_path))
    check(found, make(recipe))
    assert found.study.perfusion.references[3][1].frame == 8
    assert found.study.perfusion.slab.spacing == pytest.approx(RECIPE.spacing)


def test_enhanced_frames_scaled_apart_are_refused(tmp_path: Path) -> None:
    whole = enhanced(RECIPE)
    values = copy.deepcopy(whole.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0])
    del whole.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for number, one in enumerate(whole.PerFrameFunctionalGroupsSequence):
        one.PixelValueTransformationSequence = [copy.deepcopy(values)]
        one.PixelValueTransformationSequence[0].RescaleSlope = "1" if number % 2 else "1.5"
    whole.save_as(tmp_path / "1.dcm", enforce_file_format=True)
    with pytest.raises(RescaleWrong):
        read_study(files_in(tmp_path))


def test_mixed_sampling_keeps_its_times(tmp_path: Path) -> None:
    recipe = replace(RECIPE, times=np.concatenate((np.arange(16.0), 15 + 3 * np.arange(1.0, 13))))
    for number, one in enumerate(datasets(recipe)):
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    check(read_study(files_in(tmp_path)), make(recipe))


def test_times_told_by_position_and_interval_alone(read: Callable[..., Read], phantom: Phantom) -> None:
    def alone(own: Images) -> None:
        for number, one in enumerate(own):
            one.TemporalPositionIdentifier, one.TemporalResolution = str(number // 4 + 1), "2000"
            one.AcquisitionTime = one.ContentTime = own[0].AcquisitionTime
            one.AcquisitionDateTime = own[0].AcquisitionDateTime

    check(read(alone), phantom)


def test_times_told_by_trigger_alone(read: Callable[..., Read], phantom: Phantom) -> None:
    def alone(own: Images) -> None:
        for number, one in enumerate(own):
            one.TriggerTime = str(2000 * (number // 4))
            del one.AcquisitionTime, one.AcquisitionDateTime, one.ContentTime

    check(read(alone), phantom)


def test_times_told_by_philips_alone(read: Callable[..., Read], phantom: Phantom) -> None:
    def alone(own: Images) -> None:
        for number, one in enumerate(own):
            one.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0xA0, "FL", 2.0 * (number // 4))
            one.AcquisitionTime = one.ContentTime = own[0].AcquisitionTime
            del one.AcquisitionDateTime

    check(read(alone), phantom)


def test_an_acquisition_over_midnight_goes_on(read: Callable[..., Read], phantom: Phantom) -> None:
    def late(own: Images) -> None:
        for number, one in enumerate(own):
            seconds = 86_380 + 2 * (number // 4)
            of_day = seconds % 86_400
            one.AcquisitionTime = f"{of_day // 3600:02d}{of_day // 60 % 60:02d}{of_day % 60:02d}"
            del one.AcquisitionDateTime, one.AcquisitionDate, one.ContentDate, one.ContentTime

    check(read(late), phantom)


def test_images_that_are_missing_or_damaged_are_lost_and_the_others_keep_their_time(
    read: Callable[..., Read], phantom: Phantom
) -> None:
    def damaged(own: Images) -> None:
        own[9].PixelData = own[9].PixelData[:100]
        del own[20]

    found = read(damaged)
    times = found.study.perfusion.times
    assert times is not None
    assert found.left_out == 1
    assert np.argwhere(np.isnan(times)).tolist() == [[2, 1], [5, 0]]
    kept = np.isfinite(times)
    np.testing.assert_allclose(times[kept], phantom.times[kept], atol=1e-5)
    np.testing.assert_array_equal(found.study.perfusion.values[kept], phantom.volume[kept])


@pytest.mark.parametrize("points", [range(2, 24, 6), range(21, 24)])
def test_more_than_a_tenth_of_damaged_images_is_refused_wherever_they_are(
    read: Callable[..., Read], points: range
) -> None:
    def damaged(own: Images) -> None:
        for point in points:
            own[4 * point + 1].PixelData = own[4 * point + 1].PixelData[:100]

    with pytest.raises(FramesLost):
        read(damaged)


def test_a_table_that_goes_to_and_fro_through_the_slab_loses_no_image(tmp_path: Path) -> None:
    turns, places = np.arange(24)[:, None], np.array([0.1, 0.4, 0.6, 0.9])
    times = 2.0 * turns + 2.0 * np.where(turns % 2 == 0, places, 1 - places)
    recipe = replace(RECIPE, times=times - times.min())
    for number, one in enumerate(datasets(recipe)):
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    found = read_study(files_in(tmp_path))
    check(found, make(recipe))
    assert found.warnings == ()


def test_a_different_image_missing_of_each_slice_shifts_nothing(read: Callable[..., Read], phantom: Phantom) -> None:
    missing = {(3, 0), (7, 1), (12, 2), (20, 3)}

    def thinned(own: Images) -> None:
        own[:] = [one for number, one in enumerate(own) if divmod(number, 4) not in missing]

    found = read(thinned).study.perfusion
    assert found.times is not None
    assert {(int(row), int(place)) for row, place in np.argwhere(np.isnan(found.times))} == missing
    kept = np.isfinite(found.times)
    np.testing.assert_allclose(found.times[kept], phantom.times[kept], atol=1e-5)
    np.testing.assert_array_equal(found.values[kept], phantom.volume[kept])


def test_images_missing_of_two_places_in_turns_are_missed_where_they_were(tmp_path: Path) -> None:
    recipe = in_turns(RECIPE)
    for number, one in enumerate(datasets(recipe)):
        if number not in (9, 50):
            one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    times = read_study(files_in(tmp_path)).study.perfusion.times
    assert times is not None
    assert np.argwhere(np.isnan(times)).tolist() == [[2, 1], [12, 2]]
    np.testing.assert_allclose(times[np.isfinite(times)], make(recipe).times[np.isfinite(times)], atol=1e-5)


def test_compressed_and_foreign_files_between_them_change_nothing(
    read: Callable[..., Read], phantom: Phantom, tmp_path: Path
) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"no DICOM at all")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 " + bytes(400))

    def compressed(own: Images) -> None:
        for one in own[:8]:
            one.compress(RLELossless, generate_instance_uid=False)

    found = read(compressed)
    check(found, phantom)
    assert sorted(one.path.name for one in found.left) == ["DICOMDIR", "report.pdf"]


def test_a_time_point_that_nothing_can_be_read_of_is_no_time_point(read: Callable[..., Read], phantom: Phantom) -> None:
    def damaged(own: Images) -> None:
        for one in own[8:12]:
            one.PixelData = one.PixelData[:100]

    images = read(damaged).study.perfusion
    assert images.times is not None
    np.testing.assert_allclose(images.times, np.delete(phantom.times, 2, axis=0), atol=1e-5)
    np.testing.assert_array_equal(images.values, np.delete(phantom.volume, 2, axis=0))


def test_a_broken_codestream_is_a_lost_image_and_no_more(read: Callable[..., Read]) -> None:
    def broken(own: Images) -> None:
        own[6].file_meta.TransferSyntaxUID = JPEG2000Lossless
        own[6].PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(400)])

    found = read(broken)
    times = found.study.perfusion.times
    assert times is not None
    assert found.left_out == 1
    assert np.argwhere(np.isnan(times)).tolist() == [[1, 2]]


def test_of_two_copies_the_one_that_can_be_read_counts(read: Callable[..., Read], phantom: Phantom) -> None:
    def broken(own: Images) -> None:
        own.append(copy.deepcopy(own[3]))
        own[3].PixelData = own[3].PixelData[:64]

    check(read(broken), phantom)


def test_twice_the_same_images_count_once(read: Callable[..., Read], phantom: Phantom) -> None:
    check(read(lambda own: own.extend(own[:30])), phantom)


def test_a_tilted_gantry_is_said(read: Callable[..., Read]) -> None:
    def tilted(own: Images) -> None:
        for one in own:
            x, y, z = one.ImagePositionPatient
            one.ImagePositionPatient = [x, f"{float(y) + 0.2 * float(z):g}", z]

    [warned] = read(tilted).warnings
    assert (warned.code, warned.facts) == ("gantry-tilt", {"degrees": 11.3})


def _unsteady(most_mm: float) -> Change:
    """Tell the table's place anew for each image, by up to `most_mm` apart."""

    def change(own: Images) -> None:
        for number, one in enumerate(own):
            x, y, z = one.ImagePositionPatient
            one.ImagePositionPatient = [x, y, f"{float(z) + most_mm * ((number // 4 * 7) % 24 / 23 - 0.5):.6g}"]

    return change


@pytest.mark.parametrize(("most_mm", "warned"), [(0.2, []), (0.9, ["slices-unsteady"])])
def test_slices_whose_place_is_told_a_little_otherwise_each_time_are_the_same(
    read: Callable[..., Read], phantom: Phantom, most_mm: float, warned: list[str]
) -> None:
    found = read(_unsteady(most_mm))
    check(found, phantom)
    assert [one.code for one in found.warnings] == warned
    assert found.study.perfusion.slab.spacing[0] == pytest.approx(RECIPE.spacing[0], abs=0.01)


def test_thin_slices_are_not_taken_for_unsteady_ones(read: Callable[..., Read], phantom: Phantom) -> None:
    def thin(own: Images) -> None:
        for one in own:
            x, y, z = one.ImagePositionPatient
            one.ImagePositionPatient, one.SliceThickness = [x, y, f"{float(z) / 16:.6g}"], "0.5"

    check(read(thin), phantom)


def test_images_without_a_frame_of_reference_are_taken_with_a_warning_and_their_results_have_one(
    read: Callable[..., Read], phantom: Phantom
) -> None:
    def without(own: Images) -> None:
        for one in own:
            del one.FrameOfReferenceUID

    found = read(without)
    check(found, phantom)
    assert [one.code for one in found.warnings] == ["no-frame-of-reference"]
    assert found.study.perfusion.slab.frame_of_reference_uid.startswith("2.25.")


def _told(own: Images, gone: Sequence[int], **said: str) -> None:
    for one in own:
        for name, value in said.items():
            setattr(one, name, value)
    own[:] = [one for number, one in enumerate(own) if number not in gone]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda own: _told(own, (9, 50)), 2),  # among their neighbours
        (lambda own: _told(own, range(92, 96), NumberOfTemporalPositions="24"), 4),  # the last time point
        (lambda own: _told(own, range(88, 96), ImagesInAcquisition="96"), 8),
        (lambda own: _told(own, (), NumberOfTemporalPositions="24", ImagesInAcquisition="96"), 0),
        (lambda own: _told(own, (), ImagesInAcquisition="4"), 0),  # of each time point by itself
        (lambda own: _told(own, (0, 1, 95)), 0),  # a table that goes to and fro begins and ends in the midst
    ],
)
def test_images_that_are_not_there_are_said(read: Callable[..., Read], change: Change, missing: int) -> None:
    told = {one.code: one.facts for one in read(change).warnings}
    assert told == ({"images-missing": {"images": missing}} if missing else {})


def _slice_away(own: Images) -> None:
    own[:] = [one for number, one in enumerate(own) if number % 4 != 1]


def _turned(own: Images) -> None:
    own[5].ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]


def _unscaled(own: Images) -> None:
    for one in own:
        del one.RescaleSlope, one.RescaleIntercept


def _scaled_apart(own: Images) -> None:
    own[7].RescaleSlope = "2"


def _unscaled_one(own: Images) -> None:
    del own[7].RescaleSlope, own[7].RescaleIntercept


def _shifted_one(own: Images) -> None:
    own[7].RescaleIntercept = "0"


def _without_air(own: Images) -> None:
    for one in own:
        one.RescaleIntercept = "0"


def _other_patient(own: Images) -> None:
    own[3].StudyInstanceUID = "1.2.3"


def _other_person(own: Images) -> None:
    for one in own:
        one.PatientID = ""
    own[3].PatientName = "Other^Person"


def _born_later(own: Images) -> None:
    for one in own[:4]:
        one.SeriesInstanceUID, one.PatientBirthDate = "1.2.3.9", "19990101"


def _smaller(own: Images) -> None:
    own[3].Rows, own[3].PixelData = 24, own[3].PixelData[: len(own[3].PixelData) // 2]


def _colour(own: Images) -> None:
    for one in own:
        one.SeriesDescription = "CBF map"


def _other_copy(own: Images) -> None:
    own.append(copy.deepcopy(own[3]))
    own[-1].PixelData = bytes(len(own[-1].PixelData))


def _mosaics(own: Images) -> None:
    for one in own:
        one.Modality, one.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]


def _two_of_them(own: Images) -> None:
    more = copy.deepcopy(own)
    for number, one in enumerate(more):
        one.SeriesInstanceUID, one.SOPInstanceUID = "1.2.3.4", f"1.2.3.4.{number}"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.SeriesDescription = "Perfusion thin"
    own += more


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (_slice_away, SlicesMissing), (_turned, OrientationMixed), (_unscaled, RescaleWrong),
        (_unscaled_one, RescaleWrong), (_shifted_one, RescaleWrong), (_scaled_apart, RescaleWrong),
        (_without_air, RescaleWrong), (_other_patient, SeveralPatients),
        (_other_person, SeveralPatients), (_born_later, SeveralPatients),
        (_smaller, SizesMixed), (_colour, NothingToAnalyse), (_two_of_them, SeriesAmbiguous),
        (_other_copy, CopiesDiffer), (_mosaics, MosaicNotRead),
    ],
)  # fmt: skip
def test_what_is_no_study_is_refused(read: Callable[..., Read], change: Change, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        read(change)


def test_of_several_a_person_chooses(read: Callable[..., Read], phantom: Phantom) -> None:
    check(read(_two_of_them, series=["1.2.3.4"]), phantom)
    with pytest.raises(SeriesUnknown):
        read(series=["1.2.3.99"])


def _duplicate(own: Images) -> None:
    own[8].AcquisitionTime, own[8].AcquisitionDateTime = own[4].AcquisitionTime, own[4].AcquisitionDateTime


def _unordered(own: Images) -> None:
    for number, one in enumerate(own):
        one.TemporalPositionIdentifier = str((number // 4 + 12) % 24 + 1)


def _disagreeing(own: Images) -> None:
    for number, one in enumerate(own):
        one.AcquisitionTime = f"0800{number // 4:02d}"


@pytest.mark.parametrize(
    ("change", "refusal"), [(_duplicate, TimesDuplicate), (_unordered, TimesUnordered), (_disagreeing, TimesDisagree)]
)
def test_times_that_cannot_be_true_are_refused(
    read: Callable[..., Read], change: Change, refusal: type[Exception]
) -> None:
    images = read(change).study.perfusion
    assert images.times is not None
    with pytest.raises(refusal):
        check_times(images.times, images.slab.slices, images.other_times)
