"""Headers of phantoms: complete attribute sets of the image IODs they imitate (PS3.3 A.2 to A.26), as encoded elements.

A header has three layers, each a dict of encoded elements: what the study shares, what the series shares, and what
each image adds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from radrelay.dicom.phantom_patients import PhantomPatient
from radrelay.dicom.writing import Elements, Value, code, derived_uid, element, sequence

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
CR_IMAGE = "1.2.840.10008.5.1.4.1.1.1"
MG_IMAGE = "1.2.840.10008.5.1.4.1.1.1.2"
US_LOOP = "1.2.840.10008.5.1.4.1.1.3.1"

Row = tuple[int, str, tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What a phantom study is called. `moment` is its beginning, local time."""

    patient: PhantomPatient
    seed: int
    kind: str
    moment: datetime
    description: str
    modality: str

    @property
    def study_uid(self) -> str:
        """Return the StudyInstanceUID."""
        return derived_uid(self.seed, self.kind, self.patient.patient_id, "study")

    @property
    def accession(self) -> str:
        """Return the accession number."""
        return f"A{int(hashlib.sha256(self.study_uid.encode()).hexdigest()[:8], 16) % 10**8:08d}"


def rows(elements: Elements, charset: tuple[str, ...], *attributes: Row) -> Elements:
    """Add attributes to `elements` and return them."""
    for tag, vr, values in attributes:
        elements[tag] = element(tag, vr, *values, charset=charset)
    return elements


def study_elements(facts: StudyFacts) -> Elements:
    """Return the patient, study and general equipment modules (PS3.3 C.7.1, C.7.2, C.7.5)."""
    patient, charset = facts.patient, facts.patient.charset
    age = (facts.moment.date() - patient.birth_date).days // 365
    latin = charset in (("ISO_IR 100",), ("ISO_IR 192",))
    found: Elements = {}
    if charset:
        found[0x00080005] = element(0x00080005, "CS", *charset)
    return rows(
        found,
        charset,
        (0x00080020, "DA", (facts.moment.date(),)),
        (0x00080030, "TM", (facts.moment.time(),)),
        (0x00080050, "SH", (facts.accession,)),
        (0x00080070, "LO", ("Radrelay Phantoms",)),
        (0x00080080, "LO", ("Universitätsklinik Musterstadt" if latin else "University Hospital Modeltown",)),
        (0x00080090, "PN", ("Referrer^Rita^^Dr.",)),
        (0x00081010, "SH", (f"{facts.modality}01",)),
        (0x00081030, "LO", (facts.description,)),
        (0x00081040, "LO", ("Radiology",)),
        (0x00081050, "PN", ("Performer^Paul",)),
        (0x00081070, "PN", ("Operator^Olga",)),
        (0x00081090, "LO", ("Phantom One",)),
        (0x00100010, "PN", (patient.name,)),
        (0x00100020, "LO", (patient.patient_id,)),
        (0x00100021, "LO", ("RADRELAY-PHANTOMS",)),
        (0x00100030, "DA", (patient.birth_date,)),
        (0x00100040, "CS", (patient.sex,)),
        (0x00101010, "AS", (f"{age:03d}Y",)),
        (0x00101020, "DS", (1.75,)),
        (0x00101030, "DS", (72.0,)),
        (0x00181000, "LO", ("PH-4711",)),
        (0x00181020, "LO", ("1.0",)),
        (0x0020000D, "UI", (facts.study_uid,)),
        (0x00200010, "SH", (f"S{facts.seed % 10**8}",)),
    )


def series_elements(facts: StudyFacts, sop_class: str, number: int, description: str, body_part: str) -> Elements:
    """Return the general series module and what a performed procedure step adds (PS3.3 C.7.3)."""
    begun = facts.moment + timedelta(minutes=4 * number)
    return rows(
        {},
        facts.patient.charset,
        (0x00080016, "UI", (sop_class,)),
        (0x00080021, "DA", (begun.date(),)),
        (0x00080031, "TM", (begun.time(),)),
        (0x00080060, "CS", (facts.modality,)),
        (0x0008103E, "LO", (description,)),
        (0x00180015, "CS", (body_part,)),
        (0x00181030, "LO", (f"{description} protocol",)),
        (0x0020000E, "UI", (series_uid(facts, number),)),
        (0x00200011, "IS", (number,)),
        (0x00400244, "DA", (facts.moment.date(),)),
        (0x00400245, "TM", (facts.moment.time(),)),
        (0x00400253, "SH", (f"PPS{facts.accession[1:]}",)),
        (0x00400254, "LO", (facts.description,)),
    )


def series_uid(facts: StudyFacts, number: int) -> str:
    """Return the SeriesInstanceUID of series `number`."""
    return derived_uid(facts.study_uid, number, "series")


