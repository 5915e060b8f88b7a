"""Who has a patient ID here, as the archive, HL7 and the worklist tell it; of one that HL7 merged, who has it now."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.app.importing.candidates import LAPSED
from radrelay.archive.models import Study
from radrelay.hl7.models import Hl7Patient, WorklistItem
from radrelay.hl7.patients.keeping import survivors
from radrelay.importer.arrived import Person
from radrelay.importer.holding import Holder
from radrelay.importer.matching import Candidate

MOST_HOLDERS = 500


def holders_of(session: Session, organisation_id: uuid.UUID, patient_id: str, own_issuer: str) -> list[Holder]:
    """Return who has a patient ID, of any issuer; `own_issuer` is who issues IDs that name nobody."""
    if not patient_id:
        return []
    found: dict[Holder, None] = {}
    for one in (*_archived(session, organisation_id, patient_id), *_told(session, organisation_id, patient_id)):
        person = one.told.person
        issued = Person(person.name, patient_id, person.issuer or own_issuer, person.birth_date, person.sex)
        found.setdefault(Holder(Candidate(one.told.origin, issued), one.into, one.now))
    return list(found)


def _archived(session: Session, organisation_id: uuid.UUID, patient_id: str) -> Iterator[Holder]:
    s, w = Study, WorklistItem
    studies = sa.select(s.patient_name, s.patient_id_value, s.patient_issuer, s.patient_birth_date, s.patient_sex)
    orders = sa.select(w.patient_name, w.patient_id, w.patient_issuer, w.patient_birth_date, w.patient_sex)
    of_studies = studies.where(s.organisation_id == organisation_id, s.patient_id_value == patient_id)
    of_orders = orders.where(
        w.organisation_id == organisation_id, w.patient_id == patient_id, w.state.not_in(LAPSED)
    )  # fmt: skip
    for row in session.execute(of_studies.distinct().limit(MOST_HOLDERS)):
        yield Holder(Candidate("archive", Person(*row)))
    for row in session.execute(of_orders.distinct().limit(MOST_HOLDERS)):
        yield Holder(Candidate("worklist", Person(*row)))


def _told(session: Session, organisation_id: uuid.UUID, patient_id: str) -> Iterator[Holder]:
    h = Hl7Patient
    asked = sa.select(h).where(h.organisation_id == organisation_id, h.patient_id == patient_id)
    rows = session.scalars(asked.order_by(h.issuer).limit(MOST_HOLDERS)).all()
    for row, now in zip(rows, survivors(session, rows), strict=True):
        into = f"{now.patient_id} ({now.issuer})" if now.issuer else now.patient_id
        person = Person(now.name, row.patient_id, row.issuer, now.birth_date, now.sex)
        merged = now is not row
        yield Holder(Candidate("hl7", person), into if merged else "", (now.issuer, now.patient_id) if merged else None)
