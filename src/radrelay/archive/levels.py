"""Searches at every level, for QIDO-RS and C-FIND: patients, studies, series, instances within a scope.

In: the queries that `matching.level_queries` made, and a scope's filters. Out: DICOM JSON objects, those of the lower
levels with the attributes of the higher ones in them (relational answers).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive import patterns
from radrelay.archive.instances import alive
from radrelay.archive.matching import Json, LevelQueries, instance_json, patient_json, series_json, study_json
from radrelay.archive.models import Instance, Series, Study
from radrelay.archive.query import InstanceQuery, SeriesQuery, StudyQuery, Window
from radrelay.archive.search import find_patients, find_studies, study_filters

Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
IDENTITY_TAGS = ("00100010", "00100020", "00100021", "00100030", "00100032", "00101000", "00101001", "00101040")
PAGE = 1000


class Reach(Protocol):
    """What of `access.Scope` a search needs."""

    @property
    def organisation_id(self) -> uuid.UUID:
        """Return the organisation that is searched."""
        ...

    def study_filter(self, study_id: Any) -> sa.ColumnElement[bool]:
        """Return the condition that a study is at least in part within reach."""
        ...

    def series_filter(self, study_id: Any, series_id: Any) -> sa.ColumnElement[bool]:
        """Return the condition that a series is within reach."""
        ...


def find(
    session: Session,
    reach: Reach,
    level: Level,
    queries: LevelQueries,
    now: datetime,
    *,
    limit: int,
    offset: int = 0,
    clear: bool = True,
) -> list[Json]:
    """Return the matches of `level`; `clear` false leaves out who the patients are."""
    if level == "PATIENT":
        found = _patients(session, reach, queries.study, now, limit, offset) if clear else []
    elif level == "STUDY":
        found = _studies(session, reach, queries, now, limit, offset)
    elif level == "SERIES":
        found = _series(session, reach, queries, now, limit, offset)
    else:
        found = _instances(session, reach, queries, now, limit, offset)
    return found if clear else [_without_identity(row) for row in found]


def instance_ids(session: Session, reach: Reach, queries: LevelQueries, now: datetime) -> sa.Select[uuid.UUID]:
    """Return a statement for the ids of the instances that match."""
    return (
        sa.select(Instance.id)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(*_instance_conditions(session, reach, queries, now))
    )


def _patients(session: Session, reach: Reach, query: StudyQuery, now: datetime, limit: int, offset: int) -> list[Json]:
    visible = reach.study_filter(Study.id)
    rows = find_patients(session, reach.organisation_id, query, visible, now, limit, offset)
    return [patient_json(row) for row in rows]


def _studies(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime, limit: int, offset: int
) -> list[Json]:
    return [study_json(row) for row in _study_rows(session, reach, queries.study, now, limit, offset)]


def _study_rows(
    session: Session, reach: Reach, query: StudyQuery, now: datetime, limit: int, offset: int
) -> Iterator[Study]:
    cursor, left, skip = "", limit, offset
    visible = reach.study_filter(Study.id)
    while left > 0:
        window = Window(limit=min(left, PAGE), offset=skip, cursor=cursor)
        page = find_studies(session, reach.organisation_id, query, visible, now, window, count_cap=0)
        yield from page.studies
        left -= len(page.studies)
        if page.next_cursor is None:
            return
        cursor, skip = page.next_cursor, 0


def _series(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime, limit: int, offset: int
) -> list[Json]:
    rows = session.execute(
        sa.select(Series, Study)
        .join(Study, Study.id == Series.study_id)
        .where(
            *study_filters(session, reach.organisation_id, queries.study, reach.study_filter(Study.id), now),
            reach.series_filter(Series.study_id, Series.id),
            *_series_conditions(queries.series),
            Series.instance_count > 0,
        )
        .order_by(Study.sort_key.desc(), Study.id, Series.number.is_(None), Series.number, Series.series_uid)
        .limit(limit)
        .offset(offset)
    )
    return [study_json(study) | series_json(series) for series, study in rows]


def _instances(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime, limit: int, offset: int
) -> list[Json]:
    rows = session.execute(
        sa.select(Instance, Series, Study)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(*_instance_conditions(session, reach, queries, now))
        .order_by(Instance.series_id, Instance.number.is_(None), Instance.number, Instance.sop_uid)
        .limit(limit)
        .offset(offset)
    ).all()
    above: dict[uuid.UUID, Json] = {}
    found = []
    for instance, series, study in rows:
        if series.id not in above:
            above[series.id] = study_json(study) | series_json(series)
        found.append(above[series.id] | instance_json(instance))
    return found


def _instance_conditions(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime
) -> Sequence[sa.ColumnElement[bool]]:
    query: InstanceQuery = queries.instance
    conditions = [
        *study_filters(session, reach.organisation_id, queries.study, reach.study_filter(Study.id), now),
        reach.series_filter(Series.study_id, Series.id),
        *_series_conditions(queries.series),
        Instance.current.is_(True),
        alive(now),
    ]
    if query.sop_uids:
        conditions.append(Instance.sop_uid.in_(query.sop_uids))
    if query.sop_classes:
        conditions.append(Instance.sop_class_uid.in_(query.sop_classes))
    if query.number is not None:
        conditions.append(Instance.number == query.number)
    return conditions


def _series_conditions(query: SeriesQuery) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if query.series_uids:
        found.append(Series.series_uid.in_(query.series_uids))
    if query.modalities:
        found.append(Series.modality.in_(query.modalities))
    if query.number is not None:
        found.append(Series.number == query.number)
    for column, pattern in (
        (Series.description, query.description),
        (Series.body_part, query.body_part),
        (Series.laterality, query.laterality),
    ):
        if pattern:
            found.append(patterns.like(sa.type_coerce(column, sa.Text), pattern))
    if query.dates is not None and query.dates.first is not None:
        found.append(Series.series_date >= query.dates.first)
    if query.dates is not None and query.dates.last is not None:
        found.append(Series.series_date <= query.dates.last)
    return found


def _without_identity(row: Json) -> Json:
    return {tag: value for tag, value in row.items() if tag not in IDENTITY_TAGS}
