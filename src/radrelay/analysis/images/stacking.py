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
from radrelay.analysis.perfusion.checking import check_positions
from radrelay.analysis.study import Slab

Doubles = NDArray[np.float64]
SAME_MM, SAME_DIRECTION = 0.05, 1e-3
DISTINCT_SHARE = 0.5
TILT_DEG = 0.5
_WAYS: tuple[tuple[str, Callable[[Times], float | None]], ...] = (
    ("acquired", lambda one: one.acquired_at),
    ("acquisition", lambda one: one.acquisition),
    ("trigger", lambda one: one.trigger),
    ("temporal", lambda one: one.temporal),
    ("content", lambda one: one.content),
)
_CONFIRMING = ("acquired", "acquisition")


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames × slices; `times` (and, where a second attribute tells them, `other_times`) in s, NaN where there is none.

    `tilt_deg`: by how much the slices are shifted against their normal (a tilted gantry).
    """

    frames: tuple[tuple[Frame | None, ...], ...]
    times: Doubles
    other_times: Doubles | None
    slab: Slab
    tilt_deg: float


def stack(frames: Sequence[Frame]) -> Stack:
    """Put the frames of one acquisition in order; raises OrientationMixed, SizesMixed, SlicesMissing and their kin."""
    first = frames[0]
    _alike(frames, first)
    normal, places = _places(frames)
    slices = _by_slice(frames, places)
    check_positions(np.array([place for place, _ in slices]))
    way, other = (None if one is None else _over_midnight(one, frames) for one in _ways(slices))
    assert way is not None  # noqa: S101 -- the first is always one
    columns = [_in_time(own, way) for _, own in slices]
    rows = _aligned(columns, way)
    table = tuple(tuple(column[row] for column in rows) for row in range(len(rows[0])))
    times = _table(table, way)
    firsts = [next(one for one in column if one is not None) for column in rows]
    positions = [one.plane.position or (0.0, 0.0, 0.0) for one in firsts]
    slab = Slab(
        first.rows, first.columns, tuple((p[0], p[1], p[2]) for p in positions), _orientation(first),
        first.plane.spacing or (1.0, 1.0), first.plane.thickness or 0.0, first.frame_of_reference_uid,
    )  # fmt: skip
    return Stack(table, times, None if other is None else _table(table, other), slab, _tilt(positions, normal))


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
    """Return the normal, and each frame's place along it in mm."""
    directions = np.array([_orientation(one) for one in frames])
    if np.abs(directions - directions[0]).max() > SAME_DIRECTION:
        raise OrientationMixed(images=len(frames))
    normal: Doubles = np.cross(directions[0, :3], directions[0, 3:])
    positions = np.array([one.plane.position or (np.nan,) * 3 for one in frames])
    if not np.isfinite(positions).all():
        raise OrientationMixed("images that do not say where they lie")
    return normal, positions @ normal


def _by_slice(frames: Sequence[Frame], places: Doubles) -> list[tuple[float, list[Frame]]]:
    """Return place and frames of each slice, lowest first."""
    order = np.argsort(places, kind="stable")
    found: list[tuple[float, list[Frame]]] = []
    for number in order:
        place, frame = float(places[number]), frames[int(number)]
        if found and place - found[-1][0] <= SAME_MM:
            found[-1][1].append(frame)
        else:
            found.append((place, [frame]))
    return found


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
    fullest = max(columns, key=len)
    if all(len(one) == len(fullest) for one in columns):
        return [list(one) for one in columns]
    reference = np.array([_told(one, way) for one in fullest])
    return [_placed(column, reference, way) for column in columns]


def _placed(column: list[Frame], reference: Doubles, way: Way) -> list[Frame | None]:
    own = np.array([_told(one, way) for one in column])
    nearest = np.abs(own[:, None] - reference[None, :]).argmin(axis=1)
    shift = float(np.median(own - reference[nearest]))
    rows = np.abs(own[:, None] - shift - reference[None, :]).argmin(axis=1)
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
    first = np.nanmin(times)
    return times - first if np.isfinite(first) else times


def _tilt(positions: Sequence[Sequence[float]], normal: Doubles) -> float:
    if len(positions) < 2:
        return 0.0
    across = np.asarray(positions[-1], dtype=np.float64) - np.asarray(positions[0], dtype=np.float64)
    along = abs(float(across @ normal))
    aside = float(np.linalg.norm(across - (across @ normal) * normal))
    tilt = float(np.degrees(np.arctan2(aside, along)))
    return tilt if tilt > TILT_DEG else 0.0
