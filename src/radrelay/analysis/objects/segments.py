"""Core and hypoperfused tissue as a binary Segmentation (PS3.3 A.51), each with what it was found by."""

from __future__ import annotations

from dataclasses import dataclass

import highdicom as hd
import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from numpy.typing import NDArray

from radrelay import __version__
from radrelay.analysis.objects import evidence
from radrelay.analysis.objects.codes import ALTERED, BRAIN, CLUSTERS, INFARCT, ISCHEMIA
from radrelay.analysis.objects.evidence import Evidence
from radrelay.analysis.objects.order import MANUFACTURER, MODEL, RESEARCH, Order, Place
from radrelay.analysis.perfusion import Result

PLACE = Place("segments", 9201, "Perfusion segmentation (for research use)")
COLOURS = {"core": (56.0, 76.0, -12.0), "late": (75.0, -58.0, 45.0)}  # CIE L*a*b*


@dataclass(frozen=True, slots=True)
class Segment:
    """A mask that holds anything; `number` counts from 1 as in the object, 0 for one that holds nothing."""

    number: int
    name: str
    label: str
    kind: CodedConcept
    mask: NDArray[np.bool_]
    volume_ml: float

    def tracking_uid(self, order: Order) -> str:
        """Return the UID that is this segment's in every object."""
        return order.uid("tracking", self.name)


def segments_of(result: Result) -> list[Segment]:
    """Return core (where anything tells it) and hypoperfused tissue, those that hold anything numbered from 1."""
    lesions = result.lesions
    wanted = [("core", "Infarct core", INFARCT, lesions.core, lesions.core_ml)] if lesions.core_known else []
    wanted += [
        (f"late-{limit:g}", f"Tmax > {limit:g} s", ISCHEMIA, mask, lesions.late_ml[limit])
        for limit, mask in lesions.late.items()
    ]
    found: list[Segment] = []
    number = 0
    for name, label, kind, mask, volume in wanted:
        filled = bool(mask.any())
        number += filled
        found.append(Segment(number if filled else 0, name, label, kind, mask, volume))
    return found


def segmentation(
    source: Evidence, result: Result, order: Order, segments: list[Segment]
) -> Segmentation | None:  # fmt: skip
    """Return the segmentation; none when no segment holds anything."""
    filled = [one for one in segments if one.number]
    if not filled:
        return None
    constants = result.constants.printed()
    return Segmentation(
        source_images=source.images,
        pixel_array=np.stack([one.mask for one in filled], axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[_described(one, order, constants) for one in filled],
        **evidence.arguments(order, PLACE),
        **evidence.device(),
        content_label="PERFUSION",
        content_description=RESEARCH,
        omit_empty_frames=True,
    )


def _described(segment: Segment, order: Order, constants: object) -> SegmentDescription:
    algorithm = hd.AlgorithmIdentificationSequence(
        name=MODEL, family=CLUSTERS, version=__version__, source=MANUFACTURER, parameters=_parameters(constants)
    )
    return SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.label,
        segmented_property_category=ALTERED,
        segmented_property_type=segment.kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=segment.tracking_uid(order),
        tracking_id=segment.label,
        anatomic_regions=[BRAIN],
        display_color=CIELabColor(*COLOURS["core" if segment.name == "core" else "late"]),
    )


def _parameters(constants: object) -> dict[str, str]:
    return {name: str(value) for name, value in dict(constants).items()}  # type: ignore[call-overload]
