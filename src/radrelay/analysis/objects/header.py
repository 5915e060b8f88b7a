"""What every object of a result has in common: patient, study, series, equipment, what it came from.

The patient's and the study's attributes are those of the source images, whatever their character set: text goes out
as UTF-8. Elements are written by our own writer, and handed to highdicom as a data set.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from radrelay import __version__
from radrelay.analysis.objects.order import MANUFACTURER, MODEL, SERIAL, Order, Place
from radrelay.analysis.study import ImageReference, PerfusionStudy, Slab
from radrelay.dicom import writing
from radrelay.dicom.writing import Elements, code, element, sequence

UTF8 = "ISO_IR 192"
PROCESSING = ("109102", "DCM", "Processing Equipment")
ACQUISITION = ("109101", "DCM", "Acquisition Equipment")
DERIVATION = ("129104", "DCM", "Perfusion image analysis")
SOURCE_PURPOSE = ("121322", "DCM", "Source image for image processing operation")
LONGEST_ST = 1024
# Patient and study (PS3.3 C.7.1.1, C.7.1.3, C.7.2.1, C.7.2.2): keyword, tag, VR, whether it stands even when empty.
KEPT = (
    ("AccessionNumber", 0x00080050, "SH", True),
    ("InstitutionName", 0x00080080, "LO", False),
    ("PatientAge", 0x00101010, "AS", False),
    ("PatientBirthDate", 0x00100030, "DA", True),
    ("PatientID", 0x00100020, "LO", True),
    ("IssuerOfPatientID", 0x00100021, "LO", False),
    ("PatientName", 0x00100010, "PN", True),
    ("PatientSex", 0x00100040, "CS", True),
    ("ReferringPhysicianName", 0x00080090, "PN", True),
    ("StudyDate", 0x00080020, "DA", True),
    ("StudyDescription", 0x00081030, "LO", False),
    ("StudyID", 0x00200010, "SH", True),
    ("StudyInstanceUID", 0x0020000D, "UI", True),
    ("StudyTime", 0x00080030, "TM", True),
    ("TimezoneOffsetFromUTC", 0x00080201, "SH", False),
)
LOSSY = (
    ("LossyImageCompressionRatio", 0x00282112, "DS"),
    ("LossyImageCompressionMethod", 0x00282114, "CS"),
)


def text_of(header: Dataset, keyword: str) -> str:
    """Return an attribute's value as text, several values parted by backslashes; empty when it is not there."""
    value = header.get(keyword)
    if value is None:
        return ""
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(str(one) for one in value)
    return str(value).rstrip("=") if isinstance(value, PersonName) else str(value)


def is_lossy(study: PerfusionStudy) -> bool:
    """Say whether the source images were compressed with loss."""
    return text_of(study.header, "LossyImageCompression").strip() == "01"


def about(study: PerfusionStudy, order: Order, place: Place, sop_class: str, modality: str) -> Elements:
    """Return the elements of patient, study, series, equipment and SOP common (PS3.3 C.7.1 to C.7.5, C.12.1)."""
    made = local(study, order)
    found = {0x00080005: element(0x00080005, "CS", UTF8)}
    for keyword, tag, vr, always in KEPT:
        text = text_of(study.header, keyword)
        if text or always:
            found[tag] = element(tag, vr, text)
    found |= {
        0x00080012: element(0x00080012, "DA", made.date()),
        0x00080013: element(0x00080013, "TM", made.time()),
        0x00080016: element(0x00080016, "UI", sop_class),
        0x00080018: element(0x00080018, "UI", place.sop_uid(order)),
        0x00080023: element(0x00080023, "DA", made.date()),
        0x00080033: element(0x00080033, "TM", made.time()),
        0x00080060: element(0x00080060, "CS", modality),
        0x00080070: element(0x00080070, "LO", MANUFACTURER),
        0x00081090: element(0x00081090, "LO", MODEL),
        0x0008103E: element(0x0008103E, "LO", place.description),
        0x00180015: element(0x00180015, "CS", "BRAIN"),
        0x00181000: element(0x00181000, "LO", SERIAL),
        0x00181020: element(0x00181020, "LO", __version__),
        0x0020000E: element(0x0020000E, "UI", place.series_uid(order)),
        0x00200011: element(0x00200011, "IS", place.number),
        0x00200013: element(0x00200013, "IS", place.instance),
        0x0018A001: equipment(study, made, order.method),
    }
    return found


