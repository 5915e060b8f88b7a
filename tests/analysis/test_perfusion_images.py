"""From files to arrays: whichever way a scanner sends a perfusion, it is put in order, or refused with its reason."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from radrelay.analysis.images import diffusing
from radrelay.analysis.images.errors import (
    NothingToAnalyse,
    OrientationMixed,
    RescaleWrong,
    RulesInvalid,
    SeriesAmbiguous,
    SeriesUnknown,
    SeveralPatients,
    SizesMixed,
)
from radrelay.analysis.images.onto import onto
from radrelay.analysis.images.phantom_files import datasets, lesion
from radrelay.analysis.images.reading import Read, files_in, read_study
from radrelay.analysis.images.recognising import read_rules
from radrelay.analysis.perfusion.phantom import Phantom, make
from radrelay.analysis.perfusion.refusals import SlicesMissing, TimesDisagree, TimesDuplicate, TimesUnordered
from radrelay.analysis.perfusion.times import check_times
from radrelay.analysis.study import Slab

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


def test_twice_the_same_images_count_once(read: Callable[..., Read], phantom: Phantom) -> None:
    check(read(lambda own: own.extend(own[:30])), phantom)


def test_a_tilted_gantry_is_said(read: Callable[..., Read]) -> None:
    def tilted(own: Images) -> None:
        for one in own:
            x, y, z = one.ImagePositionPatient
            one.ImagePositionPatient = [x, f"{float(y) + 0.2 * float(z):g}", z]

    [warned] = read(tilted).warnings
    assert (warned.code, warned.facts) == ("gantry-tilt", {"degrees": 11.3})


def _slice_away(own: Images) -> None:
    own[:] = [one for number, one in enumerate(own) if number % 4 != 1]


def _turned(own: Images) -> None:
    own[5].ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]


def _unscaled(own: Images) -> None:
    for one in own:
        del one.RescaleSlope, one.RescaleIntercept


def _scaled_apart(own: Images) -> None:
    own[7].RescaleSlope = "2"


def _without_air(own: Images) -> None:
    for one in own:
        one.RescaleIntercept = "0"


def _other_patient(own: Images) -> None:
    own[3].StudyInstanceUID = "1.2.3"


def _smaller(own: Images) -> None:
    own[3].Rows, own[3].PixelData = 24, own[3].PixelData[: len(own[3].PixelData) // 2]


def _colour(own: Images) -> None:
    for one in own:
        one.SeriesDescription = "CBF map"


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
        (_scaled_apart, RescaleWrong), (_without_air, RescaleWrong), (_other_patient, SeveralPatients),
        (_smaller, SizesMixed), (_colour, NothingToAnalyse), (_two_of_them, SeriesAmbiguous),
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


def test_mr_has_its_echo_time_and_coefficients_of_diffusion(tmp_path: Path) -> None:
    recipe = lesion(modality="MR", noise=2.0, seed=4, pixels=48, slices=4, frames=24)
    for number, one in enumerate(datasets(recipe)):
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    study, truth = read_study(files_in(tmp_path)).study, make(recipe).truth
    assert study.te_s == pytest.approx(0.03)
    assert study.diffusion is not None
    adc = np.asarray(study.diffusion.values, dtype=np.float64)
    assert np.median(adc[truth.core]) == pytest.approx(420, abs=5)
    assert np.median(adc[truth.brain & ~truth.core]) == pytest.approx(820, abs=5)


def test_coefficients_are_those_of_the_formula_and_maps_come_in_any_unit() -> None:
    base = np.array([[1000.0, 500.0, 0.0]])
    found = diffusing.coefficients_of(base, base * np.exp(-1000 * 0.0007), 0.0, 1000.0)
    np.testing.assert_allclose(found, [[700.0, 700.0, 0.0]], rtol=1e-5)
    for factor in (1.0, 1e-3, 1e-6):
        given = np.array([0.0, 700.0, 900.0], dtype=np.float32) * np.float32(factor)
        np.testing.assert_allclose(diffusing.in_um2_per_s(given), [0, 700, 900], rtol=1e-5)


def test_a_volume_lies_where_it_lay_on_the_voxels_of_another() -> None:
    fine = Slab(8, 8, tuple((0.0, 0.0, 2.0 * z) for z in range(6)), (1, 0, 0, 0, 1, 0), (1.0, 1.0), 2.0, "1.2")
    coarse = Slab(4, 4, tuple((0.5, 0.5, 1.0 + 4.0 * z) for z in range(3)), (1, 0, 0, 0, 1, 0), (2.0, 2.0), 4.0, "1.2")
    z, y, x = np.meshgrid(2.0 * np.arange(6), np.arange(8.0), np.arange(8.0), indexing="ij")
    found = onto(x + 10 * y + 100 * z, fine, coarse)
    wanted = np.meshgrid(1 + 4.0 * np.arange(3), 0.5 + 2 * np.arange(4.0), 0.5 + 2 * np.arange(4.0), indexing="ij")
    assert found is not None
    np.testing.assert_allclose(found, wanted[2] + 10 * wanted[1] + 100 * wanted[0], rtol=1e-5)
    assert onto(x, replace(fine, frame_of_reference_uid="1.3"), coarse) is None


def test_a_sites_rules_are_read_and_what_is_wrong_with_them_is_said(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[series]]\nrole = 'perfusion'\nseries = '^head dynamic'\n")
    assert [one.role for one in read_rules(path).series] == ["perfusion"]
    for wrong in ("[[series]]\nrole = 'perfusion'\n", "[[series]]\nseries = '('\n", "[[other]]\nseries = 'x'\n", "=="):
        path.write_text(wrong)
        with pytest.raises(RulesInvalid):
            read_rules(path)
