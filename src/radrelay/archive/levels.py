"""Searches at every level, for QIDO-RS and C-FIND: patients, studies, series, instances within a scope.

In: the queries that `matching.level_queries` made, and a scope's filters. Out: DICOM JSON objects, those of the lower
levels with the attributes of the higher ones in them (relational answers).
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Listed
from radrelay.archive import patterns
from radrelay.archive.instances import alive
from radrelay.archive.matching import (
    Json,
    Level,
    LevelQueries,
    instance_json,
    patient_json,
    series_json,
    study_json,
)
from radrelay.archive.models import Instance, Series, Study
from radrelay.archive.nameless import nameless, require_nameless
from radrelay.archive.query import AnsweredStudy, InstanceQuery, SeriesQuery, StudyQuery, Window
from radrelay.archive.search import find_answers, find_patients, study_filters
from radrelay.storage.database import Database

PAGE = 500
PATIENT_PAGE = 5_000


class Reach(Protocol):
    """What of `access.Scope` a search needs."""

    @property
    def organisation_id(self) -> uuid.UUID:
        """Return the organisation that is searched."""
        ...

    def listed(self, session: Session, study_id: Any) -> Listed:
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
    """Return the matches of `level`; `clear` false leaves out who the patients are, and lets nobody ask for that.

    Raises `IdentityHidden` then.
    """
    if not clear:
        require_nameless(queries.study)
    if level == "PATIENT":
        found = _patients(session, reach, queries.study, now, limit, offset) if clear else []
    elif level == "STUDY":
        found = _studies(session, reach, queries, now, limit, offset)
    elif level == "SERIES":
        found = _series(session, reach, queries, now, limit, offset)
    else:
        found = _instances(session, reach, queries, now, limit, offset)
    return found if clear else [nameless(row) for row in found]


def pages(
    database: Database, reach: Reach, level: Level, queries: LevelQueries, now: datetime, *, clear: bool = True
) -> Iterator[list[Json]]:
    """Yield all matches of `level` page by page, each read on its own: a slow receiver holds nothing open.

    Which series or instances match is settled by the first read; what is deleted while they are sent is left out.
    Raises `IdentityHidden` where `clear` is false and a key names a patient.
    """
    if not clear:
        require_nameless(queries.study)
    if level == "PATIENT":
        found = _patient_pages(database, reach, queries.study, now) if clear else iter(())
    elif level == "STUDY":
        found = _study_pages(database, reach, queries.study, now)
    else:
        found = _lower_pages(database, reach, level, queries, now)
    for page in found:
        yield page if clear else [nameless(row) for row in page]


def _patient_pages(database: Database, reach: Reach, query: StudyQuery, now: datetime) -> Iterator[list[Json]]:
    for offset in itertools.count(0, PATIENT_PAGE):
        with database.read() as session:
            page = _patients(session, reach, query, now, PATIENT_PAGE, offset)
        yield page
        if len(page) < PATIENT_PAGE:
            return


def _study_pages(database: Database, reach: Reach, query: StudyQuery, now: datetime) -> Iterator[list[Json]]:
    cursor: str | None = ""
    while cursor is not None:
        window = Window(limit=PAGE, cursor=cursor)
        with database.read() as session:
            page = find_answers(session, reach.organisation_id, query, reach.listed(session, Study.id), now, window)
            rows = [study_json(row) for row in page.studies]
        yield rows
        cursor = page.next_cursor


def _lower_pages(
    database: Database, reach: Reach, level: Level, queries: LevelQueries, now: datetime
) -> Iterator[list[Json]]:
    with database.read() as session:
        if level == "SERIES":
            statement = sa.select(Series.id).join(Study, Study.id == Series.study_id)
            statement = statement.where(*_series_filters(session, reach, queries, now)).order_by(*_SERIES_ORDER)
        else:
            statement = instance_ids(session, reach, queries, now).order_by(*_INSTANCE_ORDER)
        ids = list(session.scalars(statement))
    for start in range(0, len(ids), PAGE):
        wanted = ids[start : start + PAGE]
        with database.read() as session:
            if level == "SERIES":
                found = _series_rows(session, [Series.id.in_(wanted)])
            else:
                found = _instance_rows(session, [Instance.id.in_(wanted)])
            page = list(found)
        yield page


def instance_ids(session: Session, reach: Reach, queries: LevelQueries, now: datetime) -> sa.Select[uuid.UUID]:
    """Return a statement for the ids of the instances that match."""
    return (
        sa.select(Instance.id)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(*_instance_conditions(session, reach, queries, now))
    )


def _patients(session: Session, reach: Reach, query: StudyQuery, now: datetime, limit: int, offset: int) -> list[Json]:
    visible = reach.listed(session, Study.id)
    rows = find_patients(session, reach.organisation_id, query, visible, now, limit, offset)
    return [patient_json(row) for row in rows]


def _studies(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime, limit: int, offset: int
) -> list[Json]:
    return [study_json(row) for row in _study_rows(session, reach, queries.study, now, limit, offset)]


def _study_rows(
    session: Session, reach: Reach, query: StudyQuery, now: datetime, limit: int, offset: int
) -> Iterator[AnsweredStudy]:
    cursor, left, skip = "", limit, offset
    visible = reach.listed(session, Study.id)
    while left > 0:
        window = Window(limit=min(left, PAGE), offset=skip, cursor=cursor)
        page = find_answers(session, reach.organisation_id, query, visible, now, window)
        yield from page.studies
        left -= len(page.studies)
        if page.next_cursor is None:
            return
        cursor, skip = page.next_cursor, 0


def _series(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime, limit: int, offset: int
) -> list[Json]:
    return list(_series_rows(session, _series_filters(session, reach, queries, now), limit, offset))


def _series_filters(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime
) -> list[sa.ColumnElement[bool]]:
    return [
        *study_filters(session, reach.organisation_id, queries.study, reach.listed(session, Study.id), now),
        reach.series_filter(Series.study_id, Series.id),
        *_series_conditions(queries.series),
        Series.instance_count > 0,
    ]


def _series_rows(
    session: Session, conditions: Sequence[sa.ColumnElement[bool]], limit: int | None = None, offset: int = 0
) -> Iterator[Json]:
    rows = session.execute(
        sa.select(Series, Study)
        .join(Study, Study.id == Series.study_id)
        .where(*conditions)
        .order_by(*_SERIES_ORDER)
        .limit(limit)
        .offset(offset)
    )
    above: dict[uuid.UUID, Json] = {}
    for series, study in rows:
        if study.id not in above:
            above[study.id] = study_json(study)
        yield above[study.id] | series_json(series)


def _instances(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime, limit: int, offset: int
) -> list[Json]:
    return list(_instance_rows(session, _instance_conditions(session, reach, queries, now), limit, offset))


def _instance_rows(
    session: Session, conditions: Sequence[sa.ColumnElement[bool]], limit: int | None = None, offset: int = 0
) -> Iterator[Json]:
    """Yield instances with all above them; series are read once each, not once for every instance."""
    rows = session.execute(
        sa.select(*_INSTANCE_COLUMNS)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(*conditions)
        .order_by(*_INSTANCE_ORDER)
        .limit(limit)
        .offset(offset)
    ).all()
    series_ids = list({row.series_id for row in rows})
    above: dict[uuid.UUID, Json] = {}
    for start in range(0, len(series_ids), PAGE):
        found = session.execute(
            sa.select(Series, Study)
            .join(Study, Study.id == Series.study_id)
            .where(Series.id.in_(series_ids[start : start + PAGE]))
        )
        above |= {series.id: study_json(study) | series_json(series) for series, study in found}
    for row in rows:
        if row.series_id in above:
            yield above[row.series_id] | instance_json(row)


def _instance_conditions(
    session: Session, reach: Reach, queries: LevelQueries, now: datetime
) -> Sequence[sa.ColumnElement[bool]]:
    query: InstanceQuery = queries.instance
    conditions = [
        *study_filters(session, reach.organisation_id, queries.study, reach.listed(session, Study.id), now),
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


_SERIES_ORDER = (Study.sort_key.desc(), Study.id, Series.number.is_(None), Series.number, Series.series_uid)
_INSTANCE_ORDER = (
    Instance.series_id,
    Instance.number.is_(None),
    Instance.number,
    Instance.sop_uid,
    Instance.version.desc(),
)
_INSTANCE_COLUMNS = (
    Instance.series_id,
    Instance.sop_class_uid,
    Instance.sop_uid,
    Instance.transfer_syntax_uid,
    Instance.number,
    Instance.rows,
    Instance.columns,
    Instance.frames,
)
