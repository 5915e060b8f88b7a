"""Performed procedure steps (MPPS) on their way to destinations: seen and steered by who may forward their study."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right
from radrelay.archive.models import Study
from radrelay.routing import destinations as nodes
from radrelay.routing import performed
from radrelay.routing.errors import DeliveryNotFound
from radrelay.routing.models import StepDelivery
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import Trouble
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/step-deliveries", tags=["deliveries"])


class StepListed(BaseModel):
    """An N-CREATE (`turn` 0) or N-SET of a step, with the destination's answer: `status` -1: none yet."""

    id: uuid.UUID
    destination_id: uuid.UUID
    destination: str
    sop_uid: str
    turn: int
    said_state: str
    calling_ae: str
    patient_id: str
    accession_number: str
    study_uid: str
    state: str
    status: int
    comment: str
    attempts: int
    next_attempt_at: datetime | None
    error: Trouble | None
    created_at: datetime
    finished_at: datetime | None


class StepDeliveries(BaseModel):
    """What is passed on, newest first."""

    steps: list[StepListed]


def _within(reach: Reach) -> sa.ColumnElement[bool]:
    """Return which rows the caller may see: all who may forward everything, else those of studies within reach."""
    if reach.scope.identity != "clear":
        return sa.false()
    if reach.scope.everything:
        return sa.true()
    return StepDelivery.study_uid.in_(sa.select(Study.study_uid).where(reach.holds(Study.id)))


def _reach(services: WebServices, session: Session, principal: Principal) -> Reach:
    return Reach.of(services, session, principal, Right.FORWARD)


def _listed(reach: Reach, rows: list[StepDelivery]) -> list[StepListed]:
    names = {row.id: row.name for row in nodes.list_destinations(reach.session, reach.scope.organisation_id)}
    told = [name for name in StepListed.model_fields if name not in ("destination", "error")]
    return [
        StepListed(
            **{name: getattr(row, name) for name in told},
            destination=names.get(row.destination_id, ""),
            error=Trouble.shown(performed.trouble_of(row)),
        )
        for row in rows
    ]


def _one(reach: Reach, step_delivery_id: uuid.UUID) -> StepDelivery:
    row = performed.get_step(reach.session, reach.scope.organisation_id, step_delivery_id)
    if not reach.session.scalar(sa.select(StepDelivery.id).where(StepDelivery.id == row.id, _within(reach))):
        raise DeliveryNotFound
    return row


@router.get("")
def list_step_deliveries(services: Services, principal: Authenticated) -> StepDeliveries:
    """List the last hundred messages about performed steps that go to destinations, newest first."""
    with services.database.read() as session:
        reach = _reach(services, session, principal)
        rows = performed.list_steps(session, principal.organisation_id, within=_within(reach))
        return StepDeliveries(steps=_listed(reach, rows))


@router.post("/{step_delivery_id}/cancel")
def cancel_step_delivery(
    request: Request, services: Services, principal: Authenticated, step_delivery_id: uuid.UUID
) -> StepListed:
    """Send a message no more, nor those of its step that follow."""
    with services.database.write() as session:
        reach = _reach(services, session, principal)
        row = _one(reach, step_delivery_id)
        performed.cancel_step(session, services.clock, row)
        trail.write(session, trail.event(request, principal, "delivery.cancel", ("step_delivery", row.id)))
        return _listed(reach, [row])[0]


@router.post("/{step_delivery_id}/retry")
def retry_step_delivery(
    request: Request, services: Services, principal: Authenticated, step_delivery_id: uuid.UUID
) -> StepListed:
    """Try a message again at once, and those of its step that follow."""
    with services.database.write() as session:
        reach = _reach(services, session, principal)
        row = _one(reach, step_delivery_id)
        performed.retry_step(session, services.clock, row)
        trail.write(session, trail.event(request, principal, "delivery.retry", ("step_delivery", row.id)))
        return _listed(reach, [row])[0]
