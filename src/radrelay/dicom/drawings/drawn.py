"""What a drawing is, whichever object it came from: shapes, masks and settings, and the images that they belong to.

Points of an image are columns and rows from the outer corner of its first pixel (PS3.3 C.18.6.1, C.10.5), points of
the patient are millimetres (+x left, +y back, +z head). Readers check and bound everything here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radrelay.dicom.header import Header
from radrelay.dicom.values import parse_date, parse_time
from radrelay.errors import Invalid, NotFound, TooLarge

Kind = Literal["presentation", "report", "segmentation", "structures", "key-objects", "overlay"]
ShapeKind = Literal["point", "polyline", "polygon", "spline", "circle", "ellipse", "ellipsoid", "text"]
Unit = Literal["pixel", "matrix", "display", "patient"]
Points = NDArray[np.float64]

POINT_LIMIT = 6_000_000
SHAPE_LIMIT = 200_000
MENTION_LIMIT = 1_000_000  # of images, by all that a drawing holds: each mention is told
TEXT_LIMIT = 2_000


class NotDrawing(NotFound):
    """There is nothing in this object to draw over images."""

    code = "not-a-drawing"


class DrawingUnsupported(Invalid):
    """This kind of drawing is not shown here."""

    code = "drawing-unsupported"


class DrawingBroken(Invalid):
    """The drawing cannot be read."""

    code = "drawing-broken"


class DrawingTooLarge(TooLarge):
    """The drawing is larger than can be shown."""

    code = "drawing-too-large"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image by its SOP Instance UID, and one of its frames from 1; without a frame all of them."""

    sop_uid: str
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A measurement: its name, number and unit (UCUM), or a text such as a finding in the number's place."""

    name: str
    value: float | None
    unit: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes or masks that are switched together: a layer, a segment, a region of interest, a measurement.

    `name` and `detail` may be what somebody typed; `coded` is of a code or a list, so that it names no patient.
    `colour` is sRGB as #rrggbb, empty if none is recommended.
    """

    number: int
    name: str
    detail: str = ""
    colour: str = ""
    values: tuple[Value, ...] = ()
    coded: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape. `points`, shape (n, 2) or, of the patient, (n, 3).

    A circle is its centre and a point on it; an ellipse the ends of its longer, then of its shorter axis
    (PS3.3 C.18.6.1.2); an ellipsoid the ends of three axes. A text has the corners of its box, or its anchor alone.
    `images` none means: of every image that the drawing refers to, or, of the patient, wherever its plane lies.
    """

    kind: ShapeKind
    group: int
    unit: Unit
    points: Points
    images: tuple[Reference, ...] = ()
    filled: bool = False
    text: str = ""
    anchor: tuple[float, float] | None = None
    anchor_unit: Unit = "pixel"
    colour: str = ""
    frame_of_reference: str = ""