def image_elements(facts: StudyFacts, series_number: int, number: int) -> Elements:
    """Return what names and dates one image."""
    made = facts.moment + timedelta(minutes=4 * series_number, milliseconds=500 * number)
    return rows(
        {},
        (),
        (0x00080012, "DA", (made.date(),)),
        (0x00080013, "TM", (made.time(),)),
        (0x00080018, "UI", (derived_uid(facts.study_uid, series_number, number, "image"),)),
        (0x00080022, "DA", (made.date(),)),
        (0x00080023, "DA", (made.date(),)),
        (0x00080032, "TM", (made.time(),)),
        (0x00080033, "TM", (made.time(),)),
        (0x00200013, "IS", (number,)),
    )


def pixel_elements(shape: tuple[int, int], *, stored: int = 12, colour: bool = False) -> Elements:
    """Return the image pixel module of unsigned pixels (PS3.3 C.7.6.3); `shape` is (rows, columns)."""
    found = rows(
        {},
        (),
        (0x00280002, "US", (3 if colour else 1,)),
        (0x00280004, "CS", ("RGB" if colour else "MONOCHROME2",)),
        (0x00280010, "US", (shape[0],)),
        (0x00280011, "US", (shape[1],)),
        (0x00280100, "US", (8 if colour else 16,)),
        (0x00280101, "US", (stored,)),
        (0x00280102, "US", (stored - 1,)),
        (0x00280103, "US", (0,)),
    )
    if colour:
        found[0x00280006] = element(0x00280006, "US", 0)
    return found


def plane_elements(position: tuple[float, float, float], spacing_mm: float, thickness_mm: float) -> Elements:
    """Return the image plane module of an axial slice (PS3.3 C.7.6.2)."""
    return rows(
        {},
        (),
        (0x00180050, "DS", (thickness_mm,)),
        (0x00200032, "DS", tuple(round(part, 3) for part in position)),
        (0x00200037, "DS", (1, 0, 0, 0, 1, 0)),
        (0x00201041, "DS", (round(position[2], 3),)),
        (0x00280030, "DS", (spacing_mm, spacing_mm)),
    )


def ct_elements(window: tuple[int, int], kernel: str) -> Elements:
    """Return the CT image module (PS3.3 C.8.2.1) with its VOI LUT."""
    return rows(
        {},
        (),
        (0x00080008, "CS", ("ORIGINAL", "PRIMARY", "AXIAL")),
        (0x00180022, "CS", ("HELICAL MODE",)),
        (0x00180060, "DS", (120,)),
        (0x00180090, "DS", (500,)),
        (0x00181100, "DS", (350,)),
        (0x00181110, "DS", (1040,)),
        (0x00181111, "DS", (570,)),
        (0x00181120, "DS", (0,)),
        (0x00181130, "DS", (150,)),
        (0x00181140, "CS", ("CW",)),
        (0x00181150, "IS", (500,)),
        (0x00181151, "IS", (250,)),
        (0x00181152, "IS", (125,)),
        (0x00181160, "SH", ("WEDGE",)),
        (0x00181170, "IS", (30,)),
        (0x00181190, "DS", (0.7,)),
        (0x00181210, "SH", (kernel,)),
        (0x00185100, "CS", ("HFS",)),
        (0x00200012, "IS", (1,)),
        (0x00201040, "LO", ("OM",)),
        (0x00281050, "DS", (window[0],)),
        (0x00281051, "DS", (window[1],)),
        (0x00281052, "DS", (-1024,)),
        (0x00281053, "DS", (1,)),
        (0x00281054, "LO", ("HU",)),
        (0x00281055, "LO", ("DEFAULT",)),
    )


def mr_elements(weighting: str) -> Elements:
    """Return the MR image module (PS3.3 C.8.3.1) of a spin echo."""
    repetition_ms, echo_ms = (550, 12) if weighting == "T1" else (4200, 98)
    return rows(
        {},
        (),
        (0x00080008, "CS", ("ORIGINAL", "PRIMARY", "OTHER")),
        (0x00180020, "CS", ("SE",)),
        (0x00180021, "CS", ("SK",)),
        (0x00180022, "CS", ()),
        (0x00180023, "CS", ("2D",)),
        (0x00180024, "SH", (f"se_{weighting.lower()}",)),
        (0x00180080, "DS", (repetition_ms,)),
        (0x00180081, "DS", (echo_ms,)),
        (0x00180083, "DS", (1,)),
        (0x00180084, "DS", (63.87,)),
        (0x00180085, "SH", ("1H",)),
        (0x00180087, "DS", (1.5,)),
        (0x00180088, "DS", (5.5,)),
        (0x00180089, "IS", (230,)),
        (0x00180091, "IS", (1 if weighting == "T1" else 15,)),
        (0x00180093, "DS", (100,)),
        (0x00180095, "DS", (130,)),
        (0x00181251, "SH", ("HEAD",)),
        (0x00181310, "US", (0, 256, 230, 0)),
        (0x00181312, "CS", ("ROW",)),
        (0x00181314, "DS", (90,)),
        (0x00185100, "CS", ("HFS",)),
        (0x00200012, "IS", (1,)),
        (0x00201040, "LO", ()),
        (0x00281050, "DS", (700,)),
        (0x00281051, "DS", (1400,)),
    )


