"""A digital phantom as DICOM files: what a scanner would have sent, with a truth that is known.

CT as one image per slice and time point (PS3.3 A.3), or MR (A.4) with its diffusion images beside it; deterministic by
the recipe's seed. For trying an installation, and for tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from radrelay.analysis.perfusion.phantom import Phantom, Recipe, make
from radrelay.analysis.perfusion.phantom_anatomy import Head, Lesion
from radrelay.analysis.perfusion.phantom_curves import Bolus
from radrelay.dicom.writing import derived_uid

CT_IMAGE, MR_IMAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
BEGAN = datetime(2026, 3, 2, 7, 31, 20, 250_000)  # noqa: DTZ001 -- DICOM's local time
NORMAL_ADC, CORE_ADC = 820.0, 420.0  # µm²/s
HIGH_B = 1000.0


def lesion(*, modality: str, noise: float, seed: int, pixels: int = 256, slices: int = 12, frames: int = 45) -> Recipe:
    """Return a head with a lesion whose side, place and size follow from the seed; noise in HU (CT) or signal (MR)."""
    rng = np.random.default_rng(seed)
    side, size = float(rng.choice((-1, 1))), rng.uniform(0.8, 1.2)
    middle = (side * rng.uniform(36, 43), rng.uniform(0, 14), 0.0)
    place = Lesion(middle, (18 * size, 30 * size, 40 * size), rng.uniform(0.5, 0.7), (-2 * side, 3.0, 0.0))
    head = Head((72.0, 90.0, 105.0), artery_radius_mm=rng.uniform(1.9, 2.6), lesion=place)
    bolus = Bolus(rng.uniform(7, 11), rng.uniform(220, 380), recirculation=rng.uniform(0.15, 0.3))
    times = 1.5 * np.arange(frames, dtype=np.float64)
    return Recipe(
        (slices, pixels, pixels), (8.0, 218 / pixels, 218 / pixels), times, head, bolus, noise=noise, seed=seed,
        modality="MR" if modality == "MR" else "CT",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Naming:
    """Whose study the phantom is said to be."""

    patient_id: str = "PHANTOM"
    patient_name: str = "Phantom^Perfusion"
    birth_date: str = "19500101"
    key: str = "perfusion"


def datasets(recipe: Recipe, naming: Naming | None = None, adc: bool = True) -> Iterator[Dataset]:
    """Yield the images of a phantom, time point by time point; of MR the diffusion-weighted ones behind them."""
    naming = naming or Naming()
    phantom = make(recipe)
    key = (naming.key, naming.patient_id, recipe.seed, recipe.modality, *recipe.shape, len(phantom.times))
    number = 0
    for frame in range(phantom.volume.shape[0]):
        for place in range(phantom.volume.shape[1]):
            when = phantom.times[frame, place]
            if not np.isfinite(when):
                continue
            number += 1
            one = _image(recipe, naming, key, place, BEGAN + timedelta(seconds=float(when)))
            _in_series(one, key, 3, "Perfusion 4D" if recipe.modality == "CT" else "DSC perfusion", number)
            _pixels(one, phantom.volume[frame, place], recipe.modality)
            yield one
    if recipe.modality == "MR" and adc:
        yield from _diffusion(recipe, naming, key, phantom)


def write(recipe: Recipe, folder: Path, naming: Naming | None = None) -> int:
    """Write a phantom's files into a folder; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for count, one in enumerate(datasets(recipe, naming), 1):
        one.save_as(folder / f"I{count:05d}.dcm", enforce_file_format=True)
    return count


