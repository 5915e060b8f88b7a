"""What holds of privacy at this moment, for everybody and before any login: it stands beneath the privacy notice.

The notice says what was in force when it was published; this is read from the settings as they are now.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from radrelay.privacy import contacts
from radrelay.privacy.contacts import Agreement
from radrelay.privacy.in_browser import Lasts, Where, kept_here
from radrelay.privacy.notice import spans_of
from radrelay.web.authentication import Services

router = APIRouter(prefix="/privacy", tags=["privacy"])


class ProcessorNamed(BaseModel):
    """Somebody who processes data for the organisation: what for, where, and by which agreement of which day."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    purpose: str
    country: str
    privacy_url: str
    agreement: Agreement
    agreed_on: date | None


class SpanNamed(BaseModel):
    """How long data stay that come by a source, in seconds; null is until they are deleted, or no limit."""

    source: str
    retention_s: int | None
    max_age_s: int | None


class KeptNamed(BaseModel):
    """What is kept in a browser, in both languages."""

    model_config = ConfigDict(from_attributes=True)

    where: Where
    name: str
    lasts: Lasts
    english: str
    german: str


class CountingNamed(BaseModel):
    """That usage is counted of those who agree, and for how many days that is kept."""

    state: Literal["on", "off"]
    retention_days: int


class FactsShown(BaseModel):
    """Who answers for the data, who else processes them, how long they stay, and what a browser keeps."""

    controller: str
    officer_name: str
    officer_contact: str
    authority_name: str
    authority_url: str
    processors: list[ProcessorNamed]
    retention: list[SpanNamed]
    browser: list[KeptNamed]
    statistics: CountingNamed


@router.get("/facts")
def facts(services: Services) -> FactsShown:
    """Return what holds now, as the settings are."""
    statistics = services.settings.statistics
    with services.database.read() as session:
        known = contacts.contacts_of(session, services.organisation_id)
        processors = contacts.processors(session, services.organisation_id)
        spans = spans_of(session, services.organisation_id)
    return FactsShown(
        controller=known.controller, officer_name=known.officer_name, officer_contact=known.officer_contact,
        authority_name=known.authority_name, authority_url=known.authority_url,
        processors=[ProcessorNamed.model_validate(one) for _, one in processors],
        retention=[SpanNamed(source=name, retention_s=kept, max_age_s=most) for name, kept, most in spans],
        browser=[KeptNamed.model_validate(one) for one in kept_here(counting=statistics.enabled)],
        statistics=CountingNamed(
            state="on" if statistics.enabled else "off", retention_days=statistics.retention_days
        ),
    )  # fmt: skip
