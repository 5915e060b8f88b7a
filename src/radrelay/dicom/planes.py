"""Where each frame of an object lies, how thick it is, and by what it differs from its neighbours (PS3.3 C.7.6.16.2).

In: an object's metadata as DICOM JSON (PS3.18 Annex F). Out: `Planes`. Functional groups tell it of enhanced objects,
vectors over the frames of nuclear medicine (C.8.4.8, C.8.4.15), offsets of a dose grid (C.8.8.3.2), the top level of
a single image. Mosaics and other multi-frame objects (angiography, ultrasound, films) have none. Lengths are mm,
times s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from radrelay.dicom.json_values import Values
from radrelay.dicom.picture_kinds import kinds_of
from radrelay.dicom.plane_attributes import (
    Content,
    FrameType,
    Groups,
    Measures,
    Orientation,
    Position,
    Top,
    is_mosaic,
)
from radrelay.dicom.values import parse_date, parse_time

MOST_PLANES = 1 << 15
UNEVEN = 0.02  # of the lengths of two directions and of the angle between them
_DAY_S = 86400
_NM, _RT_DOSE = "1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.481.2"

Vector = tuple[float, float, float]


class Plane(msgspec.Struct, frozen=True):
    """One frame: centre of its first pixel, directions along a row and down a column, and what parts it from others.

    `time` is when it was acquired, in seconds after the midnight before the object's first frame; `echo_time` and
    `trigger_time` are milliseconds, `b_value` s/mm². `contrast` is YES or NO, with a bolus' phase behind a space.
    `kinds` are what an MR picture is, such as magnitude or water (`picture_kinds`).
    """

    position: Vector | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float] | None = None
    thickness: float | None = None
    time: float | None = None
    stack_id: str = ""
    stack_position: int | None = None
    temporal_position: int | None = None
    trigger_time: float | None = None
    echo_time: float | None = None
    b_value: float | None = None
    contrast: str = ""
    dimensions: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()


class Planes(msgspec.Struct, frozen=True):
    """The planes of an object's frames, in their order; none where it has none.

    `dimensions` names what each number of a plane's `dimensions` counts: the attribute's tag as eight hex digits.
    """

    frame_of_reference: str
    planes: tuple[Plane, ...]
    dimensions: tuple[str, ...] = ()


_NOTHING = Planes("", ())
_top = msgspec.json.Decoder(Top)
_groups = msgspec.json.Decoder(Groups)


def planes_of(metadata: bytes, frames: int) -> Planes:
    """Return the planes of the first `frames` frames of an object, at most `MOST_PLANES`."""
    try:
        top = _top.decode(metadata)
    except msgspec.MsgspecError:
        return _NOTHING
    frames = min(max(frames, 1), MOST_PLANES)
    dimensions = tuple(one.pointer.text for one in top.dimensions.Value)
    return Planes(top.reference.text, tuple(_planes(top, frames)), dimensions)


def _planes(top: Top, frames: int) -> list[Plane]:
    if top.per_frame.Value or top.shared.Value:
        return _of_groups(top, frames)
    sop_class = top.sop_class.text
    if sop_class == _NM:
        return _of_nuclear(top, frames)
    if sop_class == _RT_DOSE and frames > 1:
        return _of_dose(top, frames)
    if frames > 1 or (top.frames.integer or 1) > 1:
        return []
    position, orientation = vector(top.position), directions(top.orientation)
    if (position is None and orientation is None) or is_mosaic(top.image_type):
        return []
    return [
        Plane(
            position,
            orientation,
            lengths(top.spacing),
            top.thickness.number,
            temporal_position=top.temporal.integer,
            trigger_time=top.trigger.number,
            echo_time=top.echo_time.number,
            b_value=top.diffusion_b_value,
            kinds=kinds_of(top.sop_class.text, top.image_type, top.component),
        )
    ]


def vector(found: Values) -> Vector | None:
    """Return three numbers, none if there are others."""
    numbers = found.numbers
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None


def lengths(found: Values) -> tuple[float, float] | None:
    """Return two lengths above 0, none if they are not."""
    numbers = found.numbers
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None


def directions(found: Values) -> tuple[float, ...] | None:
    """Return two directions of length 1 at right angles, none if they are not."""
    numbers = found.numbers
    if len(numbers) != 6:
        return None
    row, column = numbers[:3], numbers[3:]
    uneven = (math.hypot(*row) - 1, math.hypot(*column) - 1, sum(a * b for a, b in zip(row, column, strict=True)))
    return numbers if all(abs(one) < UNEVEN for one in uneven) else None


def normal(orientation: Sequence[float]) -> Vector:
    """Return the direction across a plane: along its row × down its column."""
    a, b, c, d, e, f = orientation
    return b * f - c * e, c * d - a * f, a * e - b * d


def _along(position: Vector | None, orientation: tuple[float, ...] | None, distance: float) -> Vector | None:
    if position is None or orientation is None:
        return None
    across = normal(orientation)
    return tuple(round(p + distance * n, 6) for p, n in zip(position, across, strict=True))  # type: ignore[return-value]


def _of_nuclear(top: Top, frames: int) -> list[Plane]:
    """Place the slices of a reconstructed tomogram: one behind the other from the first, by the signed spacing.

    Planar, dynamic and gated pictures of a standing detector lie nowhere; their slots and slices in time are told.
    """
    detector = top.detectors.first
    if detector is None:
        return []
    position, orientation = vector(detector.position), directions(detector.orientation)
    slices, slots = top.slice_vector.numbers, top.slot_vector.numbers or top.time_slice_vector.numbers
    between = top.between.number if top.between.number is not None else top.thickness.number
    if position is None or orientation is None or not (slices or frames == 1) or (between is None and frames > 1):
        return []
    spacing, thickness = lengths(top.spacing), top.thickness.number
    found = []
    for frame in range(frames):
        number = slices[frame] if frame < len(slices) else None
        if number is None and frames > 1:
            found.append(Plane())
            continue
        at = _along(position, orientation, ((number or 1) - 1) * (between or 0))
        slot = int(slots[frame]) if frame < len(slots) else None
        found.append(
            Plane(
                at,
                orientation,
                spacing,
                thickness,
                stack_position=None if number is None else int(number),
                temporal_position=slot,
            )
        )
    return found


def _of_dose(top: Top, frames: int) -> list[Plane]:
    """Place the planes of a dose grid. Offsets that do not begin with 0 are coordinates along the patient's axis."""
    position, orientation = vector(top.position), directions(top.orientation)
    offsets = top.offsets.numbers
    if position is None or orientation is None or len(offsets) < frames:
        return []
    toward = 1.0 if not offsets[0] or normal(orientation)[2] >= 0 else -1.0
    spacing, thickness = lengths(top.spacing), top.thickness.number
    return [
        Plane(_along(position, orientation, toward * (offset - offsets[0])), orientation, spacing, thickness)
        for offset in offsets[:frames]
    ]


