"""What the archive's index keeps of an object: the attributes by which it is found, listed and ordered.

In: a parsed `Header`. Out: `IndexAttributes`, every value decoded and within the lengths that the tables have, plus
the DICOM JSON of the study and series levels that QIDO-RS answers with (PS3.18 10.6.3.3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, time
from typing import Any

import msgspec

from radrelay.dicom.dicom_json import to_json_of
from radrelay.dicom.header import Header
from radrelay.dicom.projection import orientation_of, side_of, view_of

STUDY_TAGS = (
    0x00080005, 0x00080020, 0x00080030, 0x00080050, 0x00080051, 0x00080080, 0x00080090, 0x00080201, 0x00081030,
    0x00081032, 0x00081048, 0x00081060, 0x00081080, 0x00081084, 0x00100010, 0x00100020, 0x00100021, 0x00100030,
    0x00100032, 0x00100040, 0x00101000, 0x00101001, 0x00101010, 0x00101020, 0x00101030, 0x00102180, 0x001021B0,
    0x00104000, 0x0020000D, 0x00200010,
)  # fmt: skip
SERIES_TAGS = (
    0x00080005, 0x00080021, 0x00080031, 0x00080060, 0x00080070, 0x00080080, 0x00081010, 0x0008103E, 0x0008103F,
    0x00081040, 0x00081050, 0x00081070, 0x00081090, 0x00180015, 0x00181030, 0x00185100, 0x0020000E, 0x00200011,
    0x00200052, 0x00200060, 0x00400244, 0x00400245, 0x00400253, 0x00400254, 0x00400275,
)  # fmt: skip

_Fields = dict[str, Any]
_made: dict[tuple[object, ...], _Fields] = {}
_MADE_LIMIT = 64
_INT32 = (1 << 31) - 1
_INT53 = (1 << 53) - 1


class IndexAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """What the index keeps of one object. Texts are decoded; absent ones are empty, absent numbers none."""

    patient_id: str
    issuer: str
    patient_name: str
    birth_date: date | None
    sex: str
    study_uid: str
    study_date: date | None
    study_time: time | None
    accession: str
    study_id: str
    study_description: str
    referring: str
    institution: str
    series_uid: str
    modality: str
    series_number: int | None
    series_description: str
    body_part: str
    laterality: str
    series_date: date | None
    series_time: time | None
    sop_uid: str
    sop_class: str
    instance_number: int | None
    rows: int | None
    columns: int | None
    frames: int
    transfer_syntax: str
    study_json: str
    series_json: str
    orientation: str = ""
    view: str = ""
    side: str = ""


def index_attributes(
    header: Header, transfer_syntax: str, *, sop_class_uid: str = "", sop_uid: str = ""
) -> IndexAttributes:
    """Return what the index keeps of `header`.

    `sop_class_uid` and `sop_uid` stand in for a data set that names none (the association or the file did).
    """
    return IndexAttributes(
        **_level(header, STUDY_TAGS, _study_fields),
        **_level(header, SERIES_TAGS, _series_fields),
        sop_uid=header.text(0x00080018)[:64] or sop_uid,
        sop_class=header.text(0x00080016)[:64] or sop_class_uid,
        instance_number=_within(header.integer(0x00200013), _INT53),
        rows=_within(header.integer(0x00280010), _INT32),
        columns=_within(header.integer(0x00280011), _INT32),
        frames=max(1, _within(header.integer(0x00280008), _INT32) or 1),
        transfer_syntax=transfer_syntax,
        orientation=orientation_of(header),
        view=view_of(header),
        side=side_of(header),
    )


def _level(header: Header, tags: tuple[int, ...], read: Callable[[Header], _Fields]) -> _Fields:
    """Return the fields of one level; the objects of a series share them, so the last ones read are kept."""
    key = (read, header.explicit, header.little_endian, *header.encoded(tags))
    made = _made.get(key)
    if made is None:
        made = read(header)
        if len(_made) >= _MADE_LIMIT:
            _made.clear()
        _made[key] = made
    return made


def _study_fields(header: Header) -> _Fields:
    """Read what stands in `STUDY_TAGS` alone."""
    return {
        "patient_id": bounded(header.text(0x00100020), 64),
        "issuer": bounded(header.text(0x00100021), 64),
        "patient_name": bounded(header.person_name(0x00100010), 400),
        "birth_date": header.date(0x00100030),
        "sex": header.text(0x00100040)[:16],
        "study_uid": header.text(0x0020000D)[:64],
        "study_date": header.date(0x00080020),
        "study_time": header.time(0x00080030),
        "accession": bounded(header.text(0x00080050), 64),
        "study_id": bounded(header.text(0x00200010), 64),
        "study_description": bounded(header.text(0x00081030), 1000),
        "referring": bounded(header.person_name(0x00080090), 400),
        "institution": bounded(header.text(0x00080080), 1000),
        "study_json": _json(header, STUDY_TAGS),
    }


def _series_fields(header: Header) -> _Fields:
    """Read what stands in `SERIES_TAGS` alone."""
    return {
        "series_uid": header.text(0x0020000E)[:64],
        "modality": header.text(0x00080060)[:16],
        "series_number": _within(header.integer(0x00200011), _INT32),
        "series_description": bounded(header.text(0x0008103E), 1000),
        "body_part": bounded(header.text(0x00180015), 64),
        "laterality": header.text(0x00200060)[:16],
        "series_date": header.date(0x00080021),
        "series_time": header.time(0x00080031),
        "series_json": _json(header, SERIES_TAGS),
    }


def _json(header: Header, tags: tuple[int, ...]) -> str:
    return msgspec.json.encode(to_json_of(header, tags)).decode()


def bounded(text: str, limit: int) -> str:
    """Return `text`, if longer than `limit` its beginning and a digest, so that two long texts stay two."""
    if len(text) <= limit:
        return text
    return f"{text[: limit - 13]}~{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"


def _within(number: int | None, limit: int) -> int | None:
    return number if number is not None and -limit <= number <= limit else None
