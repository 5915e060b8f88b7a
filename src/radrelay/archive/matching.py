"""Queries and answers in DICOM's own terms, as QIDO-RS and C-FIND speak (PS3.4 C.2.2.2, PS3.18 10.6).

In: (tag, text) keys, several values parted by backslashes. Out: the archive's queries; what no query knows is named.
Answers are DICOM JSON objects made from the rows, the same for both faces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Literal, Protocol

import msgspec

from radrelay.archive.models import Patient, Series
from radrelay.archive.query import AnsweredStudy, DateRange, InstanceQuery, SeriesQuery, StudyQuery, TimeRange
from radrelay.dicom.values import parse_date, parse_time
from radrelay.errors import Invalid

Json = dict[str, Any]
Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
UID_TAGS = (0x0020000D, 0x0020000E, 0x00080018)
_UIDS = re.compile(r"[\\,]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")  # an integer string (PS3.5 6.2)
_read = msgspec.json.Decoder().decode


class BadMatchingKey(Invalid):
    """A matching key has a value that its attribute cannot have."""

    code = "bad-matching-key"


@dataclass(frozen=True, slots=True)
class LevelQueries:
    """The archive's queries for one set of keys, and the tags that none of them looks at."""

    study: StudyQuery
    series: SeriesQuery
    instance: InstanceQuery
    unmatched: tuple[int, ...]


def level_queries(keys: Mapping[int, str], level: Level = "IMAGE", *, fuzzy: bool = False) -> LevelQueries:
    """Sort matching keys into queries for a search at `level`; empty ones and a lone `*` match everything.

    `fuzzy` compares names word by word, in any order, without regard to marks (PS3.18 10.6.1.3, fuzzymatching).
    A key of a level below is not matched and is named so, but for Modality, which finds studies by their modalities.
    Raises `BadMatchingKey` for a date, time or number that is none.
    """
    wanted = {tag: text for tag, text in keys.items() if text not in ("", "*")}
    below = _BELOW[level]
    unmatched = tuple(tag for tag in wanted if tag not in MATCHED or tag in below)
    if level in ("PATIENT", "STUDY") and 0x00080060 in wanted:
        wanted.setdefault(0x00080061, wanted[0x00080060])
        unmatched = tuple(tag for tag in unmatched if tag != 0x00080060)
    wanted = {tag: text for tag, text in wanted.items() if tag not in below}
    return LevelQueries(_study_query(wanted, fuzzy=fuzzy), _series_query(wanted), _instance_query(wanted), unmatched)


def _study_query(wanted: Mapping[int, str], *, fuzzy: bool) -> StudyQuery:
    name = wanted.get(0x00100010, "")
    return StudyQuery(
        name="" if fuzzy else name,
        name_words=name.replace("*", " ").replace("^", " ") if fuzzy else "",
        patient_id=wanted.get(0x00100020, ""),
        issuer=wanted.get(0x00100021, ""),
        birth_date=_dates(0x00100030, wanted),
        sex=wanted.get(0x00100040, ""),
        accession=wanted.get(0x00080050, ""),
        study_uids=_values(0x0020000D, wanted),
        study_id=wanted.get(0x00200010, ""),
        dates=_dates(0x00080020, wanted),
        times=_times(0x00080030, wanted),
        modalities=_values(0x00080061, wanted),
        description=wanted.get(0x00081030, ""),
        referring=wanted.get(0x00080090, ""),
        institution=wanted.get(0x00080080, ""),
    )


def _series_query(wanted: Mapping[int, str]) -> SeriesQuery:
    return SeriesQuery(
        series_uids=_values(0x0020000E, wanted),
        modalities=_values(0x00080060, wanted),
        number=_number(0x00200011, wanted),
        description=wanted.get(0x0008103E, ""),
        body_part=wanted.get(0x00180015, ""),
        laterality=wanted.get(0x00200060, ""),
        dates=_dates(0x00080021, wanted),
    )


def _instance_query(wanted: Mapping[int, str]) -> InstanceQuery:
    return InstanceQuery(
        sop_uids=_values(0x00080018, wanted),
        sop_classes=_values(0x00080016, wanted),
        number=_number(0x00200013, wanted),
    )


MATCHED = frozenset(
    {
        0x00080016, 0x00080018, 0x00080020, 0x00080021, 0x00080030, 0x00080050, 0x00080060, 0x00080061, 0x00080080,
        0x00080090, 0x00081030, 0x0008103E, 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040, 0x00180015,
        0x0020000D, 0x0020000E, 0x00200010, 0x00200011, 0x00200013, 0x00200060,
    }
)  # fmt: skip


_OF_SERIES = frozenset({0x00080021, 0x00080060, 0x0008103E, 0x00180015, 0x0020000E, 0x00200011, 0x00200060})
_OF_INSTANCES = frozenset({0x00080016, 0x00080018, 0x00200013})
_BELOW: dict[Level, frozenset[int]] = {
    "PATIENT": _OF_SERIES | _OF_INSTANCES,
    "STUDY": _OF_SERIES | _OF_INSTANCES,
    "SERIES": _OF_INSTANCES,
    "IMAGE": frozenset(),
}


