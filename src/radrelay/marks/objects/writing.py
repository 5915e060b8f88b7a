"""What the three kinds of objects have in common: patient and study, equipment, observers, the bytes of the file.

highdicom takes patient and study from an image's data set; ours hold just what is needed of it, made from what the
index knows, so that no attribute of a received header gets into a new object unseen.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import pydicom
from highdicom import UID
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from radrelay import __version__
from radrelay.dicom.measurement_codes import PRIVATE_SCHEME, Code
from radrelay.marks.objects.sheet import Author, Picture, Sheet, uid

MANUFACTURER = MODEL = "Radrelay"
SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
UTF8 = "ISO_IR 192"
_NOT_IN_NAMES = re.compile(r"[\\^=\x00-\x1f\x7f]+")
_FAMILY_FIRST = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
LONGEST_NAME_PART = 64
LONGEST_EXPLICIT = 0xFFFE // 8 - 1  # points of a closed outline


def evidence(sheet: Sheet, picture: Picture) -> Dataset:
    """Return a picture's data set as far as other objects refer to it, with its patient and study.

    highdicom knows no classes but the standard's own, and warns of names without a caret: here every picture is a
    secondary capture of nobody, and `file_bytes` puts both right.
    """
    study, data = sheet.study, Dataset()
    data.SpecificCharacterSet = UTF8
    data.SOPClassUID = SECONDARY_CAPTURE
    data.SOPInstanceUID = UID(picture.sop_uid)
    data.SeriesInstanceUID = UID(picture.series_uid)
    data.StudyInstanceUID = UID(study.study_uid)
    if picture.rows and picture.columns:  # what has none is no image, and is not referred to as one
        data.Rows, data.Columns, data.NumberOfFrames = picture.rows, picture.columns, picture.frames
    data.SamplesPerPixel = 3 if picture.shown is not None and picture.shown.colour else 1
    data.PatientName = ""
    data.PatientID = study.patient_id
    data.PatientBirthDate = study.birth_date.strftime("%Y%m%d") if study.birth_date else ""
    data.PatientSex = study.sex if study.sex in ("M", "F", "O") else ""
    data.StudyDate = study.study_date.strftime("%Y%m%d") if study.study_date else None
    data.StudyTime = study.study_time.strftime("%H%M%S.%f") if study.study_time else None
    data.AccessionNumber = study.accession[:16]
    data.StudyID = study.study_id[:16]
    data.ReferringPhysicianName = ""
    if study.issuer:
        data.IssuerOfPatientID = study.issuer
    if study.study_description:
        data.StudyDescription = study.study_description[:64]
    return data


def common(sheet: Sheet, series_number: int, description: str) -> dict[str, Any]:
    """Return the arguments that every one of highdicom's constructors takes.

    With explicit VR an element of FL has at most 64 KiB (PS3.5 7.1.2), which the longest outlines exceed.
    """
    long = any(len(mark.points) >= LONGEST_EXPLICIT for mark in sheet.marks)
    return {
        "transfer_syntax_uid": ImplicitVRLittleEndian if long else ExplicitVRLittleEndian,
        "series_instance_uid": sheet.series_uid,
        "series_number": series_number,
        "sop_instance_uid": sheet.sop_uid,
        "instance_number": sheet.number,
        "manufacturer": MANUFACTURER,
        "specific_character_set": UTF8,
        "series_description": description,
    }


def content_moment(sheet: Sheet) -> dict[str, Any]:
    """Return the arguments that say when a document's content was made; presentation states have none."""
    made = local(sheet.made_at)
    return {"content_date": made.date(), "content_time": made.time()}


def local(moment: datetime) -> datetime:
    """Return a moment in the site's local time, which DICOM's dates and times without offset are in."""
    return moment.astimezone()


