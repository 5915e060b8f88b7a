"""One's own organisation: what it is called, where its data are kept, and its agreements about processing.

Of any other organisation on the installation nothing is told, not even that there is one.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.identity import organisations
from radrelay.privacy import agreements
from radrelay.privacy.agreements import Agreement, AgreementKind, AgreementView
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Auditor, Services
from radrelay.web.services import WebServices

router = APIRouter(prefix="/organisation", tags=["organisation"])
Line = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=500)]


class AgreementWanted(BaseModel):
    """An agreement as it was signed. `ends_on` is its last day, null: until it is ended; `document`: where it lies."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    kind: AgreementKind
    party: Line
    purpose: Long
    signed_on: date
    ends_on: date | None = None
    document: Long = ""


class AgreementShown(AgreementWanted):
    """An agreement on record; `ended_on` is the last day of one that was ended, and `holds` says how it is today."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")

    id: uuid.UUID
    entered_at: datetime
    entered_by: str
    ended_on: date | None
    ended_why: str
    holds: bool


class EndWanted(BaseModel):
    """Which day is an agreement's last, and why it ends."""

    model_config = ConfigDict(extra="forbid")

    ended_on: date
    why: Long


class OrganisationShown(BaseModel):
    """One's own organisation. `region` is ISO 3166-1, or EU, empty where nobody has said it.

    `ae_titles` are those that the DICOM port is called by to reach it.
    """

    name: str
    region: str
    ae_titles: list[str]
    agreements: list[AgreementShown]


class OrganisationWanted(BaseModel):
    """Where the organisation's data are kept."""

    model_config = ConfigDict(extra="forbid")

    region: Annotated[str, Field(max_length=2)]


@router.get("")
def read_organisation(services: Services, principal: Auditor) -> OrganisationShown:
    """Show one's own organisation and its agreements, those that have ended too."""
    return _organisation(services, principal.organisation_id)


@router.put("")
def change_organisation(
    request: Request, services: Services, principal: Administrator, wanted: OrganisationWanted
) -> OrganisationShown:
    """Say where the organisation's data are kept; its name is given by who runs the machine."""
    with services.database.write() as session:
        changed = organisations.change(session, principal.organisation_id, region=wanted.region)
        subject, detail = ("organisation", changed.id), {"region": changed.region}
        trail.write(session, trail.event(request, principal, "organisation.change", subject, detail=detail))
    return _organisation(services, principal.organisation_id)


@router.post("/agreements", status_code=201)
def add_agreement(request: Request, services: Services, principal: Auditor, wanted: AgreementWanted) -> AgreementShown:
    """Put an agreement on record; what was entered is not changed any more, and never deleted."""
    now = services.clock.now()
    with services.database.write() as session:
        agreed = Agreement(**wanted.model_dump())
        made = agreements.enter(session, principal.organisation_id, agreed, principal.name, now)
        detail = {"kind": wanted.kind, "party": made.agreement.party, "signed_on": wanted.signed_on}
        trail.write(session, trail.event(request, principal, "agreement.add", ("agreement", made.id), detail=detail))
    return _agreement(made, now.date())


@router.post("/agreements/{agreement_id}/end")
def end_agreement(
    request: Request, services: Services, principal: Auditor, agreement_id: uuid.UUID, wanted: EndWanted
) -> AgreementShown:
    """Note that an agreement ends or has ended; it stays on record. 409 `agreement-ended` if it was ended before."""
    with services.database.write() as session:
        ended = agreements.end(session, principal.organisation_id, agreement_id, wanted.ended_on, wanted.why)
        detail = {"party": ended.agreement.party, "ended_on": wanted.ended_on}
        trail.write(session, trail.event(request, principal, "agreement.end", ("agreement", ended.id), detail=detail))
    return _agreement(ended, services.clock.now().date())


def _organisation(services: WebServices, organisation_id: uuid.UUID) -> OrganisationShown:
    today = services.clock.now().date()
    with services.database.read() as session:
        own = organisations.organisation_of(session, organisation_id)
        found = agreements.agreements(session, organisation_id)
    is_first = organisation_id == services.organisation_id
    called = [*([services.settings.dicom.ae_title] if is_first else []), *own.ae_titles]
    shown = [_agreement(one, today) for one in found]
    return OrganisationShown(name=own.name, region=own.region, ae_titles=called, agreements=shown)


def _agreement(view: AgreementView, today: date) -> AgreementShown:
    return AgreementShown(
        **AgreementWanted.model_validate(view.agreement).model_dump(), id=view.id, entered_at=view.entered_at,
        entered_by=view.entered_by, ended_on=view.ended_on, ended_why=view.ended_why, holds=view.counts(today),
    )  # fmt: skip
