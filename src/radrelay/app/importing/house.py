"""What the importer asks of the rest of the house: who is here, what is here, and where filed studies go on to."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import Principal, system_principal
from radrelay.app.importing.archives import (
    Asking,
    Resting,
    archived_candidates,
    archived_holders,
    archives_of,
    together,
)
from radrelay.app.importing.authorities import authority_of
from radrelay.app.importing.candidates import held_candidates, import_orders
from radrelay.app.importing.holders import holders_of
from radrelay.app.importing.schedule import scheduled_on
from radrelay.app.importing.versions import Here, digests_of, here_of, keep_digests
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.models import Source, Study
from radrelay.archive.reader import InstanceReader
from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.importer.arrived import ArrivedObject
from radrelay.importer.duplicates import KeptObject, PatientKey
from radrelay.importer.local_values import tidied, tidied_order
from radrelay.importer.matching import Candidate
from radrelay.importer.models import ImportCase, ImportPerson
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import LocalPatient, Order
from radrelay.importer.surroundings import Candidates, Known, Site
from radrelay.importer.waiting import Scheduled
from radrelay.importer.written_down import chosen_of, order_of
from radrelay.intake.sources import PORTAL
from radrelay.retrieve.ports import Connector
from radrelay.routing import deliveries
from radrelay.routing.models import Delivery
from radrelay.settings import RetrieveSettings
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

CHUNK = 500
Value = TypeVar("Value")


class House:
    """Answers for one installation; thread-safe."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        reader: InstanceReader,
        archives: Connector | None = None,
        retrieve: RetrieveSettings | None = None,
    ) -> None:
        """Ask archives elsewhere, too, where there is what asks them (`archives`, as `retrieve` says)."""
        self._database, self._clock, self._reader = database, clock, reader
        self._archives, self._retrieve, self._resting = archives, retrieve, Resting()

    def asking(self) -> Asking:
        """Begin to ask other systems for the people of a parcel."""
        return Asking()

    def candidates(
        self, of: Site, arrived: ArrivedPerson, entered: date | None, asking: Asking | None = None
    ) -> Candidates:
        """Return who somebody in a parcel may be here."""
        held = self.near(of, arrived, entered)
        with self._database.read() as session:
            nodes = archives_of(session, of.organisation_id) if self._archives is not None else []
            own = own_issuer(session, *of)
        if self._archives is not None and self._retrieve is not None:
            asked = archived_candidates(self._archives, nodes, self._retrieve, arrived, entered, self._resting, asking)
            held = together((held, asked))
        return replace(held, found=tuple(_issued(one, own) for one in held.found))

    def near(self, of: Site, arrived: ArrivedPerson, entered: date | None) -> Candidates:
        """Return who somebody in a parcel may be as far as archive, HL7 and worklist know here."""
        with self._database.read() as session:
            held = held_candidates(session, of.organisation_id, arrived, entered)
            own = own_issuer(session, *of)
        return replace(held, found=tuple(_issued(one, own) for one in held.found))

    def issued(self, of: Site, patient: LocalPatient) -> LocalPatient:
        """Return a patient with who issued the ID, as it is known here: one that names nobody is the house's own."""
        with self._database.read() as session:
            own = own_issuer(session, *of)
            issuer = patient.issuer or own
            told = authority_of(session, of.organisation_id, patient.patient_id, issuer, own)
        return replace(patient, issuer=issuer, authority=told)

    def elsewhere(self, of: Site, patient_id: str) -> Candidates:
        """Return whom archives elsewhere know by a patient ID."""
        if self._archives is None or self._retrieve is None:
            return Candidates()
        with self._database.read() as session:
            nodes, own = archives_of(session, of.organisation_id), own_issuer(session, *of)
        found = archived_holders(self._archives, nodes, self._retrieve, patient_id)
        return replace(found, found=tuple(_issued(one, own) for one in found.found))

    def orders(self, of: Site, patient_id: str, issuer: str) -> Sequence[Order]:
        """Return orders of a local patient that a study from elsewhere may be filed under, the newest first."""
        with self._database.read() as session:
            return _orders(session, of, patient_id, issuer, own_issuer(session, *of))

    def scheduled(self, session: Session, organisation_id: uuid.UUID, day: date) -> Sequence[Scheduled]:
        """Return who is expected here on a day, in the order in which they come."""
        return scheduled_on(session, organisation_id, day, _one_issuer(session, organisation_id))

    def known(self, of: Site, objects: Sequence[ArrivedObject], people: Sequence[ImportPerson] = ()) -> Known:
        """Return what is here already of objects in a parcel, and of whom was chosen for people in it.

        What is here and has no digests yet is read for them, with no connection taken meanwhile; they are kept.
        """
        told = [(patient, order_of(one)) for one in people if (patient := chosen_of(one)) is not None]
        with self._database.read() as session:
            own = own_issuer(session, *of)
            known = self._patients(session, of, objects, own)
            here = here_of(session, of.organisation_id, objects, self._clock.now())
            now, unread = self._clock.now(), [one.id for one in here if one.wants_reading]
            refs = [
                ref for some in _chunks(unread)
                for ref in find_instances(session, now, organisation_id=of.organisation_id, instance_ids=some)
            ]  # fmt: skip
            known = replace(
                known,
                holders={
                    one.patient_id: holders_of(session, of.organisation_id, one.patient_id, own) for one, _ in told
                },
                orders={
                    (one.issuer, one.patient_id): _orders(session, of, one.patient_id, one.issuer, own)
                    for one, _ in told
                },
                numbered={
                    order.accession: _numbered(session, of.organisation_id, order.accession)
                    for _, order in told if order is not None
                },
            )  # fmt: skip
        return replace(known, objects=self._kept(here, refs))

    def _patients(self, session: Session, of: Site, objects: Sequence[ArrivedObject], own: str) -> Known:
        """Return whose the studies are that are here, and which studies have the accession numbers of a parcel."""
        studies = sorted({one.study_uid for one in objects})
        accessions = sorted({one.accession for one in objects if one.accession})
        patients: dict[str, set[PatientKey]] = {}
        mine = Study.organisation_id == of.organisation_id
        for chunk in _chunks(studies):
            whose = sa.select(Study.study_uid, Study.patient_issuer, Study.patient_id_value)
            for one in session.execute(whose.where(mine, Study.study_uid.in_(chunk))):
                patients.setdefault(one.study_uid, set()).add((one.patient_issuer or own, one.patient_id_value))
        taken: dict[str, set[str]] = {}
        for chunk in _chunks(accessions):
            of_number = sa.select(Study.accession_number, Study.study_uid)
            for number in session.execute(of_number.where(mine, Study.accession_number.in_(chunk))):
                taken.setdefault(number.accession_number, set()).add(number.study_uid)
        return Known({}, patients, taken)

    def _kept(self, here: Sequence[Here], refs: Sequence[InstanceRef]) -> dict[str, list[KeptObject]]:
        """Return versions of objects that are here: as an import noted them, else by their bytes."""
        made = {ref.id: digests_of(self._reader, ref) for ref in refs}
        if made:
            with self._database.write() as session:
                keep_digests(session, made)
        kept: dict[str, list[KeptObject]] = {}
        for one in here:
            kept.setdefault(one.sop_uid, []).append(one.as_kept(made.get(one.id)))
        return kept

    def send_on(
        self, session: Session, case: ImportCase, person: ImportPerson, study_uids: Collection[str],
        again: Principal | None = None,
    ) -> int:  # fmt: skip
        """Ask for the delivery of what was filed; returns of how many studies. Why not of all, stands with whom.

        `again`: who asks for what did not go when it was filed; what went then does not go twice.
        """
        person.unsent = ""
        if person.destination_id is None:
            return 0
        asked = sa.select(Study.id).where(
            Study.organisation_id == case.organisation_id, Study.study_uid.in_(sorted(study_uids))
        )
        sent, who = 0, again or system_principal(case.organisation_id)
        by = again.name if again is not None else person.filed_by
        for study_id in session.scalars(asked.order_by(Study.study_uid)).all():
            if again is not None and _has_gone(session, case, person, study_id):
                sent += 1
                continue
            try:
                delivery = deliveries.request_delivery(
                    session, self._clock, organisation_id=case.organisation_id,
                    destination_id=person.destination_id, study_id=study_id, series_id=None,
                    requested_by=by, correlation_id=case.correlation_id,
                )  # fmt: skip
            except RadrelayError as error:  # a destination that is gone must not cost what was filed
                log.warning("an import is not sent on", case=str(case.id), code=error.code)
                person.unsent = error.code[:64]
                continue
            detail = {"by": "import", "destination": person.destination_id, "delivery": delivery.id}
            audit.record(session, audit.AuditRecord("study.forward", who, "study", study_id, detail))
            sent += 1
        return sent


