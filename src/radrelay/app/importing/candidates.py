"""Who somebody in a parcel may be here, as the archive, HL7 and the worklist tell of patients, and their orders.

Each place is asked within one organisation for the same birth date or patient ID; names are then folded and compared,
for a name alone is written too differently to search by. A patient is told of once by each place that knows them, so
that contradictions between places show. A place that has more than can be looked at is named: its answer is not whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.app.importing.authorities import authority
from radrelay.archive.models import Study
from radrelay.hl7.models import Hl7Patient, WorklistItem
from radrelay.importer.arrived import Person
from radrelay.importer.folding import compare
from radrelay.importer.matching import Candidate, Origin
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import Order
from radrelay.importer.surroundings import Candidates

MOST_LOOKED_AT = 2000
MOST_CANDIDATES = 50
LAPSED = ("cancelled", "discontinued")
"""Orders that tell of nobody any more."""
_PLACES: dict[Origin, type[Study | Hl7Patient | WorklistItem]] = {
    "archive": Study, "hl7": Hl7Patient, "worklist": WorklistItem,
}  # fmt: skip


def held_candidates(
    session: Session, organisation_id: uuid.UUID, arrived: ArrivedPerson, entered: date | None
) -> Candidates:
    """Return patients of the same birth date or ID whose names are not plainly others'."""
    born = {day for day in (*(one.birth_date for one in arrived.people), entered) if day is not None}
    ids = {one.patient_id for one in arrived.people if one.patient_id}
    found: list[Candidate] = []
    cut: list[str] = []
    for origin in _PLACES:
        told = list(_told(session, organisation_id, origin, born, ids))
        near = [Candidate(origin, one) for one in told[:MOST_LOOKED_AT] if _may_be(arrived, one, ids)]
        found += near[:MOST_CANDIDATES]
        if len(told) > MOST_LOOKED_AT or len(near) > MOST_CANDIDATES:
            cut.append(origin)
    return Candidates(tuple(found), tuple(cut))


def import_orders(
    session: Session, organisation_id: uuid.UUID, patient_id: str, issuer: str, own_issuer: str = ""
) -> dict[uuid.UUID, Order]:
    """Return orders of a local patient that a study from elsewhere may be filed under, the newest first, by item.

    An order that names no issuer means the house's own.
    """
    issuers = {issuer, ""} if issuer == own_issuer else {issuer}
    item = WorklistItem
    asked = sa.select(item).where(
        item.organisation_id == organisation_id, item.patient_id == patient_id, item.patient_issuer.in_(issuers),
        item.patient_id != "", item.accession_number != "", item.state.not_in(LAPSED),
    )  # fmt: skip
    newest = asked.order_by(item.scheduled_date.desc(), item.scheduled_time.desc(), item.id).limit(MOST_CANDIDATES)
    return {
        one.id: Order(
            accession=one.accession_number, accession_authority=authority(one.accession_authority),
            study_id=one.requested_procedure_id[:16],
            procedure_id=one.requested_procedure_id[:16], procedure=one.procedure_text,
            step_id=one.step_id[:16], step=one.protocol_text,
        )
        for one in session.scalars(newest)
    }  # fmt: skip


def _may_be(arrived: ArrivedPerson, local: Person, ids: Collection[str]) -> bool:
    """Say whether somebody is worth a look: a family name may have changed with a marriage, the ID tells it."""
    named = [compare(one.name, local.name) for one in arrived.people]
    return local.patient_id in ids or any(one.degree != "other" or one.reason != "names" for one in named)


def _told(
    session: Session, organisation_id: uuid.UUID, origin: Origin, born: Collection[date], ids: Collection[str]
) -> Iterator[Person]:
    """Yield who is near, each as often as a place tells differently of them; one more than is looked at."""
    table = _PLACES[origin]
    if table is Hl7Patient:
        h = Hl7Patient
        columns = (h.name, h.patient_id, h.issuer, h.birth_date, h.sex)
        alive = h.into_patient_id == ""
    elif table is WorklistItem:
        w = WorklistItem
        columns = (w.patient_name, w.patient_id, w.patient_issuer, w.patient_birth_date, w.patient_sex)
        alive = w.state.not_in(LAPSED)
    else:
        s = Study
        columns = (s.patient_name, s.patient_id_value, s.patient_issuer, s.patient_birth_date, s.patient_sex)
        alive = sa.true()
    asked = sa.select(*columns).where(table.organisation_id == organisation_id, alive)
    once = asked.distinct().order_by(*columns).limit(MOST_LOOKED_AT + 1)
    found: dict[Person, None] = {}
    for column, values in ((columns[3], sorted(born)), (columns[1], sorted(ids))):  # each by its own index
        if values:
            found |= {Person(*row): None for row in session.execute(once.where(column.in_(values)))}
    yield from found
