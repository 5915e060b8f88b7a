"""Finding instances and where their bytes lie: a few queries for many, those past their time left out.

A series of a thousand slices is looked up for each request, so the rows are read lean: what many instances share
(study, series, pack) is fetched once, and ids that repeat are made once.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.tables import CORRECTION, HOLDING, INSTANCE, INSTANCE_HOLDING, LANDING_RECORD, PACK, SERIES, STUDY
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
    _INSTANCE.correction,
)
_ID_COUNT = len(_IDS)
_PLACE = tuple(LANDING_RECORD.c[name] for name in ("owner", "segment", "epoch", "offset", "length"))
_STUDY_AT, _SERIES_AT, _PACK_AT, _OWNER_AT, _PLAIN_AT = 2, 3, 6, len(_IDS), len(_IDS) + len(_PLACE)
_PACK_NAME_AT = _PLAIN_AT + len(_PLAIN)
_SOURCE = INSTANCE.outerjoin(LANDING_RECORD, LANDING_RECORD.c.id == _INSTANCE.record_id)


@dataclass(frozen=True, slots=True)
class PackPlace:
    """An entry of a pack."""

    ref: PackRef
    entry: int


@dataclass(frozen=True, slots=True)
class InstanceRef:
    """An instance, with what is needed to read it.

    `lacks` is the number of its study's last correction, while the object as it lies does not say what that says.
    """

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
    lacks: int = 0


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
    return list(_found(session, now, organisation_id, given, within, current=current).refs)


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """One instance and the patient of its study: issuer, patient ID, name."""

    ref: InstanceRef
    patient: tuple[str, str, str]


def find_instance(
    session: Session,
    now: datetime,
    within: sa.ColumnElement[bool],
    *,
    organisation_id: uuid.UUID,
    instance_id: uuid.UUID,
) -> FoundInstance | None:
    """Return one living instance within reach, superseded or not, with all that it needs in one statement.

    What was corrected is not found any more: what stands in its place is.
    """
    statement = _ONE if isinstance(within, sa.True_) else _ONE.where(within)
    given = {"organisation_id": organisation_id, "now": now, "id": instance_id}
    row = session.execute(statement, given).one_or_none()
    if row is None:
        return None
    own, organisation, study, series, holding, record, pack = row[:_ID_COUNT]
    owner, pack_name = row[_OWNER_AT], row[_PACK_NAME_AT]
    place: RecordLocation | PackPlace
    if pack_name is not None:
        place = PackPlace(PackRef(pack, *row[_PACK_NAME_AT:_ABOVE_AT]), row[_PLAIN_AT])
    elif owner is not None:
        place = RecordLocation(record, *row[_OWNER_AT:_PLAIN_AT])
    else:
        return None
    study_uid, series_uid, *patient, last = row[_ABOVE_AT:]
    *plain, done = row[_PLAIN_AT + 1 : _PACK_NAME_AT]
    lacks = _lacks(done, last)
    fields: Any = (own, organisation, study, series, holding, study_uid, series_uid, *plain, place, lacks)
    return FoundInstance(InstanceRef(*fields), (patient[0], patient[1], patient[2]))


def find_under(
    session: Session,
    now: datetime,
    within: sa.ColumnElement[bool],
    *,
    organisation_id: uuid.UUID,
    study_id: uuid.UUID,
    series_id: uuid.UUID | None = None,
    sop_uid: str | None = None,
) -> FoundInstances:
    """Return the current living instances of a study, of one of its series, or the one that `sop_uid` names."""
    given = {"study_id": study_id, "series_id": series_id, "sop_uid": sop_uid}
    return _found(session, now, organisation_id, given, within, current=True)


def find_in_series(session: Session, now: datetime, organisation_id: uuid.UUID, series_id: uuid.UUID) -> FoundInstances:
    """Return the current living instances of a series that was found within reach before."""
    return _found(session, now, organisation_id, {"series_id": series_id}, None, current=True)


def _found(
    session: Session,
    now: datetime,
    organisation_id: uuid.UUID,
    given: Mapping[str, Any],
    within: sa.ColumnElement[bool] | None,
    *,
    current: bool,
) -> FoundInstances:
    parameters = {name: value for name, value in given.items() if value is not None}
    raw = session.get_bind().dialect.name == "sqlite"
    statement = _statement(frozenset(parameters), current=current, raw=raw)
    if within is not None and not isinstance(within, sa.True_):
        statement = statement.where(within)
    rows = session.execute(statement, {"organisation_id": organisation_id, "now": now, **parameters}).all()
    return FoundInstances(session, rows)


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
    return sa.select(*ids, *_PLACE, *_PLAIN).select_from(_SOURCE).where(*conditions).order_by(*_ORDER)


class _Ids(dict[Any, Any]):
    """UUIDs by their bytes, each made once; what is none of bytes stands for itself."""

    def __missing__(self, key: Any) -> Any:
        made = self[key] = uuid.UUID(bytes=key) if isinstance(key, bytes) else key
        return made


class FoundInstances:
    """Instances that a query found: how many, a mark of their version, and, once they are needed, themselves.

    To make a thousand refs takes longer than to find them, and who has the same ones already needs none.
    """

    def __init__(self, session: Session, rows: Sequence[Any]) -> None:
        self._above = {row[0]: (row[1], row[2]) for row in _shared(session, rows, _ABOVE, _SERIES_AT)}
        self._packs = {row[0]: PackRef(*row) for row in _shared(session, rows, _PACKS, _PACK_AT)}
        self._corrected = {_raw(row[0]): row[1] for row in _shared(session, rows, _CORRECTED, _STUDY_AT)}
        self._packed = {_raw(pack) for pack in self._packs}
        series = {_raw(own) for own in self._above}
        self._rows = [
            row
            for row in rows
            if _raw(row[_SERIES_AT]) in series and (row[_OWNER_AT] is not None or _raw(row[_PACK_AT]) in self._packed)
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def version(self) -> str:
        """Return a mark that changes when what is told of these may: instances never do, but come, go and move."""
        digest = hashlib.blake2b(digest_size=12)
        for row in self._rows:
            pack = _raw(row[_PACK_AT])
            digest.update(_raw(row[0]) + (pack if pack in self._packed else b"landed"))
            if lacks := self._lacks(row):
                digest.update(b"lacks %d" % lacks)
        return digest.hexdigest()

    def _lacks(self, row: Any) -> int:
        return _lacks(row[-1], self._corrected.get(_raw(row[_STUDY_AT]))) if self._corrected else 0

    @cached_property
    def refs(self) -> tuple[InstanceRef, ...]:
        """Return the instances in their order."""
        made = _Ids().__getitem__
        found = []
        for row in self._rows:
            own, organisation, study, series, holding, record, pack = map(made, row[:_ID_COUNT])
            place: RecordLocation | PackPlace = (
                PackPlace(self._packs[pack], row[_PLAIN_AT])
                if pack in self._packs
                else RecordLocation(record, *row[_OWNER_AT:_PLAIN_AT])
            )
            fields: Any = (
                own,
                organisation,
                study,
                series,
                holding,
                *self._above[series],
                *row[_PLAIN_AT + 1 : -1],
                place,
                self._lacks(row),
            )
            found.append(InstanceRef(*fields))
        return tuple(found)


def _lacks(done: int, last: int | None) -> int:
    return last if last is not None and done < last else 0


def _raw(value: uuid.UUID | bytes | None) -> bytes:
    return b"" if value is None else value if isinstance(value, bytes) else value.bytes


def _shared(
    session: Session, rows: Sequence[Any], statements: tuple[sa.Select[Any], sa.Select[Any]], place: int
) -> Iterator[Any]:
    """Yield what is found for the ids that stand at `place` of the rows."""
    ids = [uuid.UUID(bytes=_raw(value)) for value in {row[place] for row in rows} - {None}]
    if len(ids) == 1:
        yield from session.execute(statements[0], {"id": ids[0]})
        return
    for start in range(0, len(ids), CHUNK):
        yield from session.execute(statements[1], {"ids": ids[start : start + CHUNK]})


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
_LAST = sa.select(sa.func.max(CORRECTION.c.number))
_CORRECTED = _by_ids(
    sa.select(CORRECTION.c.study_id, sa.func.max(CORRECTION.c.number)).group_by(CORRECTION.c.study_id),
    CORRECTION.c.study_id,
)
_OF_PACK = tuple(PACK.c[name] for name in ("name", "plain_bytes", "toc_offset", "toc_length"))
_PACKS = _by_ids(sa.select(PACK.c.id, *_OF_PACK), PACK.c.id)
_ABOVE_AT = _PACK_NAME_AT + len(_OF_PACK)
_ONE = (  # built once: every frame asks this
    sa.select(
        *_IDS,
        *_PLACE,
        *_PLAIN,
        *_OF_PACK,
        *(STUDY.c.study_uid, SERIES.c.series_uid),
        *(STUDY.c[name] for name in ("patient_issuer", "patient_id_value", "patient_name")),
        _LAST.where(CORRECTION.c.study_id == _INSTANCE.study_id).scalar_subquery(),
    )
    .select_from(
        _SOURCE.outerjoin(PACK, PACK.c.id == _INSTANCE.pack_id)
        .join(SERIES, SERIES.c.id == _INSTANCE.series_id)
        .join(STUDY, STUDY.c.id == SERIES.c.study_id)
    )
    .where(
        _INSTANCE.id == sa.bindparam("id"),
        _INSTANCE.corrected.is_(False),
        _INSTANCE.organisation_id == sa.bindparam("organisation_id"),
        alive(sa.bindparam("now", type_=Instant)),
    )
)
