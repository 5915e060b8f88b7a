"""Block-circulant deconvolution of tissue curves by the arterial input (Wu 2003, Magn Reson Med 50:164).

A padded block-circulant matrix is diagonal under the Fourier transform: its singular values are the moduli of the
padded arterial spectrum. A threshold on them is a mask of frequencies, and the truncated inverse one fixed matrix per
threshold. Both curves go to zero in the padding over FADE_S instead of at once: the step at the end of a scan that is
cut off would oscillate by itself, and more so the later the tissue. Curves (voxels × samples, float32) are multiplied
in chunks, a thread each: run with ``OPENBLAS_NUM_THREADS=1``, or both kinds of threads get into each other's way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
THRESHOLDS = (
    *(0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.175),
    *(0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
)
CHUNK = 1024
PAD = 2
FINE = 2  # lags per sample, so that a peak's height does not depend on where it falls between samples
FADE_S = 20.0
END_S = 3.0  # over how long the last value is taken
EARLIEST_S, LATEST_S = 6.0, 30.0  # before and after the artery: where a response may have its peak
TINY = np.float32(1e-12)


@dataclass(frozen=True, slots=True)
class Response:
    """The peak of each voxel's response function: height (1/s), place (s after the artery), and the threshold used."""

    height: Floats
    tmax_s: Floats
    threshold: Floats


def faded(count: int, dt_s: float) -> Doubles:
    """Return the matrix (2N × N) that pads a curve of N samples with its end fading out by a raised cosine."""
    matrix = np.zeros((PAD * count, count))
    matrix[:count] = np.eye(count)
    steps = min(round(FADE_S / dt_s), count - 1)
    last = max(1, round(END_S / dt_s))
    fall = 0.5 * (1 + np.cos(np.pi * np.arange(1, steps + 1) / (steps + 1)))
    matrix[count : count + steps, count - last :] = fall[:, None] / last
    return matrix


def inverses(artery: NDArray[np.floating], dt_s: float, thresholds: tuple[float, ...]) -> list[tuple[float, Floats]]:
    """Return for each threshold that differs from the one before (threshold, matrix of N × 4N for curves from left).

    `artery`: N samples, `dt_s` apart. A curve times the matrix is the response k, in 1/s, at lags of half a sample,
    the second half of them negative lags.
    """
    count = artery.size
    padding, length = faded(count, dt_s), PAD * count
    spectrum = np.fft.rfft(padding @ artery.astype(np.float64)) * dt_s
    size = np.abs(spectrum)
    lags = (np.arange(length * FINE)[None, :] - FINE * np.arange(length)[:, None]) % (length * FINE)
    found: list[tuple[float, Floats]] = []
    before = -1
    for threshold in thresholds:
        kept = size >= threshold * size.max()
        if int(kept.sum()) == before:
            continue
        before = int(kept.sum())
        inverse = np.zeros(length * FINE // 2 + 1, dtype=np.complex128)
        inverse[: size.size][kept] = 1 / spectrum[kept]
        impulse = np.fft.irfft(inverse, length * FINE) * FINE
        found.append((threshold, np.ascontiguousarray(padding.T @ impulse[lags], dtype=np.float32)))
    return found


def oscillation(response: Floats) -> Floats:
    """Return the oscillation index of responses (voxels × fine lags).

    The mean absolute second difference over a whole sample, divided by the maximum (Wu 2003, equation 12).
    """
    bend = response[:, : -2 * FINE] + response[:, 2 * FINE :]
    bend -= 2 * response[:, FINE:-FINE]
    np.abs(bend, out=bend)
    found: Floats = bend.sum(axis=1) / (response.shape[1] * np.maximum(response.max(axis=1), TINY))
    return found


def peaks(response: Floats, dt_s: float) -> tuple[Floats, Floats]:
    """Return height and place (s) of each response's peak, between its fine lags by a parabola."""
    step_s, length = dt_s / FINE, response.shape[1]
    early, late = round(EARLIEST_S / step_s), min(round(LATEST_S / step_s), length // PAD - 2)
    window = np.concatenate([response[:, length - early - 1 :], response[:, : late + 2]], axis=1)
    rows = np.arange(window.shape[0])
    at = window[:, 1:-1].argmax(axis=1) + 1
    left, top, right = (window[rows, at + step] for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * top + right, -TINY)
    shift = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    height: Floats = (top - 0.25 * (left - right) * shift).astype(np.float32)
    place: Floats = ((at - early - 1 + shift) * step_s).astype(np.float32)
    return height, place


def with_fixed_threshold(
    curves: Floats, artery: NDArray[np.floating], dt_s: float, threshold: float, workers: int | None = None
) -> Response:
    """Deconvolve `curves` (voxels × N) with one threshold, a share of the largest singular value."""
    (_, matrix), *_ = inverses(artery, dt_s, (threshold,))
    found = _empty(curves.shape[0])

    def one(part: slice) -> None:
        found.height[part], found.tmax_s[part] = peaks(curves[part] @ matrix, dt_s)
        found.threshold[part] = threshold

    threaded(one, curves.shape[0], workers)
    return found


def with_oscillation_index(
    curves: Floats, artery: NDArray[np.floating], dt_s: float, limit: float, workers: int | None = None
) -> Response:
    """Deconvolve `curves` with, for each voxel, the threshold where its response's oscillation index is `limit`.

    That place lies between the last threshold whose response oscillates more and the first whose does not; height and
    Tmax are taken between those of the two, so that they do not jump from one threshold to the next.
    """
    tried = inverses(artery, dt_s, THRESHOLDS)
    found = _empty(curves.shape[0])

    def one(part: slice) -> None:
        left, rest = np.arange(part.start, part.stop), curves[part]
        before = np.zeros((4, left.size), dtype=np.float32)
        for number, (threshold, matrix) in enumerate(tried):
            response = rest @ matrix
            now = np.stack([oscillation(response), *peaks(response, dt_s), np.full(left.size, threshold, np.float32)])
            calm = now[0] < limit if number < len(tried) - 1 else np.ones(left.size, dtype=bool)
            done = left[calm]
            share = _share(before[0, calm], now[0, calm], limit) if number else np.ones(done.size, np.float32)
            between = share * now[1:, calm] + (1 - share) * before[1:, calm]
            found.height[done], found.tmax_s[done], found.threshold[done] = between
            left, rest, before = left[~calm], rest[~calm], now[:, ~calm]
            if not left.size:
                return

    threaded(one, curves.shape[0], workers)
    return found


def threaded(one: Callable[[slice], None], count: int, workers: int | None = None, chunk: int = CHUNK) -> None:
    """Call `one` with each part of `count` rows, on as many threads as there are processors."""
    parts = [slice(begin, min(count, begin + chunk)) for begin in range(0, count, chunk)]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for _ in pool.map(one, parts):
            pass


def _share(before: Floats, now: Floats, limit: float) -> Floats:
    share: Floats = np.clip((before - limit) / np.maximum(before - now, TINY), 0, 1).astype(np.float32)
    return share


def _empty(count: int) -> Response:
    return Response(*(np.zeros(count, dtype=np.float32) for _ in range(3)))
