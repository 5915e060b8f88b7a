"""Frames put in order: slices along their normal, time points along time, whichever way the objects came.

In: the frames of what is one acquisition. Out: `Stack`, frames × slices with None for what was not acquired, and the
time of each. Which attribute tells the time is chosen once for all: the first that parts the time points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.images.errors import OrientationMixed, SizesMixed
from radrelay.analysis.images.frames import DAY_S, Frame, Times
from radrelay.analysis.perfusion.checking import check_positions, evenly
from radrelay.analysis.study import Slab

Doubles = NDArray[np.float64]
SAME_MM, SAME_DIRECTION = 0.05, 1e-3
JITTER_MM = (SAME_MM, 0.1, 0.2, 0.35, 0.5, 1.0)  # by which positions of one slice may differ, tried in this order
JITTER_SHARE = 0.25  # of the distance of slices, and no more
SAME_PIXEL = 0.5  # of a pixel: so far images of one slice may lie beside each other
DISTINCT_SHARE = 0.5
TILT_DEG = 0.5
TURNING_SHARE = 0.25  # of a slab: as much lacks at the begin and the end where the table went to and fro
AT_MOST_LAGGING = 2  # time points by which a slice may begin before or behind the fullest
_WAYS: tuple[tuple[str, Callable[[Times], float | None]], ...] = (
    ("acquired", lambda one: one.acquired_at),
    ("acquisition", lambda one: one.acquisition),
    ("trigger", lambda one: one.trigger),
    ("dynamic", lambda one: one.dynamic),
    ("temporal", lambda one: one.temporal),
    ("content", lambda one: one.content),
)
_CONFIRMING = ("acquired", "acquisition")


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames × slices; `times` (and, where a second attribute tells them, `other_times`) in s, NaN where there is none.

    `tilt_deg`: by how much the slices are shifted against their normal (a tilted gantry); `jitter_mm`: by how much the
    images of one slice differ in their place along it; `missing`: images not there whose neighbours are.
    """

    frames: tuple[tuple[Frame | None, ...], ...]
    times: Doubles
    other_times: Doubles | None
    slab: Slab
    tilt_deg: float
    jitter_mm: float = 0.0
    missing: int = 0


def stack(frames: Sequence[Frame]) -> Stack:
    """Put the frames of one acquisition in order; raises OrientationMixed, SizesMixed, SlicesMissing and their kin."""
    first = frames[0]
    _alike(frames, first)
    normal, places = _places(frames)
    slices = _by_slice(frames, places)
    check_positions(np.array([place for place, _ in slices]))
    jitter_mm = max(_along(own, normal) for _, own in slices)
    _lie_upon_each_other(slices, normal, first.plane.spacing or (1.0, 1.0))
    if len(slices) == 1 and not first.plane.thickness:
        raise SizesMixed("one slice that does not say how thick it is")
    way, other = (None if one is None else _over_midnight(one, frames) for one in _ways(slices))
    assert way is not None  # noqa: S101 -- the first is always one
    columns = [_in_time(own, way) for _, own in slices]
    rows = _aligned(columns, way)
    table = tuple(tuple(column[row] for column in rows) for row in range(len(rows[0])))
    times = _table(table, way)
    positions = [_usual(own) for _, own in slices]
    slab = Slab(
        first.rows, first.columns, tuple(positions), _orientation(first),
        first.plane.spacing or (1.0, 1.0), first.plane.thickness or 0.0, first.frame_of_reference_uid,
    )  # fmt: skip
    others = None if other is None else _table(table, other)
    return Stack(table, times, others, slab, _tilt(positions, normal), jitter_mm, _missing(table))


def points_in_time(frames: Sequence[Frame]) -> tuple[int, int]:
    """Return how many slices there are, and the usual number of time points of each, of those that lie parallel."""
    by_direction: dict[tuple[float, ...], list[Frame]] = defaultdict(list)
    for one in frames:
        if one.plane.position is not None:
            by_direction[tuple(round(value, 2) for value in _orientation(one))].append(one)
    if not by_direction:
        return 0, 0
    frames = max(by_direction.values(), key=len)
    normal = np.cross(_orientation(frames[0])[:3], _orientation(frames[0])[3:])
    slices = _by_slice(frames, np.array([one.plane.position for one in frames]) @ normal)
    way, _ = _ways(slices)
    counts = [len(_distinct(own, way)) for _, own in slices]
    return len(slices), int(np.median(counts))


def _alike(frames: Sequence[Frame], first: Frame) -> None:
    if any((one.rows, one.columns) != (first.rows, first.columns) for one in frames):
        raise SizesMixed(f"images of {first.rows} × {first.columns} and of other sizes")
    spacing = first.plane.spacing
    for one in frames:
        own = one.plane.spacing
        if own is None or spacing is None or not np.allclose(own, spacing, rtol=1e-3):
            raise SizesMixed("images whose pixels are of different sizes, or of none that is said")


