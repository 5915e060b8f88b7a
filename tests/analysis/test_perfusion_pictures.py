"""Steps on pictures: masks, smoothing, rigid motion, lesions' outlines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radrelay.analysis.perfusion import Constants, alike, grid, lesions, morphology, motion, rigid, smoothing
from radrelay.analysis.perfusion.phantom import Recipe, make
from radrelay.analysis.perfusion.phantom_anatomy import Head, Lesion

SPACING = (8.0, 1.7, 1.7)
MOVED = Recipe((8, 112, 112), SPACING, np.arange(6.0), Head(lesion=Lesion()), noise=6.0, subslices=2)


def test_pieces_hang_together_by_faces() -> None:
    mask = np.zeros((2, 6, 6), dtype=np.bool_)
    mask[0, 0, :5] = mask[0, :5, 0] = mask[1, 0, 4] = True
    mask[1, 5, 5] = mask[1, 3, 3] = True
    assert morphology.pieces(mask).max() == 3
    assert morphology.pieces(mask, first_axis=1).max() == 4
    assert morphology.largest(mask).sum() == 10
    assert morphology.without_small(mask, 2).sum() == 10
    assert not morphology.largest(np.zeros_like(mask)).any()


def test_pieces_of_random_masks_agree_with_walking_them() -> None:
    mask = np.random.default_rng(3).random((3, 12, 12)) < 0.5
    labels, left, count = morphology.pieces(mask), mask.copy(), 0
    while left.any():
        count += 1
        piece, edge = set(), [tuple(int(at) for at in np.argwhere(left)[0])]
        while edge:
            at = edge.pop()
            if at in piece or min(at) < 0 or any(a >= b for a, b in zip(at, mask.shape, strict=True)) or not mask[at]:
                continue
            piece.add(at)
            left[at] = False
            edge += [tuple(np.add(at, step)) for axis in np.eye(3, dtype=int) for step in (axis, -axis)]
        assert len({int(labels[at]) for at in piece}) == 1
    assert labels.max() == count


def test_what_is_grown_and_shrunk_keeps_its_size() -> None:
    mask = np.zeros((1, 31, 31), dtype=np.bool_)
    mask[0, 12:19, 12:19] = True
    assert morphology.grown(mask, 3)[0].any(axis=0).sum() == 13
    np.testing.assert_array_equal(morphology.shrunk(morphology.grown(mask, 3), 3), mask)


def test_smoothing_within_a_mask_takes_nothing_from_outside() -> None:
    frames = np.full((2, 1, 20, 20), 1000.0, dtype=np.float32)
    mask = np.zeros((1, 20, 20), dtype=np.bool_)
    mask[0, 4:15, 5:14] = True
    frames[:, mask] = 5
    smoothing.smooth_within(frames, mask, 2.0)
    np.testing.assert_allclose(frames[:, mask], 5, rtol=1e-5)
    assert (frames[:, ~mask] == 1000).all()


def test_a_point_is_smoothed_to_a_gaussian() -> None:
    picture = np.zeros((41, 41), dtype=np.float32)
    picture[20, 20] = 1
    found = smoothing.smoothed(picture, 2.0)
    assert found.sum() == pytest.approx(1, abs=1e-4)
    assert found[20, 20] == pytest.approx(1 / (2 * np.pi * 4), rel=0.01)


def test_neighbours_with_like_curves_lose_noise_and_keep_their_edge() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.standard_normal((6, 1, 60, 60)).astype(np.float32)
    pictures[:2, :, :, 30:] += 6
    mask = np.ones((1, 60, 60), dtype=np.bool_)
    assert alike.noise_between(pictures, mask) == pytest.approx(1, abs=0.05)
    alike.average_alike(pictures, mask, 4.0, 1.5)
    assert pictures[0, 0, :, :30].std() < 0.3
    assert pictures[0, 0, :, 30].mean() - pictures[0, 0, :, 29].mean() > 4


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_faint_lesion_under_much_noise_keeps_its_outline(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:90, :90]
    disc = np.hypot(rows - 45, columns - 45) < 14
    pictures = rng.standard_normal((6, 2, 90, 90)).astype(np.float32)
    pictures[0] += 1
    pictures[:2, :, disc] += np.array([-0.42, 0.36], dtype=np.float32)[:, None, None]
    alike.average_alike(pictures, np.ones(pictures.shape[1:], dtype=np.bool_), 8.2, 2.94)
    found = pictures[1] - pictures[0] > -0.61
    assert 2 * (found & disc).sum() / (found.sum() + 2 * disc.sum()) > 0.93


def test_fine_pixels_are_joined_and_given_back() -> None:
    assert grid.factor((5.0, 0.43, 0.43), (16, 512, 512)) == 2
    assert grid.factor((5.0, 0.9, 0.9), (16, 256, 256)) == 1
    small = grid.joined(np.arange(32, dtype=np.int16).reshape(1, 2, 4, 4), 2)
    np.testing.assert_array_equal(small[0, 0], [[2.5, 4.5], [10.5, 12.5]])
    assert grid.spread(small[0], 2).shape == (2, 4, 4)


def test_poses_are_undone_by_themselves() -> None:
    pose = np.array([0.03, -0.02, 0.05, 1.0, -2.0, 3.0])
    np.testing.assert_allclose(rigid.undone_first(pose, pose), 0, atol=1e-12)
    np.testing.assert_allclose(rigid.pose_of(rigid.rotation(pose), pose[3:]), pose, atol=1e-12)
    assert rigid.between(np.zeros(6), np.array([0, 0, np.radians(3), 3, 0, 4]))[0] == pytest.approx(5)


def test_pictures_are_sampled_between_their_voxels_and_not_beyond() -> None:
    picture = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    at = np.array([[0.5, 0.0, 1.2], [1.0, 0.5, 0.0], [1.0, 0.25, 0.0]])
    values, inside = rigid.sampled(picture, at)
    np.testing.assert_allclose(values[:2], [11.0, 2.25])
    np.testing.assert_array_equal(inside, [True, True, False])


def test_a_moved_head_is_found_and_a_spoilt_frame_is_dropped() -> None:
    poses = np.zeros((6, 6))
    poses[1] = *np.radians([1.5, -1.0, 2.5]), 3.0, -2.0, 2.5
    poses[4] = *np.radians([0, 0, 3.0]), -4.0, 3.0, 0.0
    phantom = make(replace(MOVED, poses=poses))
    phantom.volume[5, :, ::2] = -1000
    found = motion.estimate(phantom.volume, SPACING, "CT", Constants())
    assert list(np.flatnonzero(found.lost)) == [5]
    for frame in (1, 4):
        left = rigid.between(found.poses[frame], rigid.undone_first(poses[frame], poses[found.reference]))
        assert left[0] < 0.5
        assert left[1] < 0.5
    before = np.abs(phantom.volume[4] - phantom.volume[0]).mean()
    motion.put_back(phantom.volume, SPACING, found)
    assert np.abs(phantom.volume[4] - phantom.volume[0]).mean() < 0.5 * before


def test_what_a_moved_frame_does_not_show_comes_from_its_neighbours() -> None:
    frames = np.ones((3, 4, 8, 8), dtype=np.float32) * np.array([1, 2, 3], np.float32)[:, None, None, None]
    poses = np.zeros((3, 6))
    poses[1, 5] = 8.0  # a whole slice up
    moved = motion.Motion(0, poses, np.ones(3), np.zeros(3, dtype=np.bool_))
    frames[1, 3] = 50
    motion.put_back(frames, SPACING, moved)
    np.testing.assert_allclose(frames[1, 2], 50)
    np.testing.assert_allclose(frames[1, 3], 2)  # between 1 and 3


def lesion_maps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tissue = np.ones((4, 60, 60), dtype=np.bool_)
    cbf, tmax = np.full(tissue.shape, 50, np.float32), np.full(tissue.shape, 1.5, np.float32)
    tmax[:, 10:30, 10:30], tmax[:, 10:20, 10:30] = 7.0, 11.0
    cbf[:, 10:20, 10:20] = 10
    cbf[:, 50:, 50:] = 5  # low flow without delay is no core
    tmax[:, 40:42, 40:42] = 9  # too small
    return cbf, tmax, tissue


def test_core_lies_in_late_tissue_and_small_clusters_are_left_out() -> None:
    cbf, tmax, tissue = lesion_maps()
    found = lesions.delineate(cbf, tmax, tissue, (5.0, 2.0, 2.0), Constants())
    assert found.core_ml == pytest.approx(8, abs=0.2)
    assert found.late_ml[6.0] == pytest.approx(32, abs=0.4)
    assert found.late_ml[10.0] == pytest.approx(16, abs=0.2)
    assert found.mismatch_ml == pytest.approx(24, abs=0.4)
    assert found.ratio == pytest.approx(4, abs=0.1)
    assert found.intensity_ratio == pytest.approx(0.5, abs=0.02)


def test_without_a_core_there_is_no_ratio() -> None:
    cbf, tmax, tissue = lesion_maps()
    found = lesions.delineate(np.full_like(cbf, 50), tmax, tissue, (5.0, 2.0, 2.0), Constants())
    assert (found.core_ml, found.ratio) == (0, None)
    nothing = lesions.delineate(cbf, np.ones_like(tmax), tissue, (5.0, 2.0, 2.0), Constants())
    assert (nothing.late_ml[6.0], nothing.intensity_ratio) == (0, None)


def test_low_adc_alone_is_no_core() -> None:
    tissue = np.ones((2, 40, 40), dtype=np.bool_)
    adc, diffusion = np.full(tissue.shape, 800, np.float32), np.full(tissue.shape, 100, np.float32)
    diffusion += np.random.default_rng(0).standard_normal(tissue.shape).astype(np.float32)
    adc[:, 5:15, 5:15] = adc[:, 25:35, 25:35] = 500
    diffusion[:, 5:15, 5:15] = 180
    core = lesions.core_by_diffusion(adc, diffusion, tissue, (5.0, 2.0, 2.0), Constants())
    assert core[:, 7:13, 7:13].all()
    assert not core[:, 20:].any()
