"""Objects that draw, made with pydicom and highdicom for the tests: nothing here is read by what is under test."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence as Seq
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian

from radrelay.dicom import drawings
from radrelay.dicom.drawings import Drawing
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from tests.archive.house import made

STORAGE = "1.2.840.10008.5.1.4.1.1."
STUDY, SERIES = "1.2.9", "1.2.9.1"
SPACE = "1.2.9.9"


def bytes_of(dataset: Dataset) -> bytes:
    """Return a data set as a file."""
    dataset.file_meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID(dataset.SOPClassUID)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def header_of(file: bytes) -> Header:
    """Return a file's attributes as the archive reads them."""
    preamble = parse_preamble(file)
    return parse(file[preamble.dataset_offset :], preamble.transfer_syntax_uid)


def drawn(dataset: Dataset) -> Drawing:
    """Return what an object draws, by way of its bytes."""
    header = header_of(bytes_of(dataset))
    return drawings.read(header, header.text(0x00080016))


def slices(count: int = 3, spacing: float = 2.0, **changes: Any) -> list[Dataset]:
    """Return a small CT of parallel planes; the first pixel of the first one lies at (10, 20, 30) mm."""
    found: list[Dataset] = []
    for number in range(1, count + 1):
        file = made(
            "CT_small.dcm",
            StudyInstanceUID=STUDY,
            SeriesInstanceUID=SERIES,
            SOPInstanceUID=f"{SERIES}.{number}",
            InstanceNumber=number,
            FrameOfReferenceUID=SPACE,
            ImagePositionPatient=[10, 20, 30 + spacing * (number - 1)],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[0.5, 0.5],
            SliceThickness=spacing,
            SpacingBetweenSlices=spacing,
            **changes,
        )
        found.append(pydicom.dcmread(io.BytesIO(file)))
    return found


