"""RT structure sets (PS3.3 A.19, C.8.8.5, C.8.8.6): regions of interest as contours in the patient, in millimetres.

Numbers stand as text, often half a million of them: they are turned over in one go per contour.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radrelay.dicom.drawings.colours import from_rgb
from radrelay.dicom.drawings.drawn import (
    Draft,
    Drawing,
    Group,
    Points,
    Reference,
    Shape,
    ShapeKind,
    moment,
    numbered,
    points_of,
    short,
)
from radrelay.dicom.drawings.references import bounded, of_series, references
from radrelay.dicom.header import Header

CONTOUR_DATA, CONTOUR_KIND, CONTOUR_IMAGES = 0x30060050, 0x30060042, 0x30060016
FRAME_OF_REFERENCE = 0x00200052
_SHAPES: dict[str, ShapeKind] = {
    "CLOSED_PLANAR": "polygon", "CLOSEDPLANAR_XOR": "polygon", "OPEN_PLANAR": "polyline", "OPEN_NONPLANAR": "polyline",
    "POINT": "point",
}  # fmt: skip


def read(header: Header) -> Drawing:
    """Read a structure set; raises `DrawingBroken` or `DrawingTooLarge`."""
    draft = Draft()
    draft.refuse_cut(header)
    groups, spaces = _regions(header)
    everywhere = _frames_of_reference(header)
    for item in header.items(0x30060039):
        number = numbered(item.integer(0x30060084))
        if number is None:
            draft.notes.add("region-unnamed")
            continue
        known = groups.get(number, Group(number, ""))
        groups[number] = replace(known, colour=from_rgb(item.numbers(0x3006002A)) or known.colour)
        space = spaces.get(number) or (everywhere[0] if len(everywhere) == 1 else "")
        for contour in item.items(0x30060040):
            _contour(contour, number, space, draft)
    return Drawing(
        kind="structures",
        label=header.text(0x30060002) or header.text(0x30060004),
        description=short(header.text(0x30060006)),
        creator=header.person_name(0x00081070),
        made_at=moment(header, 0x30060008, 0x30060009),
        groups=tuple(groups.values()),
        shapes=tuple(draft.shapes),
        images=_images(header),
        frames_of_reference=tuple(dict.fromkeys([*filter(None, spaces.values()), *everywhere])),
        notes=tuple(sorted(draft.notes)),
    )


def _regions(header: Header) -> tuple[dict[int, Group], dict[int, str]]:
    kinds = {item.integer(0x30060084): item.text(0x300600A4) for item in header.items(0x30060080)}
    groups: dict[int, Group] = {}
    spaces: dict[int, str] = {}
    for item in header.items(0x30060020):
        number = numbered(item.integer(0x30060022))
        if number is not None:
            kind = kinds.get(number, "")
            groups[number] = Group(number, short(item.text(0x30060026)), kind, coded=kind)
            spaces[number] = item.text(0x30060024)
    return groups, spaces


def _frames_of_reference(header: Header) -> tuple[str, ...]:
    named = [item.text(FRAME_OF_REFERENCE) for item in header.items(0x30060010)]
    return tuple(dict.fromkeys(uid for uid in [*named, header.text(FRAME_OF_REFERENCE)] if uid))


def series_of(header: Header) -> tuple[str, ...]:
    """Return the series that a structure set was drawn on."""
    named = [
        series.text(0x0020000E)
        for item in header.items(0x30060010)
        for study in item.items(0x30060012)
        for series in study.items(0x30060014)
    ]
    return tuple(uid for uid in [*named, *of_series(header)[0]] if uid)


def frames_of_reference(header: Header) -> tuple[str, ...]:
    """Return the frames of reference in which a structure set's contours lie."""
    named = [item.text(0x30060024) for item in header.items(0x30060020)]
    return tuple(dict.fromkeys(uid for uid in [*named, *_frames_of_reference(header)] if uid))


def _images(header: Header) -> tuple[Reference, ...]:
    found: list[Reference] = []
    for item in header.items(0x30060010):
        for study in item.items(0x30060012):
            for series in study.items(0x30060014):
                found.extend(references(series.items(CONTOUR_IMAGES)))
                bounded(len(found))
    return tuple(found)


def _contour(item: Header, number: int, space: str, draft: Draft) -> None:
    kind = _SHAPES.get(item.text(CONTOUR_KIND).upper())
    points = _points(item)
    if kind is None or points is None:
        draft.notes.add("shape-unreadable")
        return
    images = references(item.items(CONTOUR_IMAGES))
    if kind == "polygon" and len(points) < 3:
        kind = "polyline" if len(points) == 2 else "point"
    draft.add(Shape(kind, number, "patient", points, images, frame_of_reference=space))


def _points(item: Header) -> Points | None:
    """Return a contour's points, none if a number is none: a wrong outline is worse than a missing one."""
    raw = item.raw(CONTOUR_DATA)
    if item.vr(CONTOUR_DATA) != "DS" or b"_" in raw:
        return None
    try:
        flat = np.array([float(text) for text in raw.strip(b"\0 ").split(b"\\")])
    except ValueError:
        return None
    return points_of(flat, 3) if len(flat) % 3 == 0 else None
