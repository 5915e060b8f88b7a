"""Volumes as a Comprehensive SR after TID 1500 "Measurement Report": each segment's, mismatch and its ratios.

A volume hangs on its segment of the Segmentation (TID 1411); what no segment shows stands in a group of its own
(TID 1501). A ratio that has no meaning, since what it divides by is 0, is left out. Method and constants stand as the
algorithm's parameters (TID 4019), warnings too; that it is for research use stands as a comment on the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.seg import Segmentation
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from radrelay import __version__
from radrelay.analysis.objects import evidence
from radrelay.analysis.objects.codes import (
    BRAIN,
    COMMENT,
    DECONVOLUTION,
    INTENSITY_RATIO,
    ISCHEMIA,
    MILLILITRE,
    MISMATCH_RATIO,
    MISMATCH_VOLUME,
    RATIO,
    VOLUME,
)
from radrelay.analysis.objects.evidence import Evidence
from radrelay.analysis.objects.order import MANUFACTURER, MODEL, RESEARCH, Order, Place
from radrelay.analysis.objects.segments import Segment
from radrelay.analysis.perfusion import Result
from radrelay.dicom.measurement_codes import PRIVATE_SCHEME

PLACE = Place("report", 9301, "Perfusion report (for research use)")
DIGITS = 4


def report_file(
    source: Evidence, result: Result, order: Order, segments: Sequence[Segment], shown: Segmentation | None
) -> bytes:
    """Return the report as a file; `shown` is the segmentation that holds the segments, none when all are empty."""
    images = [*source.images, *([] if shown is None else [shown])]
    groups = [_of_segment(one, result, order, shown, source) for one in segments]
    groups += _of_mismatch(result, order)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_device(order)),
        procedure_reported=sr.CodedConcept("363679005", "SCT", "Imaging procedure"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            sr.CodedConcept("en", "RFC5646", "English")
        ),
    )
    content[0].ContentSequence.append(
        sr.TextContentItem(COMMENT, RESEARCH, relationship_type=sr.RelationshipTypeValues.CONTAINS)
    )
    document = sr.ComprehensiveSR(
        evidence=images,
        content=content,
        is_complete=True,
        is_final=False,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                designator=PRIVATE_SCHEME, name="Radrelay's own codes", responsible_organization=MANUFACTURER
            )
        ],
        **evidence.arguments(order, PLACE),
    )
    return source.file_bytes(document)


def _device(order: Order) -> sr.ObserverContext:
    named = sr.DeviceObserverIdentifyingAttributes(
        UID(order.uid("device")), name=MODEL, manufacturer_name=MANUFACTURER, model_name=MODEL
    )
    return sr.ObserverContext(codes.DCM.Device, named)


def _algorithm(result: Result) -> sr.AlgorithmIdentification:
    said = [f"{name}={value}" for name, value in result.constants.printed().items()]
    said += [f"partial_volume={result.partial_volume:.4f}", f"arrival_s={result.arrival_s:.3f}"]
    said += [f"warning={one.code}" for one in result.warnings]
    return sr.AlgorithmIdentification(MODEL, __version__, said, manufacturer=MANUFACTURER)


def _volume(value: float) -> sr.Measurement:
    return sr.Measurement(VOLUME, round(value, DIGITS), MILLILITRE)


def _of_segment(
    segment: Segment, result: Result, order: Order, shown: Segmentation | None, source: Evidence
) -> sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    common: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(segment.tracking_uid(order), segment.label),
        "finding_type": segment.kind,
        "method": DECONVOLUTION,
        "algorithm_id": _algorithm(result),
        "finding_sites": [sr.FindingSite(BRAIN)],
        "measurements": [_volume(segment.volume_ml)],
    }
    if shown is None or not segment.number:
        return sr.MeasurementsAndQualitativeEvaluations(**common)
    series = sr.SourceSeriesForSegmentation(str(source.images[0].SeriesInstanceUID))
    referenced = sr.ReferencedSegment(
        str(shown.SOPClassUID), str(shown.SOPInstanceUID), segment.number, source_series=series
    )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=referenced, **common)


def _of_mismatch(result: Result, order: Order) -> list[sr.MeasurementsAndQualitativeEvaluations]:
    """Return what is told of core and late tissue together: no mismatch where nothing tells the core."""
    lesions = result.lesions
    known = [sr.Measurement(MISMATCH_VOLUME, round(lesions.mismatch_ml, DIGITS), MILLILITRE)]
    measured = known if lesions.core_known else []
    for name, ratio in ((MISMATCH_RATIO, lesions.ratio), (INTENSITY_RATIO, lesions.intensity_ratio)):
        if ratio is not None:
            measured.append(sr.Measurement(name, round(ratio, DIGITS), RATIO))
    if not measured:
        return []
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(order.uid("tracking", "mismatch"), "Mismatch"),
            finding_type=ISCHEMIA,
            method=DECONVOLUTION,
            algorithm_id=_algorithm(result),
            finding_sites=[sr.FindingSite(BRAIN)],
            measurements=measured,
        )
    ]
