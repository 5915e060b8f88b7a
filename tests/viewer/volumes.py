"""Studies of one body cut along several directions: where a picture lies in the patient is told by its grey values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
EDGE = 64


def series(
    *, study: str, frame: str, number: int, orientation: tuple[float, ...], first: tuple[float, float, float],
    step: tuple[float, float, float], count: int, patient: str = "VOL1", date: str = "20260101",
) -> Iterator[Dataset]:  # fmt: skip
    """Yield CT slices of 64 × 64 mm from `first` on, `step` mm apart; a slice holds 1000 plus ten times its place."""
    series_uid = generate_uid()
    for place in range(count):
        found = Dataset()
        found.file_meta = FileMetaDataset()
        found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = CTImageStorage
        found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = generate_uid()
        found.PatientName, found.PatientID, found.PatientBirthDate, found.PatientSex = "Volumen^Vera", patient, "", "O"
        found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID = study, series_uid, frame
        found.StudyDate, found.StudyTime, found.Modality = date, "101500", "CT"
        found.SeriesNumber, found.InstanceNumber, found.SeriesDescription = number, place + 1, f"Series {number}"
        found.ImageOrientationPatient = list(orientation)
        found.ImagePositionPatient = [start + part * place for start, part in zip(first, step, strict=True)]
        found.PixelSpacing, found.SliceThickness = [1, 1], 2
        found.Rows = found.Columns = EDGE
        found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
        found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 16, 15, 0
        found.RescaleSlope, found.RescaleIntercept, found.RescaleType = 1, -1024, "HU"
        found.WindowCenter, found.WindowWidth = 200, 1200
        found.PixelData = np.full((EDGE, EDGE), 1000 + 10 * place, "<u2").tobytes()
        yield found