def cr_elements(spacing_mm: float) -> Elements:
    """Return the CR series and image modules (PS3.3 C.8.1)."""
    return rows(
        {},
        (),
        (0x00080008, "CS", ("ORIGINAL", "PRIMARY")),
        (0x00180060, "DS", (117,)),
        (0x00181152, "IS", (2,)),
        (0x00181160, "SH", ("NONE",)),
        (0x00181164, "DS", (spacing_mm, spacing_mm)),
        (0x00181200, "DA", ()),
        (0x00185101, "CS", ("PA",)),
        (0x00200012, "IS", (1,)),
        (0x00200020, "CS", ("L", "F")),
        (0x00281050, "DS", (1800,)),
        (0x00281051, "DS", (3600,)),
    )


def mg_elements(spacing_mm: float, *, left: bool) -> Elements:
    """Return the DX and mammography modules for presentation (PS3.3 C.8.11)."""
    side = "L" if left else "R"
    view = [*code("399162004", "SCT", "cranio-caudal"), sequence(0x00540222, [])]
    found = rows(
        {},
        (),
        (0x00080008, "CS", ("ORIGINAL", "PRIMARY")),
        (0x00080068, "CS", ("FOR PRESENTATION",)),
        (0x00180060, "DS", (28,)),
        (0x00181110, "DS", (650,)),
        (0x00181111, "DS", (590,)),
        (0x00181147, "CS", ("RECTANGLE",)),
        (0x00181152, "IS", (90,)),
        (0x00181164, "DS", (spacing_mm, spacing_mm)),
        (0x00181191, "CS", ("MOLYBDENUM",)),
        (0x001811A0, "DS", (52,)),
        (0x001811A2, "DS", (95,)),
        (0x00181405, "IS", (1,)),
        (0x00181508, "CS", ("MAMMOGRAPHIC",)),
        (0x00181510, "DS", (0,)),
        (0x00187000, "CS", ("YES",)),
        (0x00187004, "CS", ("DIRECT",)),
        (0x0018701A, "DS", (1, 1)),
        (0x00200020, "CS", ("A", "R") if left else ("P", "L")),
        (0x00200062, "CS", (side,)),
        (0x00280301, "CS", ("NO",)),
        (0x00281040, "CS", ("LOG",)),
        (0x00281041, "SS", (-1,)),
        (0x00281050, "DS", (1500,)),
        (0x00281051, "DS", (3000,)),
        (0x00281052, "DS", (0,)),
        (0x00281053, "DS", (1,)),
        (0x00281054, "LO", ("US",)),
        (0x00281300, "CS", ("NO",)),
        (0x00281350, "CS", ("NO",)),
        (0x00282110, "CS", ("00",)),
        (0x00400318, "CS", ("BREAST",)),
        (0x20500020, "CS", ("IDENTITY",)),
    )
    found[0x00082218] = sequence(0x00082218, [code("76752008", "SCT", "Breast")])
    found[0x00400555] = sequence(0x00400555, [])
    found[0x00540220] = sequence(0x00540220, [view])
    return found


def us_elements(shape: tuple[int, int], frames: int) -> Elements:
    """Return the US image, region calibration, cine and multi-frame modules (PS3.3 C.8.5, C.7.6.5, C.7.6.6)."""
    region = [
        element(0x00186012, "US", 1),
        element(0x00186014, "US", 1),
        element(0x00186016, "UL", 0),
        element(0x00186018, "UL", 0),
        element(0x0018601A, "UL", 0),
        element(0x0018601C, "UL", shape[1] - 1),
        element(0x0018601E, "UL", shape[0] - 1),
        element(0x00186024, "US", 3),
        element(0x00186026, "US", 3),
        element(0x0018602C, "FD", 0.035),
        element(0x0018602E, "FD", 0.035),
    ]
    found = rows(
        {},
        (),
        (0x00080008, "CS", ("ORIGINAL", "PRIMARY", "TTE", "0011")),
        (0x00181063, "DS", (33.3,)),
        (0x00181066, "DS", (0,)),
        (0x00185100, "CS", ("LLD",)),
        (0x00200020, "CS", ()),
        (0x00280008, "IS", (frames,)),
        (0x00280009, "AT", (0x00181063,)),
        (0x00280014, "US", (1,)),
        (0x00282110, "CS", ("00",)),
    )
    found[0x00186011] = sequence(0x00186011, [region])
    return found
