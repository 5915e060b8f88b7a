"""Who is where in the hospital, as its messages say: on which ward, and on the worklist of a day."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.hl7.models import Hl7Patient, WorklistItem

OPEN = ("scheduled", "started")


@dataclass(frozen=True, slots=True)
class Somebody:
    """A patient by issuer and ID."""

    issuer: str
    patient_id: str
    name: str
    birth_date: date | None
    sex: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """A step that a message has ordered, and for whom."""

    id: uuid.UUID
    patient: Somebody
    modality: str
    study_uid: str


def on_wards(session: Session, organisation_id: uuid.UUID, wards: Collection[str], now: datetime) -> list[Somebody]:
    """Return who is on these wards: not discharged, and not merged into somebody else."""
    c = Hl7Patient
    there = sa.select(c.issuer, c.patient_id, c.name, c.birth_date, c.sex).where(
        c.organisation_id == organisation_id,
        c.ward.in_(wards),
        c.into_patient_id == "",
        sa.or_(c.discharged_at.is_(None), c.discharged_at > now),
    )
    return [Somebody(*row) for row in session.execute(there.order_by(c.issuer, c.patient_id))]


def due_on(session: Session, organisation_id: uuid.UUID, day: date) -> list[Somebody]:
    """Return whom the worklist has for a day, each once."""
    c = WorklistItem
    due = sa.select(c.patient_issuer, c.patient_id, c.patient_name, c.patient_birth_date, c.patient_sex).where(
        c.organisation_id == organisation_id, c.scheduled_date == day, c.state.in_(OPEN), c.patient_id != ""
    )
    people = (Somebody(*row) for row in session.execute(due.order_by(c.scheduled_time, c.id)))
    return list({(one.issuer, one.patient_id): one for one in people}.values())


def ordered_by(session: Session, organisation_id: uuid.UUID, message_id: uuid.UUID) -> Sequence[Ordered]:
    """Return the open steps that a message has ordered or changed last."""
    mine = sa.select(WorklistItem).where(
        WorklistItem.organisation_id == organisation_id,
        WorklistItem.message_id == message_id,
        WorklistItem.state.in_(OPEN),
    )
    return [
        Ordered(
            row.id,
            Somebody(row.patient_issuer, row.patient_id, row.patient_name, row.patient_birth_date, row.patient_sex),
            row.modality,
            row.study_uid,
        )
        for row in session.scalars(mine.order_by(WorklistItem.id))
    ]
