"""Marks as a Comprehensive SR (PS3.3 A.35.3) after TID 1500 "Measurement Report", drawn in the image's own plane.

Marks that lie in the patient make it a Comprehensive 3D SR (A.35.13): their drawings are SCOORD3D in the frame of
reference that they were measured in.

A mark is a measurement group, tracked by its id through all versions. What measures with its drawing (length, two
axes, angles, counted points) is a group of TID 1501, its numbers INFERRED FROM the drawing; regions, arrows, points
and texts are groups of TID 1410 with an Image Region. SCOORD itself needs no frame of reference, so any image will do.
Numbers are written twice, as decimal text of 16 characters and as 64-bit float; points are 32-bit floats (VR FL).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from highdicom.sr import (
    CodeContentItem,
    Comprehensive3DSR,
    ComprehensiveSR,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    ObserverContext,
    RelationshipTypeValues,
    Scoord3DContentItem,
    ScoordContentItem,
    TextContentItem,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from radrelay.dicom.measurement_codes import (
    COBB_ANGLE,
    GEOMETRY,
    STATISTICS,
    Code,
    pixel_quantity,
    unit_code,
)
from radrelay.marks.objects import writing
from radrelay.marks.objects.shapes import MEASURED_BY, Region, regions
from radrelay.marks.objects.sheet import DrawnMark, Picture, Sheet, Space, Value, tracking_uid

SERIES_NUMBER = 9100
TRACKING = "radrelay:"
COMMENT = Code("121106", "DCM", "Comment")
DERIVATION = Code("121401", "DCM", "Derivation")
IMAGE_REGION = Code("111030", "DCM", "Image Region")
PATH = Code("121055", "DCM", "Path")
SOURCE_IMAGE = Code("121324", "DCM", "Source image")
IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
NONE_LEFT = "All measurements of the previous version were taken back."
LANGUAGE = Code("en", "RFC5646", "English")  # of the codes' meanings; comments are in whatever was typed
_CONTAINS, _CONTEXT = RelationshipTypeValues.CONTAINS, RelationshipTypeValues.HAS_OBS_CONTEXT
_INFERRED, _SELECTED = RelationshipTypeValues.INFERRED_FROM, RelationshipTypeValues.SELECTED_FROM
_MODIFIER = RelationshipTypeValues.HAS_CONCEPT_MOD


def report_file(sheet: Sheet) -> bytes:
    """Return the marks of a sheet as a DICOM file; without any, a report that says that there are none any more."""
    images = [writing.evidence(sheet, picture) for picture in sheet.pictures]
    groups = [_group(mark, sheet.picture(mark.sop_uid)) for mark in sheet.marks]
    document = (Comprehensive3DSR if is_spatial(sheet.marks) else ComprehensiveSR)(
        evidence=images,
        content=_root(sheet),
        is_complete=True,
        is_final=False,
        previous_versions=_predecessors(sheet) or None,
        coding_schemes=[writing.own_scheme()],
        **writing.common(sheet, SERIES_NUMBER, "Measurements"),
        **writing.content_moment(sheet),
    )
    if groups:  # put in now: highdicom copies and searches what it is handed, which takes longer than all the rest
        document.ContentSequence[-1].ContentSequence = ContentSequence(groups)
    return writing.file_bytes(document, sheet)


def is_spatial(marks: Iterable[DrawnMark]) -> bool:
    """Say whether some of `marks` lie in the patient, so that their report is a Comprehensive 3D SR."""
    return any(mark.space is not None for mark in marks)


def _root(sheet: Sheet) -> ContainerContentItem:
    """Return the document's content (TID 1500), its container of measurements still empty."""
    root = ContainerContentItem(codes.DCM.ImagingMeasurementReport, template_id="1500")
    content = [
        CodeContentItem(
            codes.DCM.LanguageOfContentItemAndDescendants,
            writing.concept(LANGUAGE),
            _MODIFIER,
        ),
        *_observers(sheet),
        CodeContentItem(codes.DCM.ProcedureReported, writing.concept(IMAGING_PROCEDURE), _MODIFIER),
    ]
    if sheet.marks:
        findings = ContainerContentItem(codes.DCM.ImagingMeasurements, relationship_type=_CONTAINS)
        findings.ContentSequence = ContentSequence()
    else:
        findings = ContainerContentItem(writing.concept(EVALUATIONS), relationship_type=_CONTAINS)
        findings.ContentSequence = ContentSequence([TextContentItem(writing.concept(COMMENT), NONE_LEFT, _CONTAINS)])
    root.ContentSequence = ContentSequence([*content, findings])
    return root


