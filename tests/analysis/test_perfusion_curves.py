"""Curves against what can be worked out by hand: times, sampling, conversion, deconvolution, values."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from radrelay.analysis.perfusion import METHODS, Constants, deconvolution, refusals, sampling, subspace, times
from radrelay.analysis.perfusion.conversion import delta_r2_star
from radrelay.analysis.perfusion.maps import values_of
from radrelay.analysis.perfusion.phantom_curves import RESIDUES, Bolus, Residue, Tissue, vessel_curve

EVEN = np.arange(60.0)
ARTERY = vessel_curve(Bolus(), EVEN, 0.0)
CBV_AND_MTT = [(cbv, mtt) for cbv in (1.0, 3.0, 5.0) for mtt in (3.43, 4.8, 8.0, 24.0)]


def curves(kind: Residue = "exponential", delay_s: float = 0.0) -> np.ndarray:
    own = [Tissue(cbv / mtt * 60, mtt, delay_s, kind).curve(Bolus(), EVEN, Constants()) for cbv, mtt in CBV_AND_MTT]
    return np.asarray(own, dtype=np.float32)


@pytest.mark.parametrize(
    ("own", "error"),
    [
        (np.arange(19) * 3.0, refusals.TooFewFrames),
        (np.arange(30) * 1.3, refusals.TooShort),
        (np.arange(45.0)[::-1], refusals.TimesUnordered),
        (np.r_[np.arange(44.0), 43.0], refusals.TimesDuplicate),
        (np.r_[np.arange(20.0), np.arange(30.0, 60)], refusals.FramesLost),
    ],
)
def test_times_that_cannot_be_are_refused(own: np.ndarray, error: type[refusals.AnalysisRefused]) -> None:
    with pytest.raises(error):
        times.check_times(own, 2)


def test_two_attributes_that_disagree_about_the_times_are_refused() -> None:
    with pytest.raises(refusals.TimesDisagree):
        times.check_times(EVEN, 1, np.r_[EVEN[:30], EVEN[30:] + 1])
    assert not times.check_times(EVEN + 7, 1, EVEN).warnings


def test_times_for_another_number_of_slices_are_refused() -> None:
    with pytest.raises(refusals.SlicesMissing):
        times.check_times(np.zeros((45, 3)), 4)


def test_mixed_sampling_is_no_gap_and_slow_sampling_is_told() -> None:
    mixed = np.r_[np.arange(0, 40, 1.5), np.arange(40, 62, 4.0)]
    assert times.check_times(mixed, 1).warnings == ()
    assert [one.code for one in times.check_times(np.arange(25) * 3.5, 1).warnings] == ["sampling-over-3-s"]
    assert [one.code for one in times.check_times(np.arange(25) * 3.0, 1).warnings] == ["sampling-coarse"]
    assert times.check_times(np.arange(25) * 2.0, 1).warnings == ()
    assert [one.code for one in times.check_times(np.delete(EVEN, [20, 21]), 1).warnings] == ["gap-in-time"]


def test_time_points_that_lack_are_counted_one_by_one_and_in_a_row() -> None:
    every = 1.5 * np.arange(44)
    assert (
        times.lost_between(np.diff(np.delete(every, [5, 20, 21, 22]))).tolist()
        == [0] * 4 + [1] + [0] * 13 + [3] + [0] * 20
    )
    with pytest.raises(refusals.FramesLost):
        times.check_times(np.delete(every, range(3, 44, 6)), 1)
    assert times.check_times(np.delete(every, [5, 20, 35]), 1).lost_share == pytest.approx(3 / 44)


def test_a_table_that_goes_to_and_fro_comes_by_its_ends_at_long_and_short_intervals_and_loses_nothing() -> None:
    turns = np.arange(44)[:, None]
    places = np.array([0.1, 0.4, 0.9])
    own = 1.5 * turns + 1.5 * np.where(turns % 2 == 0, places, 1 - places)
    found = times.check_times(own, 3)
    assert found.lost_share == 0
    assert [one.code for one in found.warnings] == ["sampling-coarse"], "2.7 s at the ends"


@pytest.mark.parametrize("way", ["linear", "cubic"])
def test_resampling_keeps_lines_and_takes_off_the_baseline(way: sampling.Way) -> None:
    own = np.array([0.2, 1.9, 3.1, 6.0, 7.7, 9.0])
    even = sampling.grid(own[:, None])
    matrix = sampling.weights(own, even, way)
    inside = np.clip(even, own[0], own[-1])
    np.testing.assert_allclose(matrix @ (3 * own + 5), 3 * inside + 5)
    taken = sampling.less_baseline(matrix, own, 2.5)
    np.testing.assert_allclose(taken @ (3 * own + 5), 3 * (inside - np.mean(own[:2])), atol=1e-12)


def test_the_grid_ends_where_the_first_slice_ends_and_skips_what_was_not_acquired() -> None:
    both = np.array([[0.0, np.nan], [2.0, 1.0], [4.0, 3.0], [np.nan, 3.6]])
    np.testing.assert_array_equal(sampling.grid(both), [0, 1, 2, 3])


def test_signal_that_falls_to_a_half_is_a_rate_of_ln_2_over_te() -> None:
    found = delta_r2_star(np.array([[50.0, 0.0]], np.float32), np.array([100.0, 100.0], np.float32), 0.03)
    np.testing.assert_allclose(found[0], [np.log(2) / 0.03, np.log(50) / 0.03], rtol=1e-5)


def test_a_straight_response_does_not_oscillate_and_a_comb_does() -> None:
    flat = np.ones((1, 80), dtype=np.float32)
    comb = np.tile(np.repeat([1.0, 0.0], deconvolution.FINE), 20).astype(np.float32)[None]
    assert deconvolution.oscillation(flat)[0] == 0
    assert deconvolution.oscillation(comb)[0] == pytest.approx(2 * (80 - 2 * deconvolution.FINE) / 80)


def test_what_only_passes_by_has_a_response_at_its_delay() -> None:
    later = np.stack([vessel_curve(Bolus(), EVEN, delay) for delay in (-2.0, 0.0, 3.0, 7.5)]).astype(np.float32)
    found = deconvolution.with_oscillation_index(later, ARTERY, 1.0, 0.035)
    np.testing.assert_allclose(found.tmax_s, [-2.0, 0.0, 3.0, 7.5], atol=0.1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", RESIDUES)
def test_flow_volume_and_transit_time_follow_the_truth(kind: Residue, method: str) -> None:
    found = values_of(curves(kind), ARTERY, 1.0, Constants(method=method))  # type: ignore[arg-type]
    cbv, mtt = np.array(CBV_AND_MTT).T
    assert np.corrcoef(found.cbf, cbv / mtt)[0, 1] > (0.99 if method == METHODS[0] else 0.95)
    assert np.median(np.abs(found.cbv / cbv - 1)) < 0.01
    assert np.corrcoef(found.mtt, mtt)[0, 1] > 0.99


def test_volume_is_right_where_the_scan_ends_before_the_contrast_is_out() -> None:
    cut, constants = EVEN[:45], Constants()
    slow = Tissue(10.0, 24.0).curve(Bolus(), cut, constants).astype(np.float32)[None]
    found = values_of(slow, ARTERY[:45], 1.0, constants)
    assert found.cbv[0] == pytest.approx(4.0, rel=0.03)
    assert 100 * 0.73 / 1.04 * slow.sum() / ARTERY[:45].sum() < 3.1


@pytest.mark.parametrize("method", METHODS)
def test_a_delay_moves_tmax_and_leaves_flow_alone(method: str) -> None:
    constants = Constants(method=method)  # type: ignore[arg-type]
    still = values_of(curves(), ARTERY, 1.0, constants)
    for delay in (-2.0, 0.5, 3.3, 8.0):
        found = values_of(curves(delay_s=delay), ARTERY, 1.0, constants)
        np.testing.assert_allclose(found.cbf, still.cbf, rtol=0.03)
        np.testing.assert_allclose(found.tmax - still.tmax, delay, atol=0.3)
        np.testing.assert_allclose(found.ttp - still.ttp, delay, atol=0.3)


def test_the_space_of_what_an_artery_can_cause_holds_tissue_and_little_noise() -> None:
    space = subspace.basis(ARTERY, 1.0)
    np.testing.assert_allclose(space.T @ space, np.eye(space.shape[1]), atol=1e-9)
    assert space.shape[1] < 20
    for kind in RESIDUES:
        for delay in (-2.0, 0.0, 4.2, 8.0):
            own = curves(kind, delay)
            left = own - own @ space @ space.T
            assert np.linalg.norm(left, axis=1).max() < 0.05 * np.linalg.norm(own, axis=1).max()


def test_osipi_reference_curves_give_their_flow_and_volume(shared_data: Path) -> None:
    constants, found = Constants(density_g_per_ml=1.0, haematocrit_factor=1.0), []
    with (shared_data / "perfusion/osipi_dsc_dro/dsc_data.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            tissue, artery = (np.array(row[name].split(), dtype=np.float64) for name in ("C_tis", "C_aif"))
            own = np.arange(tissue.size) * float(row["tr"])
            matrix = sampling.weights(own, np.arange(0, own[-1]))
            value = values_of((matrix @ tissue)[None].astype(np.float32), matrix @ artery, 1.0, constants)
            found.append((float(row["cbf"]), value.cbf[0], float(row["cbv"]), value.cbv[0]))
    cbf, own_cbf, cbv, own_cbv = np.array(found).T
    assert np.corrcoef(cbf, own_cbf)[0, 1] >= 0.99
    assert np.median(np.abs(own_cbf / cbf - 1)) <= 0.1
    assert np.corrcoef(cbv, own_cbv)[0, 1] >= 0.98
