"""What can be asked of the index, as the study list, QIDO-RS (PS3.18 10.6) and C-FIND (PS3.4 C.2.2.2) ask it.

Patterns are DICOM's: `*` any characters, `?` one. Names and descriptions are compared folded, identifiers without
regard to case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Generic, Literal, Protocol, TypeVar

Sort = Literal["date", "received", "name", "expires"]


@dataclass(frozen=True, slots=True)
class DateRange:
    """Days from `first` to `last`, both included; none is open."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Times of the day from `first` to `last`, both included; none is open."""

    first: time | None = None
    last: time | None = None


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """Conditions on studies; all must hold, an empty one holds always.

    `name` is a pattern bound to the whole of any group of the patient's name; `name_words` and
    `description_words` are words that each occur somewhere; `text` are words of which each occurs in the name,
    the description, the patient ID or the accession number. `modalities` and the tuples hold alternatives.
    """

    name: str = ""
    name_words: str = ""
    text: str = ""
    patient_id: str = ""
    issuer: str = ""
    birth_date: DateRange | None = None
    sex: str = ""
    accession: str = ""
    study_uids: tuple[str, ...] = ()
    study_id: str = ""
    dates: DateRange | None = None
    times: TimeRange | None = None
    modalities: tuple[str, ...] = ()
    description: str = ""
    description_words: str = ""
    referring: str = ""
    institution: str = ""


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """Conditions on series."""

    series_uids: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    number: int | None = None
    description: str = ""
    body_part: str = ""
    laterality: str = ""
    dates: DateRange | None = None


@dataclass(frozen=True, slots=True)
class InstanceQuery:
    """Conditions on instances."""

    sop_uids: tuple[str, ...] = ()
    sop_classes: tuple[str, ...] = ()
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the matches: `cursor` goes on where a page ended, `offset` skips so many."""

    sort: Sort = "date"
    descending: bool = True
    limit: int = 50
    offset: int = 0
    cursor: str = ""


class AnsweredStudy(Protocol):
    """The columns of a study that DICOM's answers are made of: of the mapped class or of a row."""

    study_uid: Any
    patient_id_value: Any
    patient_issuer: Any
    patient_name: Any
    study_date: Any
    accession_number: Any
    modalities: Any
    series_count: Any
    instance_count: Any
    attributes: Any


class IndexedStudy(AnsweredStudy, Protocol):
    """All columns of a study that are shown, of the mapped class or of a row."""

    id: Any
    organisation_id: Any
    sort_key: Any
    patient_id: Any
    patient_birth_date: Any
    patient_sex: Any
    study_time: Any
    study_id_value: Any
    description: Any
    bytes: Any
    state: Any
    first_received_at: Any
    last_received_at: Any
    expires_at: Any
    ceiling_at: Any
    held: Any


StudyColumns_co = TypeVar("StudyColumns_co", bound=AnsweredStudy, covariant=True)


@dataclass(frozen=True, slots=True)
class StudyPage(Generic[StudyColumns_co]):
    """One page of studies. `total` is counted up to a cap; `total_is_least` says that there are more."""

    studies: Sequence[StudyColumns_co]
    next_cursor: str | None
    total: int
    total_is_least: bool