def blank(sop_class: str, modality: str, number: int = 1) -> Dataset:
    """Return an object of the study of `slices`, without content."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = UID(STORAGE + sop_class)
    dataset.SOPInstanceUID = UID(f"1.2.9.{sop_class.replace('.', '')}.{number}")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = UID(STUDY), UID(f"1.2.9.{sop_class.replace('.', '')}")
    image = slices(1)[0]
    dataset.PatientName, dataset.PatientID = image.PatientName, image.PatientID
    dataset.Modality, dataset.Manufacturer = modality, "Another house"
    dataset.ContentDate, dataset.ContentTime = "20260102", "030405"
    dataset.InstanceNumber = number
    return dataset


def item(**values: Any) -> Dataset:
    """Return an item of a sequence; lists of data sets become sequences."""
    made_item = Dataset()
    for keyword, value in values.items():
        nested = isinstance(value, list) and value and isinstance(value[0], Dataset)
        setattr(made_item, keyword, Sequence(value) if nested else value)
    return made_item


def cites(image: Dataset | str, frames: list[int] | None = None) -> Dataset:
    """Return a reference to an image (PS3.3 10.3)."""
    uid = image if isinstance(image, str) else image.SOPInstanceUID
    named = item(ReferencedSOPClassUID=STORAGE + "2", ReferencedSOPInstanceUID=uid)
    if frames:
        named.ReferencedFrameNumber = frames
    return named


def code(value: str, scheme: str, meaning: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def content(kind: str, name: tuple[str, str, str], relation: str = "CONTAINS", **values: Any) -> Dataset:
    """Return a content item of a structured document (PS3.3 C.17.3)."""
    return item(ValueType=kind, RelationshipType=relation, ConceptNameCodeSequence=[code(*name)], **values)


def measured(name: tuple[str, str, str], value: float, unit: str, below: list[Dataset] | None = None) -> Dataset:
    number = item(NumericValue=str(value), MeasurementUnitsCodeSequence=[code(unit, "UCUM", unit)])
    made_item = content("NUM", name, MeasuredValueSequence=[number])
    if below:
        made_item.ContentSequence = Sequence(below)
    return made_item


def region(kind: str, points: list[float], image: Dataset | str, relation: str = "INFERRED FROM") -> Dataset:
    """Return a SCOORD with the image that it was selected from."""
    source = content("IMAGE", ("121112", "DCM", "Source"), "SELECTED FROM", ReferencedSOPSequence=[cites(image)])
    return content(
        "SCOORD", ("111030", "DCM", "Image Region"), relation, GraphicType=kind, GraphicData=points,
        ContentSequence=[source],
    )  # fmt: skip


def document(sop_class: str, title: tuple[str, str, str], below: list[Dataset], number: int = 1) -> Dataset:
    dataset = blank(sop_class, "SR" if sop_class != "88.59" else "KO", number)
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = Sequence([code(*title)])
    dataset.ContentSequence = Sequence(below)
    return dataset


def presentation_state(images: list[Dataset], **more: Any) -> Dataset:
    """Return a grayscale presentation state with every simple graphic on its first image."""
    state = blank("11.1", "PR")
    state.ContentLabel, state.ContentDescription, state.ContentCreatorName = "FINDING", "Kontrolle", "Müller^Anna"
    state.PresentationCreationDate, state.PresentationCreationTime = "20260203", "101112"
    state.ReferencedSeriesSequence = Sequence(
        [item(SeriesInstanceUID=SERIES, ReferencedImageSequence=[cites(image) for image in images])]
    )
    layer = item(GraphicLayer="MARKS", GraphicLayerOrder=1, GraphicLayerDescription="What was marked")
    layer.GraphicLayerRecommendedDisplayCIELabValue = [34885, 53485, 50171]  # red
    state.GraphicLayerSequence = Sequence([layer])

    def graphic(kind: str, points: list[float], units: str = "PIXEL", filled: str = "N") -> Dataset:
        return item(
            GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(points) // 2,
            GraphicData=points, GraphicType=kind, GraphicFilled=filled,
        )  # fmt: skip

    boxed = item(
        BoundingBoxAnnotationUnits="DISPLAY", UnformattedTextValue="Herd, Größe 3",
        BoundingBoxTopLeftHandCorner=[0.1, 0.1], BoundingBoxBottomRightHandCorner=[0.4, 0.2],
        BoundingBoxTextHorizontalJustification="LEFT",
        AnchorPointAnnotationUnits="PIXEL", AnchorPoint=[30.0, 40.0], AnchorPointVisibility="Y",
    )  # fmt: skip
    state.GraphicAnnotationSequence = Sequence([item(
        GraphicLayer="MARKS", ReferencedImageSequence=[cites(images[0])],
        GraphicObjectSequence=[
            graphic("POINT", [5, 6]), graphic("POLYLINE", [1, 2, 3, 4, 5, 2], filled="Y"),
            graphic("INTERPOLATED", [1, 1, 9, 1, 9, 9]), graphic("CIRCLE", [20, 20, 25, 20]),
            graphic("ELLIPSE", [10, 20, 30, 20, 20, 15, 20, 25]), graphic("POLYLINE", [0, 0, 1, 1], "DISPLAY"),
        ],
        TextObjectSequence=[boxed],
    )])  # fmt: skip
    for keyword, value in more.items():
        setattr(state, keyword, value)
    return state


RED_UPWARDS = {"Red": [0, 65535], "Green": [0, 0], "Blue": [0, 0]}


def blending_state(under: Seq[Dataset], over: Seq[Dataset], **more: Any) -> Dataset:
    """Return a state that lays `over`, in reds, by 30 % over `under`: soft tissue below, 0 to 10,000 above."""
    state = blank("11.4", "PR")
    for name in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        if name in under[0]:
            setattr(state, name, getattr(under[0], name))
    state.ContentLabel, state.PresentationCreationDate, state.PresentationCreationTime = "FUSION", "20260203", "101112"
    state.RelativeOpacity = 0.3
    state.BlendingSequence = Sequence(
        [blended("UNDERLYING", under, 40, 400), blended("SUPERIMPOSED", over, 5000, 10000)]
    )
    for colour, entries in RED_UPWARDS.items():
        setattr(state, f"{colour}PaletteColorLookupTableDescriptor", [2, 0, 16])
        setattr(state, f"{colour}PaletteColorLookupTableData", np.array(entries, "<u2").tobytes())
    for keyword, value in more.items():
        setattr(state, keyword, value)
    return state


def blended(position: str, images: Seq[Dataset], center: float, width: float) -> Dataset:
    """Return an item of a Blending Sequence (PS3.3 C.11.14) with a window for all of its images."""
    series = item(
        SeriesInstanceUID=images[0].SeriesInstanceUID, ReferencedImageSequence=[cites(image) for image in images]
    )
    window = item(WindowCenter=str(center), WindowWidth=str(width))
    return item(
        BlendingPosition=position, StudyInstanceUID=images[0].StudyInstanceUID,
        ReferencedSeriesSequence=Sequence([series]), SoftcopyVOILUTSequence=Sequence([window]),
    )  # fmt: skip


def structure_set(images: list[Dataset], rings: list[tuple[int, str, list[list[float]]]], **more: Any) -> Dataset:
    """Return a structure set; `rings` are region number, kind and points in mm, one for each of `images` in turn."""
    structures = blank("481.3", "RTSTRUCT")
    structures.StructureSetLabel, structures.StructureSetDate = "Plan A", "20260304"
    structures.ReferencedFrameOfReferenceSequence = Sequence([item(
        FrameOfReferenceUID=SPACE,
        RTReferencedStudySequence=[item(RTReferencedSeriesSequence=[item(
            SeriesInstanceUID=SERIES, ContourImageSequence=[cites(image) for image in images])])],
    )])  # fmt: skip
    numbers = sorted({number for number, _, _ in rings})
    structures.StructureSetROISequence = Sequence(
        [item(ROINumber=n, ROIName=f"Region {n}", ReferencedFrameOfReferenceUID=SPACE) for n in numbers]
    )
    structures.RTROIObservationsSequence = Sequence(
        [item(ReferencedROINumber=n, RTROIInterpretedType="ORGAN") for n in numbers]
    )
    contours: dict[int, list[Dataset]] = {}
    for place, (number, kind, points) in enumerate(rings):
        made_item = item(ContourGeometricType=kind, NumberOfContourPoints=len(points))
        made_item.ContourData = [f"{value:.6g}" for point in points for value in point]
        if images:
            made_item.ContourImageSequence = Sequence([cites(images[place % len(images)])])
        contours.setdefault(number, []).append(made_item)
    structures.ROIContourSequence = Sequence(
        [item(ReferencedROINumber=n, ROIDisplayColor=[255, 16, 0], ContourSequence=contours[n]) for n in numbers]
    )
    for keyword, value in more.items():
        setattr(structures, keyword, value)
    return structures


def segmentation(
    images: list[Dataset],
    masks: np.ndarray[Any, Any],
    kind: str = "BINARY",
    transfer_syntax: str = ExplicitVRLittleEndian,
) -> Dataset:
    """Return a segmentation of `masks` over `images`: (frames, rows, columns, segments), or labels without the last."""
    count = masks.shape[3] if masks.ndim == 4 else int(masks.max())
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Part {number}",
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Liver,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            display_color=hd.color.CIELabColor.from_rgb(*COLOURS[number - 1]),
        )
        for number in range(1, count + 1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return hd.seg.Segmentation(
            source_images=images,
            pixel_array=masks,
            segmentation_type=kind,
            segment_descriptions=described,
            series_instance_uid="1.2.9.664",
            series_number=9,
            sop_instance_uid="1.2.9.664.1",
            instance_number=1,
            manufacturer="Another house",
            manufacturer_model_name="M",
            software_versions="1",
            device_serial_number="1",
            omit_empty_frames=True,
            transfer_syntax_uid=transfer_syntax,
        )


COLOURS = [(255, 0, 0), (0, 128, 255), (20, 200, 20), (250, 250, 0)]