def _of_groups(top: Top, frames: int) -> list[Plane]:
    shared = top.shared.first or Groups()
    found: list[Groups] = []
    for raw in top.per_frame.Value[:frames]:
        try:
            found.append(_groups.decode(raw))
        except msgspec.MsgspecError:
            found.append(Groups())  # one frame that is beyond understanding takes nothing from the others
    if not found and frames == 1:
        found = [Groups()]
    times = [_moment(one) for one in found]
    first = min((time for time in times if time is not None), default=0.0)
    midnight = first - first % _DAY_S
    planes = [
        _plane(one, shared, top, None if time is None else round(time - midnight, 6))
        for one, time in zip(found, times, strict=True)
    ]
    return planes if any(plane != Plane(kinds=plane.kinds) for plane in planes) else []


def _plane(own: Groups, shared: Groups, top: Top, time: float | None) -> Plane:
    content = own.content.first or Content()
    position = own.position.first or shared.position.first or Position(top.position)
    orientation = own.orientation.first or shared.orientation.first or Orientation(top.orientation)
    measures = own.measures.first or shared.measures.first or Measures(top.thickness, top.spacing)
    echo = own.echo.first or shared.echo.first
    diffusion = own.diffusion.first or shared.diffusion.first
    trigger = own.trigger.first or shared.trigger.first
    offset = own.offset.first or shared.offset.first
    contrast = own.contrast.first or shared.contrast.first
    frame_type = own.frame_type.first or shared.frame_type.first or FrameType(top.image_type, top.component)
    seconds = offset.offset.number if offset else None
    return Plane(
        vector(position.position),
        directions(orientation.orientation),
        lengths(measures.spacing),
        measures.thickness.number,
        seconds if seconds is not None else time,
        content.stack.text,
        content.in_stack.integer,
        content.temporal.integer,
        trigger.delay.number if trigger else None,
        echo.time.number if echo else None,
        diffusion.b_value.number if diffusion else None,
        f"{contrast.administered.text} {contrast.phase.text}".strip() if contrast else "",
        tuple(int(one) for one in content.dimensions.numbers),
        kinds_of(top.sop_class.text, frame_type.type, frame_type.component),
    )


def _moment(own: Groups) -> float | None:
    """Return when a frame was acquired, in seconds after the year 0's beginning."""
    content = own.content.first
    said = (content.acquired.text or content.reference.text) if content else ""
    return moment_s(said[:8], said[8:]) if said else None


def moment_s(day: str, clock: str) -> float | None:
    """Return a date (DA) and a time (TM) as seconds, a missing date as day 0; none where there is no time."""
    time = parse_time(clock)
    if time is None:
        return None
    date = parse_date(day)
    seconds = time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6
    return seconds + (date.toordinal() * _DAY_S if date else 0)
