"""The DICOMDIR of a file-set on media or in a ZIP (PS3.3 F.3, PS3.10 8, PS3.12 R; IHE PDI).

In: the headers of the objects as they are written, one after the other. Out: a file ID for each, of components that
ISO 9660 level 1 takes, and at the end the directory. Between the two only the records are kept, some hundred bytes
for each object.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from radrelay.dicom.characters import OURS
from radrelay.dicom.directory_records import NO_DATE, NO_TIME, Keys, leaf_keys, record_type
from radrelay.dicom.header import Header
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.dicom.writing import Elements, derived_uid, element, join

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
FOLDER = "DICOM"
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")

_NEXT_OFFSET_AT = 8 + 8  # after the item's header and the element's
_LOWER_OFFSET_AT = 8 + 12 + 10 + 8


@dataclass(slots=True)
class _Record:
    """A directory record: its item as bytes, with room for the two offsets, and the records below it."""

    encoded: bytearray
    below: dict[str, _Record] = field(default_factory=dict)
    offset: int = 0


class FileSet:
    """Collects the objects of a file-set; `file_set_id` names it on the medium (up to 16 of A-Z, 0-9, _)."""

    def __init__(self, file_set_id: str = "RADRELAY") -> None:
        self._id = file_set_id
        self._patients: dict[str, _Record] = {}
        self._file_ids: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._file_ids)

    def add(
        self, header: Header, transfer_syntax_uid: str, *, sop_class_uid: str = "", sop_uid: str = ""
    ) -> tuple[str, ...]:
        """Add an object and return its file ID, which is the path of its file: `("DICOM", "PAT00001", …)`.

        `transfer_syntax_uid` is the one that the file is written in; the other two stand in for an object that does
        not name them. An object that is there already keeps its file ID.
        """
        sop_uid = header.text(0x00080018)[:64] or sop_uid
        if sop_uid in self._file_ids:
            return self._file_ids[sop_uid]
        sop_class_uid = header.text(0x00080016)[:64] or sop_class_uid
        patient_key = "\n".join((header.text(0x00100021), header.text(0x00100020), header.person_name(0x00100010)))
        patient = self._patients.get(patient_key)
        if patient is None:
            patient = self._patients[patient_key] = _record("PATIENT", _patient_keys(header, len(self._patients) + 1))
        study = _below(patient, header.text(0x0020000D), "STUDY", header)
        series = _below(study, header.text(0x0020000E), "SERIES", header)
        file_id = (
            FOLDER,
            f"PAT{_place(self._patients, patient_key):05d}",
            f"STU{_place(patient.below, header.text(0x0020000D)):05d}",
            f"SER{_place(study.below, header.text(0x0020000E)):05d}",
            f"I{len(series.below) + 1:07d}",
        )
        kind = record_type(sop_class_uid, has_pixels=0x00280010 in header)
        keys = leaf_keys(kind, header, len(series.below) + 1)
        if kind == "PRIVATE":
            keys[0x00041432] = element(0x00041432, "UI", sop_class_uid)
        keys[0x00041500] = element(0x00041500, "CS", *file_id)
        keys[0x00041510] = element(0x00041510, "UI", sop_class_uid)
        keys[0x00041511] = element(0x00041511, "UI", sop_uid)
        keys[0x00041512] = element(0x00041512, "UI", transfer_syntax_uid)
        series.below[sop_uid] = _record(kind, keys)
        self._file_ids[sop_uid] = file_id
        return file_id

    def dicomdir(self) -> bytes:
        """Return the file DICOMDIR; call it once, after the last object."""
        meta = file_meta(MEDIA_STORAGE_DIRECTORY, derived_uid(*self._file_ids, "file-set"), EXPLICIT_LE)
        before = [element(0x00041130, "CS", self._id)]
        fixed = len(meta) + sum(map(len, before)) + 12 + 12 + 10 + 12  # two offsets, the flag, the sequence's header
        ordered: list[_Record] = []
        end = _lay_out(self._patients, fixed, ordered)
        roots = list(self._patients.values())
        parts: list[bytes | bytearray] = [
            meta,
            *before,
            element(0x00041200, "UL", roots[0].offset if roots else 0),
            element(0x00041202, "UL", roots[-1].offset if roots else 0),
            element(0x00041212, "US", 0),
            struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, end - fixed),
            *(record.encoded for record in ordered),
        ]
        return b"".join(parts)


def _place(records: dict[str, _Record], key: str) -> int:
    """Return the place of `key` among records, from 1; it is nearly always the last one."""
    if next(reversed(records)) == key:
        return len(records)
    return list(records).index(key) + 1


def _below(parent: _Record, key: str, kind: str, header: Header) -> _Record:
    found = parent.below.get(key)
    if found is None:
        maker = _study_keys if kind == "STUDY" else _series_keys
        found = parent.below[key] = _record(kind, maker(header, len(parent.below) + 1))
    return found


def _record(kind: str, keys: Elements) -> _Record:
    """Return a record whose offsets are still zero (PS3.3 F.3.2.2)."""
    keys[0x00041400] = element(0x00041400, "UL", 0)
    keys[0x00041410] = element(0x00041410, "US", 0xFFFF)
    keys[0x00041420] = element(0x00041420, "UL", 0)
    keys[0x00041430] = element(0x00041430, "CS", kind)
    if not all(encoded.isascii() for tag, encoded in keys.items() if tag >= 0x00080000):
        keys[0x00080005] = element(0x00080005, "CS", OURS)
    body = join(keys)
    return _Record(bytearray(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body))


def _patient_keys(header: Header, number: int) -> Elements:
    keys = Keys(header, number)
    return dict(
        [
            (0x00100010, element(0x00100010, "PN", header.person_name(0x00100010)[:194])),
            keys.copied(0x00100020, "LO", f"UNKNOWN{number}"),
            keys.copied(0x00100021, "LO"),
            (0x00100030, element(0x00100030, "DA", *[day for day in [header.date(0x00100030)] if day])),
            (0x00100040, element(0x00100040, "CS", _code_string(header.text(0x00100040)))),
        ]
    )


def _study_keys(header: Header, number: int) -> Elements:
    keys = Keys(header, number)
    day, moment = header.date(0x00080020), header.time(0x00080030)
    return dict(
        [
            (0x00080020, element(0x00080020, "DA", day or NO_DATE)),
            (0x00080030, element(0x00080030, "TM", moment or NO_TIME)),
            keys.copied(0x00080050, "SH"),
            keys.copied(0x00081030, "LO"),
            keys.copied(0x0020000D, "UI"),
            keys.copied(0x00200010, "SH", str(number)),
        ]
    )


def _series_keys(header: Header, number: int) -> Elements:
    keys = Keys(header, number)
    given = header.integer(0x00200011)
    return dict(
        [
            (0x00080060, element(0x00080060, "CS", _code_string(header.text(0x00080060)) or "OT")),
            keys.copied(0x0008103E, "LO"),
            keys.copied(0x0020000E, "UI"),
            (0x00200011, element(0x00200011, "IS", given if given is not None and abs(given) < 1 << 31 else number)),
        ]
    )


def _code_string(text: str) -> str:
    """Return a text if it can be a CS."""
    return text if _CODE_STRING.fullmatch(text) else ""


def _lay_out(records: dict[str, _Record], offset: int, ordered: list[_Record]) -> int:
    """Give each record its offset, depth first, and write the links; returns the offset after the last one."""
    previous: _Record | None = None
    for record in records.values():
        record.offset = offset
        ordered.append(record)
        if previous is not None:
            struct.pack_into("<I", previous.encoded, _NEXT_OFFSET_AT, offset)
        offset += len(record.encoded)
        if record.below:
            struct.pack_into("<I", record.encoded, _LOWER_OFFSET_AT, offset)
            offset = _lay_out(record.below, offset, ordered)
        previous = record
    return offset
