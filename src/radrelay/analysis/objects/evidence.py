"""What highdicom is handed of the source images, and what is put right in its objects before they are written.

highdicom takes patient, study and geometry from data sets of single images: each slice stands in as one, with a UID of
its own. What an object then says of them is replaced by the images that the slice really came from; moments that
highdicom takes from the clock become the run's.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from radrelay import __version__
from radrelay.analysis.objects import header
from radrelay.analysis.objects.order import MANUFACTURER, MODEL, SERIAL, Order, Place
from radrelay.analysis.study import ImageReference, PerfusionStudy, Slab

CT_IMAGE, MR_IMAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
References = tuple[tuple[ImageReference, ...], ...]


class Evidence:
    """The slices of a volume as highdicom wants them, and which images stand behind each."""

    def __init__(self, study: PerfusionStudy, order: Order, slab: Slab, references: References) -> None:
        self.study, self.order, self.slab = study, order, slab
        self._behind: dict[str, ImageReference] = {}
        self._all = references
        self._items: dict[str, list[Dataset]] = {}
        self.images = [self._image(number, of[0]) for number, of in enumerate(references)]

    def _image(self, number: int, behind: ImageReference) -> Dataset:
        slab, data = self.slab, shared(self.study)
        data.SOPClassUID = UID(MR_IMAGE if self.study.modality == "MR" else CT_IMAGE)
        data.SOPInstanceUID = UID(self.order.uid("evidence", slab.positions[number], slab.rows))
        self._behind[data.SOPInstanceUID] = behind
        data.SeriesInstanceUID = UID(self._all[0][0].series_uid)  # highdicom wants one; all are named in the end
        data.Modality = self.study.modality
        data.FrameOfReferenceUID = UID(slab.frame_of_reference_uid)
        data.PositionReferenceIndicator = None
        data.Rows, data.Columns = slab.rows, slab.columns
        data.ImagePositionPatient = [_decimal(one) for one in slab.positions[number]]
        data.ImageOrientationPatient = [_decimal(one) for one in slab.orientation]
        data.PixelSpacing = [_decimal(one) for one in slab.pixel_spacing]
        data.SliceThickness = _decimal(slab.thickness_mm)
        data.SpacingBetweenSlices = _decimal(slab.spacing[0])
        return data

    def file_bytes(self, data: Dataset) -> bytes:
        """Return highdicom's object as a DICOM file (PS3.10), put right."""
        put_right(data, self.study, self.order)
        if "ReferencedSeriesSequence" in data:
            data.BodyPartExamined = "BRAIN"
            data.ReferencedSeriesSequence = Sequence(self._series("ReferencedInstanceSequence"))
        for study in data.get("CurrentRequestedProcedureEvidenceSequence", ()):
            others = [one for one in study.ReferencedSeriesSequence if not self._stands_in(one)]
            study.ReferencedSeriesSequence = Sequence([*self._series("ReferencedSOPSequence"), *others])
        if "Rows" in data and header.is_lossy(self.study):
            data.LossyImageCompression = "01"
            for keyword, _tag, _vr in header.LOSSY:
                if text := header.text_of(self.study.header, keyword):
                    setattr(data, keyword, text.split("\\"))
        organized = UID(self.order.uid("dimensions", data.SOPInstanceUID))
        for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
            for item in data.get(keyword, ()):
                item.DimensionOrganizationUID = organized  # highdicom's is a new one each time
        for item in _references(data):
            behind = self._behind.get(str(item.ReferencedSOPInstanceUID))
            if behind is not None:
                _refer(item, behind)
        out = io.BytesIO()
        pydicom.dcmwrite(out, data, enforce_file_format=True)
        return out.getvalue()

    def _series(self, keyword: str) -> list[Dataset]:
        """Give the series that the images behind are of, with each image (PS3.3 C.12.2, C.17.2)."""
        if keyword not in self._items:
            self._items[keyword] = list(series_items(images_of(self._all), keyword))
        return self._items[keyword]

    def _stands_in(self, series: Dataset) -> bool:
        return any(str(one.ReferencedSOPInstanceUID) in self._behind for one in series.ReferencedSOPSequence)


