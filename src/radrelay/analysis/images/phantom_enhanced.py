"""A phantom of CT perfusion as one enhanced multi-frame object (PS3.3 A.38.1): all slices and time points in it."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from radrelay.analysis.images.phantom_files import BEGAN, Naming, image_of, in_series, key_of, pixels
from radrelay.analysis.perfusion.phantom import Recipe, make
from radrelay.dicom.writing import derived_uid

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
TYPE = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
_MOVED = (
    "AcquisitionDate", "AcquisitionTime", "SliceThickness", "PixelSpacing", "ImageOrientationPatient",
    "ImagePositionPatient", "SliceLocation", "RescaleSlope", "RescaleIntercept", "RescaleType", "KVP",
    "BodyPartExamined",
)  # fmt: skip


def enhanced(recipe: Recipe, naming: Naming | None = None) -> Dataset:
    """Return a phantom of CT as one object; frames that were not acquired have no part in it."""
    naming = naming or Naming()
    phantom = make(recipe)
    key = (*key_of(recipe, naming), "enhanced")
    whole = image_of(recipe, naming, key, 0, BEGAN)
    whole.SOPClassUID = ENHANCED_CT
    in_series(whole, key, 3, "Perfusion 4D", 1)
    places = [
        (frame, place) for frame, place in product(*map(range, phantom.times.shape))
        if np.isfinite(phantom.times[frame, place])
    ]  # fmt: skip
    stacked = np.stack([phantom.volume[at] for at in places])
    pixels(whole, stacked.reshape(-1, stacked.shape[-1]), recipe.modality)
    whole.Rows = stacked.shape[1]
    whole.NumberOfFrames = str(len(places))
    _module(whole, key, float(np.nanmax(phantom.times)))
    whole.SharedFunctionalGroupsSequence = [_shared(whole, key)]
    whole.PerFrameFunctionalGroupsSequence = [
        _own(image_of(recipe, naming, key, place, BEGAN), frame, place, float(phantom.times[frame, place]))
        for frame, place in places
    ]
    for keyword in _MOVED:
        delattr(whole, keyword)
    return whole


def write_enhanced(recipe: Recipe, folder: Path) -> int:
    """Write a phantom as one file into a folder; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    enhanced(recipe).save_as(folder / "E00001.dcm", enforce_file_format=True)
    return 1


def _module(whole: Dataset, key: tuple[object, ...], seconds: float) -> None:
    whole.ImageType = TYPE
    whole.PixelPresentation, whole.VolumetricProperties = "MONOCHROME", "VOLUME"
    whole.VolumeBasedCalculationTechnique = "NONE"
    whole.AcquisitionDuration, whole.ContentQualification = seconds, "RESEARCH"
    whole.DeviceSerialNumber, whole.SoftwareVersions = "1", "1"
    whole.BurnedInAnnotation, whole.LossyImageCompression, whole.PresentationLUTShape = "NO", "00", "IDENTITY"
    whole.AcquisitionContextSequence = []
    uid = derived_uid("phantom dimensions", *key)
    organization = Dataset()
    organization.DimensionOrganizationUID = uid
    whole.DimensionOrganizationSequence = [organization]
    whole.DimensionIndexSequence = [_index(uid, 0x00209128), _index(uid, 0x00209057)]


def _index(uid: str, pointer: int) -> Dataset:
    one = Dataset()
    one.DimensionOrganizationUID, one.DimensionIndexPointer, one.FunctionalGroupPointer = uid, pointer, 0x00209111
    return one


def _shared(flat: Dataset, key: tuple[object, ...]) -> Dataset:
    one, measures, orientation, values, kind, anatomy = (Dataset() for _ in range(6))
    measures.PixelSpacing, measures.SliceThickness = flat.PixelSpacing, flat.SliceThickness
    orientation.ImageOrientationPatient = flat.ImageOrientationPatient
    values.RescaleSlope, values.RescaleIntercept = flat.RescaleSlope, flat.RescaleIntercept
    values.RescaleType = "HU"
    kind.FrameType, kind.PixelPresentation, kind.VolumetricProperties = TYPE, "MONOCHROME", "VOLUME"
    kind.VolumeBasedCalculationTechnique = "NONE"
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "69536005", "SCT", "Head"
    anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [region], "U"
    event = Dataset()
    event.IrradiationEventUID = derived_uid("phantom event", *key)
    one.IrradiationEventIdentificationSequence = [event]
    window = Dataset()
    window.WindowCenter, window.WindowWidth = "40", "80"
    one.PixelMeasuresSequence, one.PlaneOrientationSequence = [measures], [orientation]
    one.PixelValueTransformationSequence, one.CTImageFrameTypeSequence = [values], [kind]
    one.FrameAnatomySequence, one.FrameVOILUTSequence = [anatomy], [window]
    return one


def _own(flat: Dataset, frame: int, place: int, seconds: float) -> Dataset:
    one, content, position = Dataset(), Dataset(), Dataset()
    when = (BEGAN + timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%S.%f")
    content.FrameAcquisitionDateTime = content.FrameReferenceDateTime = when
    content.FrameAcquisitionDuration, content.FrameAcquisitionNumber = 0.5, 1
    content.StackID, content.InStackPositionNumber, content.TemporalPositionIndex = "1", place + 1, frame + 1
    content.DimensionIndexValues = [frame + 1, place + 1]
    position.ImagePositionPatient = flat.ImagePositionPatient
    one.FrameContentSequence, one.PlanePositionSequence = [content], [position]
    return one
