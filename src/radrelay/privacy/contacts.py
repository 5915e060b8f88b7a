"""Who answers for the data: the controller, the data protection officer, the authority; and who processes them."""

from __future__ import annotations

import re
import uuid
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Conflict, Invalid, NotFound
from radrelay.identity.countries import COUNTRIES
from radrelay.privacy.models import PrivacyProcessor, PrivacySetting
from radrelay.storage.ids import new_id

Agreement = Literal["none", "dpa", "baa", "both"]
WEB = re.compile(r"https?://[^\s<>\"]+")


class ContactsChanged(Conflict):
    """The contacts were changed elsewhere in the meantime; look at the newer ones first."""

    code = "contacts-changed"


class ProcessorInvalid(Invalid):
    """This cannot be kept of a processor or a contact."""

    code = "processor-invalid"


@dataclass(frozen=True, slots=True)
class Contacts:
    """An organisation's contacts, and whether its texts have to be accepted before anything else. Revision 0: unset."""

    controller: str = ""
    officer_name: str = ""
    officer_contact: str = ""
    authority_name: str = ""
    authority_url: str = ""
    terms_required: bool = True
    notice_required: bool = True
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Processor:
    """Somebody who processes data for the organisation; `country` is ISO 3166-1, `agreed_on` the agreement's day."""

    name: str
    purpose: str
    country: str
    privacy_url: str = ""
    agreement: Agreement = "none"
    agreed_on: date | None = None


def contacts_of(session: Session, organisation_id: uuid.UUID) -> Contacts:
    """Return an organisation's contacts."""
    row = session.get(PrivacySetting, organisation_id)
    if row is None:
        return Contacts()
    return Contacts(**{name: getattr(row, name) for name in Contacts.__dataclass_fields__})


def set_contacts(session: Session, organisation_id: uuid.UUID, wanted: Contacts, now: datetime) -> Contacts:
    """Replace the contacts of `wanted.revision`; raises `ContactsChanged`, or `ProcessorInvalid` for an address."""
    _web_address(wanted.authority_url, "authority_url")
    row = session.get(PrivacySetting, organisation_id, with_for_update=True)
    if (0 if row is None else row.revision) != wanted.revision:
        raise ContactsChanged
    values = asdict(wanted) | {"revision": wanted.revision + 1, "changed_at": now}
    session.merge(PrivacySetting(organisation_id=organisation_id, **values))
    session.flush()
    return contacts_of(session, organisation_id)


def processors(session: Session, organisation_id: uuid.UUID) -> list[tuple[uuid.UUID, Processor]]:
    """Return an organisation's processors by name."""
    rows = session.scalars(
        sa.select(PrivacyProcessor)
        .where(PrivacyProcessor.organisation_id == organisation_id)
        .order_by(PrivacyProcessor.name, PrivacyProcessor.id)
    )
    return [(row.id, _processor(row)) for row in rows]


def add_processor(session: Session, organisation_id: uuid.UUID, wanted: Processor, now: datetime) -> uuid.UUID:
    """Enter a processor and return its id; raises `ProcessorInvalid`."""
    row = PrivacyProcessor(id=new_id(), organisation_id=organisation_id, changed_at=now, **_checked(wanted))
    session.add(row)
    session.flush()
    return row.id


def change_processor(
    session: Session, organisation_id: uuid.UUID, processor_id: uuid.UUID, wanted: Processor, now: datetime
) -> None:
    """Replace what is known of a processor; raises `NotFound` or `ProcessorInvalid`."""
    row = _row(session, organisation_id, processor_id)
    for name, value in (_checked(wanted) | {"changed_at": now}).items():
        setattr(row, name, value)
    session.flush()


def remove_processor(session: Session, organisation_id: uuid.UUID, processor_id: uuid.UUID) -> Processor:
    """Take a processor off the list and return what it was; raises `NotFound`."""
    row = _row(session, organisation_id, processor_id)
    gone = _processor(row)
    session.delete(row)
    session.flush()
    return gone


def _row(session: Session, organisation_id: uuid.UUID, processor_id: uuid.UUID) -> PrivacyProcessor:
    row = session.get(PrivacyProcessor, processor_id)
    if row is None or row.organisation_id != organisation_id:
        raise NotFound("there is no such processor")
    return row


def _processor(row: PrivacyProcessor) -> Processor:
    return Processor(
        row.name, row.purpose, row.country, row.privacy_url, cast("Agreement", row.agreement), row.agreed_on
    )


def _checked(wanted: Processor) -> dict[str, object]:
    if not wanted.name.strip() or not wanted.purpose.strip():
        raise ProcessorInvalid("a processor has a name and a purpose", field="name")
    if wanted.country not in COUNTRIES:
        raise ProcessorInvalid("a country is its two letters, as in ISO 3166-1", field="country")
    _web_address(wanted.privacy_url, "privacy_url")
    if (wanted.agreement == "none") != (wanted.agreed_on is None):
        raise ProcessorInvalid("an agreement has its day, and no agreement has none", field="agreed_on")
    return asdict(wanted)


def _web_address(given: str, field: str) -> None:
    if given and not WEB.fullmatch(given):
        raise ProcessorInvalid(f"{field} is an address that begins with https://, or empty", field=field)
