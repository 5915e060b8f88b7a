"""What objects cite by UID, found as rows: of the same patient, alive, and within a scope; all else is not there.

A drawing may name images that its reader must not see, or, by mistake or malice, another patient's. Neither is found.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.instances import CHUNK, alive
from radrelay.archive.tables import INSTANCE, SERIES, STUDY

_I, _S, _ST = INSTANCE.c, SERIES.c, STUDY.c


class _Space(msgspec.Struct, frozen=True, rename={"space": "00200052"}):
    """The part of a series' attributes (DICOM JSON) that says in which frame of reference it lies."""

    space: msgspec.Raw = msgspec.Raw()


class _Texts(msgspec.Struct, frozen=True):
    Value: tuple[str, ...] = ()


_space_of = msgspec.json.Decoder(_Space)
_texts_of = msgspec.json.Decoder(_Texts)


def _chunks(uids: Iterable[str]) -> Iterator[list[str]]:
    wanted = sorted(set(uids))
    for start in range(0, len(wanted), CHUNK):
        yield wanted[start : start + CHUNK]


def _of_patient(study_id: uuid.UUID) -> sa.ColumnElement[bool]:
    """Return the condition that a study is that one, or another of the same person beyond doubt."""
    beside = STUDY.alias()
    found = sa.select(beside.c.id).where(beside.c.id == study_id, access.of_one_person(_ST, beside.c))
    return sa.or_(_ST.id == study_id, found.exists())


def _living(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(_ST.expires_at.is_(None), _ST.expires_at > now)


def cited_instances(
    session: Session, now: datetime, study_id: uuid.UUID, sop_uids: Iterable[str], within: sa.ColumnElement[bool]
) -> dict[str, tuple[uuid.UUID, uuid.UUID]]:
    """Return (instance, series) by SOP Instance UID: current versions, of the patient of `study_id`.

    `within` is a scope's filter over the columns of `INSTANCE`.
    """
    found: dict[str, tuple[uuid.UUID, uuid.UUID]] = {}
    for uids in _chunks(sop_uids):
        rows = session.execute(
            sa.select(_I.sop_uid, _I.id, _I.series_id)
            .join_from(INSTANCE, STUDY, _ST.id == _I.study_id)
            .where(_I.sop_uid.in_(uids), _I.current, alive(now), _of_patient(study_id), _living(now), within)
            .where(_I.organisation_id == _ST.organisation_id)
        )
        found.update((uid, (instance, series)) for uid, instance, series in rows)
    return found


def series_in_space(
    session: Session, now: datetime, study_id: uuid.UUID, within: sa.ColumnElement[bool]
) -> dict[str, list[uuid.UUID]]:
    """Return the series of `study_id` by the frame of reference that their planes lie in (PS3.3 C.7.4.1)."""
    found: dict[str, list[uuid.UUID]] = {}
    statement = (
        sa.select(_S.id, _S.attributes)
        .join_from(SERIES, STUDY, _ST.id == _S.study_id)
        .where(_S.study_id == study_id, _living(now), within)
        .order_by(_S.number.is_(None), _S.number, _S.series_uid)
    )
    for series, attributes in session.execute(statement):
        for uid in _texts(attributes):
            found.setdefault(uid, []).append(series)
    return found


def space_of(attributes: str) -> str:
    """Return the Frame of Reference UID that a series' attributes name; empty for none."""
    return next(iter(_texts(attributes)), "")


def _texts(attributes: str) -> tuple[str, ...]:
    try:
        space = _space_of.decode(attributes).space
        return _texts_of.decode(space).Value[:1] if bytes(space) else ()
    except msgspec.MsgspecError:
        return ()
