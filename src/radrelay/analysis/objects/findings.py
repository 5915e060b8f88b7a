"""What a page is told of a result: numbers, curves, motion, outlines, series of pictures, without the patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from radrelay.analysis.objects.order import PROGRAM, Order
from radrelay.analysis.objects.pictures import enlargement
from radrelay.analysis.perfusion import Result
from radrelay.analysis.perfusion.arteries import Vessel
from radrelay.analysis.study import (
    Curve,
    Findings,
    MapSeries,
    Moved,
    PerfusionStudy,
    WarningTold,
    run_lengths,
)

DIGITS = 4
ACROSS = 0.7  # how much of a row runs from side to side for its ends to be the patient's right and left
Constant = str | int | float | bool | list[float] | None


def findings_of(
    study: PerfusionStudy, result: Result, order: Order, series: Sequence[MapSeries], summary: MapSeries | None = None
) -> Findings:
    """Return what a page is told."""
    lesions, slab = result.lesions, study.perfusion.slab
    return Findings(
        modality=study.modality,
        program=PROGRAM,
        slices=slab.slices,
        rows=slab.rows,
        columns=slab.columns,
        spacing_mm=slab.spacing,
        core_ml=lesions.core_ml if lesions.core_known else None,
        late_ml={_limit(limit): volume for limit, volume in lesions.late_ml.items()},
        mismatch_ml=lesions.mismatch_ml if lesions.core_known else None,
        mismatch_ratio=lesions.ratio,
        intensity_ratio=lesions.intensity_ratio,
        partial_volume=result.partial_volume,
        arrival_s=result.arrival_s,
        artery=_curve(result, result.artery),
        vein=None if result.vein is None else _curve(result, result.vein),
        frame_times_s=frame_times(study),
        motion=_motion(result),
        dropped=list(result.dropped),
        warnings=[*(WarningTold(one.code, dict(one.facts)) for one in result.warnings), *map(WarningTold, study.notes)],
        constants=_constants(result.constants.printed()),
        seconds=dict(result.seconds),
        core=run_lengths(lesions.core),
        late={_limit(limit): run_lengths(mask) for limit, mask in lesions.late.items()},
        maps=list(series),
        summary=summary,
        made_at=order.local.isoformat(timespec="seconds"),
        normal_cbf=None if np.isnan(lesions.normal_cbf) else float(lesions.normal_cbf),
        picture_scale=enlargement(slab.rows, slab.columns),
        curve_unit="1/s" if study.modality == "MR" else "HU",
        reference_frame=None if result.motion is None else int(result.motion.reference),
        sides=sides(slab.orientation),
        series=list(study.series),
    )


def sides(orientation: Sequence[float]) -> tuple[str, str]:
    """Return the patient's sides at the left and right edge of a slice (R, L); none where rows run front to back."""
    along = orientation[0]
    if abs(along) < ACROSS:
        return "", ""
    return ("R", "L") if along > 0 else ("L", "R")


def frame_times(study: PerfusionStudy) -> list[float]:
    """Return when each time point was acquired, s: the mean over its slices; their numbers where there are no times."""
    times = study.perfusion.times
    if times is None:
        return [float(number) for number in range(study.perfusion.values.shape[0])]
    known = np.isfinite(times)
    sums = np.where(known, times, 0).sum(axis=-1) / np.maximum(1, known.sum(axis=-1))
    return [round(float(one), DIGITS) for one in sums]


def _limit(limit: float) -> str:
    return f"{limit:g}"


def _curve(result: Result, vessel: Vessel) -> Curve:
    places = [(int(one[0]), int(one[1]), int(one[2])) for one in vessel.voxels]
    return Curve(_rounded(result.even_s), _rounded(vessel.curve), places)


def _rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(one), DIGITS) for one in values]


def _motion(result: Result) -> list[Moved]:
    moved = result.motion
    if moved is None:
        return []
    found = []
    for pose, fit, lost in zip(moved.poses, moved.fit, moved.lost, strict=True):
        turn, shift = _rounded(np.degrees(pose[:3])), _rounded(pose[3:])
        found.append(
            Moved((shift[0], shift[1], shift[2]), (turn[0], turn[1], turn[2]), round(float(fit), 4), bool(lost))
        )
    return found


def _constants(printed: Mapping[str, object]) -> dict[str, Constant]:
    return {
        name: cast(Constant, [float(one) for one in value] if isinstance(value, tuple) else value)
        for name, value in printed.items()
    }
