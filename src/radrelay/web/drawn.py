"""Drawings as the viewer is told of them: images by the ids of their rows, as far as its reader may see them.

What a drawing says of images that are out of reach is left out, down to how many shapes there were; UIDs do not leave.
Where patients are shown by alias, texts that somebody typed do not leave either: they may hold a name.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from radrelay.dicom.drawings import Drawing, Group, MaskFrame, Masks, Reference, Shape
from radrelay.dicom.drawings.drawn import Area, Blended, Blending, Points, Presentation, Shutter, Unit, Window
from radrelay.dicom.drawings.drawn import Table as LookupTable

_DECIMALS: dict[Unit, int] = {"pixel": 3, "matrix": 3, "display": 6, "patient": 6}
_CONTOUR_DECIMALS = 3  # of a millimetre, for hundreds of thousands of points; microscopes need more

Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What of a drawing's references is within reach: images (instance, series) by UID, series by space."""

    images: Mapping[str, tuple[uuid.UUID, uuid.UUID]]
    spaces: Mapping[str, list[uuid.UUID]]


@dataclass
class _Table:
    """Images that an answer names, each once; shapes point into it."""

    found: Found
    rows: list[Row] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def on(self, references: Iterable[Reference]) -> list[list[int]]:
        """Return [place in the table, frame or 0 for all] of those within reach."""
        found = []
        for one in references:
            place = self._place(one.sop_uid)
            if place is not None:
                found.append([place, one.frame or 0])
        return found

    def _place(self, uid: str) -> int | None:
        place = self.places.get(uid)
        if place is None and uid in self.found.images:
            instance, series = self.found.images[uid]
            place = self.places[uid] = len(self.rows)
            self.rows.append({"instance_id": instance, "series_id": series})
        return place


def told(instance_id: uuid.UUID, drawing: Drawing, found: Found, *, clear: bool) -> Row:
    """Return the fields of `api.drawings.Content`."""
    table = _Table(found)
    spaces: dict[str, int] = {uid: place for place, uid in enumerate(drawing.frames_of_reference)}
    general = table.on(drawing.images)
    masks = drawing.masks
    return {
        "instance_id": instance_id,
        "kind": drawing.kind,
        "label": drawing.label if clear or drawing.kind in ("key-objects", "report") else "",
        "description": drawing.description if clear else "",
        "creator": drawing.creator if clear else "",
        "made_at": (drawing.made_at if clear else drawing.made_at[:10]) or None,
        "texts_hidden": not clear,
        "groups": [_group(group, clear=clear) for group in drawing.groups],
        "of": general,
        "shapes": [row for row in (_shape(s, drawing, table, spaces, clear=clear) for s in drawing.shapes) if row],
        "masks": _masks(masks, table, spaces) if masks is not None else None,
        "presentation": _presentation(drawing.presentation, table) if drawing.presentation is not None else None,
        "flagged": table.on(drawing.flagged),
        "images": table.rows,
        "spaces": [found.spaces.get(uid, []) for uid in drawing.frames_of_reference],
        "notes": list(drawing.notes),
    }


def _group(group: Group, *, clear: bool) -> Row:
    return {
        "number": group.number,
        "name": group.name if clear else group.coded,
        "detail": group.detail if clear else "",
        "colour": group.colour or None,
        "values": [
            {"name": value.name, "value": value.value, "unit": value.unit, "text": value.text} for value in group.values
        ],
    }


def _flat(points: Points, decimals: int) -> list[float]:
    flat: list[float] = np.round(points, decimals).reshape(-1).tolist()
    return flat


def _shape(shape: Shape, drawing: Drawing, table: _Table, spaces: Mapping[str, int], *, clear: bool) -> Row | None:
    """Return a shape; none if it lies on images of which none is within reach, or says what must not be said."""
    on = table.on(shape.images) if shape.images else None
    if (shape.unit != "patient" and shape.images and not on) or (shape.kind == "text" and not clear):
        return None
    decimals = _CONTOUR_DECIMALS if drawing.kind == "structures" else _DECIMALS[shape.unit]
    return {
        "kind": shape.kind,
        "group": shape.group,
        "unit": shape.unit,
        "points": _flat(shape.points, decimals),
        "on": on,
        "space": spaces.get(shape.frame_of_reference),
        "filled": shape.filled,
        "text": shape.text,
        "anchor": list(shape.anchor) if shape.anchor is not None else None,
        "anchor_unit": shape.anchor_unit,
        "colour": shape.colour or None,
    }


def _masks(masks: Masks, table: _Table, spaces: Mapping[str, int]) -> Row:
    return {
        "rows": masks.rows,
        "columns": masks.columns,
        "form": masks.form,
        "most": masks.most,
        "thickness": masks.thickness,
        "space": spaces.get(masks.frame_of_reference),
        "frames": [_mask_frame(frame, table) for frame in masks.frames],
    }


def _mask_frame(frame: MaskFrame, table: _Table) -> Row:
    return {
        "number": frame.number,
        "group": frame.group,
        "on": table.on(frame.images),
        "position": frame.position,
        "orientation": frame.orientation,
        "spacing": frame.spacing,
        "tile": frame.tile,
    }


def _presentation(shown: Presentation, table: _Table) -> Row:
    def on(part: Window | Area) -> list[list[int]] | None:
        return table.on(part.images) if part.images else None

    return {
        "windows": [_window(window, on(window)) for window in shown.windows],
        "invert": shown.invert,
        "rotation": shown.rotation,
        "flip": shown.flip,
        "areas": [
            {"first": a.first, "last": a.last, "mode": a.mode, "magnification": a.magnification, "on": on(a)}
            for a in shown.areas
        ],
        "shutters": [_shutter(shutter) for shutter in shown.shutters],
        "slope": shown.slope,
        "intercept": shown.intercept,
        "modality_table": _lookup(shown.modality_table),
        "output_table": _lookup(shown.output_table),
        "palette": base64.b64encode(shown.palette).decode("ascii") or None,
        "blending": _blending(shown.blending, table) if shown.blending is not None else None,
    }


def _blending(blending: Blending, table: _Table) -> Row:
    def part(one: Blended) -> Row:
        window = _window(one.window, None) if one.window is not None else None
        return {"on": table.on(one.images), "window": window, "slope": one.slope, "intercept": one.intercept}

    palette = base64.b64encode(blending.palette).decode("ascii")
    return {"under": part(blending.under), "over": part(blending.over), "opacity": blending.opacity, "palette": palette}


def _window(window: Window, on: list[list[int]] | None) -> Row:
    own = {"center": window.center, "width": window.width} if window.table is None else {"center": None, "width": None}
    return {**own, "function": window.function, "table": _lookup(window.table), "on": on}


def _lookup(table: LookupTable | None) -> Row | None:
    if table is None:
        return None
    return {"first": table.first, "bits": table.bits, "data": base64.b64encode(table.entries).decode("ascii")}


def _shutter(shutter: Shutter) -> Row:
    points = _flat(shutter.points, 3)
    return {"kind": shutter.kind, "points": points, "colour": shutter.colour, "group": shutter.group}
