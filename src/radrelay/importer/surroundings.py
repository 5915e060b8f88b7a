"""What the importer asks of the rest of the house, handed in by the composition root.

Who a person in a parcel may be here is known to worklists, HL7 and archives; what is here already to the archive; what
is filed goes on by a delivery.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Protocol

from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.importer.arrived import ArrivedObject
from radrelay.importer.duplicates import KeptObject, PatientKey
from radrelay.importer.findings import LocalKey
from radrelay.importer.holding import Holder
from radrelay.importer.matching import Candidate
from radrelay.importer.models import ImportCase, ImportPerson
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import LocalPatient, Order
from radrelay.importer.waiting import Scheduled

KNOWN_AT_ONCE = 100


class Site(NamedTuple):
    """Where an import comes in: an organisation, and the source of it, which says who issues the house's own IDs."""

    organisation_id: uuid.UUID
    source_id: uuid.UUID

    @classmethod
    def of(cls, case: ImportCase) -> Site:
        """Return where an import comes in."""
        return cls(case.organisation_id, case.source_id)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who somebody may be here, and the places that did not answer when they were asked."""

    found: tuple[Candidate, ...] = ()
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is here of some objects: versions by SOP Instance UID, whose studies they are, studies by accession.

    Of the patients who were chosen also who has their ID here, of any issuer, their orders, and which studies have the
    accession number of the order that was chosen. None where nothing is known here at all; of whom it was not asked,
    nobody may take it as told (`KeyError`).
    """

    objects: Mapping[str, Sequence[KeptObject]] = field(default_factory=dict)
    patients: Mapping[str, Collection[PatientKey]] = field(default_factory=dict)
    accessions: Mapping[str, Collection[str]] = field(default_factory=dict)
    holders: Mapping[str, Sequence[Holder]] | None = None
    orders: Mapping[LocalKey, Sequence[Order]] | None = None
    numbered: Mapping[str, Collection[str]] | None = None

    def who_has(self, patient_id: str) -> Sequence[Holder]:
        """Return who has a patient ID here, of any issuer."""
        return () if self.holders is None else self.holders[patient_id]

    def orders_of(self, issuer: str, patient_id: str) -> Sequence[Order]:
        """Return the orders of a patient."""
        return () if self.orders is None else self.orders[issuer, patient_id]

    def studies_of(self, accession: str) -> Collection[str]:
        """Return the UIDs of the studies that have an accession number."""
        return () if self.numbered is None else self.numbered[accession]


class Surroundings(Protocol):
    """What the importer asks of the rest of the house."""

    def asking(self) -> Any:
        """Begin to ask other systems for the people of a parcel: all of it is bounded, the same is asked once."""
        ...

    def candidates(self, of: Site, arrived: ArrivedPerson, entered: date | None, asking: Any = None) -> Candidates:
        """Return who somebody in a parcel may be here; asks other systems, so outside of any transaction.

        `asking` is what began with the parcel (`asking`).
        """
        ...

    def near(self, of: Site, arrived: ArrivedPerson, entered: date | None) -> Candidates:
        """Return who somebody in a parcel may be as far as this house knows by itself: no other system is asked."""
        ...

    def issued(self, of: Site, patient: LocalPatient) -> LocalPatient:
        """Return a patient with who issued the ID, as it is known here: one that names nobody is the house's own."""
        ...

    def elsewhere(self, of: Site, patient_id: str) -> Candidates:
        """Return whom archives elsewhere know by a patient ID; asks them, so outside of any transaction."""
        ...

    def orders(self, of: Site, patient_id: str, issuer: str) -> Sequence[Order]:
        """Return orders of a local patient that a study from elsewhere may be filed under, the newest first."""
        ...

    def scheduled(self, session: Session, organisation_id: uuid.UUID, day: date) -> Sequence[Scheduled]:
        """Return who is expected here on a day, in the order in which they come."""
        ...

    def known(self, of: Site, objects: Sequence[ArrivedObject], people: Sequence[ImportPerson] = ()) -> Known:
        """Return what is here already of objects in a parcel, and of whom was chosen for people in it.

        Objects that are here may have to be read for it, so outside of any transaction.
        """
        ...

    def send_on(
        self, session: Session, case: ImportCase, person: ImportPerson, study_uids: Collection[str],
        again: Principal | None = None,
    ) -> int:  # fmt: skip
        """Ask for the delivery of what was filed, in the transaction in which it counts as filed; returns of how many
        studies. Why not of all stands with the person (`unsent`). `again`: who asks for what did not go then.
        """
        ...


def know_ahead(
    here: Surroundings, case: ImportCase, people: Iterable[ArrivedPerson], look: Callable[[], None]
) -> None:  # fmt: skip
    """Have what is here of a parcel's objects read while it is checked, as far as it has to be: nobody waits yet."""
    objects = [one for arrived in people for study in arrived.studies for one in study.objects]
    for start in range(0, len(objects), KNOWN_AT_ONCE):
        look()
        here.known(Site.of(case), objects[start : start + KNOWN_AT_ONCE])