def _observers(sheet: Sheet) -> list[ContentItem]:
    """Return who stands for the document: its one author, and Radrelay, which wrote it; of several, each its marks."""
    people = writing.authors(sheet)
    author = [*writing.observer(people[0])] if len(people) == 1 else []
    return [*author, *writing.device_observer(sheet.device_uid, writing.MANUFACTURER)]


def _group(mark: DrawnMark, picture: Picture) -> ContainerContentItem:
    drawn: Sequence[Region | Space] = [mark.space] if mark.space else regions(mark.kind, mark.points)
    measured = MEASURED_BY.get(mark.kind, ())
    given = {value.name for value in mark.values}
    inferred = bool(measured) and given.issuperset(measured)
    group = ContainerContentItem(
        codes.DCM.MeasurementGroup,
        template_id="1501" if measured else "1410",
        relationship_type=_CONTAINS,
    )
    observer: ObserverContext = writing.observer(mark.author)
    content: list[ContentItem] = [
        TextContentItem(codes.DCM.TrackingIdentifier, f"{TRACKING}{mark.kind}", _CONTEXT),
        UIDRefContentItem(codes.DCM.TrackingUniqueIdentifier, tracking_uid(mark.id), _CONTEXT),
        *observer,
    ]
    comment = mark.text.rstrip().replace("\n", "\r\n")
    if comment:
        content.append(TextContentItem(writing.concept(COMMENT), comment, _CONTAINS))
    if not inferred:
        content += [_drawing(region, picture, mark.frame, IMAGE_REGION, _CONTAINS) for region in drawn]
    content += [_number(mark, value, picture, drawn if inferred else []) for value in mark.values]
    group.ContentSequence = ContentSequence(content)
    return group


def _number(mark: DrawnMark, value: Value, picture: Picture, drawn: Sequence[Region | Space]) -> NumContentItem:
    """Return a number with what it was inferred from, and how (TID 300)."""
    statistic = STATISTICS.get(value.name)
    name = GEOMETRY.get(value.name) or pixel_quantity(value.unit, picture.modality)
    if mark.kind == "cobb" and value.name == "angle":
        name = COBB_ANGLE
    unit = writing.concept(unit_code(value.unit))
    item = NumContentItem(writing.concept(name), float(value.value), unit, relationship_type=_CONTAINS)
    further: list[ContentItem] = []
    if statistic is not None:
        further.append(writing.modifier(DERIVATION, statistic))
    measured = MEASURED_BY.get(mark.kind, ())
    if drawn and value.name in measured:
        mine = [drawn[measured.index(value.name)]] if len(measured) > 1 else drawn
        further += [_drawing(region, picture, mark.frame, PATH, _INFERRED) for region in mine]
    if further:
        item.ContentSequence = ContentSequence(further)
    return item


def _drawing(
    region: Region | Space, picture: Picture, frame: int, name: Code, relation: RelationshipTypeValues
) -> ContentItem:
    if isinstance(region, Space):
        uid = UID(region.frame_of_reference)
        way = np.asarray(region.points, np.float64)
        return Scoord3DContentItem(writing.concept(name), "POLYLINE", way, uid, relationship_type=relation)
    points = np.asarray(region.points, np.float64)
    item = ScoordContentItem(writing.concept(name), region.graphic, points, relationship_type=relation)
    image = ImageContentItem(
        writing.concept(SOURCE_IMAGE), picture.sop_class_uid, picture.sop_uid, relationship_type=_SELECTED
    )
    if picture.frames > 1:
        image.ReferencedSOPSequence[0].ReferencedFrameNumber = frame
    item.ContentSequence = ContentSequence([image])
    return item


def _predecessors(sheet: Sheet) -> list[Dataset]:
    if sheet.predecessor is None:
        return []
    data = Dataset()
    data.StudyInstanceUID = UID(sheet.study.study_uid)
    data.SeriesInstanceUID = UID(sheet.predecessor.series_uid)
    data.SOPClassUID = UID(sheet.predecessor.sop_class_uid)
    data.SOPInstanceUID = UID(sheet.predecessor.sop_uid)
    return [data]
