"""The views of messages, as whoever acts on them is handed them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from radrelay.hl7.message.datatypes import Authority, Coded, Identifier

PatientEvent = Literal[
    "admit", "transfer", "discharge", "register", "pre-admit", "to-inpatient", "to-outpatient", "update",
    "cancel-admit", "cancel-transfer", "cancel-discharge", "add-person", "update-person", "merge", "change-id",
]  # fmt: skip
ADT_EVENTS: dict[str, PatientEvent] = {
    "A01": "admit", "A02": "transfer", "A03": "discharge", "A04": "register", "A05": "pre-admit",
    "A06": "to-inpatient", "A07": "to-outpatient", "A08": "update", "A11": "cancel-admit", "A12": "cancel-transfer",
    "A13": "cancel-discharge", "A28": "add-person", "A31": "update-person", "A34": "merge", "A36": "merge",
    "A40": "merge", "A47": "change-id",
}  # fmt: skip
Change = Literal["patient", "order", "report"]
"""What a message is about, by which handlers are chosen."""
UNCODED, NOBODYS = Coded(), Authority()


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient as a message names them.

    `cleared` are the attributes that the message says are to be deleted (`""`); what is empty and not among them was
    not said. `name` is a DICOM person name with its groups. `sex` is DICOM's M, F, O or empty. `authority` issued the
    ID.
    """

    patient_id: str
    issuer: str
    name: str = ""
    birth_date: date | None = None
    sex: str = ""
    account_number: str = ""
    identifiers: tuple[Identifier, ...] = ()
    authority: Authority = NOBODYS
    cleared: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        """Return what the patient is known by: issuer and ID."""
        return self.issuer, self.patient_id


@dataclass(frozen=True, slots=True)
class Visit:
    """Where the patient is (PV1)."""

    patient_class: str = ""
    ward: str = ""
    room: str = ""
    bed: str = ""
    facility: str = ""
    prior_ward: str = ""
    number: str = ""
    attending: str = ""
    referring: str = ""
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """A patient that goes on, and the one that is no more, or the ID that it had."""

    patient: Patient
    prior: Patient


@dataclass(frozen=True, slots=True)
class Adt:
    """What happened to a patient, with merges where that is what happened.

    `recorded_at` is when it was entered (EVN-2), None where only the day is said.
    """

    event: PatientEvent
    patient: Patient
    visit: Visit = Visit()
    merges: tuple[Merge, ...] = ()
    happened_at: datetime | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One scheduled step of an order: of several IPC segments each is one."""

    control: str
    status: str = ""
    placer_number: str = ""
    filler_number: str = ""
    accession_number: str = ""
    accession_authority: Authority = NOBODYS
    requested_procedure_id: str = ""
    scheduled_step_id: str = ""
    study_uid: str = ""
    procedure: Coded = UNCODED
    protocol: Coded = UNCODED
    modality: str = ""
    scheduled_at: datetime | None = None
    station_ae_titles: tuple[str, ...] = ()
    station_name: str = ""
    location: str = ""
    priority: str = ""
    reason: str = ""
    requesting_physician: str = ""
    performing_physician: str = ""
    comments: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that came in an observation."""

    media_type: str
    content: bytes = field(repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its text as lines, its documents, what it is about, how final it is."""

    title: str = ""
    status: str = ""
    text: str = ""
    documents: tuple[Document, ...] = ()
    document_number: str = ""
    placer_number: str = ""
    filler_number: str = ""
    accession_number: str = ""
    study_uids: tuple[str, ...] = ()
    author: str = ""
    at: datetime | None = None
