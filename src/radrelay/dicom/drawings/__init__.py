"""What other systems drew over images, read from their objects: one reader for each kind, one form for all.

In: the header of an object. Out: a `Drawing`, or an error that says what is wrong with it (PS3.4 B.5 for the classes).
"""

from __future__ import annotations

from radrelay.dicom.drawings import key_objects, overlay_planes, presentation, report, segmentation, structure_set
from radrelay.dicom.drawings.drawn import (
    Drawing,
    DrawingBroken,
    DrawingTooLarge,
    DrawingUnsupported,
    Group,
    Kind,
    MaskFrame,
    Masks,
    NotDrawing,
    Reference,
    Shape,
)
from radrelay.dicom.drawings.references import of_evidence, of_series
from radrelay.dicom.header import Header

__all__ = [
    "Drawing",
    "DrawingBroken",
    "DrawingTooLarge",
    "DrawingUnsupported",
    "Group",
    "Kind",
    "MaskFrame",
    "Masks",
    "NotDrawing",
    "Reference",
    "Shape",
    "kind_of",
    "overlies",
    "read",
    "refusal",
]

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_KINDS: dict[str, Kind] = {
    **{f"{_STORAGE}11.{number}": "presentation" for number in (1, 2, 3, 4, 5, 8, 12)},
    f"{_STORAGE}66.4": "segmentation",
    segmentation.LABELMAP_CLASS: "segmentation",
    f"{_STORAGE}481.3": "structures",
    f"{_STORAGE}88.59": "key-objects",
    **{
        f"{_STORAGE}88.{number}": "report"
        for number in ("1", "2", "3", "4", "11", "22", "33", "34", "35", "40", "50", "65", "67", "68", "69", "70", "71",
                       "72", "73", "74", "75", "76")
    },
}  # fmt: skip
_REFUSED = {
    f"{_STORAGE}66.5": "surface-segmentation",
    f"{_STORAGE}91.1": "bulk-annotations",
    **{f"{_STORAGE}11.{number}": "volume-presentation" for number in (6, 7, 9, 10, 11)},
}
_WORDS = {
    "surface-segmentation": "A surface segmentation holds meshes, which are not drawn over images here.",
    "bulk-annotations": "Bulk annotations of a whole slide are not drawn here.",
    "volume-presentation": "This presentation state is of a volume; only those of single images are applied here.",
}


def kind_of(sop_class: str) -> Kind | None:
    """Return what an object of this class draws; none where it is an image or draws nothing."""
    return _KINDS.get(sop_class)


def refusal(sop_class: str) -> str:
    """Return the code of why an object that draws is not shown; empty for all others."""
    return _REFUSED.get(sop_class, "")


def read(header: Header, sop_class: str) -> Drawing:
    """Read what an object draws: an object of a class that draws, or the overlay planes of an image.

    Raises `NotDrawing`, `DrawingUnsupported`, `DrawingBroken` or `DrawingTooLarge`; never another kind.
    """
    why = refusal(sop_class)
    if why:
        raise DrawingUnsupported(_WORDS[why], reason=why)
    match kind_of(sop_class):
        case "presentation":
            return presentation.read(header, sop_class)
        case "segmentation":
            return segmentation.read(header, sop_class)
        case "structures":
            return structure_set.read(header)
        case "key-objects":
            return key_objects.read(header)
        case "report":
            return report.read(header)
        case _:
            return overlay_planes.read(header)


def overlies(header: Header, sop_class: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the series, and the frames of reference, whose images an object draws over, as it says in few words."""
    space = header.text(0x00200052)
    match kind_of(sop_class):
        case "structures":
            return structure_set.series_of(header), structure_set.frames_of_reference(header)
        case "key-objects" | "report":
            return of_evidence(header)[0], ()
        case "presentation":
            return presentation.series_of(header), ()
        case "segmentation":
            return of_series(header)[0], (space,) if space else ()
        case _:
            return of_series(header)[0], ()