def series_items(series: Mapping[str, Mapping[str, str]], keyword: str) -> Iterator[Dataset]:
    """Give items that name instances by their series: UID to class."""
    for series_uid, instances in series.items():
        item, of = Dataset(), []
        for sop_uid, sop_class_uid in instances.items():
            one = Dataset()
            one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = UID(sop_class_uid), UID(sop_uid)
            of.append(one)
        item.SeriesInstanceUID = UID(series_uid)
        setattr(item, keyword, Sequence(of))
        yield item


def shared(study: PerfusionStudy) -> Dataset:
    """Return the patient's and the study's attributes as a data set in UTF-8."""
    data = Dataset()
    data.SpecificCharacterSet = header.UTF8
    for keyword, _tag, vr, always in header.KEPT:
        text = header.text_of(study.header, keyword)
        if text or always:
            setattr(data, keyword, text if text or vr not in ("DA", "TM") else None)
    return data


def arguments(order: Order, place: Place) -> dict[str, Any]:
    """Return the arguments that every one of highdicom's constructors takes."""
    return {
        "series_instance_uid": place.series_uid(order),
        "series_number": place.number,
        "sop_instance_uid": place.sop_uid(order),
        "instance_number": place.instance,
        "manufacturer": MANUFACTURER,
        "series_description": place.description,
        "specific_character_set": header.UTF8,
    }


def device() -> dict[str, Any]:
    """Return the arguments of enhanced objects that name the program."""
    return {"manufacturer_model_name": MODEL, "software_versions": __version__, "device_serial_number": SERIAL}


def put_right(data: Dataset, study: PerfusionStudy, order: Order) -> None:
    """Put the run's moment for the clock's, the equipment, and the patient's attributes that highdicom leaves out."""
    made = header.local(study, order)
    day, hour = made.strftime("%Y%m%d"), made.strftime("%H%M%S")
    data.InstanceCreationDate = data.ContentDate = data.SeriesDate = day
    data.InstanceCreationTime = data.ContentTime = data.SeriesTime = hour
    for keyword, _tag, _vr, _always in header.KEPT:
        text = header.text_of(study.header, keyword)
        if text and keyword not in data:
            setattr(data, keyword, text)
    data.ManufacturerModelName, data.SoftwareVersions = MODEL, __version__
    ours = pydicom.dcmread(
        io.BytesIO(header.equipment(study, made, order.method)), force=True
    ).ContributingEquipmentSequence  # fmt: skip
    theirs = list(data.get("ContributingEquipmentSequence", ()))
    for item in theirs:
        item.ContributionDateTime = f"{day}{hour}"
    data.ContributingEquipmentSequence = Sequence([*ours, *theirs])


def _refer(item: Dataset, behind: ImageReference) -> None:
    item.ReferencedSOPClassUID = UID(behind.sop_class_uid)
    item.ReferencedSOPInstanceUID = UID(behind.sop_uid)
    if behind.frame is not None:
        item.ReferencedFrameNumber = behind.frame


def _references(data: Dataset) -> Iterator[Dataset]:
    """Give every item of a data set, at any depth, that refers to an instance."""
    for element in data:
        if element.VR == "SQ" and element.keyword != "ReferencedSeriesSequence":
            for item in element.value:
                yield from (item,) if "ReferencedSOPInstanceUID" in item else ()
                yield from _references(item)


def _decimal(value: float) -> float:
    return float(f"{value:.10g}")


def images_of(references: Iterable[Iterable[ImageReference]]) -> dict[str, dict[str, str]]:
    """Return each image's class by series and UID."""
    found: dict[str, dict[str, str]] = {}
    for one in (one for of in references for one in of):
        found.setdefault(one.series_uid, {})[one.sop_uid] = one.sop_class_uid
    return found
