"""True acquisition times: per frame and slice, in s, checked before anything is computed from them.

Times are an array of frames × slices; NaN where a slice was not acquired in a frame (shuttle, jog, mixed sampling).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.refusals import (
    FramesLost,
    SlicesMissing,
    TimesDisagree,
    TimesDuplicate,
    TimesUnordered,
    TooFewFrames,
    TooShort,
    Warned,
)

Doubles = NDArray[np.float64]
LEAST_FRAMES, LEAST_SPAN_S = 20, 40.0
COARSE_S = 2.2  # from here on the core reads small: see docs/perfusion.md
SLOW_S = 3.05  # over 3 s, with what a clock in hundredths of seconds rounds off
LOST_SHARE = 0.1
GAP = 2  # time points that lack in a row, to be told of
DISAGREEMENT_S = 0.5
SAME_S = 1e-3


@dataclass(frozen=True, slots=True)
class Timing:
    """Times (frames × slices, s, the first at 0), of the worst slice the share that lacks, and what is to be said."""

    times: Doubles
    lost_share: float
    warnings: tuple[Warned, ...]


def per_slice(times: NDArray[np.floating], slices: int) -> Doubles:
    """Return times as frames × slices, where they are given per frame only."""
    given = np.asarray(times, dtype=np.float64)
    whole = np.repeat(given[:, None], slices, axis=1) if given.ndim == 1 else given.copy()
    if whole.shape[1] != slices:
        raise SlicesMissing(slices=slices, timed=whole.shape[1])
    return whole


def check_times(times: NDArray[np.floating], slices: int, other: NDArray[np.floating] | None = None) -> Timing:
    """Check times (frames, or frames × slices); `other` are the same times as another attribute tells them.

    Raises TooFewFrames, TooShort, TimesUnordered, TimesDuplicate, TimesDisagree, FramesLost or SlicesMissing.
    """
    whole = per_slice(times, slices)
    if other is not None:
        apart = np.abs(_since_first(whole) - _since_first(per_slice(other, slices)))
        if np.nanmax(apart) > DISAGREEMENT_S:
            raise TimesDisagree(most_s=round(float(np.nanmax(apart)), 2))
    intervals = []
    for number in range(slices):
        own = whole[np.isfinite(whole[:, number]), number]
        _check_one(own, number)
        intervals.append(np.diff(own))
    lost = max(_share_lost(steps) for steps in intervals)
    if lost > LOST_SHARE:
        raise FramesLost(lost_percent=round(100 * lost))
    return Timing(_since_first(whole), lost, _warnings(intervals))


def _since_first(times: Doubles) -> Doubles:
    found: Doubles = times - np.nanmin(times)
    return found


def _check_one(own: Doubles, number: int) -> None:
    if own.size < LEAST_FRAMES:
        raise TooFewFrames(frames=int(own.size), least=LEAST_FRAMES, slice=number + 1)
    steps = np.diff(own)
    if np.any(np.abs(np.diff(np.sort(own))) < SAME_S):
        raise TimesDuplicate(slice=number + 1)
    if np.any(steps < 0):
        raise TimesUnordered(slice=number + 1)
    if own[-1] - own[0] < LEAST_SPAN_S:
        raise TooShort(span_s=round(float(own[-1] - own[0]), 1), least_s=LEAST_SPAN_S)


def lost_between(steps: Doubles) -> NDArray[np.int64]:
    """Return for each interval of a slice how many time points lack in it.

    An interval is judged with the shorter of its neighbours, by what two are around it: mixed sampling slows down once
    and stays slow; a table that goes to and fro comes by the ends of its range at short and long intervals in turns.
    """
    if steps.size < 2:
        return np.zeros(steps.size, dtype=np.int64)
    pairs = steps[:-1] + steps[1:]
    usual = _neighbourly(pairs)
    over = np.pad(2 * (pairs - usual) / np.maximum(usual, SAME_S), 1, constant_values=np.inf)
    found: NDArray[np.int64] = np.maximum(np.rint(np.minimum(over[:-1], over[1:])), 0).astype(np.int64)
    return found


def _share_lost(steps: Doubles) -> float:
    lost = int(lost_between(steps).sum())
    return lost / (lost + steps.size + 1)


def _warnings(intervals: list[Doubles]) -> tuple[Warned, ...]:
    gaps = [float(steps[lost_between(steps) >= GAP].max(initial=0)) for steps in intervals]
    found = [Warned("gap-in-time", {"gap_s": round(max(gaps), 1)})] if any(gaps) else []
    slow = max(float(np.median(np.maximum(steps[:-1], steps[1:]))) for steps in intervals)
    if slow > SLOW_S:
        found.append(Warned("sampling-over-3-s", {"interval_s": round(slow, 2)}))
    elif slow > COARSE_S:
        found.append(Warned("sampling-coarse", {"interval_s": round(slow, 2)}))
    return tuple(found)


def _neighbourly(steps: Doubles) -> Doubles:
    reach = 3
    padded = np.pad(steps, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    found: Doubles = np.median(windows, axis=1)
    return found