def _orientation(frame: Frame) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = frame.plane.orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    return a, b, c, d, e, f


def _places(frames: Sequence[Frame]) -> tuple[Doubles, Doubles]:
    """Return the normal, and each frame's place along it in mm; raises OrientationMixed."""
    if any(one.plane.orientation is None for one in frames):
        raise OrientationMixed("images that do not say how they lie")
    if len({one.frame_of_reference_uid for one in frames}) > 1:
        raise OrientationMixed("images in several frames of reference")
    directions = np.array([_orientation(one) for one in frames])
    if np.abs(directions - directions[0]).max() > SAME_DIRECTION:
        raise OrientationMixed(images=len(frames))
    normal: Doubles = np.cross(directions[0, :3], directions[0, 3:])
    positions = np.array([one.plane.position or (np.nan,) * 3 for one in frames])
    if not np.isfinite(positions).all():
        raise OrientationMixed("images that do not say where they lie")
    return normal, positions @ normal


def _lie_upon_each_other(
    slices: Sequence[tuple[float, list[Frame]]], normal: Doubles, spacing: tuple[float, float]
) -> None:
    """Refuse images of one slice that lie beside each other: their pixels are not of the same tissue."""
    for _, own in slices:
        apart = np.array([one.plane.position for one in own]) - np.array(own[0].plane.position)
        aside = apart - (apart @ normal)[:, None] * normal
        if np.linalg.norm(aside, axis=1).max() > SAME_PIXEL * min(spacing):
            raise OrientationMixed("images of one slice that lie beside each other")


def _usual(own: Sequence[Frame]) -> tuple[float, float, float]:
    """Return where the images of a slice lie: the median of each coordinate."""
    x, y, z = np.median(np.array([one.plane.position for one in own], dtype=np.float64), axis=0)
    return float(x), float(y), float(z)


def _along(own: Sequence[Frame], normal: Doubles) -> float:
    """Return by how much the images of a slice differ in their place along the normal, in mm."""
    return float(np.ptp(np.array([one.plane.position for one in own]) @ normal))


