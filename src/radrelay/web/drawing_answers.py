"""What the routes of drawings answer, for OpenAPI; `drawing_list` and `drawn` make it."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import BaseModel

DrawingKind = Literal["presentation", "report", "segmentation", "structures", "key-objects", "overlay"]
Unit = Literal["pixel", "matrix", "display", "patient"]
On = list[list[int]]


class ListedDrawing(BaseModel):
    """A drawing of a study. `over` are the series within reach whose images it lies over.

    `drawn_on` are those of them that it names; the others only lie in the same frame of reference.

    Overlay planes are listed once for each series; `images` are those of its instances that have some. `trouble` is
    the code of why a drawing cannot be shown, empty if it can.
    """

    instance_id: uuid.UUID
    series_id: uuid.UUID
    kind: DrawingKind | None
    label: str
    description: str
    creator: str
    made_at: str | None
    over: list[uuid.UUID]
    drawn_on: list[uuid.UUID]
    images: list[uuid.UUID]
    trouble: str


class DrawingList(BaseModel):
    """The drawings of a study, by series."""

    drawings: list[ListedDrawing]


class Measured(BaseModel):
    """A measurement: a number with its unit (UCUM), or a text."""

    name: str
    value: float | None
    unit: str
    text: str


class ShapeGroup(BaseModel):
    """What is switched together: a layer, a segment, a region of interest, a measurement."""

    number: int
    name: str
    detail: str
    colour: str | None
    values: list[Measured]


class DrawnShape(BaseModel):
    """A shape; `points` one behind the other: column and row, or x, y and z in mm (unit patient).

    `on` are the images that it lies on, as [place in `images`, frame or 0]; null means all of `of`, or, of the
    patient, wherever its plane is, in the series of its `space`.
    """

    kind: Literal["point", "polyline", "polygon", "spline", "circle", "ellipse", "ellipsoid", "text"]
    group: int
    unit: Unit
    points: list[float]
    on: On | None
    space: int | None
    filled: bool
    text: str
    anchor: list[float] | None
    anchor_unit: Unit
    colour: str | None


class DrawnFrame(BaseModel):
    """A frame of masks: its number, group (0: several), images, and the plane (mm) or slide's tile that it fills."""

    number: int
    group: int
    on: On
    position: list[float]
    orientation: list[float]
    spacing: list[float]
    tile: list[int] | None


class DrawnMasks(BaseModel):
    """Masks of one size; their pixels come by `/drawing/masks/{segment}`."""

    rows: int
    columns: int
    form: Literal["bits", "shares", "numbers"]
    most: int
    thickness: float | None
    space: int | None
    frames: list[DrawnFrame]


class VoiTable(BaseModel):
    """A lookup table: its first input, its bits, and base64 of little-endian uint16 entries."""

    first: int
    bits: int
    data: str


class DrawnWindow(BaseModel):
    """A window or a table, and the images that it is for; null: all."""

    center: float | None
    width: float | None
    function: str
    table: VoiTable | None
    on: On | None


class DrawnArea(BaseModel):
    """First and last column and row that are shown, from 1."""

    first: list[float]
    last: list[float]
    mode: str
    magnification: float | None
    on: On | None


class DrawnShutter(BaseModel):
    """What is left uncovered: corners, centre and a point of the rim, a polygon; or the mask of `group`."""

    kind: Literal["rectangle", "circle", "polygon", "bitmap"]
    points: list[float]
    colour: str
    group: int


class DrawnBlended(BaseModel):
    """Images that are blended, their window (null: their own) and modality step (null: likewise)."""

    on: On
    window: DrawnWindow | None
    slope: float | None
    intercept: float | None


class DrawnBlending(BaseModel):
    """Grey images, and others that cover them by `opacity` (0 to 1); `palette` as that of `DrawnPresentation`."""

    under: DrawnBlended
    over: DrawnBlended
    opacity: float
    palette: str


class DrawnPresentation(BaseModel):
    """How a presentation state shows its images: turned clockwise by `rotation` degrees, then flipped left to right.

    Stored values go through `modality_table`, or `slope` and `intercept`, then a window, then `output_table` (its
    inputs span the window's brightness), then `palette`: base64 of red, green and blue of 256 levels.
    """

    windows: list[DrawnWindow]
    invert: bool
    rotation: int
    flip: bool
    areas: list[DrawnArea]
    shutters: list[DrawnShutter]
    slope: float | None
    intercept: float | None
    modality_table: VoiTable | None
    output_table: VoiTable | None
    palette: str | None
    blending: DrawnBlending | None


class DrawnImage(BaseModel):
    """An image that a drawing refers to."""

    instance_id: uuid.UUID
    series_id: uuid.UUID


class Content(BaseModel):
    """What an object draws. `spaces` are the series that lie in each of its frames of reference."""

    instance_id: uuid.UUID
    kind: DrawingKind
    label: str
    description: str
    creator: str
    made_at: str | None
    texts_hidden: bool
    groups: list[ShapeGroup]
    of: On
    shapes: list[DrawnShape]
    masks: DrawnMasks | None
    presentation: DrawnPresentation | None
    flagged: On
    images: list[DrawnImage]
    spaces: list[list[uuid.UUID]]
    notes: list[str]
