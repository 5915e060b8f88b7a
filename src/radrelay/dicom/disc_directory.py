"""What a disc's directory (DICOMDIR) says is on the disc: a hint, for telling what is missing (PS3.3 F.3, PS3.10 8.6).

In: the bytes of a DICOMDIR. Out: the files that it names, with the study and series that it puts them under. Nothing
is believed of it: links that lead nowhere or in circles, and records without a file, are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from radrelay.dicom.elements import Buffer, DataElements, item_places
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import syntax_of

MAX_BYTES = 64 << 20
MAX_FILES = 200_000
_RECORDS, _NEXT, _LOWER, _TYPE = 0x00041220, 0x00041400, 0x00041420, 0x00041430
_FILE_ID, _SOP_UID, _STUDY_UID = 0x00041500, 0x00041511, 0x0020000D


@dataclass(frozen=True, slots=True)
class DiscFile:
    """A file that the directory names: its file ID as a path, and where it belongs in words and by its study's UID."""

    path: str
    sop_uid: str
    kind: str
    belongs_to: str
    study_uid: str = ""


def read_directory(file: Buffer) -> list[DiscFile]:
    """Return the files that a DICOMDIR names, in its order; raises `Malformed` when it cannot be read at all."""
    head = parse_preamble(bytes(file[:65536]))
    data_set = memoryview(file)[head.dataset_offset :]
    syntax = syntax_of(head.transfer_syntax_uid)
    elements = DataElements.of(data_set, syntax)
    place = elements.places.get(_RECORDS)
    if place is None:
        return []
    spans = item_places(data_set, place, elements.explicit, elements.little_endian)
    records = parse(bytes(data_set), head.transfer_syntax_uid).items(_RECORDS)
    if len(records) != len(spans):
        raise Malformed("The records of the DICOMDIR do not follow one another.")
    by_offset = {head.dataset_offset + span[0] - 8: number for number, span in enumerate(spans)}
    parents = _parents(records, by_offset)
    return list(_files(records, parents))


def _parents(records: list[Header], by_offset: dict[int, int]) -> dict[int, int]:
    """Return each record's parent: by the links, each record once; where none leads to it, by the order."""
    parents: dict[int, int] = {}
    for number, record in enumerate(records):
        below = by_offset.get(record.integer(_LOWER) or -1)
        while below is not None and below not in parents and below != number:
            parents[below] = number
            below = by_offset.get(records[below].integer(_NEXT) or -1)
    above = {"STUDY": "PATIENT", "SERIES": "STUDY"}
    last: dict[str, int] = {}
    for number, record in enumerate(records):
        kind = record.text(_TYPE)
        wanted = above.get(kind, "SERIES" if _FILE_ID in record else "")
        if number not in parents and wanted in last:
            parents[number] = last[wanted]
        last[kind] = number
    return parents


def _files(records: list[Header], parents: dict[int, int]) -> Iterator[DiscFile]:
    for number, record in enumerate(records[: 2 * MAX_FILES]):
        path = "/".join(part for part in record.texts(_FILE_ID) if part)
        if not path:
            continue
        words, study_uid, at, seen = [], "", parents.get(number), {number}
        while at is not None and at not in seen:
            seen.add(at)
            words.append(_words(records[at]))
            if records[at].text(_TYPE) == "STUDY":
                study_uid = records[at].text(_STUDY_UID)[:64]
            at = parents.get(at)
        told = "; ".join(filter(None, words))
        yield DiscFile(path, record.text(_SOP_UID)[:64], record.text(_TYPE)[:16], told, study_uid)


def _words(record: Header) -> str:
    kind = record.text(_TYPE)
    if kind == "SERIES":
        told = (record.text(0x00200011), record.text(0x00080060), record.text(0x0008103E), record.text(0x0020000E))
        return f"series {' '.join(filter(None, told))}"
    if kind == "STUDY":
        told = (record.text(0x00080020), record.text(0x00081030), record.text(0x0020000D), "")
        return f"study {' '.join(filter(None, told))}"
    return ""
