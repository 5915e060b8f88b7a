"""Finding instances and where their bytes lie: a few queries for many, those past their time left out.

A series of a thousand slices is looked up for each request, so the rows are read lean: what many instances share
(study, series, pack) is fetched once, and ids that repeat are made once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.tables import HOLDING, INSTANCE, INSTANCE_HOLDING, LANDING_RECORD, PACK, SERIES, STUDY
from radrelay.storage.columns import Instant
from radrelay.storage.packs import PackRef
from radrelay.storage.segments import RecordLocation

CHUNK = 500
_INSTANCE, _HOLDING, _FURTHER = INSTANCE.c, HOLDING.c, INSTANCE_HOLDING.c
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
    sop_uid: str | None = None,
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
    several = None if instance_ids is None or len(instance_ids) == 1 else instance_ids
    only = instance_ids[0] if instance_ids is not None and several is None else None
    given = {"study_id": study_id, "series_id": series_id, "ids": several, "id": only, "sop_uid": sop_uid}
    parameters = {name: value for name, value in given.items() if value is not None}
    raw = session.get_bind().dialect.name == "sqlite"
    statement = _statement(frozenset(parameters), current=current, raw=raw)
    if within is not None and not isinstance(within, sa.True_):
        statement = statement.where(within)
    rows = session.execute(statement, {"organisation_id": organisation_id, "now": now, **parameters}).all()
    return _Rows(session, rows).refs()


def alive(now: datetime | sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that some holding of an instance has not ended."""
    own = sa.exists().where(_HOLDING.id == _INSTANCE.holding_id, _lasting(now))
    further = sa.exists().where(_FURTHER.instance_id == _INSTANCE.id, _HOLDING.id == _FURTHER.holding_id, _lasting(now))
    return sa.or_(own, further)


def _lasting(now: datetime | sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(_HOLDING.ends_at.is_(None), _HOLDING.ends_at > now)


@lru_cache(maxsize=64)
def _statement(given: frozenset[str], *, current: bool, raw: bool) -> sa.Select[Any]:
    """Return the statement for what is given, made once: to make it takes longer than to run it."""
    ids = (sa.type_coerce(column, sa.LargeBinary) if raw else column for column in _IDS)  # a UUID takes 3 µs to make
    conditions = [
        _INSTANCE.organisation_id == sa.bindparam("organisation_id"),
        alive(sa.bindparam("now", type_=Instant)),
    ]
    conditions += [column == sa.bindparam(name) for name, column in _BY.items() if name in given]
    if "ids" in given:
        conditions.append(_INSTANCE.id.in_(sa.bindparam("ids", expanding=True)))
    if current:
        conditions.append(_INSTANCE.current.is_(True))
    return sa.select(*ids, *_PLAIN).where(*conditions).order_by(*_ORDER)


class _Ids(dict[Any, Any]):
    """UUIDs by their bytes, each made once; what is none of bytes stands for itself."""

    def __missing__(self, key: Any) -> Any:
        made = self[key] = uuid.UUID(bytes=key) if isinstance(key, bytes) else key
        return made


class _Rows:
    """Makes refs of instances' rows, with what many of them share."""

    def __init__(self, session: Session, rows: Sequence[Any]) -> None:
        self._session = session
        made = _Ids().__getitem__
        self._made = [(*map(made, row[:_ID_COUNT]), *row[_ID_COUNT:]) for row in rows]

    def refs(self) -> list[InstanceRef]:
        """Return the instances; those whose bytes have no place any more are left out."""
        above = {row[0]: (row[1], row[2]) for row in self._of(_ABOVE, 3)}
        places = {row[0]: RecordLocation(*row) for row in self._of(_RECORDS, 5)}
        packs = {row[0]: PackRef(*row) for row in self._of(_PACKS, 6)}
        found = []
        for own, organisation, study, series, holding, record, pack, entry, *rest in self._made:
            place: RecordLocation | PackPlace | None = places.get(record)
            if pack in packs:
                place = PackPlace(packs[pack], entry)
            if place is not None and series in above:
                fields: Any = (own, organisation, study, series, holding, *above[series], *rest, place)
                found.append(InstanceRef(*fields))
        return found

    def _of(self, statements: tuple[sa.Select[Any], sa.Select[Any]], place: int) -> Iterator[Any]:
        """Yield what is found for the ids that stand at `place` of the rows."""
        ids = list({row[place] for row in self._made} - {None})
        if len(ids) == 1:
            yield from self._session.execute(statements[0], {"id": ids[0]})
            return
        for start in range(0, len(ids), CHUNK):
            yield from self._session.execute(statements[1], {"ids": ids[start : start + CHUNK]})


_BY = {
    "study_id": _INSTANCE.study_id,
    "series_id": _INSTANCE.series_id,
    "id": _INSTANCE.id,
    "sop_uid": _INSTANCE.sop_uid,
}
_ORDER = (
    _INSTANCE.series_id,
    _INSTANCE.number.is_(None),
    _INSTANCE.number,
    _INSTANCE.sop_uid,
    _INSTANCE.version.desc(),
)


def _by_ids(statement: sa.Select[Any], key: sa.ColumnElement[Any]) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return `statement` for one id and for several: a list is written out into the statement anew each time."""
    return statement.where(key == sa.bindparam("id")), statement.where(key.in_(sa.bindparam("ids", expanding=True)))


_ABOVE = _by_ids(
    sa.select(SERIES.c.id, STUDY.c.study_uid, SERIES.c.series_uid).join_from(
        SERIES, STUDY, STUDY.c.id == SERIES.c.study_id
    ),
    SERIES.c.id,
)
_RECORDS = _by_ids(
    sa.select(*(LANDING_RECORD.c[name] for name in ("id", "owner", "segment", "epoch", "offset", "length"))),
    LANDING_RECORD.c.id,
)
_PACKS = _by_ids(
    sa.select(*(PACK.c[name] for name in ("id", "name", "plain_bytes", "toc_offset", "toc_length"))), PACK.c.id
)