def local(study: PerfusionStudy, order: Order) -> datetime:
    """Return the moment in the zone that the study's times are in, where they say so, else in the site's."""
    zone = text_of(study.header, "TimezoneOffsetFromUTC").strip()
    try:
        return order.made_at.astimezone(datetime.strptime(zone, "%z").tzinfo) if zone else order.local
    except ValueError:
        return order.local


def equipment(study: PerfusionStudy, made: datetime, method: str) -> bytes:
    """Return the element that says what contributed: the scanner, and the program with its constants."""
    return sequence(0x0018A001, _equipment_items(study, made, method))


def _equipment_items(study: PerfusionStudy, made: datetime, method: str) -> list[Iterable[bytes]]:
    """Return the items that say which scanner the images came from, and what made this of them (PS3.3 C.12.1.1.5)."""
    header = study.header
    scanner = {
        0x00080070: element(0x00080070, "LO", text_of(header, "Manufacturer") or "unknown"),
        0x0040A170: sequence(0x0040A170, [code(*ACQUISITION)]),
    }
    for keyword, tag, vr in (("StationName", 0x00081010, "SH"), ("ManufacturerModelName", 0x00081090, "LO")):
        if text := text_of(header, keyword):
            scanner[tag] = element(tag, vr, text)
    ours = {
        0x00080070: element(0x00080070, "LO", MANUFACTURER),
        0x00081090: element(0x00081090, "LO", MODEL),
        0x00181020: element(0x00181020, "LO", __version__),
        0x0018A002: element(0x0018A002, "DT", f"{made:%Y%m%d%H%M%S}"),
        0x0018A003: element(0x0018A003, "ST", method[:LONGEST_ST]),
        0x0040A170: sequence(0x0040A170, [code(*PROCESSING)]),
    }
    return [[writing.join(scanner)], [writing.join(ours)]]


def lossiness(study: PerfusionStudy) -> Elements:
    """Return what the source images lost, which what is derived from them has lost as well (PS3.3 C.7.6.1.1.5)."""
    lossy = is_lossy(study)
    found = {0x00282110: element(0x00282110, "CS", "01" if lossy else "00")}
    for keyword, tag, vr in LOSSY if lossy else ():
        if text := text_of(study.header, keyword):
            found[tag] = element(tag, vr, text)
    return found


def derived(references: Iterable[ImageReference], description: str) -> Elements:
    """Return from which images, and how, something was derived (PS3.3 C.7.6.1.1.3, C.7.6.1.1.4)."""
    purpose = sequence(0x0040A170, [code(*SOURCE_PURPOSE)])
    items = [
        [
            element(0x00081150, "UI", one.sop_class_uid),
            element(0x00081155, "UI", one.sop_uid),
            *([] if one.frame is None else [element(0x00081160, "IS", one.frame)]),
            purpose,
        ]
        for one in references
    ]
    found = {
        0x00082111: element(0x00082111, "ST", description[:LONGEST_ST]),
        0x00089215: sequence(0x00089215, [code(*DERIVATION)]),
    }
    if items:
        found[0x00082112] = sequence(0x00082112, items)
    return found


def plane(slab: Slab, number: int, scale: int = 1) -> Elements:
    """Return where a slice lies whose pixels were each made `scale` × `scale` (PS3.3 C.7.6.2, C.7.4.1)."""
    x, y = slab.orientation[:3], slab.orientation[3:]
    rows, columns = slab.pixel_spacing
    back = (1 / scale - 1) / 2
    first = [
        at + back * (columns * along_x + rows * along_y)
        for at, along_x, along_y in zip(slab.positions[number], x, y, strict=True)
    ]
    return {
        0x00180050: element(0x00180050, "DS", float(slab.thickness_mm)),
        0x00180088: element(0x00180088, "DS", float(slab.spacing[0])),
        0x00200032: element(0x00200032, "DS", *map(float, first)),
        0x00200037: element(0x00200037, "DS", *map(float, slab.orientation)),
        0x00200052: element(0x00200052, "UI", slab.frame_of_reference_uid),
        0x00201040: element(0x00201040, "LO"),
        0x00280030: element(0x00280030, "DS", rows / scale, columns / scale),
    }
