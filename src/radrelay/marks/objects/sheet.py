"""All that one object is made of: the marks, the pictures that they lie on, whom the study is of, its place and time.

A sheet is complete: the same sheet makes the same bytes at any time, so that an object whose landing was cut off is
landed again as what it was.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

import msgspec

from radrelay.dicom.encapsulate import StudyContext
from radrelay.marks.objects.shapes import Point, Point3

ObjectKind = Literal["report", "presentation", "key-objects"]


class Value(msgspec.Struct, frozen=True):
    """A number that a mark shows; `unit` is UCUM, `px` and `px2` besides."""

    name: str
    value: float
    unit: str


class Author(msgspec.Struct, frozen=True):
    """Who made or changed something: a person (`account`) or a program (`token`)."""

    id: str
    name: str
    kind: str = "account"


class Space(msgspec.Struct, frozen=True):
    """Where a mark lies in the patient: x, y, z in mm (+x left, +y back, +z head) in a frame of reference (C.7.6.2)."""

    frame_of_reference: str
    points: list[Point3]


class DrawnMark(msgspec.Struct, frozen=True):
    """A mark as objects hold it; `sop_uid` and `frame` (from 1) name its picture, or with `space` one of its series.

    `label` is where a reader put the middle of its label: from its first point, in pixels.
    """

    id: uuid.UUID
    kind: str
    sop_uid: str
    frame: int
    points: list[Point]
    text: str
    values: list[Value]
    author: Author
    space: Space | None = None
    label: Point | None = None


class Table(msgspec.Struct, frozen=True):
    """A modality or VOI lookup table: 16-bit little endian entries for stored values from `first` on."""

    first: int
    bits: int
    entries: bytes


class Shown(msgspec.Struct, frozen=True):
    """How a picture's samples become grey (PS3.3 C.11.1, C.11.2); colour pictures have no more than `colour`."""

    colour: bool = False
    inverse: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    modality_table: Table | None = None
    window: tuple[float, float, str] | None = None
    voi_table: Table | None = None

    @property
    def modality(self) -> tuple[bool, bool, float, float, Table | None]:
        """Return what is one for all pictures of a presentation state, for it has one modality step alone."""
        return self.colour, self.inverse, self.slope, self.intercept, self.modality_table


class Picture(msgspec.Struct, frozen=True):
    """An image that is referenced. `shown` is of the first marked frame, and only presentation states need it."""

    instance_id: uuid.UUID
    sop_class_uid: str
    sop_uid: str
    series_uid: str
    modality: str
    frames: int
    rows: int
    columns: int
    shown: Shown | None = None


class Issued(msgspec.Struct, frozen=True):
    """The object that a new one follows on."""

    sop_class_uid: str
    sop_uid: str
    series_uid: str


class Sheet(msgspec.Struct, frozen=True):
    """What one object is made of. `made_at` is when the marks were last changed; `device_uid` names this Radrelay."""

    kind: ObjectKind
    study: StudyContext
    series_uid: str
    sop_uid: str
    number: int
    made_at: datetime
    device_uid: str
    marks: list[DrawnMark]
    pictures: list[Picture]
    predecessor: Issued | None = None

    def picture(self, sop_uid: str) -> Picture:
        """Return the picture with this SOP Instance UID."""
        return next(one for one in self.pictures if one.sop_uid == sop_uid)


def encode(sheet: Sheet) -> str:
    """Return the sheet as JSON."""
    return msgspec.json.encode(sheet).decode()


def decode(text: str) -> Sheet:
    """Read a sheet again."""
    return msgspec.json.decode(text, type=Sheet)


def uid(*parts: object) -> str:
    """Return the UID of what `parts` name, the same each time (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, ' '.join(map(str, parts))).int}"


def tracking_uid(mark_id: uuid.UUID) -> str:
    """Return the UID that a mark is tracked by through all its versions: its own id (PS3.5 B.2)."""
    return f"2.25.{mark_id.int}"


_NAMESPACE = uuid.UUID("5c2f1c36-9f3c-4a7e-8a53-7f0b0d6f4c11")
