"""Contacts and processors, as the privacy notice names them; for administrators and the data protection officer."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.privacy import contacts
from radrelay.privacy.contacts import Agreement, Contacts, Processor
from radrelay.web import trail
from radrelay.web.authentication import Auditor, Services

router = APIRouter(prefix="/privacy", tags=["privacy"])
Line = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=500)]


class ContactsShown(BaseModel):
    """Who answers for the data, and which texts have to be accepted before anything else."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    controller: Long = ""
    officer_name: Line = ""
    officer_contact: Line = ""
    authority_name: Line = ""
    authority_url: Long = ""
    terms_required: bool = True
    notice_required: bool = True
    revision: Annotated[int, Field(ge=0)] = 0


class ProcessorWanted(BaseModel):
    """A processor: `country` as ISO 3166-1, `agreement` none, dpa (GDPR Art. 28), baa (45 CFR 164.504 (e)) or both."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    name: Line
    purpose: Long
    country: Annotated[str, Field(max_length=2)]
    privacy_url: Long = ""
    agreement: Agreement = "none"
    agreed_on: date | None = None

    def processor(self) -> Processor:
        """Return it as the room takes it."""
        return Processor(**self.model_dump())


class ProcessorShown(ProcessorWanted):
    """A processor that is entered."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")

    id: uuid.UUID


class Processors(BaseModel):
    """All processors by name."""

    processors: list[ProcessorShown]


def _shown(processor_id: uuid.UUID, processor: Processor) -> ProcessorShown:
    return ProcessorShown(id=processor_id, **ProcessorWanted.model_validate(processor).model_dump())


def _note(
    session: Session,
    request: Request,
    principal: Principal,
    action: str,
    processor_id: uuid.UUID,
    about: ProcessorWanted,
) -> None:
    detail = {"name": about.name, "agreement": about.agreement, "agreed_on": about.agreed_on}
    trail.write(session, trail.event(request, principal, action, ("processor", processor_id), detail=detail))


@router.get("/contacts")
def read_contacts(services: Services, principal: Auditor) -> ContactsShown:
    """Show the contacts."""
    with services.database.read() as session:
        return ContactsShown.model_validate(contacts.contacts_of(session, principal.organisation_id))


@router.put("/contacts")
def set_contacts(request: Request, services: Services, principal: Auditor, wanted: ContactsShown) -> ContactsShown:
    """Replace the contacts of the revision that is named."""
    with services.database.write() as session:
        kept = contacts.set_contacts(
            session, principal.organisation_id, Contacts(**wanted.model_dump()), services.clock.now()
        )
        detail = {"terms_required": kept.terms_required, "notice_required": kept.notice_required}
        trail.write(session, trail.event(request, principal, "privacy.contacts", detail=detail))
    services.acceptances.look_again()
    return ContactsShown.model_validate(kept)


@router.get("/processors")
def list_processors(services: Services, principal: Auditor) -> Processors:
    """List who processes data for the organisation."""
    with services.database.read() as session:
        found = contacts.processors(session, principal.organisation_id)
    return Processors(processors=[_shown(*one) for one in found])


@router.post("/processors", status_code=201)
def add_processor(request: Request, services: Services, principal: Auditor, wanted: ProcessorWanted) -> ProcessorShown:
    """Enter a processor."""
    with services.database.write() as session:
        made = contacts.add_processor(session, principal.organisation_id, wanted.processor(), services.clock.now())
        _note(session, request, principal, "privacy.processor.add", made, wanted)
    return _shown(made, wanted.processor())


@router.put("/processors/{processor_id}")
def change_processor(
    request: Request, services: Services, principal: Auditor, processor_id: uuid.UUID, wanted: ProcessorWanted
) -> ProcessorShown:
    """Replace what is known of a processor."""
    with services.database.write() as session:
        contacts.change_processor(
            session, principal.organisation_id, processor_id, wanted.processor(), services.clock.now()
        )
        _note(session, request, principal, "privacy.processor.change", processor_id, wanted)
    return _shown(processor_id, wanted.processor())


@router.delete("/processors/{processor_id}", status_code=204)
def remove_processor(request: Request, services: Services, principal: Auditor, processor_id: uuid.UUID) -> None:
    """Take a processor off the list."""
    with services.database.write() as session:
        gone = contacts.remove_processor(session, principal.organisation_id, processor_id)
        _note(
            session, request, principal, "privacy.processor.remove", processor_id, ProcessorWanted.model_validate(gone)
        )
