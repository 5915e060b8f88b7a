"""Phantom studies: whole DICOM files of patients that do not exist, for demonstrations, tests and load.

In: a kind, a seed, a patient. Out: Part 10 files one after the other, always the same for the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radrelay.dicom import phantom_headers as headers
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.phantom_headers import StudyFacts
from radrelay.dicom.phantom_patients import PATIENTS, PhantomPatient
from radrelay.dicom.phantom_pictures import ChestCt, HeadCt, HeadMr, chest_radiograph, mammogram, ultrasound_loop
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.dicom.writing import Elements, derived_uid, element, header, join

Kind = Literal["ct-head", "ct-chest", "mr-head", "cr-chest", "mg", "us-heart"]
KINDS: tuple[Kind, ...] = ("ct-head", "ct-chest", "mr-head", "cr-chest", "mg", "us-heart")

FIRST_DAY = datetime(2024, 1, 8, 8, 15)  # noqa: DTZ001 - DICOM dates are local times without a zone

_DESCRIPTIONS: dict[Kind, tuple[str, str]] = {
    "ct-head": ("CT", "CT Head native"),
    "ct-chest": ("CT", "CT Chest low dose"),
    "mr-head": ("MR", "MR Brain"),
    "cr-chest": ("CR", "Chest PA"),
    "mg": ("MG", "Screening mammography"),
    "us-heart": ("US", "Transthoracic echo"),
}


def study(
    kind: Kind,
    *,
    seed: int = 0,
    patient: PhantomPatient | None = None,
    slices: int | None = None,
    size: int | None = None,
    moment: datetime | None = None,
) -> Iterator[bytes]:
    """Yield the files of one phantom study in Explicit VR Little Endian.

    Parameters
    ----------
    seed
        Every UID, date and pixel follows from it (and the other arguments).
    patient
        One of `PATIENTS` by the seed when not given.
    slices
        Images per series, or frames of an ultrasound loop.
    size
        Rows and columns of CT and MR, columns of the others.
    moment
        Local date and time of the study.
    """
    modality, description = _DESCRIPTIONS[kind]
    facts = StudyFacts(
        patient or PATIENTS[seed % len(PATIENTS)],
        seed,
        kind,
        moment or FIRST_DAY + timedelta(days=seed % 700, minutes=7 * (seed % 60)),
        description,
        modality,
    )
    yield from _MAKERS[kind](facts, slices, size)


def samples(seed: int = 0, *, slices: int = 24) -> Iterator[bytes]:
    """Yield a small collection for a first look: one study for each phantom patient, every kind among them."""
    for number, patient in enumerate(PATIENTS):
        yield from study(KINDS[number % len(KINDS)], seed=seed + number, patient=patient, slices=slices)


def _file(elements: list[Elements], sop_class: str, pixels: NDArray[np.generic], vr: str) -> bytes:
    """Return a Part 10 file of layers of elements and of pixels, little endian."""
    merged: Elements = {}
    for layer in elements:
        merged.update(layer)
    sop_uid = merged[0x00080018][8:].rstrip(b"\0").decode("ascii")
    raw = pixels.tobytes()
    padding = b"\0" * (len(raw) % 2)
    meta = file_meta(sop_class, sop_uid, EXPLICIT_LE)
    return b"".join((meta, join(merged), header(0x7FE00010, vr, len(raw) + len(padding)), raw, padding))


def _slices(
    facts: StudyFacts, series: Elements, count: int, spacing: tuple[float, float], picture: HeadCt, number: int
) -> Iterator[bytes]:
    """Yield `count` axial slices of one series; `spacing` is (between pixels, between slices) in mm."""
    shared = headers.study_elements(facts) | series | headers.pixel_elements((picture.size, picture.size))
    shared[0x00200052] = element(0x00200052, "UI", derived_uid(facts.study_uid, "frame of reference"))
    corner = -spacing[0] * (picture.size - 1) / 2
    sop_class = headers.CT_IMAGE if facts.modality == "CT" else headers.MR_IMAGE
    for index in range(count):
        plane = headers.plane_elements((corner, corner, index * spacing[1]), *spacing)
        image = headers.image_elements(facts, number, index + 1)
        pixels = picture.slice(index / max(1, count - 1))
        yield _file([shared, image, plane], sop_class, pixels, "OW")


def _ct_head(facts: StudyFacts, slices: int | None, size: int | None) -> Iterator[bytes]:
    series = headers.series_elements(facts, headers.CT_IMAGE, 2, "Head 5.0 H30s", "HEAD")
    series |= headers.ct_elements((40, 80), "H30s")
    yield from _slices(facts, series, slices or 28, (0.45, 5.0), HeadCt(size or 512, facts.seed), 2)


def _ct_chest(facts: StudyFacts, slices: int | None, size: int | None) -> Iterator[bytes]:
    series = headers.series_elements(facts, headers.CT_IMAGE, 2, "Thorax 1.0 B70f", "CHEST")
    series |= headers.ct_elements((-600, 1600), "B70f")
    yield from _slices(facts, series, slices or 80, (0.7, 3.0), ChestCt(size or 512, facts.seed), 2)


def _mr_head(facts: StudyFacts, slices: int | None, size: int | None) -> Iterator[bytes]:
    for number, weighting in ((2, "T1"), (3, "T2")):
        series = headers.series_elements(facts, headers.MR_IMAGE, number, f"{weighting} tra", "BRAIN")
        series |= headers.mr_elements(weighting)
        picture = HeadMr(size or 256, facts.seed, weighting=weighting)
        yield from _slices(facts, series, slices or 24, (0.9, 5.5), picture, number)


def _cr_chest(facts: StudyFacts, slices: int | None, size: int | None) -> Iterator[bytes]:
    columns = size or 2500
    shape = (columns * 4 // 5, columns)
    shared = headers.study_elements(facts) | headers.pixel_elements(shape) | headers.cr_elements(430 / columns)
    shared |= headers.series_elements(facts, headers.CR_IMAGE, 1, "Thorax p.a.", "CHEST")
    for index in range(min(slices or 1, 2)):
        pixels = chest_radiograph(*shape, facts.seed + index)
        yield _file([shared, headers.image_elements(facts, 1, index + 1)], headers.CR_IMAGE, pixels, "OW")


def _mg(facts: StudyFacts, slices: int | None, size: int | None) -> Iterator[bytes]:
    del slices
    columns = size or 1914
    shape = (columns * 5 // 4, columns)
    for number, left in ((1, False), (2, True)):
        shared = headers.study_elements(facts) | headers.pixel_elements(shape)
        shared |= headers.series_elements(facts, headers.MG_IMAGE, number, f"{'L' if left else 'R'} CC", "BREAST")
        shared |= headers.mg_elements(180 / columns, left=left)
        pixels = mammogram(*shape, facts.seed + number, left=left)
        yield _file([shared, headers.image_elements(facts, number, 1)], headers.MG_IMAGE, pixels, "OW")


def _us_heart(facts: StudyFacts, slices: int | None, size: int | None) -> Iterator[bytes]:
    columns, frames = size or 480, slices or 16
    shape = (columns * 3 // 4, columns)
    shared = headers.study_elements(facts) | headers.pixel_elements(shape, stored=8, colour=True)
    shared |= headers.series_elements(facts, headers.US_LOOP, 1, "PLAX", "HEART") | headers.us_elements(shape, frames)
    pixels = ultrasound_loop(frames, *shape, facts.seed)
    yield _file([shared, headers.image_elements(facts, 1, 1)], headers.US_LOOP, pixels, "OB")


_MAKERS: dict[Kind, Callable[[StudyFacts, int | None, int | None], Iterator[bytes]]] = {
    "ct-head": _ct_head,
    "ct-chest": _ct_chest,
    "mr-head": _mr_head,
    "cr-chest": _cr_chest,
    "mg": _mg,
    "us-heart": _us_heart,
}
