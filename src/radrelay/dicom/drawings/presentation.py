"""Softcopy presentation states (PS3.3 A.33, C.10.4 to C.11): graphics and texts in layers, and how images are shown.

Grayscale, colour, pseudo-colour and blending states are read alike, as far as graphics, shutters and brightness go;
`blending` reads how two series are mixed. Compound graphics have simple ones beside them that say the same
(PS3.3 C.10.5), which are what is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from radrelay.dicom.drawings import blending, brightness, overlay_planes
from radrelay.dicom.drawings.colours import from_cielab, from_grey
from radrelay.dicom.drawings.drawn import (
    Area,
    Draft,
    Drawing,
    Group,
    Masks,
    Points,
    Presentation,
    Reference,
    Shape,
    ShapeKind,
    Shutter,
    Unit,
    Window,
    finite,
    moment,
    points_of,
    short,
)
from radrelay.dicom.drawings.references import IMAGES, of_series, references
from radrelay.dicom.header import Header

ANNOTATIONS, TEXTS, GRAPHICS, LAYERS = 0x00700001, 0x00700008, 0x00700009, 0x00700060
MODALITY_TABLES, OUTPUT_TABLES = 0x00283000, 0x20500010
LAYER_NAME, LAYER_ORDER, LAYER_TEXT, LAYER_LAB, LAYER_GREY = 0x00700002, 0x00700062, 0x00700068, 0x00700401, 0x00700066
_SHAPES: dict[str, ShapeKind] = {
    "POINT": "point", "POLYLINE": "polyline", "INTERPOLATED": "spline", "CIRCLE": "circle", "ELLIPSE": "ellipse",
}  # fmt: skip
_LEAST = {"point": 1, "polyline": 2, "spline": 2, "circle": 2, "ellipse": 4}
_UNITS: dict[str, Unit] = {"PIXEL": "pixel", "DISPLAY": "display", "MATRIX": "matrix"}
PSEUDO_COLOUR = "1.2.840.10008.5.1.4.1.1.11.3"
_BLENDED = frozenset({blending.STATE, blending.ADVANCED})


def read(header: Header, sop_class: str = "") -> Drawing:
    """Read a presentation state; raises `DrawingBroken` or `DrawingTooLarge`."""
    draft = Draft()
    draft.refuse_cut(header)
    groups = _layers(header)
    for item in header.items(ANNOTATIONS):
        _annotation(item, groups, draft)
    masks = _overlays(header, groups)
    presentation = _presentation(header, groups, draft, sop_class)
    return Drawing(
        kind="presentation",
        label=header.text(0x00700080),
        description=short(header.text(0x00700081)),
        creator=header.person_name(0x00700084),
        made_at=moment(header, 0x00700082, 0x00700083),
        groups=tuple(groups.values()),
        shapes=tuple(draft.shapes),
        masks=masks,
        presentation=presentation,
        images=draft.mention(_images(header)),
        notes=tuple(sorted(draft.notes)),
    )


def _images(header: Header) -> tuple[Reference, ...]:
    """Return the images that the state is for; of blending states those of all sets (PS3.3 C.11.14)."""
    return (*of_series(header)[1], *blending.images_of(header))


def series_of(header: Header) -> tuple[str, ...]:
    """Return the series that the state is for."""
    return (*of_series(header)[0], *blending.series_of(header))


def _layers(header: Header) -> dict[str, Group]:
    named = sorted(header.items(LAYERS), key=lambda item: item.integer(LAYER_ORDER) or 0)
    found: dict[str, Group] = {}
    for item in named:
        name = item.text(LAYER_NAME)
        colour = from_cielab(item.numbers(LAYER_LAB)) or from_grey(item.number(LAYER_GREY))
        found.setdefault(name, Group(len(found) + 1, name, short(item.text(LAYER_TEXT)), colour))
    return found


def _group(groups: dict[str, Group], name: str) -> Group:
    return groups.setdefault(name, Group(len(groups) + 1, name))


def _annotation(item: Header, groups: dict[str, Group], draft: Draft) -> None:
    group = _group(groups, item.text(LAYER_NAME)).number
    images = references(item.items(IMAGES))
    for graphic in item.items(GRAPHICS):
        shape = _graphic(graphic, group, images)
        if shape is None:
            draft.notes.add("shape-unreadable")
        else:
            draft.add(shape)
    for text in item.items(TEXTS):
        shape = _text(text, group, images)
        if shape is not None:
            draft.add(shape)


def _graphic(item: Header, group: int, images: tuple[Reference, ...]) -> Shape | None:
    kind = _SHAPES.get(item.text(0x00700023).upper())
    unit = _UNITS.get(item.text(0x00700005).upper())
    points = points_of(item.numbers(0x00700022), 2)
    if kind is None or unit is None or len(points) < _LEAST[kind]:
        return None
    filled = item.text(0x00700024).upper() == "Y"
    line = next(iter(item.items(0x00700232)), None)
    colour = from_cielab(line.numbers(0x00700251)) if line is not None else ""
    return Shape(kind, group, unit, points, images, filled, colour=colour)


def _text(item: Header, group: int, images: tuple[Reference, ...]) -> Shape | None:
    text = short(item.text(0x00700006))
    corners = points_of([*item.numbers(0x00700010)[:2], *item.numbers(0x00700011)[:2]], 2)
    anchored = item.numbers(0x00700014)[:2]
    anchor = (anchored[0], anchored[1]) if len(anchored) == 2 and np.isfinite(anchored).all() else None
    anchor_unit = _UNITS.get(item.text(0x00700004).upper(), "pixel")
    style = next(iter(item.items(0x00700231)), None)
    colour = from_cielab(style.numbers(0x00700241)) if style is not None else ""
    if not text:
        return None
    if len(corners) == 2:
        unit = _UNITS.get(item.text(0x00700003).upper(), "pixel")
        led = anchor if item.text(0x00700015).upper() == "Y" else None
        return Shape("text", group, unit, corners, images, False, text, led, anchor_unit, colour)
    if anchor is None:
        return None
    return Shape("text", group, anchor_unit, np.array([anchor]), images, False, text, colour=colour)


def _presentation(header: Header, groups: dict[str, Group], draft: Draft, sop_class: str) -> Presentation:
    rotation = header.integer(0x00700042) or 0
    return Presentation(
        windows=tuple(_windows(header, draft)),
        invert=header.text(0x20500020).upper() == "INVERSE",
        rotation=rotation % 360 if rotation % 90 == 0 else 0,
        flip=header.text(0x00700041).upper() == "Y",
        areas=tuple(_areas(header, draft)),
        shutters=tuple(_shutters(header, groups)),
        slope=header.number(0x00281053),
        intercept=header.number(0x00281052),
        modality_table=next(brightness.tables(header.items(MODALITY_TABLES)[:1], draft), None),
        output_table=next(brightness.tables(header.items(OUTPUT_TABLES)[:1], draft), None),
        palette=brightness.palette_of(header, draft) if sop_class == PSEUDO_COLOUR else b"",
        blending=blending.blending_of(header, sop_class, draft) if sop_class in _BLENDED else None,
    )


def _windows(header: Header, draft: Draft) -> Iterator[Window]:
    below = not header.items(MODALITY_TABLES) and (header.number(0x00281052) or 0) < 0
    for item in header.items(0x00283110):
        images = draft.mention(references(item.items(IMAGES)))
        for table in brightness.tables(item.items(0x00283010)[:1], draft, signed=below):
            yield Window(table=table, images=images)
        centers, widths = item.numbers(0x00281050), item.numbers(0x00281051)
        function = item.text(0x00281056).upper() or "LINEAR"
        for center, width in list(zip(centers, widths, strict=False))[:1]:
            if width > 0 and finite((center, width)):
                yield Window(center, width, function, images=images)


def _areas(header: Header, draft: Draft) -> Iterator[Area]:
    for item in header.items(0x0070005A):
        first, last = item.numbers(0x00700052), item.numbers(0x00700053)
        if len(first) == 2 and len(last) == 2 and first != last and finite([*first, *last]):
            images = draft.mention(references(item.items(IMAGES)))
            mode = item.text(0x00700100).upper() or "SCALE TO FIT"
            ratio = item.number(0x00700103)
            yield Area((first[0], first[1]), (last[0], last[1]), mode, ratio if finite([ratio]) else None, images)


def _shutters(header: Header, groups: dict[str, Group]) -> Iterator[Shutter]:
    """Yield shutters; edges are columns and rows from 1, of which the shutter leaves the pixels within (C.7.6.11)."""
    colour = from_cielab(header.numbers(0x00181624)) or from_grey(header.number(0x00181622)) or "#000000"
    shapes = {shape.upper() for shape in header.texts(0x00181600)}
    if "RECTANGULAR" in shapes:
        edges = [header.number(tag) for tag in (0x00181602, 0x00181606, 0x00181604, 0x00181608)]
        if finite(edges):
            corners = points_of([edge for edge in edges if edge is not None], 2)
            yield Shutter("rectangle", corners - [[1, 1], [0, 0]], colour)
    if "CIRCULAR" in shapes:
        center, radius = header.numbers(0x00181610), header.number(0x00181612)
        if len(center) == 2 and radius and finite([*center, radius]):
            middle = np.array([center[1] - 0.5, center[0] - 0.5])
            yield Shutter("circle", np.array([middle, middle + np.array([radius, 0])]), colour)
    if "POLYGONAL" in shapes:
        points: Points = points_of(header.numbers(0x00181620), 2)[:, ::-1] - 0.5
        if len(points) > 2 and np.isfinite(points).all():
            yield Shutter("polygon", points, colour)
    group = header.integer(0x00181623)
    name = _overlay_name(group or 0)
    if group and name in groups:
        colour = from_cielab(header.numbers(0x00181624)) or from_grey(header.number(0x00181622)) or "#000000"
        yield Shutter("bitmap", np.empty((0, 2)), colour, groups[name].number)


def _overlay_name(group: int) -> str:
    return f"overlay {group:04X}"


def _overlays(header: Header, groups: dict[str, Group]) -> Masks | None:
    """Return the state's own overlay planes that are activated in a layer or serve as its bitmap shutter (C.11.7)."""
    shutter = header.integer(0x00181623)
    found = []
    for plane in overlay_planes.planes(header):
        layer = header.text(plane.group << 16 | 0x1001)
        if plane.group == shutter:
            found.append((plane, _group(groups, _overlay_name(plane.group)).number))
        elif layer:
            found.append((plane, _group(groups, layer).number))
    return overlay_planes.pasted(found, _images(header)) if found else None