@lru_cache(maxsize=128)
def concept(code: Code) -> CodedConcept:
    """Return a code as highdicom has it; the same one each time, for nobody changes it."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def own_scheme() -> CodingSchemeIdentificationItem:
    """Return what says whose our own codes are (PS3.3 C.12.1.1.9)."""
    return CodingSchemeIdentificationItem(
        designator=PRIVATE_SCHEME, name="Radrelay's own codes", responsible_organization=MANUFACTURER
    )


def person_name(name: str) -> str:
    """Return a name as typed in DICOM's form (PS3.5 6.2.1): the last word is the family's, or what a comma ends.

    In Chinese, Japanese and Korean script it is the first.
    """
    clean = _NOT_IN_NAMES.sub(" ", name).strip()
    family, comma, given = (part.strip() for part in clean.partition(","))
    if not comma and _FAMILY_FIRST.search(clean):
        family, _, given = clean.partition(" ")
    elif not comma:
        given, _, family = clean.rpartition(" ")
    return f"{family[:LONGEST_NAME_PART]}^{given.strip()[:LONGEST_NAME_PART]}"


def observer(author: Author) -> ObserverContext:
    """Return who has seen what is written (TID 1002): a person, or a program with a token of its own."""
    if author.kind == "account":
        return ObserverContext(codes.DCM.Person, PersonObserverIdentifyingAttributes(person_name(author.name)))
    return device_observer(uid("token", author.id), author.name)


def device_observer(device_uid: str, name: str) -> ObserverContext:
    """Return a program as observer (TID 1004)."""
    named = DeviceObserverIdentifyingAttributes(device_uid, name=name, manufacturer_name=MANUFACTURER, model_name=MODEL)
    return ObserverContext(codes.DCM.Device, named)


def authors(sheet: Sheet) -> list[Author]:
    """Return who made the marks, each once, in their order."""
    return list({(mark.author.kind, mark.author.id): mark.author for mark in sheet.marks}.values())


def frames_of(picture: Picture, frames: Iterable[int]) -> list[int] | None:
    """Return the Referenced Frame Number of a reference to `frames`; none of a picture that has no more than one."""
    return sorted(set(frames)) if picture.frames > 1 else None


def reference(picture: Picture, frames: Sequence[int] | None) -> Dataset:
    """Return an image reference (PS3.3 10.3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = UID(picture.sop_class_uid)
    item.ReferencedSOPInstanceUID = UID(picture.sop_uid)
    if frames:
        item.ReferencedFrameNumber = list(frames) if len(frames) > 1 else frames[0]
    return item


def modifier(name: Code, value: Code) -> CodeContentItem:
    """Return a code that modifies the item that it hangs on (HAS CONCEPT MOD)."""
    return CodeContentItem(concept(name), concept(value), "HAS CONCEPT MOD")


def _name_classes(data: Dataset, sheet: Sheet) -> None:
    """Name the real classes of the pictures in the lists of evidence (PS3.3 C.17.2.1)."""
    classes = {picture.sop_uid: picture.sop_class_uid for picture in sheet.pictures}
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in data.get(keyword, ()):
            for series in study.ReferencedSeriesSequence:
                for item in series.ReferencedSOPSequence:
                    item.ReferencedSOPClassUID = UID(classes[str(item.ReferencedSOPInstanceUID)])


def file_bytes(data: Dataset, sheet: Sheet) -> bytes:
    """Return the object as a DICOM file (PS3.10), with the moments of its sheet instead of the clock's."""
    data.PatientName, data.ReferringPhysicianName = sheet.study.patient_name, sheet.study.referring
    _name_classes(data, sheet)
    made = local(sheet.made_at)
    day, hour = made.strftime("%Y%m%d"), made.strftime("%H%M%S.%f")
    for keyword, text in (
        ("InstanceCreationDate", day), ("InstanceCreationTime", hour), ("PresentationCreationDate", day),
        ("PresentationCreationTime", hour),
    ):  # fmt: skip
        if keyword in data:
            setattr(data, keyword, text)
    for equipment in data.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = day + hour
    data.ManufacturerModelName = MODEL
    data.SoftwareVersions = __version__
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()
