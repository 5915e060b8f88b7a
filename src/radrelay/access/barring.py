"""Restriction of processing (GDPR Art. 18): a person's studies are kept, and no grant opens them.

They are not shown, found, sent, shared or deleted, nor do they expire, until a person lifts it. That takes that the
data subject was told before (Art. 18 (3)), so no day lifts it by itself: `review_on` only asks to look again. It is the
same table as of restricted studies, marked `barred`, so what arrives falls under it in the transaction that indexes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access import restrictions
from radrelay.access.models import Restricted, Restriction
from radrelay.access.restrictions import Wanted
from radrelay.errors import Invalid, NotFound
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember

Ground = Literal["accuracy", "unlawful", "claims", "objection"]
"""Why a person may ask for it: Art. 18 (1) a to d."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What processing is restricted of, and why; `studies` are those that are here."""

    id: uuid.UUID
    kind: Literal["study", "patient"]
    value: str
    issuer: str
    ground: Ground
    reason: str
    review_on: date | None
    request_id: uuid.UUID | None
    made_by: str
    created_at: datetime
    studies: int


@dataclass(frozen=True, slots=True)
class WantedBar:
    """A patient (issuer and ID), or single studies by UID where several people have the ID."""

    issuer: str
    patient_id: str
    ground: Ground
    reason: str
    review_on: date | None
    request_id: uuid.UUID
    study_uids: tuple[str, ...] = ()


def bar(session: Session, organisation_id: uuid.UUID, wanted: WantedBar, made_by: str, now: datetime) -> list[Bar]:
    """Restrict processing of what is here and of what will come; what stands for this request already stays.

    What stands for another request of the person is no part of it: each is lifted by itself, with its own reasons.

    The caller holds the archive's lock. Raises `Invalid` without a patient ID.
    """
    if not wanted.patient_id:
        raise Invalid("processing is restricted of a patient's data", field="patient_id")
    named = [Wanted("study", uid) for uid in wanted.study_uids]
    made = []
    for one in named or [Wanted("patient", wanted.patient_id, wanted.issuer)]:
        row = _standing(session, organisation_id, one, wanted.request_id)
        if row is None:
            row = Restriction(
                id=new_id(), organisation_id=organisation_id, kind=one.kind, value=one.value, issuer=one.issuer,
                reason=" ".join(wanted.reason.split())[:400], made_by=made_by[:200], created_at=now, barred=True,
                ground=wanted.ground, review_on=wanted.review_on, request_id=wanted.request_id,
            )  # fmt: skip
            restrictions.apply(session, row)
            restrictions.keep(session, row)
        made.append(row)
    return _views(session, made)


def unbar(session: Session, organisation_id: uuid.UUID, bar_id: uuid.UUID) -> Bar:
    """Lift a restriction of processing and return it as it was; raises `NotFound`."""
    row = session.get(Restriction, bar_id, with_for_update=True)
    if row is None or row.organisation_id != organisation_id or not row.barred:
        raise NotFound("processing is not restricted by this, or no longer")
    (view,) = _views(session, [row])
    restrictions.remove(session, row)
    remember(session, organisation_id, "lift", {"id": bar_id})
    return view


def bars(session: Session, organisation_id: uuid.UUID) -> list[Bar]:
    """Return of whom processing is restricted, the newest first."""
    mine = sa.select(Restriction).where(Restriction.organisation_id == organisation_id, Restriction.barred.is_(True))
    return _views(session, session.scalars(mine.order_by(Restriction.created_at.desc(), Restriction.id)).all())


def barred_ids(organisation_id: uuid.UUID | None = None) -> sa.Select[Any]:
    """Return the statement for the studies of which processing is restricted."""
    found = sa.select(Restricted.study_id).where(Restricted.barred.is_(True))
    return found if organisation_id is None else found.where(Restricted.organisation_id == organisation_id)


def is_barred(session: Session, study_id: uuid.UUID) -> bool:
    """Say whether processing of a study is restricted."""
    return session.scalar(barred_ids().where(Restricted.study_id == study_id).limit(1)) is not None


def kept_aside(columns: Any) -> ColumnElement[bool]:
    """Return the condition that an object in quarantine is of a study or patient whose processing is restricted.

    `columns` has organisation_id, study_uid and patient_id_value; of a patient ID any issuer's counts.
    """
    covers = sa.or_(
        sa.and_(Restriction.kind == "patient", Restriction.value == columns.patient_id_value),
        sa.and_(Restriction.kind == "study", Restriction.value == columns.study_uid),
    )
    mine = Restriction.organisation_id == columns.organisation_id
    return sa.select(Restriction.id).where(mine, Restriction.barred.is_(True), covers).exists()


def _standing(
    session: Session, organisation_id: uuid.UUID, one: Wanted, request_id: uuid.UUID
) -> Restriction | None:  # fmt: skip
    return session.scalar(
        sa.select(Restriction).where(
            Restriction.organisation_id == organisation_id, Restriction.kind == one.kind,
            Restriction.value == one.value, Restriction.issuer == one.issuer, Restriction.barred.is_(True),
            Restriction.request_id == request_id,
        )
    )  # fmt: skip


def _views(session: Session, rows: Collection[Restriction]) -> list[Bar]:
    counted = sa.select(Restricted.restriction_id, sa.func.count()).group_by(Restricted.restriction_id)
    ids = [row.id for row in rows]
    counts = dict(session.execute(counted.where(Restricted.restriction_id.in_(ids))).all()) if ids else {}
    return [
        Bar(
            row.id, cast("Literal['study', 'patient']", row.kind), row.value, row.issuer, cast("Ground", row.ground),
            row.reason, row.review_on, row.request_id, row.made_by, row.created_at, counts.get(row.id, 0),
        )
        for row in rows
    ]  # fmt: skip
