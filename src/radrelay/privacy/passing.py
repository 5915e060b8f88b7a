"""Patients of a clinic for which the organisation only processes data: their requests are the clinic's to answer.

A source may name the clinic whose patients it brings. A request about somebody whose studies such a source holds is
passed on to that clinic (GDPR Art. 28 (3) e): the letter's words are made here, and what is kept is to whom, how, when
and by whom. Where nothing that is held is the organisation's own to decide, the clock stops with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Source
from radrelay.errors import Invalid, NotFound
from radrelay.privacy.contacts import Contacts
from radrelay.privacy.models import PrivacyClinic, PrivacyPassing
from radrelay.privacy.notice import Language
from radrelay.privacy.requests import SHORTEST_REASON, RequestView
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_rows


class ClinicInvalid(Invalid):
    """A clinic has a name, and how it is reached."""

    code = "clinic-invalid"


@dataclass(frozen=True, slots=True)
class Clinic:
    """The clinic whose patients a source brings."""

    source_id: uuid.UUID
    source: str
    name: str
    contact: str
    address: str


@dataclass(frozen=True, slots=True)
class Passing:
    """A request was passed on to a clinic."""

    source_id: uuid.UUID
    clinic: str
    contact: str
    how: str
    at: datetime
    by: str


def clinics(session: Session, organisation_id: uuid.UUID) -> dict[uuid.UUID, Clinic]:
    """Return the clinics that decide, by the source that brings their patients."""
    rows = session.execute(
        sa.select(PrivacyClinic, Source.name)
        .join(Source, Source.id == PrivacyClinic.source_id)
        .where(PrivacyClinic.organisation_id == organisation_id)
        .order_by(Source.name)
    )
    return {row.source_id: Clinic(row.source_id, source, row.name, row.contact, row.address) for row, source in rows}


def set_clinic(
    session: Session, organisation_id: uuid.UUID, source_id: uuid.UUID, name: str, contact: str, address: str,
    now: datetime,
) -> None:  # fmt: skip
    """Say whose patients a source brings; an empty name: the organisation's own.

    Raises `NotFound` for a source that is not there, `ClinicInvalid` where nobody knows how to reach the clinic.
    """
    source = session.get(Source, source_id)
    if source is None or source.organisation_id != organisation_id:
        raise NotFound("there is no such source")
    if not name.strip():
        session.execute(sa.delete(PrivacyClinic).where(PrivacyClinic.source_id == source_id))
        return
    if not contact.strip() and not address.strip():
        raise ClinicInvalid("a clinic is reached by a contact or an address", field="contact")
    session.merge(
        PrivacyClinic(
            source_id=source_id, organisation_id=organisation_id, name=name.strip(), contact=contact.strip(),
            address=address.strip(), changed_at=now,
        )
    )  # fmt: skip
    session.flush()


def passings(session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID) -> list[Passing]:
    """Return to whom a request was passed on, the first first."""
    return all_passings(session, organisation_id).get(request_id, [])


def _passing(row: PrivacyPassing) -> Passing:
    return Passing(row.source_id, row.clinic, row.contact, row.how, row.at, row.by)


def all_passings(session: Session, organisation_id: uuid.UUID) -> dict[uuid.UUID, list[Passing]]:
    """Return to whom each request was passed on, by the request."""
    found: dict[uuid.UUID, list[Passing]] = {}
    rows = session.scalars(
        sa.select(PrivacyPassing)
        .where(PrivacyPassing.organisation_id == organisation_id)
        .order_by(PrivacyPassing.at, PrivacyPassing.id)
    )
    for row in rows:
        found.setdefault(row.request_id, []).append(_passing(row))
    return found


def pass_on(
    session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID, clinic: Clinic, how: str, *, by: str,
    now: datetime,
) -> None:  # fmt: skip
    """Note that a request was passed on; a clinic that has it already stays as it was told. Raises `ClinicInvalid`."""
    if len(how.strip()) < SHORTEST_REASON:
        raise ClinicInvalid("say how the request was passed on", field="how")
    if any(one.source_id == clinic.source_id for one in passings(session, organisation_id, request_id)):
        return
    row = PrivacyPassing(
        id=new_id(), organisation_id=organisation_id, request_id=request_id, source_id=clinic.source_id,
        clinic=clinic.name, contact=clinic.contact, how=how.strip()[:500], at=now, by=by,
    )  # fmt: skip
    session.add(row)
    remember_rows(session, row)


_RIGHTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "access": "access to their data and a copy (Art. 15 GDPR)", "correction": "correction (Art. 16 GDPR)",
        "erasure": "erasure (Art. 17 GDPR)", "restriction": "restriction of processing (Art. 18 GDPR)",
        "objection": "an objection (Art. 21 GDPR)",
    },
    "de": {
        "access": "Auskunft und Kopie (Art. 15 DSGVO)", "correction": "Berichtigung (Art. 16 DSGVO)",
        "erasure": "Löschung (Art. 17 DSGVO)", "restriction": "Einschränkung der Verarbeitung (Art. 18 DSGVO)",
        "objection": "Widerspruch (Art. 21 DSGVO)",
    },
}  # fmt: skip
_LETTER: Mapping[Language, tuple[str, str]] = {
    "en": (
        "Request of one of your patients",
        "Dear data protection officer,\n\non {received} we received a request for {right} from {requester}{contact}."
        " It is about this patient: {patient}.\n\nWe keep this patient’s studies as your processor, so the request is"
        " yours to answer, within one month of {received} (Art. 12 (3) GDPR). {verified}We have told the requester that"
        " we pass it on to you.\n\nPlease tell us in writing what we are to do with what we keep: hand it out, correct,"
        " restrict or erase it, or leave it as it is.\n\n{signed}\n",
    ),
    "de": (
        "Anfrage einer Ihrer Patientinnen oder eines Ihrer Patienten",
        "Sehr geehrte Damen und Herren,\n\nam {received} erreichte uns von {requester}{contact} eine Anfrage:"
        " {right}. Sie betrifft: {patient}.\n\nDie Studien dieser Person bewahren wir in Ihrem Auftrag auf. Die"
        " Anfrage ist deshalb von Ihnen zu beantworten, binnen eines Monats ab dem {received} (Art. 12 Abs. 3 DSGVO)."
        " {verified}Wir haben mitgeteilt, dass wir die Anfrage an Sie weitergeben.\n\nBitte sagen Sie uns"
        " schriftlich, was wir mit dem tun sollen, was wir aufbewahren: herausgeben, berichtigen, sperren, löschen oder"
        " so lassen.\n\n{signed}\n",
    ),
}
_WORDS: Mapping[Language, tuple[str, str, str]] = {
    "en": ("They have proved to us who they are: {how}. ", "They have not proved to us who they are. ", "patient ID"),
    "de": ("Die Identität wurde uns nachgewiesen: {how}. ", "Die Identität wurde uns nicht nachgewiesen. ",
           "Patienten-ID"),
}  # fmt: skip


def letter(one: RequestView, name: str, house: Contacts, language: Language) -> tuple[str, str]:
    """Return subject and text of the letter to the clinic; `name` is the patient's, empty where none is known."""
    subject, text = _LETTER[language]
    proven, unproven, numbered = _WORDS[language]
    day = f"{one.received_at:%d.%m.%Y}" if language == "de" else f"{one.received_at:%d %B %Y}"
    patient = ", ".join(filter(None, (name, f"{numbered} {one.subject.patient_id}", one.subject.issuer)))
    return subject, text.format(
        received=day, right=_RIGHTS[language][one.kind], requester=one.requester,
        contact=f" ({one.contact})" if one.contact else "", patient=patient,
        verified=proven.format(how=one.verified_how) if one.verified_at else unproven,
        signed="\n".join(filter(None, (house.officer_name, house.officer_contact, house.controller))),
    )  # fmt: skip
