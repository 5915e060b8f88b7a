"""A small result of a phantom with a lesion, and the study around it, for what is written of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from pydicom.dataset import Dataset

from radrelay.analysis.objects import Order
from radrelay.analysis.perfusion import Options, Result, analyse
from radrelay.analysis.perfusion.phantom import Recipe, make
from radrelay.analysis.perfusion.phantom_anatomy import Head, Lesion
from radrelay.analysis.study import ImageReference, Images, PerfusionStudy, Slab

LESION = Lesion((40.0, 8.0, 0.0), (20.0, 32.0, 60.0), 0.65)
RECIPE = Recipe((2, 128, 128), (8.0, 1.7, 1.7), np.arange(0, 60, 1.5), Head(lesion=LESION), noise=3.0, seed=1)
ORDER = Order("run-1", datetime(2026, 3, 1, 11, 5, tzinfo=UTC))
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
STUDY_UID, SERIES_UID, FRAME_UID = "2.25.11", "2.25.12", "2.25.13"


def header() -> Dataset:
    """Return a header in Japanese."""
    found = Dataset()
    found.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    found.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    found.PatientID, found.PatientBirthDate, found.PatientSex = "P-1", "19500101", "M"
    found.StudyInstanceUID, found.StudyID, found.AccessionNumber = STUDY_UID, "S1", "A1"
    found.StudyDate, found.StudyTime, found.StudyDescription = "20260301", "101112", "頭部"
    found.ReferringPhysicianName, found.Manufacturer = "Ref^Rita", "Scanners"
    found.LossyImageCompression, found.LossyImageCompressionRatio = "01", "8"
    found.LossyImageCompressionMethod = "ISO_15444_1"
    return found


@lru_cache(maxsize=1)
def analysed() -> tuple[PerfusionStudy, Result]:
    """Return a study and its result."""
    phantom = make(RECIPE)
    values = phantom.volume.astype(np.int16)
    result = analyse(values, phantom.times, phantom.spacing, Options(correct_motion=False))
    slices, rows, columns = RECIPE.shape
    slab = Slab(rows, columns, tuple((-100.0, -110.0, 8.0 * one) for one in range(slices)), (1, 0, 0, 0, 1, 0),
                (1.7, 1.7), 8.0, FRAME_UID)  # fmt: skip
    references = tuple(
        tuple(ImageReference(CT_IMAGE, f"2.25.2{at}{frame:03}", SERIES_UID) for frame in range(values.shape[0]))
        for at in range(slices)
    )
    return PerfusionStudy("CT", header(), Images(values, slab, references, phantom.times)), result


def without_lesion() -> tuple[PerfusionStudy, Result]:
    """Return the same study as if nothing were ill."""
    study, result = analysed()
    lesions = result.lesions
    nothing = np.zeros_like(lesions.core)
    late = dict.fromkeys(lesions.late, nothing)
    volumes = dict.fromkeys(lesions.late_ml, 0.0)
    well = replace(
        lesions,
        core=nothing,
        late=late,
        core_ml=0.0,
        late_ml=volumes,
        mismatch_ml=0.0,
        ratio=None,
        intensity_ratio=None,
    )
    return study, replace(result, lesions=well)