def patient_json(patient: Patient) -> Json:
    """Return a patient as DICOM JSON."""
    return {
        "00100010": _name(patient.name),
        "00100020": _one("LO", patient.patient_id),
        "00100021": _one("LO", patient.issuer),
        "00100030": _day(patient.birth_date),
        "00100040": _one("CS", patient.sex),
    }


def study_json(study: AnsweredStudy) -> Json:
    """Return a study with its patient as DICOM JSON, counts included; all that the index knows."""
    modalities = [one for one in study.modalities.split("\\") if one]
    found: Json = _read(study.attributes)
    found |= {
        "00080020": _day(study.study_date),
        "00080050": _one("SH", study.accession_number),
        "00100010": _name(study.patient_name),
        "00100020": _one("LO", study.patient_id_value),
        "00100021": _one("LO", study.patient_issuer),
        "0020000D": _one("UI", study.study_uid),
        "00080061": {"vr": "CS", "Value": modalities} if modalities else {"vr": "CS"},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00201206": _one("IS", study.series_count),
        "00201208": _one("IS", study.instance_count),
    }
    return found


def series_json(series: Series) -> Json:
    """Return a series as DICOM JSON, counts included."""
    found: Json = _read(series.attributes)
    found |= {
        "00080060": _one("CS", series.modality),
        "0020000E": _one("UI", series.series_uid),
        "00200011": _one("IS", series.number),
        "0008103E": _one("LO", series.description),
        "00201209": _one("IS", series.instance_count),
    }
    return found


class IndexedInstance(Protocol):
    """The columns of an instance that answers are made of: of the mapped class or of a row."""

    sop_class_uid: Any
    sop_uid: Any
    transfer_syntax_uid: Any
    number: Any
    rows: Any
    columns: Any
    frames: Any


def instance_json(instance: IndexedInstance) -> Json:
    """Return an instance as DICOM JSON, as far as the index knows it."""
    found: Json = {
        "00080016": _one("UI", instance.sop_class_uid),
        "00080018": _one("UI", instance.sop_uid),
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00083002": _one("UI", instance.transfer_syntax_uid),
        "00200013": _one("IS", instance.number),
    }
    if instance.rows and instance.columns:
        found["00280008"] = _one("IS", instance.frames)
        found["00280010"] = _one("US", instance.rows)
        found["00280011"] = _one("US", instance.columns)
    return found


def _one(vr: str, value: str | int | None) -> Json:
    """Return an attribute; an empty value leaves it without one, as the standard asks of return keys."""
    return {"vr": vr} if value is None or value == "" else {"vr": vr, "Value": [value]}


def _day(value: date | None) -> Json:
    return _one("DA", value.isoformat().replace("-", "") if value is not None else None)


def _name(value: str) -> Json:
    if not value:
        return {"vr": "PN"}
    if "=" not in value:
        return {"vr": "PN", "Value": [{"Alphabetic": value}]}
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False)
    return {"vr": "PN", "Value": [{name: group for name, group in groups if group}]}


def _values(tag: int, wanted: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(value.strip() for value in _UIDS.split(wanted.get(tag, "")) if value.strip())


def _number(tag: int, wanted: Mapping[int, str]) -> int | None:
    text = wanted.get(tag, "").strip()
    if not text:
        return None
    if _INTEGER.fullmatch(text) is None:
        raise BadMatchingKey(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): {text[:20]!r} is no number")
    return int(text)


def _dates(tag: int, wanted: Mapping[int, str]) -> DateRange | None:
    ends = _ends(tag, wanted)
    if ends is None:
        return None
    first, last = (_date(tag, text) for text in ends)
    return DateRange(first, last)


def _times(tag: int, wanted: Mapping[int, str]) -> TimeRange | None:
    ends = _ends(tag, wanted)
    if ends is None:
        return None
    first, last = _time(tag, ends[0]), _time(tag, ends[1])
    if last is not None and "." not in ends[1]:
        digits = len(ends[1].replace(":", ""))
        last = last.replace(
            minute=59 if digits <= 2 else last.minute, second=59 if digits <= 4 else last.second, microsecond=999_999
        )
    return TimeRange(first, last)


def _ends(tag: int, wanted: Mapping[int, str]) -> tuple[str, str] | None:
    text = wanted.get(tag, "").strip()
    if not text:
        return None
    first, dash, last = text.partition("-")
    return (first.strip(), last.strip()) if dash else (text, text)


def _date(tag: int, text: str) -> date | None:
    if not text:
        return None
    found = parse_date(text)
    if found is None:
        raise BadMatchingKey(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): {text!r} is no date")
    return found


def _time(tag: int, text: str) -> time | None:
    if not text:
        return None
    found = parse_time(text)
    if found is None:
        raise BadMatchingKey(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): {text!r} is no time")
    return found