def _has_gone(session: Session, case: ImportCase, person: ImportPerson, study_id: uuid.UUID) -> bool:
    """Tell whether a study of an import has been sent to the person's destination since they were filed."""
    asked = sa.select(Delivery.id).where(
        Delivery.organisation_id == case.organisation_id, Delivery.destination_id == person.destination_id,
        Delivery.study_id == study_id, Delivery.correlation_id == case.correlation_id,
        Delivery.created_at >= person.filed_at, Delivery.state != "cancelled",
    )  # fmt: skip
    return session.scalar(asked.limit(1)) is not None


def own_issuer(session: Session, organisation_id: uuid.UUID, source_id: uuid.UUID) -> str:
    """Return who issues the patient IDs of a house, as the source that an import comes by says; nothing if not."""
    mine = (Source.organisation_id == organisation_id, Source.id == source_id)
    return session.scalar(sa.select(Source.issuer_of_patient_id).where(*mine)) or ""


def _one_issuer(session: Session, organisation_id: uuid.UUID) -> str:
    """Return who issues the patient IDs of an organisation, where all its sources of portals that say it agree."""
    mine = (Source.organisation_id == organisation_id, Source.kind == PORTAL, Source.issuer_of_patient_id != "")
    told = session.scalars(sa.select(Source.issuer_of_patient_id).where(*mine).distinct().limit(2)).all()
    return told[0] if len(told) == 1 else ""


def _issued(one: Candidate, own: str) -> Candidate:
    """Return a candidate as objects can hold them, with the house's own issuer where a place names none."""
    person = tidied(one.person)
    if person.patient_id and not person.issuer:
        person = replace(person, issuer=own)
    return replace(one, person=person)


def _orders(session: Session, of: Site, patient_id: str, issuer: str, own: str) -> tuple[Order, ...]:
    found = import_orders(session, of.organisation_id, patient_id, issuer, own)
    return tuple(tidied_order(one) for one in found.values())


def _numbered(session: Session, organisation_id: uuid.UUID, accession: str) -> Sequence[str]:
    mine = (Study.organisation_id == organisation_id, Study.accession_number == accession)
    return session.scalars(sa.select(Study.study_uid).where(*mine).limit(CHUNK)).all()


def _chunks(values: Sequence[Value]) -> Iterable[Sequence[Value]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
