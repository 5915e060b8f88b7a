"""Finding instances and where their bytes lie: one query for many, those past their time left out."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Holding, Instance, InstanceHolding, Series, Study
from radrelay.storage.models import LandingRecord, Pack
from radrelay.storage.packs import PackRef
from radrelay.storage.segments import RecordLocation


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
    received_at: datetime
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
    """Return instances with living holdings, by series and number.

    Parameters
    ----------
    within
        A scope's filter; none only where the system itself reads.
    current
        False includes superseded versions.
    """
    query = _query().where(Instance.organisation_id == organisation_id, alive(now))
    if study_id is not None:
        query = query.where(Instance.study_id == study_id)
    if series_id is not None:
        query = query.where(Instance.series_id == series_id)
    if instance_ids is not None:
        query = query.where(Instance.id.in_(instance_ids))
    if within is not None:
        query = query.where(within)
    if current:
        query = query.where(Instance.current.is_(True))
    query = query.order_by(Instance.series_id, Instance.number.is_(None), Instance.number, Instance.sop_uid)
    return [_ref(row) for row in session.execute(query)]


def alive(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that some holding of an instance has not ended."""
    own = sa.exists().where(Holding.id == Instance.holding_id, _lasting(now))
    further = sa.exists().where(
        InstanceHolding.instance_id == Instance.id, Holding.id == InstanceHolding.holding_id, _lasting(now)
    )
    return sa.or_(own, further)


def _lasting(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Holding.ends_at.is_(None), Holding.ends_at > now)


def _query() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            Instance.id,
            Instance.organisation_id,
            Instance.study_id,
            Instance.series_id,
            Instance.holding_id,
            Study.study_uid,
            Series.series_uid,
            Instance.sop_uid,
            Instance.sop_class_uid,
            Instance.transfer_syntax_uid,
            Instance.number,
            Instance.frames,
            Instance.size,
            Instance.sha256,
            Instance.received_at,
            Instance.file_name,
            Instance.pack_entry,
            LandingRecord.id.label("record_id"),
            LandingRecord.owner,
            LandingRecord.segment,
            LandingRecord.epoch,
            LandingRecord.offset,
            LandingRecord.length,
            Pack.id.label("pack_id"),
            Pack.name,
            Pack.plain_bytes,
            Pack.toc_offset,
            Pack.toc_length,
        )
        .join(Study, Study.id == Instance.study_id)
        .join(Series, Series.id == Instance.series_id)
        .outerjoin(LandingRecord, LandingRecord.id == Instance.record_id)
        .outerjoin(Pack, Pack.id == Instance.pack_id)
        .where(sa.or_(LandingRecord.id.is_not(None), Pack.id.is_not(None)))
    )


def _ref(row: Any) -> InstanceRef:
    place: RecordLocation | PackPlace
    if row.pack_id is not None:
        ref = PackRef(row.pack_id, row.name, row.plain_bytes, row.toc_offset, row.toc_length)
        place = PackPlace(ref, row.pack_entry)
    else:
        place = RecordLocation(row.record_id, row.owner, row.segment, row.epoch, row.offset, row.length)
    fields: Any = (*row[:16], place)
    return InstanceRef(*fields)
