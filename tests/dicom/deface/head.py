"""A head made of ellipsoids: brain, skull, scalp, eyes, nose, jaw, neck, as CT or as MR, in any orientation."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from radrelay.dicom.planes import normal
from radrelay.dicom.syntaxes import EXPLICIT_LE

Points = NDArray[np.float64]
AXIAL, SAGITTAL = (1.0, 0, 0, 0, 1, 0), (0.0, 1, 0, 0, 0, -1)
AIR, SKIN, BONE, BRAIN, EYE, FAT = range(6)
CT = np.array([-1000, 40, 900, 32, 10, -90])
MR = np.array([12, 420, 40, 300, 150, 600])


def inside(points: Points, middle: tuple[float, float, float], radii: tuple[float, float, float]) -> NDArray[np.bool_]:
    return (((points - middle) / radii) ** 2).sum(-1) <= 1  # type: ignore[no-any-return]


def brain_at(points: Points, more: float = 0.0) -> NDArray[np.bool_]:
    whole = inside(points, (0, 0, 0), (70 + more, 88 + more, 66 + more))
    floor = (points[..., 1] < -40 - more) & (points[..., 2] < -18 - more)
    return whole & ~floor & (points[..., 2] > -52 - more)


def tissue(points: Points) -> NDArray[np.int8]:
    """Return what is at points (x to the left, y backwards, z up, in mm)."""
    out = np.zeros(points.shape[:-1], np.int8)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    out[inside(points, (0, 5, -150), (58, 62, 140)) & (z < -30)] = SKIN  # neck
    out[inside(points, (0, -52, -70), (62, 58, 66))] = SKIN  # face
    out[inside(points, (0, -108, -50), (13, 24, 24))] = SKIN  # nose
    out[inside(points, (0, -92, -112), (24, 18, 14))] = SKIN  # chin
    out[inside(points, (0, 0, 0), (82, 100, 80))] = SKIN
    shell = inside(points, (0, -50, -72), (50, 48, 50)) & ~inside(points, (0, -50, -72), (44, 42, 44))
    out[shell & (z < -40)] = BONE
    out[(np.hypot(x, y - 25) < 26) & (np.hypot(x, y - 25) > 18) & (z < -55)] = BONE  # spine
    out[brain_at(points, 7)] = BONE
    out[brain_at(points)] = BRAIN
    for side in (-32, 32):
        out[inside(points, (side, -90, -34), (12, 12, 12))] = EYE
    return out


@dataclass(frozen=True)
class Series:
    slices: list[Dataset]
    points: list[Points]

    def bytes_of(self, index: int) -> bytes:
        out = io.BytesIO()
        pydicom.dcmwrite(out, self.slices[index], enforce_file_format=False, implicit_vr=False, little_endian=True)
        return out.getvalue()


def series(
    modality: str = "CT", *, orientation: tuple[float, ...] = AXIAL, count: int = 72, apart: float = 3.0,
    size: int = 140, pixel: float = 1.8, low: float = -125.0, tilt: float = 0.0, brain_alone: bool = False,
    dim: float = -1e3,
) -> Series:  # fmt: skip
    """Return slices through the head; `low` is where the lowest lies; before `dim` the brain is dark."""
    noise = np.random.default_rng(7)
    rows, columns, across = np.array(orientation[3:]), np.array(orientation[:3]), np.array(normal(orientation))
    middle = np.array([0, -10, -20.0])
    study, series_uid, frame = generate_uid(), generate_uid(), generate_uid()
    made, points = [], []
    grid = np.arange(size) * pixel
    for index in range(count):
        corner = middle - (rows + columns) * size * pixel / 2
        corner = corner - across * (corner @ across) + across * (low + index * apart) + rows * index * tilt
        at = corner + grid[:, None, None] * rows + grid[None, :, None] * columns
        kinds = tissue(at)
        if brain_alone:
            kinds = np.where(brain_at(at), BRAIN, AIR)
        kinds = np.where((kinds == BRAIN) & (at[..., 1] < dim), AIR, kinds)
        values = (CT if modality == "CT" else MR)[kinds] + noise.normal(0, 8, kinds.shape)
        made.append(_slice(modality, np.round(values), orientation, corner, pixel, index, (study, series_uid, frame)))
        points.append(at)
    return Series(made, points)


def _slice(
    modality: str, values: Points, orientation: tuple[float, ...], corner: Points, pixel: float, index: int,
    uids: tuple[str, str, str],
) -> Dataset:  # fmt: skip
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2" if modality == "CT" else "1.2.840.10008.5.1.4.1.1.4"
    one.SOPInstanceUID = generate_uid()
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = uids
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.Modality, one.BodyPartExamined, one.InstanceNumber = modality, "HEAD", index + 1
    one.PatientID, one.PatientName, one.StudyDate = "P1", "Head^Made", "20260102"
    one.ImagePositionPatient = [f"{value:.4f}" for value in corner]
    one.ImageOrientationPatient = [f"{value:g}" for value in orientation]
    one.PixelSpacing, one.SliceThickness = [pixel, pixel], "3"
    one.Rows, one.Columns = values.shape
    one.BitsAllocated, one.BitsStored, one.HighBit, one.SamplesPerPixel = 16, 16, 15, 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.PixelRepresentation = 1
    one.RescaleSlope, one.RescaleIntercept = "1", "0"
    if modality == "CT":
        one.RescaleIntercept = "-1024"
        values = values + 1024
    one.PixelData = values.astype("<i2").tobytes()
    return one


TS = EXPLICIT_LE
