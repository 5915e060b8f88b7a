"""Marks out of a report that Radrelay wrote, here or elsewhere: what `report` wrote, back again.

Other systems' reports are read by whoever shows them; this one knows the groups whose tracking identifier says that
they are ours, and passes over the rest.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import msgspec
import pydicom
from pydicom.dataset import Dataset

from radrelay.dicom.measurement_codes import NAME_OF, PIXEL_QUANTITIES, unit_of
from radrelay.errors import Invalid
from radrelay.marks.objects.report import COMMENT, DERIVATION, TRACKING
from radrelay.marks.objects.shapes import KINDS, MEASURED_BY, Point, Region, points_of
from radrelay.marks.objects.sheet import Author, DrawnMark, Space, Value

_OBSERVER_TYPE, _PERSON_NAME, _DEVICE_NAME = "121005", "121008", "121013"
_TRACKING_ID, _TRACKING_UID = "112039", "112040"
_DRAWINGS = ("SCOORD", "SCOORD3D")


class NotOurReport(Invalid):
    """This is no measurement report of Radrelay's."""

    code = "not-our-report"


def read_report(data: Dataset) -> list[DrawnMark]:
    """Return the marks of a report; raises `NotOurReport` where one of its groups is damaged."""
    found = []
    for item in _descend(data):
        texts = {_concept(child): child for child in item.get("ContentSequence", ())}
        tracking = texts.get(("DCM", _TRACKING_ID))
        if tracking is None or not str(tracking.get("TextValue", "")).startswith(TRACKING):
            continue
        try:
            found.append(_mark(item, str(tracking.TextValue).removeprefix(TRACKING)))
        except (AttributeError, IndexError, KeyError, ValueError) as error:
            raise NotOurReport("a measurement group of this report is damaged") from error
    return found


def read_report_file(file: bytes) -> list[DrawnMark]:
    """Read the marks of a report's file."""
    return read_report(pydicom.dcmread(pydicom.filebase.DicomBytesIO(file)))


def _descend(data: Dataset) -> Iterator[Dataset]:
    for item in data.get("ContentSequence", ()):
        if item.get("ValueType") == "CONTAINER":
            yield item
            yield from _descend(item)


def _concept(item: Dataset) -> tuple[str, str]:
    for code in item.get("ConceptNameCodeSequence", ()):
        return str(code.CodingSchemeDesignator), str(code.CodeValue)
    return "", ""


def _mark(group: Dataset, kind: str) -> DrawnMark:
    if kind not in KINDS:
        raise ValueError(kind)
    values: list[Value] = []
    placed: list[tuple[int, Dataset]] = []
    measured, text, uid = MEASURED_BY.get(kind, ()), "", ""
    for item in group.ContentSequence:
        concept = _concept(item)
        if item.ValueType == "NUM":
            value, regions = _number(item)
            values.append(value)
            place = measured.index(value.name) if value.name in measured else 0
            placed += [(place, region) for region in regions]
        elif item.ValueType in _DRAWINGS:
            placed.append((0, item))
        elif concept == COMMENT.key:
            text = str(item.TextValue).replace("\r\n", "\n")
        elif concept == ("DCM", _TRACKING_UID):
            uid = str(item.UID)
    drawn = [item for _, item in sorted(placed, key=lambda one: one[0])]  # stable: several lines of one number
    mark = DrawnMark(uuid.UUID(int=int(uid.removeprefix("2.25."))), kind, "", 1, [], text, values, _author(group))
    if drawn[0].ValueType == "SCOORD3D":
        return msgspec.structs.replace(mark, space=_space(drawn[0]))
    picture = drawn[0].ContentSequence[0].ReferencedSOPSequence[0]
    return msgspec.structs.replace(
        mark,
        sop_uid=str(picture.ReferencedSOPInstanceUID),
        frame=int(picture.get("ReferencedFrameNumber", 1)),
        points=points_of(kind, [Region(item.GraphicType, tuple(_points(item))) for item in drawn]),
    )


def _space(item: Dataset) -> Space:
    """Return where a mark lies in the patient; its series is no part of a report."""
    flat = [float(number) for number in item.GraphicData]
    points = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
    return Space(str(item.ReferencedFrameOfReferenceUID), points)


def _number(item: Dataset) -> tuple[Value, list[Dataset]]:
    measured = item.MeasuredValueSequence[0]
    value = measured.get("FloatingPointValue", measured.NumericValue)
    unit = unit_of(str(measured.MeasurementUnitsCodeSequence[0].CodeValue))
    concept, drawn = _concept(item), []
    name = "value" if concept in PIXEL_QUANTITIES else NAME_OF[concept]
    for child in item.get("ContentSequence", ()):
        if child.ValueType in _DRAWINGS:
            drawn.append(child)
        elif _concept(child) == DERIVATION.key:
            code = child.ConceptCodeSequence[0]
            name = NAME_OF[(str(code.CodingSchemeDesignator), str(code.CodeValue))]
    return Value(name, float(value), unit), drawn


def _points(item: Dataset) -> Iterator[Point]:
    flat = [float(number) for number in item.GraphicData]
    yield from zip(flat[::2], flat[1::2], strict=True)


def _author(group: Dataset) -> Author:
    """Return who is named as observer; the id is not part of a report."""
    named = {_concept(item)[1]: item for item in group.ContentSequence}
    if _PERSON_NAME in named:
        family, _, given = str(named[_PERSON_NAME].PersonName).partition("^")
        return Author("", f"{given} {family}".strip())
    return Author("", str(named[_DEVICE_NAME].TextValue) if _DEVICE_NAME in named else "", "token")
