"""Studies and series on their way to destinations. Who may forward a study sees and steers its deliveries."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right
from radrelay.routing import deliveries
from radrelay.routing import destinations as nodes
from radrelay.routing.errors import DeliveryNotFound
from radrelay.routing.models import Delivery as DeliveryRow
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import correlation_of
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.services import WebServices

router = APIRouter(prefix="/deliveries", tags=["deliveries"])


class WantedDelivery(BaseModel):
    """Send a whole study or one series somewhere."""

    model_config = ConfigDict(extra="forbid")

    destination_id: uuid.UUID
    study_id: uuid.UUID | None = None
    series_id: uuid.UUID | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> WantedDelivery:
        if (self.study_id is None) == (self.series_id is None):
            raise ValueError("either study_id or series_id")
        return self


class Delivery(BaseModel):
    """A delivery and how far it is."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    destination_id: uuid.UUID
    study_id: uuid.UUID
    series_id: uuid.UUID | None
    state: str
    total: int
    sent: int
    failed: int
    attempts: int
    next_attempt_at: datetime | None
    error: str
    requested_by: str
    created_at: datetime
    finished_at: datetime | None


class Receipt(BaseModel):
    """What the destination answered for one instance; `status` -1: nothing."""

    model_config = ConfigDict(from_attributes=True)

    instance_id: uuid.UUID
    sop_uid: str
    status: int
    comment: str
    transfer_syntax_uid: str
    at: datetime


class DeliveryListed(Delivery):
    """A delivery with its destination's name."""

    destination: str


class DeliveryDetail(DeliveryListed):
    """A delivery with its receipts."""

    receipts: list[Receipt]


class Deliveries(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryListed]


def _listed(row: object, names: dict[uuid.UUID, str]) -> DeliveryListed:
    shown = Delivery.model_validate(row)
    return DeliveryListed(**shown.model_dump(), destination=names.get(shown.destination_id, ""))


def _names(session: Session, organisation_id: uuid.UUID) -> dict[uuid.UUID, str]:
    return {row.id: row.name for row in nodes.list_destinations(session, organisation_id)}


def _within_reach(services: WebServices, session: Session, principal: Principal, delivery_id: uuid.UUID) -> DeliveryRow:
    row = deliveries.get_delivery(session, principal.organisation_id, delivery_id)
    reach = Reach.of(services, session, principal, Right.FORWARD)
    if row.study_id not in reach.studies([row.study_id]):
        raise DeliveryNotFound
    return row


def _wanted_study(reach: Reach, wanted: WantedDelivery) -> ReachedStudy:
    if wanted.series_id is not None:
        return reach.series_study(wanted.series_id)
    return reach.study(wanted.study_id or uuid.UUID(int=0), whole=True)


@router.get("")
def list_deliveries(
    services: Services,
    principal: Authenticated,
    study_id: uuid.UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Deliveries:
    """List deliveries of studies that the caller may forward, newest first."""
    with services.database.read() as session:
        rows = deliveries.list_deliveries(session, principal.organisation_id, study_id=study_id, limit=limit)
        known = Reach.of(services, session, principal, Right.FORWARD).studies(row.study_id for row in rows)
        names = _names(session, principal.organisation_id)
        return Deliveries(deliveries=[_listed(row, names) for row in rows if row.study_id in known])


@router.post("", status_code=201)
def request_delivery(
    request: Request, services: Services, principal: Authenticated, wanted: WantedDelivery
) -> DeliveryListed:
    """Send a study or a series to a destination; the work is durable and goes on by itself."""
    with services.database.write() as session:
        study = _wanted_study(Reach.of(services, session, principal, Right.FORWARD), wanted)
        study.require_clear()
        row = deliveries.request_delivery(
            session,
            services.clock,
            organisation_id=principal.organisation_id,
            destination_id=wanted.destination_id,
            study_id=study.id,
            series_id=wanted.series_id,
            requested_by=principal.name,
            correlation_id=correlation_of(request),
        )
        detail = {"destination": wanted.destination_id, "delivery": row.id, "series": wanted.series_id}
        trail.write(
            session,
            trail.event(request, principal, "study.forward", ("study", study.id), detail=detail, patient=study.patient),
        )
        return _listed(row, _names(session, principal.organisation_id))


@router.get("/{delivery_id}")
def delivery(services: Services, principal: Authenticated, delivery_id: uuid.UUID) -> DeliveryDetail:
    """Show a delivery with a receipt per instance."""
    with services.database.read() as session:
        row = _within_reach(services, session, principal, delivery_id)
        listed = _listed(row, _names(session, principal.organisation_id))
        receipts = [Receipt.model_validate(receipt) for receipt in deliveries.receipts_of(session, delivery_id)]
        return DeliveryDetail(**listed.model_dump(), receipts=receipts)


@router.post("/{delivery_id}/cancel")
def cancel_delivery(
    request: Request, services: Services, principal: Authenticated, delivery_id: uuid.UUID
) -> DeliveryListed:
    """Stop a delivery."""
    with services.database.write() as session:
        _within_reach(services, session, principal, delivery_id)
        row = deliveries.cancel_delivery(session, services.clock, principal.organisation_id, delivery_id)
        trail.write(session, trail.event(request, principal, "delivery.cancel", ("delivery", delivery_id)))
        return _listed(row, _names(session, principal.organisation_id))


@router.post("/{delivery_id}/retry")
def retry_delivery(
    request: Request, services: Services, principal: Authenticated, delivery_id: uuid.UUID
) -> DeliveryListed:
    """Try again what failed or was cancelled; what arrived is not sent again."""
    with services.database.write() as session:
        _within_reach(services, session, principal, delivery_id)
        row = deliveries.retry_delivery(session, services.clock, principal.organisation_id, delivery_id)
        trail.write(session, trail.event(request, principal, "delivery.retry", ("delivery", delivery_id)))
        return _listed(row, _names(session, principal.organisation_id))
