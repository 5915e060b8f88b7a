"""Who is expected on a day, as the worklist that orders make here tells it."""

from __future__ import annotations

import uuid
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.hl7.models import WorklistItem
from radrelay.importer.arrived import Person
from radrelay.importer.waiting import Scheduled, Step

MOST_STEPS = 2000
_COUNTED = ("scheduled", "held", "started", "done")


def scheduled_on(session: Session, organisation_id: uuid.UUID, day: date, own_issuer: str) -> list[Scheduled]:
    """Return the patients of a day, those who come first first; `own_issuer` is who issues IDs that name nobody."""
    item = WorklistItem
    asked = sa.select(item).where(
        item.organisation_id == organisation_id, item.scheduled_date == day, item.state.in_(_COUNTED)
    )
    ordered = asked.order_by(item.scheduled_time, item.id).limit(MOST_STEPS)
    found: dict[tuple[object, ...], tuple[dict[Person, None], list[Step]]] = {}
    for row in session.scalars(ordered):
        issuer = row.patient_issuer or (own_issuer if row.patient_id else "")
        person = Person(row.patient_name, row.patient_id, issuer, row.patient_birth_date, row.patient_sex)
        key = (issuer, person.patient_id) if person.patient_id else (person, "")
        told, steps = found.setdefault(key, ({}, []))
        told.setdefault(person)
        procedure, place = row.procedure_text or row.protocol_text, row.location or row.station_name
        told_of = row.scheduled_time, row.modality, procedure, row.accession_number, place, row.state
        steps.append(Step(*told_of, row.study_uid))
    return [Scheduled(tuple(told), tuple(steps)) for told, steps in found.values()]