def _image(recipe: Recipe, naming: Naming, key: tuple[object, ...], place: int, when: datetime) -> Dataset:
    one = Dataset()
    one.SpecificCharacterSet = "ISO_IR 192"
    one.SOPClassUID = CT_IMAGE if recipe.modality == "CT" else MR_IMAGE
    one.StudyDate = BEGAN.strftime("%Y%m%d")
    one.StudyTime = BEGAN.strftime("%H%M%S")
    one.AcquisitionDate = one.ContentDate = when.strftime("%Y%m%d")
    one.AcquisitionTime = one.ContentTime = when.strftime("%H%M%S.%f")
    one.AcquisitionDateTime = when.strftime("%Y%m%d%H%M%S.%f")
    one.AccessionNumber, one.ReferringPhysicianName, one.StudyID = "", "", "1"
    one.Modality, one.Manufacturer = recipe.modality, "Radrelay"
    one.ManufacturerModelName = "Digital phantom"
    one.StudyDescription = "Perfusion phantom"
    one.PatientName, one.PatientID = naming.patient_name, naming.patient_id
    one.PatientBirthDate, one.PatientSex = naming.birth_date, "O"
    one.BodyPartExamined, one.PatientPosition, one.PositionReferenceIndicator = "HEAD", "HFS", ""
    one.StudyInstanceUID = derived_uid("phantom study", *key)
    one.FrameOfReferenceUID = derived_uid("phantom place", *key)
    thick, row, column = recipe.spacing
    slices, rows, columns = recipe.shape
    one.SliceThickness = f"{thick:g}"
    one.PixelSpacing = [f"{row:.6g}", f"{column:.6g}"]
    one.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    across = (place - (slices - 1) / 2) * thick
    one.ImagePositionPatient = [f"{-(columns - 1) / 2 * column:.6g}", f"{-(rows - 1) / 2 * row:.6g}", f"{across:.6g}"]
    one.SliceLocation = f"{across:.6g}"
    if recipe.modality == "CT":
        one.KVP, one.RescaleSlope, one.RescaleIntercept, one.RescaleType = "80", "1", "-1024", "HU"
        one.AcquisitionNumber = "1"
    else:
        one.ScanningSequence, one.SequenceVariant, one.ScanOptions = ["GR", "EP"], "NONE", ""
        one.MRAcquisitionType, one.EchoTrainLength = "2D", "1"
        one.RepetitionTime, one.EchoTime = "1500", f"{1000 * recipe.te_s:g}"
        one.AcquisitionNumber = "1"
    return one


def _in_series(one: Dataset, key: tuple[object, ...], series: int, description: str, number: int) -> None:
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if one.Modality == "CT" else "M"]
    one.SeriesNumber, one.SeriesDescription, one.InstanceNumber = str(series), description, str(number)
    one.SeriesInstanceUID = derived_uid("phantom series", *key, series)
    one.SOPInstanceUID = derived_uid("phantom image", *key, series, number)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta = meta


def _pixels(one: Dataset, values: NDArray[np.generic], modality: str) -> None:
    offset = 1024 if modality == "CT" else 0
    stored = np.clip(np.rint(np.asarray(values, dtype=np.float32)) + offset, 0, 4095 if offset else 65_535)
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.Rows, one.Columns = stored.shape
    one.BitsAllocated, one.PixelRepresentation = 16, 0
    one.BitsStored = 12 if modality == "CT" else 16
    one.HighBit = one.BitsStored - 1
    one.PixelData = stored.astype("<u2").tobytes()


def _diffusion(recipe: Recipe, naming: Naming, key: tuple[object, ...], phantom: Phantom) -> Iterator[Dataset]:
    """Yield images without and with diffusion weighting, whose ADC is low in the core."""
    truth = phantom.truth
    adc = np.where(truth.core, CORE_ADC, NORMAL_ADC)
    base = np.where(truth.brain, 600.0, np.where(phantom.volume[0] > 60, 150.0, 2.0))
    number = 0
    for b in (0.0, HIGH_B):
        signal = base * np.exp(-b * adc * 1e-6)
        for place in range(recipe.shape[0]):
            number += 1
            one = _image(replace(recipe, te_s=0.08), naming, key, place, BEGAN - timedelta(minutes=3))
            _in_series(one, key, 2, "DWI", number)
            one.ScanningSequence = ["SE", "EP"]
            one.DiffusionBValue = b
            _pixels(one, signal[place], "MR")
            yield one