def _by_slice(frames: Sequence[Frame], places: Doubles) -> list[tuple[float, list[Frame]]]:
    """Return place and frames of each slice, lowest first.

    Scanners tell the table's place anew for each time point: what differs by far less than slices do is one slice. Of
    the limits in JITTER_MM that part the places clearly, the first counts by which slices are evenly spaced.
    """
    order = np.argsort(places, kind="stable")
    along = places[order]
    clear = [SAME_MM]
    for limit in JITTER_MM:
        firsts, lasts = _ends(along, limit)
        steps = np.diff(along[firsts])
        if not steps.size or (along[lasts] - along[firsts]).max() <= JITTER_SHARE * steps.min():
            clear.append(limit)
            if not steps.size or evenly(steps):
                break
    firsts, lasts = _ends(along, clear[-1])
    return [
        (float(along[first]), [frames[int(at)] for at in order[first : last + 1]])
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _ends(along: Doubles, limit: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last of each run of sorted places that follow each other within a limit."""
    cuts = np.flatnonzero(np.diff(along) > limit)
    return np.concatenate(([0], cuts + 1)), np.concatenate((cuts, [along.size - 1]))


def _missing(table: Sequence[Sequence[Frame | None]]) -> int:
    """Return how many images lack.

    Where a table goes to and fro, a part of the slab begins later or ends sooner: that does not count.
    """
    there = np.array([[one is not None for one in row] for row in table])
    held = np.flatnonzero(there.mean(axis=1) > 1 - TURNING_SHARE)
    if not held.size:
        return 0
    return int((~there[held[0] : held[-1] + 1]).sum())


Way = Callable[[Times], float | None]


def _ways(slices: Sequence[tuple[float, list[Frame]]]) -> tuple[Way, Way | None]:
    """Return what tells the time, and what confirms it."""
    usable = [(name, way) for name, way in _WAYS if _parts(slices, way)]
    if not usable:
        return _WAYS[0][1], None
    name, way = usable[0]
    confirming = [one for other, one in usable[1:] if name in _CONFIRMING and other in _CONFIRMING]
    return way, confirming[0] if confirming else None


def _over_midnight(way: Way, frames: Sequence[Frame]) -> Way:
    """Return a way by which time goes on at midnight, where a time of day without its date begins anew."""
    last = max((told for one in frames if (told := way(one.times)) is not None), default=0.0)

    def going_on(times: Times) -> float | None:
        told = way(times)
        return told if told is None or told >= last - DAY_S / 2 else told + DAY_S

    return going_on


def _parts(slices: Sequence[tuple[float, list[Frame]]], way: Way) -> bool:
    """Say whether an attribute is there in every frame, and parts at least half of each slice's frames."""
    for _, own in slices:
        told = [way(one.times) for one in own]
        if any(one is None for one in told):
            return False
        if len(own) > 1 and len({round(float(one or 0), 3) for one in told}) < max(2, DISTINCT_SHARE * len(own)):
            return False
    return True


def _distinct(own: Sequence[Frame], way: Way) -> set[float]:
    return {round(float(told), 3) for one in own if (told := way(one.times)) is not None}


def _in_time(own: Sequence[Frame], way: Way) -> list[Frame]:
    """Return the frames of a slice in the order in which they say they were acquired: by index, else by time.

    One that came twice counts once.
    """
    by_uid = {(one.sop_uid, one.index): one for one in own}
    frames = list(by_uid.values())
    indexes = [one.temporal_index for one in frames]
    if all(one is not None for one in indexes) and len(set(indexes)) == len(indexes):
        return sorted(frames, key=lambda one: one.temporal_index or 0)
    return sorted(frames, key=lambda one: (_told(one, way), one.number))


def _told(frame: Frame, way: Way) -> float:
    told = way(frame.times)
    return float("nan") if told is None else told


def _aligned(columns: list[list[Frame]], way: Way) -> list[list[Frame | None]]:
    """Return the slices' frames, each with None where it has no part in a time point."""
    told = [np.array([_told(one, way) for one in column]) for column in columns]
    fullest = max(told, key=len)
    even = all(len(one) == len(fullest) for one in told)
    if even and (all(np.ptp(one - fullest) <= _half(fullest) for one in told) or _in_sweeps(np.stack(told))):
        return [list(one) for one in columns]
    reference = fullest
    for own in told:  # a time point that the fullest slice lacks, but this one has
        apart = own - _shift(own, reference)
        new = np.abs(apart[:, None] - reference[None, :]).min(axis=1) > _half(fullest)
        reference = np.sort(np.concatenate((reference, apart[new])))
    if even and len(reference) == len(fullest):
        return [list(one) for one in columns]
    return [_placed(column, own, reference) for column, own in zip(columns, told, strict=True)]


def _in_sweeps(told: Doubles) -> bool:
    """Say whether each time point (slices × time points) is over before the next begins: a table to and fro."""
    return bool((told.max(axis=0)[:-1] < told.min(axis=0)[1:]).all())


def _half(times: Doubles) -> float:
    """Return half of the usual interval."""
    return float(np.median(np.abs(np.diff(times)))) / 2 if times.size > 1 else 0.0


def _shift(own: Doubles, reference: Doubles) -> float:
    """Return how much later than the reference a slice is: of what fits best, the least."""
    found = []
    for lag in range(-AT_MOST_LAGGING, AT_MOST_LAGGING + 1):
        here, there = own[max(0, -lag) :], reference[max(0, lag) :]
        count = min(here.size, there.size)
        if count:
            shift = float(np.median(here[:count] - there[:count]))
            misfit = float(np.abs(own[:, None] - shift - reference[None, :]).min(axis=1).mean())
            found.append((round(misfit, 3), abs(shift), shift))
    return min(found, default=(0.0, 0.0, 0.0))[2]


def _placed(column: list[Frame], own: Doubles, reference: Doubles) -> list[Frame | None]:
    rows = np.abs(own[:, None] - _shift(own, reference) - reference[None, :]).argmin(axis=1)
    if np.unique(rows).size < rows.size:
        rows = np.arange(own.size)
    placed: list[Frame | None] = [None] * reference.size
    for row, frame in zip(rows, column, strict=True):
        placed[int(row)] = frame
    return placed


def _table(table: Sequence[Sequence[Frame | None]], way: Way) -> Doubles:
    """Return times from the first on."""
    told = [[float("nan") if one is None else _told(one, way) for one in row] for row in table]
    times: Doubles = np.array(told, dtype=np.float64)
    there = np.isfinite(times)
    return times - times[there].min() if there.any() else times


def _tilt(positions: Sequence[Sequence[float]], normal: Doubles) -> float:
    if len(positions) < 2:
        return 0.0
    across = np.asarray(positions[-1], dtype=np.float64) - np.asarray(positions[0], dtype=np.float64)
    along = abs(float(across @ normal))
    aside = float(np.linalg.norm(across - (across @ normal) * normal))
    tilt = float(np.degrees(np.arctan2(aside, along)))
    return tilt if tilt > TILT_DEG else 0.0
