"""A probe object: a small secondary capture of nobody, marked as a test, by which a connection is tried (PS3.3 A.8)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from radrelay.dicom.writing import Elements, element, header, join

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PATIENT_NAME, PATIENT_ID = "RADRELAY^TEST", "RADRELAY-TEST"
SIZE = 64


@dataclass(frozen=True, slots=True)
class Probe:
    """The object: its UIDs, which no other has, and its data set in Explicit VR Little Endian."""

    study_uid: str
    sop_uid: str
    data_set: bytes


def make_probe(now: datetime) -> Probe:
    """Return a new probe object."""
    study_uid, series_uid, sop_uid = (f"2.25.{uuid.uuid4().int}" for _ in range(3))
    texts: dict[int, tuple[str, str]] = {
        0x00080005: ("CS", "ISO_IR 192"),
        0x00080008: ("CS", "DERIVED\\SECONDARY"),
        0x00080016: ("UI", SECONDARY_CAPTURE),
        0x00080018: ("UI", sop_uid),
        0x00080020: ("DA", f"{now:%Y%m%d}"),
        0x00080030: ("TM", f"{now:%H%M%S}"),
        0x00080050: ("SH", ""),
        0x00080060: ("CS", "OT"),
        0x00080064: ("CS", "SYN"),
        0x00080070: ("LO", "Radrelay"),
        0x00080090: ("PN", ""),
        0x00081030: ("LO", "Connection test, no patient"),
        0x0008103E: ("LO", "Connection test, may be deleted"),
        0x00100010: ("PN", PATIENT_NAME),
        0x00100020: ("LO", PATIENT_ID),
        0x00100030: ("DA", ""),
        0x00100040: ("CS", "O"),
        0x0020000D: ("UI", study_uid),
        0x0020000E: ("UI", series_uid),
        0x00200010: ("SH", "TEST"),
        0x00200011: ("IS", "1"),
        0x00200013: ("IS", "1"),
        0x00200020: ("CS", ""),
        0x00280004: ("CS", "MONOCHROME2"),
        0x00280301: ("CS", "NO"),
    }
    elements: Elements = {tag: element(tag, vr, value) for tag, (vr, value) in texts.items()}
    numbers = {
        0x00280002: 1,
        0x00280010: SIZE,
        0x00280011: SIZE,
        0x00280100: 8,
        0x00280101: 8,
        0x00280102: 7,
        0x00280103: 0,
    }
    elements |= {tag: element(tag, "US", value) for tag, value in numbers.items()}
    pixels = _picture()
    return Probe(study_uid, sop_uid, join(elements) + header(0x7FE00010, "OB", len(pixels)) + pixels)


def _picture() -> bytes:
    """Return a crossed-out square, which nobody takes for a body part."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    crossed = (rows == columns) | (rows == SIZE - 1 - columns)
    frame = (rows % (SIZE - 1) == 0) | (columns % (SIZE - 1) == 0)
    return np.where(crossed | frame, 255, 32).astype(np.uint8).tobytes()
