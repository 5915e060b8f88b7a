"""Noise averaged away among neighbours with like curves, so that a lesion keeps its edge.

Curves come as coefficients (one picture each) in the space of what the artery can cause. Neighbours count by their
distance and by how alike their softened coefficients are, in units of what noise makes of two voxels of one tissue: a
bilateral filter over time profiles (as TIPS, Mendrik 2011), steered by few principal directions, in passes of
widening holes (Dammertz 2010). A second round is steered by what the first found, and tells edges better. Where a
voxel's noise is more than tissues differ by, a third is steered by the second; where besides it is much beside the
tissue's curves themselves, as with a weak bolus, the first is steered by softer ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.deconvolution import threaded
from radrelay.analysis.perfusion.smoothing import bounding_box, smooth_within

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
DIRECTIONS = 4
LENIENCE = 6.0
GUIDES = (1.0, 0.5)  # noise of each round's guide: the softened coefficients, then what the round before found
NOISY, THIRD_GUIDE = 1.25, 0.35  # of how much tissues differ; the third round's
CLEAR, WIDEST = 1.8, 1.6  # tissue's mean curve over a voxel's noise: below, a guide is softened more; how much at most
ACROSS = 0.8  # what a voxel of the next slice counts at most
SPLINE = (3 / 8, 1 / 4, 1 / 16)
HALF_PLANE = tuple((row, column) for row in range(3) for column in range(-2, 3) if row > 0 or column > 0)
LEAST_SIGNAL = 1.5  # a direction's variance over its noise


def noise_between(pictures: Floats, mask: Mask) -> float:
    """Return the standard deviation of a coefficient's white noise, from neighbours along rows, the median of all."""
    both = mask[:, :, 1:] & mask[:, :, :-1]
    apart = pictures[:, :, :, 1:][:, both] - pictures[:, :, :, :-1][:, both]
    return float(np.median(np.median(np.abs(apart), axis=1)) * 1.4826 / np.sqrt(2))


def average_alike(pictures: Floats, mask: Mask, sigma: float, guide_sigma: float, workers: int | None = None) -> None:
    """Average (coefficients, slices, rows, columns) in place within `mask`; sigmas in voxels."""
    noise = noise_between(pictures, mask)
    if noise <= 0 or sigma <= 0:
        return
    box = bounding_box(mask)
    inside, within = mask[box], pictures[(slice(None), *box)]
    start = np.where(inside, within, 0).astype(np.float32)
    guide = start.copy()
    smooth_within(guide, inside, guide_sigma, workers)
    noisy = noise > NOISY * _difference(guide[:, inside])
    if noisy:
        clear = float(np.linalg.norm(start[:, inside].mean(axis=1))) / noise
        guide_sigma *= float(np.clip(CLEAR / max(clear, 1e-6), 1, WIDEST))
        guide = start.copy()
        smooth_within(guide, inside, guide_sigma, workers)
    left = noise / max(1.0, 2 * np.sqrt(np.pi) * guide_sigma)
    for share in (*GUIDES, THIRD_GUIDE) if noisy else GUIDES:
        steered = _directions(guide, inside, share * left)
        _in_slices(start, within, steered, inside, _passes(sigma), workers)
        _across_slices(within, steered, inside)
        guide = np.where(inside, within, 0).astype(np.float32)


def _in_slices(
    start: Floats, found: Floats, guide: Floats, inside: Mask, passes: list[int], workers: int | None
) -> None:
    def one(part: slice) -> None:
        for number in range(part.start, part.stop):
            here = inside[number]
            own = start[:, number]
            for step in passes:
                own = _averaged(own, guide[:, number], here, step)
            found[:, number][:, here] = own[:, here]

    threaded(one, inside.shape[0], workers, chunk=1)


def _across_slices(pictures: Floats, guide: Floats, inside: Mask) -> None:
    """Average in place with the slices above and below, where they are alike."""
    apart = guide[:, 1:] - guide[:, :-1]
    share = np.exp(np.einsum("dzyx,dzyx->zyx", apart, apart) * np.float32(-0.5 / LENIENCE))
    share *= inside[1:] & inside[:-1]
    share *= np.float32(ACROSS)
    weight = np.ones(inside.shape, dtype=np.float32)
    weight[1:] += share
    weight[:-1] += share
    for number in range(pictures.shape[0]):
        own, start = pictures[number], pictures[number].copy()
        own[1:] += share * start[:-1]
        own[:-1] += share * start[1:]
        np.divide(own, weight, out=own)


def _directions(guide: Floats, inside: Mask, noise: float) -> Floats:
    """Return the guide along its few directions of most variance, in units of its noise."""
    values = guide[:, inside]
    spread, turn = np.linalg.eigh(np.cov(values).astype(np.float64))
    strong = [at for at in np.argsort(-spread)[:DIRECTIONS] if spread[at] > LEAST_SIGNAL * noise**2]
    chosen = turn[:, strong or [int(spread.argmax())]].T / (noise * np.sqrt(2))
    found: Floats = np.einsum("dk,kzyx->dzyx", chosen.astype(np.float32), guide)
    return found


def _difference(values: Floats) -> float:
    """Return by how much tissues differ in the direction of most variance (coefficients × voxels)."""
    return float(np.sqrt(np.linalg.eigvalsh(np.cov(values).astype(np.float64))[-1]))


def _passes(sigma: float) -> list[int]:
    """Return the steps of a cubic spline with holes whose variances (1, 4, 16, …) come nearest to `sigma` squared."""
    steps = [1]
    while sum(step * step for step in steps) + 2 * steps[-1] ** 2 < sigma * sigma:
        steps.append(2 * steps[-1])
    return steps


def _averaged(own: Floats, guide: Floats, inside: Mask, step: int) -> Floats:
    start = np.where(inside, own, 0).astype(np.float32)
    weight = SPLINE[0] ** 2 * inside.astype(np.float32)
    whole = start * np.float32(SPLINE[0] ** 2)
    rows, columns = inside.shape
    for row, column in HALF_PLANE:
        down, right, near = row * step, column * step, SPLINE[row] * SPLINE[abs(column)]
        if down >= rows or abs(right) >= columns:
            continue
        here = (slice(0, rows - down), slice(max(0, -right), columns - max(0, right)))
        there = (slice(down, rows), slice(max(0, right), columns + min(0, right)))
        apart = guide[(slice(None), *here)] - guide[(slice(None), *there)]
        share = np.einsum("dyx,dyx->yx", apart, apart)
        share *= np.float32(-0.5 / LENIENCE)
        np.exp(share, out=share)
        share *= np.float32(near)
        share *= inside[here] & inside[there]
        whole[(slice(None), *here)] += share * start[(slice(None), *there)]
        whole[(slice(None), *there)] += share * start[(slice(None), *here)]
        weight[here] += share
        weight[there] += share
    whole /= np.maximum(weight, np.float32(1e-6))
    return whole
