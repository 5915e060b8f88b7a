"""Marks as a softcopy presentation state of one series (PS3.3 A.33.1, A.33.2), for systems that show no reports.

Drawings and their texts stand in one layer, in pixels of the image. Grey images keep their own modality and VOI
steps, colour images an sRGB profile. highdicom checks that drawings lie within the picture and that all pictures are
of one size, which the standard does not ask for; what it would refuse is therefore written beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from highdicom import ModalityLUTTransformation, PresentationLUTTransformation
from highdicom.pr import (
    ColorSoftcopyPresentationState,
    GrayscaleSoftcopyPresentationState,
    SoftcopyVOILUTTransformation,
)
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from radrelay import __version__
from radrelay.marks.objects import labels, writing
from radrelay.marks.objects.shapes import Point, Region, regions
from radrelay.marks.objects.sheet import DrawnMark, Picture, Sheet, Shown, Table, tracking_uid

SERIES_NUMBER = 9101
LAYER = "MARKS"
ARROW_HEAD = 0.2  # its barbs' length, of the shaft
LARGEST_HEAD = 12.0  # pixels
COLOUR = (60000, 32896, 54000)  # a light yellow, as CIELab words (PS3.3 C.10.7.1.1)


def presentation_file(sheet: Sheet) -> bytes:
    """Return the marks of one series as a DICOM file; the pictures of a sheet are of one modality step."""
    first = sheet.pictures[0]
    shown = first.shown or Shown()
    arguments: dict[str, Any] = {
        "referenced_images": [writing.evidence(sheet, first)],
        "manufacturer_model_name": writing.MODEL,
        "software_versions": __version__,
        "device_serial_number": sheet.device_uid,
        "content_label": "MARKS",
        "content_description": "Measurements and annotations",
        "content_creator_name": _creator(sheet),
        **writing.common(sheet, SERIES_NUMBER, "Annotations"),
    }
    state: Dataset
    if shown.colour:
        state = ColorSoftcopyPresentationState(icc_profile=srgb(), **arguments)
    else:
        state = GrayscaleSoftcopyPresentationState(
            modality_lut_transformation=ModalityLUTTransformation(
                rescale_intercept=0.0, rescale_slope=1.0, rescale_type="US"
            ),
            voi_lut_transformations=[SoftcopyVOILUTTransformation(window_center=0.0, window_width=1.0)],
            presentation_lut_transformation=PresentationLUTTransformation("INVERSE" if shown.inverse else "IDENTITY"),
            **arguments,
        )
        del state.SoftcopyVOILUTSequence, state.RescaleIntercept, state.RescaleSlope, state.RescaleType
        state.update(_modality(shown))
        if windows := list(_windows(sheet)):
            state.SoftcopyVOILUTSequence = windows
    state.Laterality = ""  # of no one side: type 2C, for pictures of which the same can be said
    _refer(state, sheet)
    _draw(state, sheet)
    return writing.file_bytes(state, sheet)


@lru_cache(maxsize=1)
def srgb() -> bytes:
    """Return the ICC profile of sRGB that highdicom brings; made anew, a profile would hold the moment."""
    profile = resources.files("highdicom") / "_icc_profiles" / "sRGB_v4_ICC_preference.icc"
    return profile.read_bytes()


def _creator(sheet: Sheet) -> str | None:
    people = writing.authors(sheet)
    return writing.person_name(people[0].name) if len(people) == 1 else None


def _modality(shown: Shown) -> Dataset:
    """Return the one modality step (PS3.3 C.11.1)."""
    item = Dataset()
    if shown.modality_table is not None:
        table = _table(shown.modality_table, spread=False)
        table.ModalityLUTType = "US"
        item.ModalityLUTSequence = [table]
    else:
        item.RescaleIntercept = DSfloat(shown.intercept, auto_format=True)
        item.RescaleSlope = DSfloat(shown.slope, auto_format=True)
        item.RescaleType = "US"
    return item


def _table(table: Table, *, spread: bool) -> Dataset:
    """Return a lookup table's item, its entries of 8 or 16 bits (PS3.3 C.11.1.1.1, C.11.2.1.1).

    Grey values are `spread` over these bits; a modality's own units stay what they are. Counts and first values are
    words, which the sign of the first value makes signed.
    """
    bits = 8 if table.bits <= 8 else 16
    entries = np.frombuffer(table.entries, "<u2").astype(np.uint32)
    if spread and table.bits != bits:
        entries = np.minimum(entries * ((1 << bits) - 1) // ((1 << table.bits) - 1), (1 << bits) - 1)
    data = entries.astype("u1" if bits == 8 else "<u2").tobytes()
    count = len(entries) & 0xFFFF
    item = Dataset()
    if table.first < 0:
        item.add_new(0x00283002, "SS", [count - 0x10000 if count > 0x7FFF else count, table.first, bits])
    else:
        item.add_new(0x00283002, "US", [count, table.first, bits])
    item.add_new(0x00283006, "OW", data + b"\0" * (len(data) % 2))
    return item


def _windows(sheet: Sheet) -> Iterator[Dataset]:
    """Yield the VOI step of each picture; pictures that share one stand in one item."""
    groups: dict[tuple[Any, ...], list[Picture]] = {}
    for picture in sheet.pictures:
        shown = picture.shown
        if shown is not None and (shown.window is not None or shown.voi_table is not None):
            groups.setdefault((shown.window, shown.voi_table), []).append(picture)
    for (window, table), pictures in groups.items():
        item = Dataset()
        item.ReferencedImageSequence = _references(sheet, pictures)
        if table is not None:
            item.VOILUTSequence = [_table(table, spread=True)]
        else:
            center, width, function = window
            item.WindowCenter, item.WindowWidth = DSfloat(center, auto_format=True), DSfloat(width, auto_format=True)
            if function != "LINEAR":
                item.VOILUTFunction = function
        yield item


def _references(sheet: Sheet, pictures: Iterable[Picture]) -> list[Dataset]:
    return [writing.reference(picture, _frames(sheet, picture)) for picture in pictures]


def _frames(sheet: Sheet, picture: Picture) -> list[int] | None:
    """Return the marked frames of a picture; none of one that has no more than one."""
    return writing.frames_of(picture, (m.frame for m in sheet.marks if m.sop_uid == picture.sop_uid))


def _refer(state: Dataset, sheet: Sheet) -> None:
    """Name all pictures, and show each whole (PS3.3 C.11.11, C.10.4)."""
    series = Dataset()
    series.SeriesInstanceUID = sheet.pictures[0].series_uid
    series.ReferencedImageSequence = _references(sheet, sheet.pictures)
    state.ReferencedSeriesSequence = [series]
    sizes: dict[tuple[int, int], list[Picture]] = {}
    for picture in sheet.pictures:
        sizes.setdefault((picture.columns, picture.rows), []).append(picture)
    areas = []
    for (columns, rows), pictures in sizes.items():
        area = Dataset()
        if len(sizes) > 1:
            area.ReferencedImageSequence = _references(sheet, pictures)
        area.DisplayedAreaTopLeftHandCorner = [1, 1]
        area.DisplayedAreaBottomRightHandCorner = [columns, rows]
        area.PresentationSizeMode = "SCALE TO FIT"
        area.PresentationPixelAspectRatio = [1, 1]
        areas.append(area)
    state.DisplayedAreaSelectionSequence = areas


def _draw(state: Dataset, sheet: Sheet) -> None:
    """Add the layer and an annotation for each mark (PS3.3 C.10.5, C.10.7)."""
    annotations = []
    for mark in sheet.marks:
        picture = sheet.picture(mark.sop_uid)
        annotation = Dataset()
        annotation.ReferencedImageSequence = [writing.reference(picture, writing.frames_of(picture, [mark.frame]))]
        annotation.GraphicLayer = LAYER
        if objects := [_graphic(region, mark) for region in _drawings(mark)]:
            annotation.GraphicObjectSequence = objects
        if texts := [_text(point, text) for point, text in labels.placed(mark)]:
            annotation.TextObjectSequence = texts
        annotations.append(annotation)
    layer = Dataset()
    layer.GraphicLayer = LAYER
    layer.GraphicLayerOrder = 1
    layer.GraphicLayerRecommendedDisplayCIELabValue = list(COLOUR)
    layer.GraphicLayerDescription = "Measurements and annotations"
    state.GraphicAnnotationSequence = annotations
    state.GraphicLayerSequence = [layer]


def _drawings(mark: DrawnMark) -> Iterator[Region]:
    """Yield what is drawn: counted points one by one, an arrow with its head, a text by itself."""
    if mark.kind == "text":
        return
    if mark.kind == "arrow":
        head, tail = mark.points
        yield Region("POLYLINE", (tail, head))
        if (barbs := _barbs(head, tail)) is not None:
            yield Region("POLYLINE", (barbs[0], head, barbs[1]))
        return
    for region in regions(mark.kind, mark.points):
        if region.graphic == "MULTIPOINT":
            yield from (Region("POINT", (point,)) for point in region.points)
        else:
            yield region


def _barbs(head: Point, tail: Point) -> tuple[Point, Point] | None:
    """Return the ends of an arrow's two barbs, 30° off the shaft; none of an arrow without length."""
    shaft = np.subtract(tail, head)
    length = float(np.hypot(*shaft))
    if length == 0:
        return None
    along = shaft / length * min(LARGEST_HEAD, ARROW_HEAD * length)
    sine, cosine = 0.5, float(np.sqrt(0.75))
    ends = [(along @ np.array([[cosine, sign * sine], [-sign * sine, cosine]])) + head for sign in (1, -1)]
    first, second = ((float(end[0]), float(end[1])) for end in ends)
    return first, second


def _graphic(region: Region, mark: DrawnMark) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(region.points)
    item.GraphicData = [number for point in region.points for number in point]
    item.GraphicType = region.graphic
    closed = region.graphic == "ELLIPSE" or (len(region.points) > 2 and region.points[0] == region.points[-1])
    if closed:
        item.GraphicFilled = "N"
    item.TrackingID = f"radrelay:{mark.kind}"
    item.TrackingUID = tracking_uid(mark.id)
    return item


def _text(point: Sequence[float], text: str) -> Dataset:
    item = Dataset()
    item.UnformattedTextValue = text
    item.AnchorPointAnnotationUnits = "PIXEL"
    item.AnchorPoint = list(point)
    item.AnchorPointVisibility = "N"
    return item
