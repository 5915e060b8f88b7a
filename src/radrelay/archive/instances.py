"""Finding instances and where their bytes lie: a few queries for many, those past their time left out.

A series of a thousand slices is looked up for each request, so the rows are read lean: what many instances share
(study, series, pack) is fetched once, and ids that repeat are made once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Holding, Instance, InstanceHolding
from radrelay.archive.tables import INSTANCE, LANDING_RECORD, PACK, SERIES, STUDY
from radrelay.storage.packs import PackRef
from radrelay.storage.segments import RecordLocation

CHUNK = 500
_INSTANCE = INSTANCE.c
_IDS = (
    _INSTANCE.id,
    _INSTANCE.organisation_id,
    _INSTANCE.study_id,
    _INSTANCE.series_id,
    _INSTANCE.holding_id,
    _INSTANCE.record_id,
    _INSTANCE.pack_id,
)
_PLAIN = (
    _INSTANCE.pack_entry,
    _INSTANCE.sop_uid,
    _INSTANCE.sop_class_uid,
    _INSTANCE.transfer_syntax_uid,
    _INSTANCE.number,
    _INSTANCE.frames,
    _INSTANCE.size,
    _INSTANCE.sha256,
    _INSTANCE.file_name,
)
_ID_COUNT = len(_IDS)


@dataclass(frozen=True, slots=True)
class PackPlace:
    """An entry of a pack."""

    ref: PackRef
    entry: int


@dataclass(frozen=True, slots=True)
class InstanceRef:
    """An instance, with what is needed to read it."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    study_id: uuid.UUID
    series_id: uuid.UUID
    holding_id: uuid.UUID
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number: int | None
    frames: int
    size: int
    sha256: bytes
    file_name: str
    place: RecordLocation | PackPlace


def find_instances(
    session: Session,
    now: datetime,
    *,
    organisation_id: uuid.UUID,
    study_id: uuid.UUID | None = None,
    series_id: uuid.UUID | None = None,
    instance_ids: Sequence[uuid.UUID] | None = None,
    within: sa.ColumnElement[bool] | None = None,
    current: bool = True,
) -> list[InstanceRef]:
    """Return instances with living holdings, by series and number, of several versions the newest first.

    Parameters
    ----------
    within
        A scope's filter; none only where the system itself reads.
    current
        False includes superseded versions.
    """
    rows = _Rows(session)
    conditions = [_INSTANCE.organisation_id == organisation_id, alive(now)]
    if study_id is not None:
        conditions.append(_INSTANCE.study_id == study_id)
    if series_id is not None:
        conditions.append(_INSTANCE.series_id == series_id)
    if instance_ids is not None:
        conditions.append(_INSTANCE.id.in_(instance_ids))
    if within is not None:
        conditions.append(within)
    if current:
        conditions.append(_INSTANCE.current.is_(True))
    return rows.refs(conditions)


def alive(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that some holding of an instance has not ended."""
    own = sa.exists().where(Holding.id == Instance.holding_id, _lasting(now))
    further = sa.exists().where(
        InstanceHolding.instance_id == Instance.id, Holding.id == InstanceHolding.holding_id, _lasting(now)
    )
    return sa.or_(own, further)


def _lasting(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Holding.ends_at.is_(None), Holding.ends_at > now)


class _Rows:
    """Reads instances' rows of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._raw = session.get_bind().dialect.name == "sqlite"
        self._ids: dict[bytes, uuid.UUID] = {}

    def refs(self, conditions: Sequence[sa.ColumnElement[bool]]) -> list[InstanceRef]:
        """Return the instances that meet `conditions`; those whose bytes have no place any more are left out."""
        ids = (self._id_column(column) for column in _IDS)
        statement = (
            sa.select(*ids, *_PLAIN)
            .where(*conditions)
            .order_by(
                _INSTANCE.series_id,
                _INSTANCE.number.is_(None),
                _INSTANCE.number,
                _INSTANCE.sop_uid,
                _INSTANCE.version.desc(),
            )
        )
        made = [[self._id(value) for value in row[:_ID_COUNT]] + list(row[_ID_COUNT:]) for row in self._all(statement)]
        studies = self._texts(STUDY.c.id, STUDY.c.study_uid, {row[2] for row in made})
        series = self._texts(SERIES.c.id, SERIES.c.series_uid, {row[3] for row in made})
        places = self._records({row[5] for row in made if row[5] is not None})
        packs = self._packs({row[6] for row in made if row[6] is not None})
        found = []
        for own, organisation, study, one_series, holding, record, pack, entry, *rest in made:
            place: RecordLocation | PackPlace | None = places.get(record)
            if pack in packs:
                place = PackPlace(packs[pack], entry)
            if place is not None and study in studies and one_series in series:
                uids = (studies[study], series[one_series])
                fields: Any = (own, organisation, study, one_series, holding, *uids, *rest, place)
                found.append(InstanceRef(*fields))
        return found

    def _all(self, statement: sa.Select[Any]) -> Sequence[Any]:
        return self._session.execute(statement).all()

    def _id_column(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return an id's column as its bare bytes where the database keeps it so: making a UUID takes 3 µs."""
        return sa.type_coerce(column, sa.LargeBinary) if self._raw else column

    def _id(self, value: Any) -> uuid.UUID | None:
        if not isinstance(value, bytes):
            return cast("uuid.UUID | None", value)
        known = self._ids.get(value)
        if known is None:
            known = self._ids[value] = uuid.UUID(bytes=value)
        return known

    def _texts(self, key: sa.Column[Any], text: sa.Column[Any], ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
        return {
            row[0]: row[1] for chunk in _chunks(ids) for row in self._all(sa.select(key, text).where(key.in_(chunk)))
        }

    def _records(self, ids: set[uuid.UUID]) -> dict[uuid.UUID | None, RecordLocation]:
        c = LANDING_RECORD.c
        columns = (c.id, c.owner, c.segment, c.epoch, c.offset, c.length)
        rows = (row for chunk in _chunks(ids) for row in self._all(sa.select(*columns).where(c.id.in_(chunk))))
        return {row[0]: RecordLocation(*row) for row in rows}

    def _packs(self, ids: set[uuid.UUID]) -> dict[uuid.UUID | None, PackRef]:
        c = PACK.c
        columns = (c.id, c.name, c.plain_bytes, c.toc_offset, c.toc_length)
        rows = (row for chunk in _chunks(ids) for row in self._all(sa.select(*columns).where(c.id.in_(chunk))))
        return {row[0]: PackRef(*row) for row in rows}


def _chunks(ids: set[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    ordered = list(ids)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]
