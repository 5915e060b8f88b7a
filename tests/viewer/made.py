"""Objects made for one property each: a picture of few pixels that shows it, in a study for a whole table of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage, generate_uid

from tests.viewer.truth import Array

ROWS, COLUMNS = 40, 56
SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
CT_IMAGE = UID("1.2.840.10008.5.1.4.1.1.2")
MULTI_FRAME = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
PATIENT = {"PatientName": "Prüfbild^Grau", "PatientID": "GRAU-1", "PatientBirthDate": "19610703", "PatientSex": "O"}


def ramp(low: int, high: int, dtype: str, shape: tuple[int, int] = (ROWS, COLUMNS)) -> Array:
    """Return a picture whose values run from `low` to `high`, both ends among them."""
    return np.linspace(low, high, shape[0] * shape[1]).round().astype(dtype).reshape(shape)


def image(
    pixels: Array,
    *,
    study: str,
    series: str = "",
    number: int = 1,
    stored: int = 0,
    sop_class: UID = SECONDARY_CAPTURE,
    syntax: UID = ExplicitVRLittleEndian,
    raw: bytes | None = None,
    more: Mapping[str, Any] | None = None,
) -> Dataset:
    """Return an object with these pixels.

    Parameters
    ----------
    pixels
        (rows, columns), (frames, rows, columns) or (rows, columns, 3) for colour; `raw` wins as the bytes.
    series
        A name; objects of one name lie in one series. Without: a series of its own.
    stored
        Bits Stored, where they are fewer than those of the type.
    more
        Further attributes by keyword; they win.
    """
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.SOPClassUID = sop_class
    one.SOPInstanceUID = generate_uid()
    one.StudyInstanceUID = generate_uid(entropy_srcs=["viewer", study])
    one.SeriesInstanceUID = generate_uid(entropy_srcs=["viewer", study, series]) if series else generate_uid()
    one.StudyID, one.SeriesNumber, one.InstanceNumber = "1", 1, number
    one.StudyDate, one.StudyTime, one.AccessionNumber, one.Modality = "20240210", "101500", "", "OT"
    one.SeriesDescription = series or "one"
    for name, value in PATIENT.items():
        setattr(one, name, value)
    one.SpecificCharacterSet = "ISO_IR 192"
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    one.SamplesPerPixel = 3 if colour else 1
    one.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        one.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        one.NumberOfFrames = len(pixels)
    shape = pixels.shape[:2] if colour else pixels.shape[-2:]
    one.Rows, one.Columns = shape
    one.BitsAllocated = pixels.dtype.itemsize * 8
    one.BitsStored = stored or one.BitsAllocated
    one.HighBit = one.BitsStored - 1
    one.PixelRepresentation = int(pixels.dtype.kind == "i")
    content = raw if raw is not None else pixels.tobytes()
    one.PixelData = content + b"\0" * (len(content) % 2)
    one["PixelData"].VR = "OB" if one.BitsAllocated <= 8 else "OW"
    for name, value in (more or {}).items():
        setattr(one, name, value)
    one.file_meta.TransferSyntaxUID = syntax
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    return one


def sequence(**values: Any) -> list[Dataset]:
    """Return a sequence of one item."""
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return [item]


def table(first: int, entries: Array, bits: int, **more: Any) -> list[Dataset]:
    """Return a Modality or VOI LUT Sequence: entries for values from `first` on (PS3.3 C.11.1, C.11.2)."""
    item = Dataset()
    item.add_new(0x00283002, "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    item.add_new(0x00283006, "OW", entries.astype("<u2").tobytes())
    for name, value in more.items():
        setattr(item, name, value)
    return [item]


def plane(
    position: tuple[float, float, float], orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0), spacing: float = 1.0
) -> dict[str, Any]:
    """Return what places an image in the patient (PS3.3 C.7.6.2)."""
    return {
        "ImagePositionPatient": list(position),
        "ImageOrientationPatient": list(orientation),
        "PixelSpacing": [spacing, spacing],
        "FrameOfReferenceUID": generate_uid(entropy_srcs=["viewer", "frame of reference"]),
    }
