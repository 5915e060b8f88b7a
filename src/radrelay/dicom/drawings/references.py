"""What objects say of the images that they belong to (PS3.3 C.7.6.16.1, 10.3, C.17.2): references as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from radrelay.dicom.drawings.drawn import DrawingTooLarge, Reference
from radrelay.dicom.header import Header

SOP_INSTANCE, FRAME_NUMBER = 0x00081155, 0x00081160
SERIES_SEQUENCE, SERIES_UID = 0x00081115, 0x0020000E
IMAGES, INSTANCES, SOPS = 0x00081140, 0x0008114A, 0x00081199
EVIDENCE, FURTHER_EVIDENCE = 0x0040A375, 0x0040A385
REFERENCE_LIMIT = 200_000
MOST_FRAMES = (1 << 31) - 1


def references(items: Iterable[Header]) -> tuple[Reference, ...]:
    """Return the images that items of an Image SOP Instance Reference Macro name (PS3.3 10.3)."""
    found = tuple(islice((one for item in items for one in _named(item)), REFERENCE_LIMIT + 1))
    bounded(len(found))
    return found


def _named(item: Header) -> Iterator[Reference]:
    uid = item.text(SOP_INSTANCE)
    if not uid:
        return
    frames = item.integers(FRAME_NUMBER)
    if not frames:
        yield Reference(uid)
    for frame in frames:
        if 0 < frame <= MOST_FRAMES:
            yield Reference(uid, frame)


def of_series(header: Header) -> tuple[tuple[str, ...], tuple[Reference, ...]]:
    """Return the series and images of a Referenced Series Sequence (0008,1115), wherever it stands."""
    series: list[str] = []
    images: list[Reference] = []
    for item in header.items(SERIES_SEQUENCE):
        series.append(item.text(SERIES_UID))
        for tag in (IMAGES, INSTANCES, SOPS):
            images.extend(references(item.items(tag)))
        bounded(len(images))
    return tuple(uid for uid in series if uid), tuple(images)


def of_evidence(header: Header) -> tuple[tuple[str, ...], tuple[Reference, ...]]:
    """Return the series and objects that a report names as its evidence (PS3.3 C.17.2.3)."""
    series: list[str] = []
    images: list[Reference] = []
    for tag in (EVIDENCE, FURTHER_EVIDENCE):
        for study in header.items(tag):
            more, further = of_series(study)
            series.extend(more)
            images.extend(further)
            bounded(len(images))
    return tuple(series), tuple(images)


def bounded(count: int) -> None:
    """Raise `DrawingTooLarge` beyond the number of references that are followed."""
    if count > REFERENCE_LIMIT:
        raise DrawingTooLarge(f"The drawing refers to more than {REFERENCE_LIMIT} images.")
