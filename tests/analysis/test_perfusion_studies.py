"""Whole studies of known truth: maps and volumes, what is refused, what is warned of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radrelay.analysis.images.phantom_files import lesion
from radrelay.analysis.perfusion import STEPS, AnalysisRefused, Constants, Options, Result, analyse, refusals
from radrelay.analysis.perfusion.checking import check_positions
from radrelay.analysis.perfusion.phantom import Phantom, Recipe, make
from radrelay.analysis.perfusion.phantom_anatomy import Head, Lesion
from radrelay.analysis.perfusion.phantom_curves import Bolus
from radrelay.analysis.perfusion.times import per_slice

STILL = Options(correct_motion=False)
LESION = Lesion((40.0, 8.0, 0.0), (20.0, 32.0, 60.0), 0.65)
RECIPE = Recipe((3, 128, 128), (8.0, 1.7, 1.7), np.arange(0, 60, 1.5), Head(lesion=LESION), noise=3.0, seed=1)
SMALL = replace(RECIPE, shape=(1, 112, 112), noise=1.0)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make(RECIPE)


@pytest.fixture(scope="module")
def result(phantom: Phantom) -> Result:
    return analyse(phantom.volume.astype(np.int16), phantom.times, phantom.spacing, STILL)


def codes(found: Result) -> set[str]:
    return {one.code for one in found.warnings}


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def refused(volume: np.ndarray, times: np.ndarray, options: Options = STILL) -> AnalysisRefused:
    with pytest.raises(AnalysisRefused) as caught:
        analyse(volume, times, RECIPE.spacing, options)
    assert caught.value.code.startswith("perfusion-")
    assert caught.value.message
    return caught.value


def test_core_and_late_tissue_are_outlined(phantom: Phantom, result: Result) -> None:
    for mask, true, least in (
        (result.lesions.core, phantom.truth.core, 0.85),
        (result.lesions.late[6.0], phantom.truth.hypoperfused, 0.95),
    ):
        assert 2 * (mask & true).sum() / (mask.sum() + true.sum()) > least


def test_artery_and_vein_are_found_in_theirs(phantom: Phantom, result: Result) -> None:
    assert result.vein is not None
    assert phantom.truth.arteries[tuple(result.artery.voxels.T)].all()
    assert phantom.truth.veins[tuple(result.vein.voxels.T)].all()
    assert 1 <= result.partial_volume < 1.4


def test_a_large_vein_does_not_make_the_artery_part_of_the_baseline() -> None:
    head = Head(artery_radius_mm=2.0, sinus_radius_mm=7.0)
    phantom = make(replace(RECIPE, head=head, noise=0.0, spacing=(8.0, 1.3, 1.3), shape=(3, 160, 160)))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, STILL)
    assert phantom.truth.arteries[tuple(found.artery.voxels.T)].all()
    assert 4 < found.arrival_s < 8.5


def test_bone_fluid_and_vessels_are_no_tissue(phantom: Phantom, result: Result) -> None:
    assert (result.tissue & ~phantom.truth.brain).sum() < 0.01 * result.tissue.sum()
    assert (result.tissue & phantom.truth.brain).sum() > 0.9 * phantom.truth.brain.sum()
    assert not result.maps["CBF"][~result.tissue].any()


def test_maps_follow_the_truth(phantom: Phantom, result: Result) -> None:
    over = result.tissue & phantom.truth.brain
    assert np.median(result.maps["CBV"][over] / phantom.truth.cbv[over]) == pytest.approx(1, abs=0.06)
    assert np.corrcoef(result.maps["CBF"][over], phantom.truth.cbf[over])[0, 1] > 0.9
    assert np.corrcoef(result.maps["Tmax"][over], phantom.truth.delay_s[over])[0, 1] > 0.93


def test_each_step_is_told_of_and_timed(phantom: Phantom) -> None:
    told: list[tuple[str, float]] = []
    found = analyse(phantom.volume, phantom.times, phantom.spacing, STILL, progress=lambda *one: told.append(one))
    assert [step for step, _ in told] == list(STEPS)
    assert told[-1][1] == 1
    assert set(found.seconds) == set(STEPS)
    assert found.constants.printed()["density_g_per_ml"] == 1.04


def test_an_artery_that_a_reader_chose_is_used(phantom: Phantom, result: Result) -> None:
    place = tuple(int(at) for at in result.artery.voxels[0])
    chosen = replace(STILL, artery=((place[0], place[1], place[2]),))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, chosen)
    assert [tuple(one) for one in found.artery.voxels] == [place]


def test_an_mr_study_gives_the_same_lesion() -> None:
    recipe = replace(RECIPE, modality="MR", noise=8.0, bolus=Bolus(peak=200.0))
    phantom = make(recipe)
    found = analyse(phantom.volume, phantom.times, phantom.spacing, replace(STILL, modality="MR", te_s=recipe.te_s))
    true, late = phantom.truth.hypoperfused, found.lesions.late[6.0]
    assert 2 * (late & true).sum() / (late.sum() + true.sum()) > 0.9


def test_motion_is_undone_and_told_of() -> None:
    times = np.arange(0, 60, 2.5)
    poses = np.zeros((times.size, 6))
    poses[9:, 3:] = 3.0, -2.0, 0.0
    poses[15, 2] = np.radians(2.5)
    phantom = make(replace(RECIPE, poses=poses, times=times, shape=(3, 112, 112)))
    phantom.volume[20] = -1000
    found = analyse(phantom.volume, phantom.times, phantom.spacing)
    assert found.dropped == (20,)
    assert {"much-motion", "frames-dropped"} <= codes(found)
    assert found.motion is not None
    true, late = phantom.truth.hypoperfused, found.lesions.late[6.0]
    assert 2 * (late & true).sum() / (late.sum() + true.sum()) > 0.85


def test_a_study_without_contrast_yields_nothing() -> None:
    empty = make(replace(SMALL, bolus=Bolus(peak=0.0), noise=8.0))
    assert isinstance(refused(empty.volume, empty.times), refusals.NoContrast)


@pytest.mark.parametrize(
    ("modality", "noise", "seed", "pixels", "step_s"),
    [("CT", 8.0, 5, 256, 2.0), ("CT", 12.0, 0, 96, 1.5), ("CT", 12.0, 3, 96, 1.5), ("CT", 16.0, 2, 256, 2.0),
     ("MR", 16.0, 2, 256, 2.0)],
)  # fmt: skip
def test_noise_is_no_contrast(modality: str, noise: float, seed: int, pixels: int, step_s: float) -> None:
    recipe = lesion(modality=modality, noise=noise, seed=seed, pixels=pixels, slices=2, frames=40)
    phantom = make(
        replace(recipe, bolus=replace(recipe.bolus, peak=0.0), times=step_s * np.arange(40, dtype=np.float64))
    )
    options = Options(modality="MR" if modality == "MR" else "CT", correct_motion=False)
    with pytest.raises(refusals.NoContrast):
        analyse(phantom.volume, phantom.times, phantom.spacing, options)


@pytest.mark.parametrize(("peak", "noise"), [(120.0, 12.0), (80.0, 6.0)])
def test_a_weak_bolus_is_still_told_from_noise(peak: float, noise: float) -> None:
    phantom = make(replace(RECIPE, bolus=Bolus(peak=peak), noise=noise, shape=(2, 128, 128)))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, STILL)
    assert phantom.truth.arteries[tuple(found.artery.voxels.T)].mean() > 0.9


def test_what_is_no_head_is_refused() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((40, 2, 64, 64), -1000, dtype=np.float32)
    flat[:, :, 12:52, 12:52] = 40 + 5 * rng.standard_normal((40, 2, 40, 40))
    assert isinstance(refused(flat, RECIPE.times), refusals.NotAHead)


def test_damaged_values_are_refused(phantom: Phantom) -> None:
    volume = phantom.volume.copy()
    volume[7, 1, 60, 60] = np.nan
    assert isinstance(refused(volume, phantom.times), refusals.NotFinite)
    assert isinstance(refused(volume[0], phantom.times), refusals.SlicesMissing)


def test_frames_in_the_wrong_order_are_refused(phantom: Phantom) -> None:
    assert isinstance(refused(phantom.volume, phantom.times[::-1]), refusals.TimesUnordered)


@pytest.mark.parametrize(
    ("spoilt", "error"),
    [((2, 9, 14, 22, 30, 38), refusals.FramesLost), ((7, 8, 9), refusals.BolusLost)],
)
def test_too_many_spoilt_frames_are_refused(spoilt: tuple[int, ...], error: type[AnalysisRefused]) -> None:
    phantom = make(replace(SMALL, shape=(2, 112, 112)))
    phantom.volume[list(spoilt)] = -1000
    assert isinstance(refused(phantom.volume, phantom.times, Options()), error)


@pytest.mark.parametrize("slices", [(1,), (0, 1, 2)])
def test_three_images_in_a_row_that_lack_while_the_contrast_passes_are_refused(
    phantom: Phantom, slices: tuple[int, ...]
) -> None:
    times = per_slice(phantom.times, 3)
    for number in slices:
        times[7:10, number] = np.nan
    kept = np.isfinite(times).any(axis=1)
    assert isinstance(refused(phantom.volume[kept], times[kept]), refusals.BolusLost)
    times = per_slice(phantom.times, 3)
    times[30:33, slices] = np.nan
    kept = np.isfinite(times).any(axis=1)
    found = analyse(phantom.volume[kept], times[kept], phantom.spacing, STILL)
    assert "gap-in-time" in codes(found), "long after it a gap is told of, and no more"


def test_what_lacks_and_what_motion_has_spoilt_count_together() -> None:
    phantom = make(replace(SMALL, shape=(2, 112, 112)))
    phantom.volume[[14, 30]] = -1000
    kept = np.delete(np.arange(40), [5, 22, 36])
    assert isinstance(refused(phantom.volume[kept], phantom.times[kept], Options()), refusals.FramesLost)


def test_a_missing_slice_is_refused() -> None:
    check_positions(np.array([0, 5, 10, 15.0]))
    with pytest.raises(refusals.SlicesMissing):
        check_positions(np.array([20, 0, 5, 15.0]))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"times": np.arange(0, 60, 1.5)[:28], "bolus": Bolus(arrival_s=24.0)}, "cut-off-before-wash-out"),
        ({"times": np.arange(0, 80, 3.5)}, "sampling-over-3-s"),
        ({"artery_share": 0.4}, "partial-volume-over-2"),
        ({}, "slab-under-8-cm"),
        ({"bolus": Bolus(second_arrival_s=35.0)}, "two-boluses"),
        ({"head": Head(middle_mm=(30.0, 56.0))}, "artery-far-from-expected"),
    ],
)
def test_what_a_reader_is_to_know_is_told(change: dict[str, object], code: str) -> None:
    phantom = make(replace(SMALL, **change))  # type: ignore[arg-type]
    assert code in codes(analyse(phantom.volume, phantom.times, phantom.spacing, STILL))


def test_a_scan_without_a_vein_says_so() -> None:
    head = Head(sinus_radius_mm=0.0, vein_places_mm=())
    phantom = make(replace(SMALL, head=head))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, STILL)
    assert found.vein is None
    assert found.partial_volume == 1
    assert "vein-not-found" in codes(found)


def test_mr_without_diffusion_tells_no_core() -> None:
    phantom = make(replace(SMALL, modality="MR", noise=8.0, bolus=Bolus(peak=200.0)))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, replace(STILL, modality="MR"))
    assert (found.lesions.core_known, found.lesions.core_ml, found.lesions.ratio) == (False, 0, None)


@pytest.mark.parametrize("second_s", [32.0, 38.0, 45.0])
def test_of_two_boluses_the_first_tells_where_the_lesion_is(second_s: float) -> None:
    phantom = make(replace(RECIPE, bolus=Bolus(second_arrival_s=second_s), shape=(2, 128, 128)))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, STILL)
    assert "two-boluses" in codes(found)
    assert found.even_s[-1] < second_s
    assert dice(found.lesions.core, phantom.truth.core) > 0.85
    assert dice(found.lesions.late[6.0], phantom.truth.hypoperfused) > 0.95


def test_a_second_bolus_before_the_first_was_scanned_long_enough_is_refused() -> None:
    phantom = make(replace(SMALL, bolus=Bolus(second_arrival_s=26.0), times=np.arange(0, 60, 2.0)))
    assert isinstance(refused(phantom.volume, phantom.times), refusals.TooFewFrames)


@pytest.mark.parametrize(("seed", "pixels"), [(8, 112), (11, 128), (3, 256)])
def test_noise_in_the_dark_of_an_mr_image_is_no_artery(seed: int, pixels: int) -> None:
    recipe = lesion(modality="MR", noise=8.0, seed=seed, pixels=pixels, slices=2, frames=44)
    phantom = make(replace(recipe, bolus=replace(recipe.bolus, peak=200.0)))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, replace(STILL, modality="MR", te_s=recipe.te_s))
    assert phantom.truth.arteries[tuple(found.artery.voxels.T)].all()
    assert dice(found.lesions.late[6.0], phantom.truth.hypoperfused) > 0.95


@pytest.mark.parametrize(("turn_deg", "shift_mm"), [(20.0, (0.0, 0.0)), (0.0, (18.0, -12.0)), (-15.0, (-10.0, 8.0))])
def test_a_head_that_is_turned_or_off_the_middle_has_its_vessels_found(
    turn_deg: float, shift_mm: tuple[float, float]
) -> None:
    pose = np.array([0, 0, np.radians(turn_deg), *shift_mm, 0])
    recipe = replace(RECIPE, shape=(2, 128, 128), poses=np.tile(pose, (RECIPE.times.size, 1)), noise=6.0)
    phantom = make(recipe)
    found = analyse(phantom.volume, phantom.times, phantom.spacing, STILL)
    true = float(phantom.truth.hypoperfused.sum())
    assert float(found.lesions.late[6.0].sum()) == pytest.approx(true, rel=0.05)
    assert found.vein is not None
    assert found.vein.half_rise_s > found.artery.half_rise_s + 3


@pytest.mark.parametrize("noise", [6.0, 12.0])
def test_whole_studies_of_a_healthy_head_have_neither_core_nor_ratio(noise: float) -> None:
    phantom = make(replace(RECIPE, head=Head(), noise=noise))
    found = analyse(phantom.volume, phantom.times, phantom.spacing, STILL, Constants())
    assert (found.lesions.core_ml, found.lesions.ratio) == (0, None)
    assert found.lesions.late_ml[6.0] < 2


def test_an_image_that_is_missing_is_no_signal_of_nothing() -> None:
    recipe = replace(RECIPE, modality="MR", noise=8.0, bolus=Bolus(peak=200.0))
    phantom, options = make(recipe), replace(STILL, modality="MR", te_s=recipe.te_s)
    true, tissue = phantom.truth.hypoperfused, []
    times = per_slice(phantom.times, 3)
    for missing in ((), (1, 8)):
        volume, when = phantom.volume.astype(np.float32), times.copy()
        for frame in missing:
            volume[frame, 1], when[frame, 1] = 0, np.nan
        found = analyse(volume, when, phantom.spacing, options)
        late = found.lesions.late[6.0]
        tissue.append(int(found.tissue.sum()))
        assert 2 * (late & true).sum() / (late.sum() + true.sum()) > 0.9
    assert tissue[1] == pytest.approx(tissue[0], rel=0.01)


@pytest.mark.parametrize(
    ("place", "reason"),
    [((0, -1, 3), refusals.PlaceOutside), ((0, 5000, 3), refusals.PlaceOutside), ((0, 0, 0), refusals.NoContrast)],
)
def test_a_chosen_place_without_contrast_or_outside_yields_nothing(
    phantom: Phantom, place: tuple[int, int, int], reason: type[AnalysisRefused]
) -> None:
    with pytest.raises(reason):
        analyse(phantom.volume, phantom.times, phantom.spacing, replace(STILL, artery=(place,)))
