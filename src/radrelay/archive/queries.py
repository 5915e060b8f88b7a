"""What the pages and DICOM's lower levels read: a study with all it has, series and instances of matching studies."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.archive import patterns
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.models import Attachment, Holding, Instance, Series, Source, Study
from radrelay.archive.query import DateRange, InstanceQuery, SeriesQuery, StudyQuery
from radrelay.archive.search import study_filters
from radrelay.archive.tables import SERIES


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A holding and the name of its source."""

    holding: Holding
    source_name: str


@dataclass(frozen=True, slots=True)
class StudyDetail:
    """A study with its visible series, its attachments and who holds it."""

    study: Study
    series: Sequence[Series]
    attachments: Sequence[Attachment]
    holdings: Sequence[HeldBy]


def study_detail(
    session: Session,
    organisation_id: uuid.UUID,
    study_id: uuid.UUID,
    visible: ColumnElement[bool],
    visible_series: ColumnElement[bool],
    now: datetime,
) -> StudyDetail:
    """Return a study as its page shows it; raises `StudyNotFound` also for one that may not be seen or is over."""
    study = session.scalar(
        sa.select(Study).where(
            Study.id == study_id,
            Study.organisation_id == organisation_id,
            sa.or_(Study.expires_at.is_(None), Study.expires_at > now),
            visible,
        )
    )
    if study is None:
        raise StudyNotFound
    series = session.scalars(
        sa.select(Series).where(Series.study_id == study_id, visible_series).order_by(*_series_order())
    ).all()
    attachments = session.scalars(
        sa.select(Attachment)
        .where(Attachment.study_id == study_id, sa.or_(Attachment.ends_at.is_(None), Attachment.ends_at > now))
        .order_by(Attachment.received_at)
    ).all()
    held = session.execute(
        sa.select(Holding, Source.name)
        .outerjoin(Source, Source.id == Holding.source_id)
        .where(Holding.study_id == study_id)
        .order_by(Holding.received_at)
    ).all()
    return StudyDetail(study, series, attachments, [HeldBy(holding, name or "") for holding, name in held])


def source_names(session: Session, study_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """Return the names of the sources that hold each of these studies."""
    names: dict[uuid.UUID, list[str]] = {study_id: [] for study_id in study_ids}
    rows = session.execute(
        sa.select(Holding.study_id, Source.name)
        .join(Source, Source.id == Holding.source_id)
        .where(Holding.study_id.in_(study_ids))
        .distinct()
        .order_by(Source.name)
    )
    for study_id, name in rows:
        names[study_id].append(name)
    return names


def find_series(
    session: Session,
    organisation_id: uuid.UUID,
    study: StudyQuery,
    series: SeriesQuery,
    visible: ColumnElement[bool],
    now: datetime,
    limit: int = 1000,
    offset: int = 0,
) -> list[tuple[Series, Study]]:
    """Return matching series with their studies; `visible` is a condition on `Series.study_id` and `Series.id`."""
    statement = (
        sa.select(Series, Study)
        .join(Study, Study.id == Series.study_id)
        .where(*study_filters(session, organisation_id, study, sa.true(), now), *_series_filters(series), visible)
        .order_by(Study.sort_key.desc(), *_series_order())
        .limit(limit)
        .offset(offset)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def find_instances(
    session: Session,
    organisation_id: uuid.UUID,
    study: StudyQuery,
    series: SeriesQuery,
    instance: InstanceQuery,
    visible: ColumnElement[bool],
    now: datetime,
    limit: int = 1000,
    offset: int = 0,
) -> list[tuple[Instance, Series, Study]]:
    """Return matching current instances with their series and studies; `visible` as for `find_series`."""
    filters: list[ColumnElement[bool]] = [Instance.current.is_(True)]
    if instance.sop_uids:
        filters.append(Instance.sop_uid.in_(instance.sop_uids))
        filters.append(Instance.organisation_id == organisation_id)
    if instance.sop_classes:
        filters.append(Instance.sop_class_uid.in_(instance.sop_classes))
    if instance.number is not None:
        filters.append(Instance.number == instance.number)
    statement = (
        sa.select(Instance, Series, Study)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Series.study_id)
        .where(*study_filters(session, organisation_id, study, sa.true(), now), *_series_filters(series), visible)
        .where(*filters)
        .order_by(Study.sort_key.desc(), *_series_order(), Instance.number, Instance.sop_uid, Instance.version)
        .limit(limit)
        .offset(offset)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(statement)]


def _series_order() -> list[ColumnElement[Any]]:
    return [SERIES.c.number, SERIES.c.series_uid]


def _series_filters(query: SeriesQuery) -> list[ColumnElement[bool]]:
    c = SERIES.c
    found: list[ColumnElement[bool]] = []
    for column, values in ((c.series_uid, query.series_uids), (c.modality, query.modalities)):
        if values:
            found.append(column.in_(values))
    if query.number is not None:
        found.append(c.number == query.number)
    for column, pattern in (
        (c.description, query.description),
        (c.body_part, query.body_part),
        (c.laterality, query.laterality),
    ):
        if pattern.strip("*"):
            found.append(patterns.like(column, pattern))
    found.extend(_days(c.series_date, query.dates))
    return found


def _days(column: ColumnElement[Any], days: DateRange | None) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if days is not None and days.first is not None:
        bounds.append(column >= days.first)
    if days is not None and days.last is not None:
        bounds.append(column <= days.last)
    return bounds