@dataclass(frozen=True, slots=True)
class MaskFrame:
    """One frame of masks: its number from 1, the group that it is of (0: several), and where it lies.

    `images` are those that it was drawn on. `position` is the centre of its first pixel in the patient, in mm;
    `orientation` and `spacing` (rows, columns; mm) stand with it. `tile` is its first column and row in a whole slide.
    """

    number: int
    group: int
    images: tuple[Reference, ...] = ()
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    spacing: tuple[float, ...] = ()
    tile: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Masks:
    """Frames of one size. `form`: bits of one group each, shares from 0 to `most`, or a group's number per pixel.

    `thickness` is what a frame covers across its plane, in mm. `planes` (overlays) hold the bits themselves.
    """

    rows: int
    columns: int
    form: Literal["bits", "shares", "numbers"]
    most: int
    frames: tuple[MaskFrame, ...]
    thickness: float | None = None
    frame_of_reference: str = ""
    planes: tuple[NDArray[np.uint8] | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table: its first input, its bits, and little-endian uint16 entries."""

    first: int
    bits: int
    entries: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """Centre, width and their function; or a table."""

    center: float = 0.0
    width: float = 0.0
    function: str = "LINEAR"
    table: Table | None = None
    images: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """Part of images that is shown: the first and last column and row that are seen, from 1 (PS3.3 C.10.4)."""

    first: tuple[float, float]
    last: tuple[float, float]
    mode: str = "SCALE TO FIT"
    magnification: float | None = None
    images: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Shutter:
    """What is not covered (PS3.3 C.7.6.11): a rectangle's corners, a circle's centre and rim, or a polygon; pixels."""

    kind: Literal["rectangle", "circle", "polygon", "bitmap"]
    points: Points
    colour: str = "#000000"
    group: int = 0


@dataclass(frozen=True, slots=True)
class Blended:
    """Images of one series that are blended, their window (none: their own) and modality step (none: likewise)."""

    images: tuple[Reference, ...]
    window: Window | None
    slope: float | None
    intercept: float | None


@dataclass(frozen=True, slots=True)
class Blending:
    """Grey images with others over them, which cover them by `opacity` (0 to 1), in colours of 256 levels."""

    under: Blended
    over: Blended
    opacity: float
    palette: bytes


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a presentation state shows its images. `rotation` is clockwise, in degrees, and comes before the flip.

    Values go through `modality_table`, or `slope` and `intercept` (neither: as stored), then through the
    image's window, then through `output_table`, then through `palette`: red, green and blue of 256 levels.
    """

    windows: tuple[Window, ...] = ()
    invert: bool = False
    rotation: int = 0
    flip: bool = False
    areas: tuple[Area, ...] = ()
    shutters: tuple[Shutter, ...] = ()
    slope: float | None = None
    intercept: float | None = None
    modality_table: Table | None = None
    output_table: Table | None = None
    palette: bytes = b""
    blending: Blending | None = None

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""
        tables = [self.modality_table, self.output_table, *(window.table for window in self.windows)]
        named = sum(len(window.images) for window in self.windows) + sum(len(area.images) for area in self.areas)
        named += sum(len(one.images) for one in self.blended)
        entries = sum(len(table.entries) for table in tables if table is not None)
        return entries + 100 * (len(self.windows) + len(self.areas) + named)

    @property
    def blended(self) -> tuple[Blended, ...]:
        """Return the sets of images that are blended."""
        return (self.blending.under, self.blending.over) if self.blending is not None else ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that one object draws. `images` are those it refers to; `notes` are codes of what could not be read."""

    kind: Kind
    label: str = ""
    description: str = ""
    creator: str = ""
    made_at: str = ""
    groups: tuple[Group, ...] = ()
    shapes: tuple[Shape, ...] = ()
    masks: Masks | None = None
    presentation: Presentation | None = None
    flagged: tuple[Reference, ...] = ()
    images: tuple[Reference, ...] = ()
    frames_of_reference: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""
        shapes = sum(shape.points.nbytes + len(shape.text) + 300 for shape in self.shapes)
        masks = self.masks
        frames = 0 if masks is None else 500 * len(masks.frames) + sum(p.nbytes for p in masks.planes if p is not None)
        shown = self.presentation.weight if self.presentation is not None else 0
        return shapes + frames + shown + 200 * (len(self.images) + len(self.groups)) + 1000

    def references(self) -> set[Reference]:
        """Return every image that is named anywhere in it."""
        found = {*self.images, *self.flagged}
        found.update(one for shape in self.shapes for one in shape.images)
        if self.masks is not None:
            found.update(one for frame in self.masks.frames for one in frame.images)
        if self.presentation is not None:
            found.update(one for window in self.presentation.windows for one in window.images)
            found.update(one for area in self.presentation.areas for one in area.images)
            found.update(one for blended in self.presentation.blended for one in blended.images)
        return found


@dataclass(slots=True)
class Draft:
    """Collects shapes within limits, and notes what is left out."""

    shapes: list[Shape] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    points: int = 0
    mentions: int = 0
    table_bytes: int = 0

    def mention(self, images: tuple[Reference, ...]) -> tuple[Reference, ...]:
        """Return `images`, counted; too many in all raise `DrawingTooLarge`."""
        self.mentions += len(images)
        if self.mentions > MENTION_LIMIT:
            raise DrawingTooLarge(f"The drawing names images more than {MENTION_LIMIT} times.")
        return images

    def add(self, shape: Shape) -> None:
        """Take a shape; what has no usable point is noted, too many raise `DrawingTooLarge`."""
        self.mention(shape.images)
        if not len(shape.points) or not np.isfinite(shape.points).all():
            self.notes.add("shape-unreadable")
            return
        self.points += len(shape.points)
        if self.points > POINT_LIMIT or len(self.shapes) >= SHAPE_LIMIT:
            raise DrawingTooLarge(f"The drawing has more than {POINT_LIMIT} points or {SHAPE_LIMIT} shapes.")
        self.shapes.append(shape)

    def refuse_cut(self, header: Header) -> None:
        """Raise when the header ends within an element: an outline that lacks a part must not look whole."""
        if header.truncated:
            raise DrawingBroken("The object is cut off, or longer than what is read of a drawing (64 MB).")


def points_of(values: Iterable[float], dimensions: int) -> Points:
    """Return values as points of so many numbers each; what is left over at the end is dropped."""
    flat: NDArray[Any] = np.fromiter(values, np.float64)
    whole = len(flat) - len(flat) % dimensions
    return flat[:whole].reshape(-1, dimensions)


def finite(values: Iterable[float | None]) -> bool:
    """Return whether all values are there, and numbers."""
    return all(value is not None and math.isfinite(value) for value in values)


def numbered(number: int | None) -> int | None:
    """Return a number by which objects name their parts, none if it is beyond what an IS may hold (PS3.5 6.2)."""
    return number if number is not None and -(1 << 31) <= number < 1 << 31 else None


def moment(header: Header, date_tag: int, time_tag: int) -> str:
    """Return date and time of an object as ISO 8601 without a zone; the date alone, or nothing, if there is no more."""
    day = parse_date(header.text(date_tag))
    if day is None:
        return ""
    at = parse_time(header.text(time_tag))
    return day.isoformat() if at is None else f"{day.isoformat()}T{at.isoformat('seconds')}"


def short(text: str) -> str:
    """Return a text within what is shown of it."""
    return text[:TEXT_LIMIT]
