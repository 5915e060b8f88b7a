"""Queries and answers in DICOM's own terms, as QIDO-RS and C-FIND speak (PS3.4 C.2.2.2, PS3.18 10.6).

In: (tag, text) keys, several values parted by backslashes. Out: the archive's queries; what no query knows is named.
Answers are DICOM JSON objects made from the rows, the same for both faces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Literal, Protocol

from radrelay.archive.models import Patient, Series
from radrelay.archive.query import DateRange, IndexedStudy, InstanceQuery, SeriesQuery, StudyQuery, TimeRange
from radrelay.dicom.values import parse_date, parse_time
from radrelay.errors import Invalid

Json = dict[str, Any]
Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
UID_TAGS = (0x0020000D, 0x0020000E, 0x00080018)
_UIDS = re.compile(r"[\\,]")


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
    name = wanted.get(0x00100010, "")
    study = StudyQuery(
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
    series = SeriesQuery(
        series_uids=_values(0x0020000E, wanted),
        modalities=_values(0x00080060, wanted),
        number=_number(0x00200011, wanted),
        description=wanted.get(0x0008103E, ""),
        body_part=wanted.get(0x00180015, ""),
        laterality=wanted.get(0x00200060, ""),
        dates=_dates(0x00080021, wanted),
    )
    instance = InstanceQuery(
        sop_uids=_values(0x00080018, wanted),
        sop_classes=_values(0x00080016, wanted),
        number=_number(0x00200013, wanted),
    )
    return LevelQueries(study, series, instance, unmatched)


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
    found: Json = {}
    _put(found, 0x00100010, "PN", patient.name)
    _put(found, 0x00100020, "LO", patient.patient_id)
    _put(found, 0x00100021, "LO", patient.issuer)
    _put(found, 0x00100030, "DA", patient.birth_date)
    _put(found, 0x00100040, "CS", patient.sex)
    return found


def study_json(study: IndexedStudy) -> Json:
    """Return a study with its patient as DICOM JSON, counts included; all that the index knows."""
    found: Json = json.loads(study.attributes)
    _put(found, 0x00080020, "DA", study.study_date)
    _put(found, 0x00080050, "SH", study.accession_number)
    _put(found, 0x00100010, "PN", study.patient_name)
    _put(found, 0x00100020, "LO", study.patient_id_value)
    _put(found, 0x00100021, "LO", study.patient_issuer)
    _put(found, 0x0020000D, "UI", study.study_uid)
    _put(found, 0x00080061, "CS", *[m for m in study.modalities.split("\\") if m])
    _put(found, 0x00080056, "CS", "ONLINE")
    _put(found, 0x00201206, "IS", study.series_count)
    _put(found, 0x00201208, "IS", study.instance_count)
    return found


def series_json(series: Series) -> Json:
    """Return a series as DICOM JSON, counts included."""
    found: Json = json.loads(series.attributes)
    _put(found, 0x00080060, "CS", series.modality)
    _put(found, 0x0020000E, "UI", series.series_uid)
    _put(found, 0x00200011, "IS", series.number)
    _put(found, 0x0008103E, "LO", series.description)
    _put(found, 0x00201209, "IS", series.instance_count)
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
    found: Json = {}
    _put(found, 0x00080016, "UI", instance.sop_class_uid)
    _put(found, 0x00080018, "UI", instance.sop_uid)
    _put(found, 0x00080056, "CS", "ONLINE")
    _put(found, 0x00083002, "UI", instance.transfer_syntax_uid)
    _put(found, 0x00200013, "IS", instance.number)
    if instance.rows and instance.columns:
        _put(found, 0x00280008, "IS", instance.frames)
        _put(found, 0x00280010, "US", instance.rows)
        _put(found, 0x00280011, "US", instance.columns)
    return found


def _put(found: Json, tag: int, vr: str, *values: object) -> None:
    """Set an attribute; an empty value leaves it without one, as the standard asks of return keys."""
    kept: list[Any] = []
    for value in values:
        if value is None or value == "":
            continue
        if isinstance(value, date):
            kept.append(f"{value:%Y%m%d}")
        elif vr == "PN":
            groups = zip(("Alphabetic", "Ideographic", "Phonetic"), str(value).split("="), strict=False)
            kept.append({name: group for name, group in groups if group})
        else:
            kept.append(value)
    found[f"{tag:08X}"] = {"vr": vr, "Value": kept} if kept else {"vr": vr}


def _values(tag: int, wanted: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(value.strip() for value in _UIDS.split(wanted.get(tag, "")) if value.strip())


def _number(tag: int, wanted: Mapping[int, str]) -> int | None:
    text = wanted.get(tag, "").strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise BadMatchingKey(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): {text!r} is no number") from error


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
