"""Studies and series on their way to destinations. Who may forward a study sees and steers its deliveries."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right
from radrelay.archive.models import Instance, Series
from radrelay.dicom.deidentify import Reason
from radrelay.pseudonyms import list_projects
from radrelay.routing import asked_twice, deliveries
from radrelay.routing import destinations as nodes
from radrelay.routing.deliveries import MOST_URGENT
from radrelay.routing.errors import DeliveryNotFound
from radrelay.routing.models import Delivery as DeliveryRow
from radrelay.routing.models import DeliveryReceipt
from radrelay.web import trail
from radrelay.web.api.studies import shown_patient
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import Trouble, correlation_of
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.services import WebServices

router = APIRouter(prefix="/deliveries", tags=["deliveries"])


class WantedDelivery(BaseModel):
    """Send a whole study or one series somewhere; those of a higher priority go first.

    `project_id` names a project of pseudonyms by which copies go; a destination that has one takes no other.
    """

    model_config = ConfigDict(extra="forbid")

    destination_id: uuid.UUID
    study_id: uuid.UUID | None = None
    series_id: uuid.UUID | None = None
    priority: int = Field(0, ge=-MOST_URGENT, le=MOST_URGENT)
    project_id: uuid.UUID | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> WantedDelivery:
        if (self.study_id is None) == (self.series_id is None):
            raise ValueError("either study_id or series_id")
        return self


class Delivery(BaseModel):
    """A delivery and how far it is; `error` says why it is not done.

    By a project of pseudonyms copies go; `kept_back` objects could not be made safe, for `kept_reasons`.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    destination_id: uuid.UUID
    study_id: uuid.UUID
    series_id: uuid.UUID | None
    state: str
    priority: int
    total: int
    sent: int
    failed: int
    committed: int
    project_id: uuid.UUID | None
    kept_back: int
    kept_reasons: list[Reason]
    attempts: int
    next_attempt_at: datetime | None
    error: Trouble | None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None


class Receipt(BaseModel):
    """What the destination answered for one instance; `status` -1: nothing.

    `comment` is the destination's own; `error` says why the instance was not sent. Of a copy
    `sop_uid` is the original's.
    """

    model_config = ConfigDict(from_attributes=True)

    instance_id: uuid.UUID
    sop_uid: str
    status: int
    comment: str
    error: Trouble | None
    transfer_syntax_uid: str
    at: datetime
    committed_at: datetime | None


OF_THE_ROW = tuple(name for name in Delivery.model_fields if name not in ("error", "kept_reasons"))


class ReceiptListed(Receipt):
    """A receipt with where its instance stands in the study; no numbers if it is no longer here or has none."""

    series_number: int | None = None
    instance_number: int | None = None


class DeliveryListed(Delivery):
    """A delivery with its destination's name and whose study it is, the patient by alias where the scope says so."""

    destination: str
    project: str
    patient_name: str
    patient_id: str
    description: str
    study_date: date | None
    series_number: int | None
    series_description: str


class DeliveryRequested(DeliveryListed):
    """A delivery that was asked for; `already`: the same was under way, and nothing further is sent."""

    already: bool


class DeliveryDetail(DeliveryListed):
    """A delivery with its receipts."""

    receipts: list[ReceiptListed]


class Urgency(BaseModel):
    """How urgent a delivery is: those of a higher priority go first, 0 is the usual."""

    model_config = ConfigDict(extra="forbid")

    priority: int = Field(ge=-MOST_URGENT, le=MOST_URGENT)


class Deliveries(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryListed]


def _listed(reach: Reach, rows: Sequence[DeliveryRow]) -> list[DeliveryListed]:
    """Return those of `rows` whose study is within reach, as they are shown."""
    studies = reach.study_rows(row.study_id for row in rows)
    series = reach.series_rows(row.series_id for row in rows if row.series_id is not None)
    names = {row.id: row.name for row in nodes.list_destinations(reach.session, reach.scope.organisation_id)}
    named = any(row.project_id is not None for row in rows)
    every = list_projects(reach.session, reach.scope.organisation_id) if named else []
    projects = {one.id: one.name for one in every}
    listed = []
    for row in rows:
        study = studies.get(row.study_id)
        if study is None:
            continue
        one = series.get(row.series_id) if row.series_id is not None else None
        patient = shown_patient(study, reach.scope)
        listed.append(
            DeliveryListed(
                **{name: getattr(row, name) for name in OF_THE_ROW},
                error=Trouble.shown(deliveries.trouble_of(row)),
                kept_reasons=[Reason(one) for one in row.kept_reasons.split(",") if one],
                destination=names.get(row.destination_id, ""),
                project=projects.get(row.project_id, "") if row.project_id is not None else "",
                patient_name=patient.name,
                patient_id=patient.id,
                description=study.description,
                study_date=study.study_date,
                series_number=one.number if one is not None else None,
                series_description=one.description if one is not None else "",
            )
        )
    return listed


def _one(reach: Reach, row: DeliveryRow) -> DeliveryListed:
    """Return one delivery as it is shown; raises `DeliveryNotFound` if its study is out of reach."""
    found = _listed(reach, [row])
    if not found:
        raise DeliveryNotFound
    return found[0]


def _receipts(reach: Reach, delivery_id: uuid.UUID) -> list[ReceiptListed]:
    """Return a delivery's receipts; those of series out of reach have no numbers."""
    numbers = {
        instance_id: (series_number, number)
        for instance_id, series_number, number in reach.session.execute(
            sa.select(Instance.id, Series.number, Instance.number)
            .join(Series, Series.id == Instance.series_id)
            .join(DeliveryReceipt, DeliveryReceipt.instance_id == Instance.id)
            .where(
                DeliveryReceipt.delivery_id == delivery_id,
                reach.scope.series_filter(Series.study_id, Series.id),
            )
        )
    }
    listed = []
    for row in deliveries.receipts_of(reach.session, delivery_id):
        series_number, number = numbers.get(row.instance_id, (None, None))
        trouble = deliveries.trouble_of(row)
        listed.append(
            ReceiptListed(
                instance_id=row.instance_id,
                sop_uid=row.sop_uid,
                status=row.status,
                comment="" if trouble is not None else row.comment,
                error=Trouble.shown(trouble),
                transfer_syntax_uid=row.transfer_syntax_uid,
                at=row.at,
                committed_at=row.committed_at,
                series_number=series_number,
                instance_number=number,
            )
        )
    return listed


def _reach(services: WebServices, session: Session, principal: Principal) -> Reach:
    return Reach.of(services, session, principal, Right.FORWARD)


def _within_reach(reach: Reach, delivery_id: uuid.UUID) -> DeliveryRow:
    row = deliveries.get_delivery(reach.session, reach.scope.organisation_id, delivery_id)
    if row.study_id not in reach.studies([row.study_id]):
        raise DeliveryNotFound
    return row


def _require_all(reach: Reach, row: DeliveryRow) -> None:
    """Raise `PartOnly` or `SeriesNotFound` unless all that a delivery sends is within reach."""
    if row.series_id is None:
        reach.study(row.study_id, whole=True)
    else:
        reach.series_study(row.series_id)


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
        reach = _reach(services, session, principal)
        rows = deliveries.list_deliveries(
            session, principal.organisation_id, study_id=study_id, within=reach.holds(DeliveryRow.study_id), limit=limit
        )  # fmt: skip
        return Deliveries(deliveries=_listed(reach, rows))


@router.post("", status_code=201)
def request_delivery(
    request: Request, response: Response, services: Services, principal: Authenticated, wanted: WantedDelivery
) -> DeliveryRequested:
    """Send a study or a series to a destination; the work is durable and goes on by itself.

    What is under way there and brings the same is answered (200, `already`); it takes the higher priority.
    """
    with services.database.write() as session:
        reach = _reach(services, session, principal)
        study = _wanted_study(reach, wanted)
        study.require_clear()
        same = asked_twice.same_under_way(
            session, principal.organisation_id, wanted.destination_id, study.id, wanted.series_id, wanted.project_id
        )
        if same is not None:
            if wanted.priority > same.priority:
                deliveries.prioritise(session, services.clock, same.organisation_id, same.id, wanted.priority)
            response.status_code = status.HTTP_200_OK
            return DeliveryRequested(**_one(reach, same).model_dump(), already=True)
        row = deliveries.request_delivery(
            session,
            services.clock,
            organisation_id=principal.organisation_id,
            destination_id=wanted.destination_id,
            study_id=study.id,
            series_id=wanted.series_id,
            requested_by=principal.name,
            correlation_id=correlation_of(request),
            priority=wanted.priority,
            project_id=wanted.project_id,
        )
        detail = {"destination": wanted.destination_id, "delivery": row.id, "series": wanted.series_id}
        if row.project_id is not None:
            detail["project"] = row.project_id
        trail.write(
            session,
            trail.event(request, principal, "study.forward", ("study", study.id), detail=detail, patient=study.patient),
        )
        return DeliveryRequested(**_one(reach, row).model_dump(), already=False)


@router.get("/{delivery_id}")
def delivery(services: Services, principal: Authenticated, delivery_id: uuid.UUID) -> DeliveryDetail:
    """Show a delivery with a receipt per instance."""
    with services.database.read() as session:
        reach = _reach(services, session, principal)
        listed = _one(reach, _within_reach(reach, delivery_id))
        return DeliveryDetail(**listed.model_dump(), receipts=_receipts(reach, delivery_id))


@router.post("/{delivery_id}/cancel")
def cancel_delivery(
    request: Request, services: Services, principal: Authenticated, delivery_id: uuid.UUID
) -> DeliveryListed:
    """Stop a delivery."""
    with services.database.write() as session:
        reach = _reach(services, session, principal)
        _within_reach(reach, delivery_id)
        row = deliveries.cancel_delivery(session, services.clock, principal.organisation_id, delivery_id)
        trail.write(session, trail.event(request, principal, "delivery.cancel", ("delivery", delivery_id)))
        return _one(reach, row)


@router.post("/{delivery_id}/retry")
def retry_delivery(
    request: Request, services: Services, principal: Authenticated, delivery_id: uuid.UUID
) -> DeliveryListed:
    """Try again what failed or was cancelled; what arrived is not sent again."""
    with services.database.write() as session:
        reach = _reach(services, session, principal)
        _require_all(reach, _within_reach(reach, delivery_id))
        row = deliveries.retry_delivery(session, services.clock, principal.organisation_id, delivery_id)
        trail.write(session, trail.event(request, principal, "delivery.retry", ("delivery", delivery_id)))
        return _one(reach, row)


@router.post("/{delivery_id}/priority")
def prioritise_delivery(
    request: Request, services: Services, principal: Authenticated, delivery_id: uuid.UUID, wanted: Urgency
) -> DeliveryListed:
    """Have a delivery that is not over go before others, or after them."""
    with services.database.write() as session:
        reach = _reach(services, session, principal)
        _within_reach(reach, delivery_id)
        organisation_id = principal.organisation_id
        row = deliveries.prioritise(session, services.clock, organisation_id, delivery_id, wanted.priority)
        detail = {"priority": wanted.priority}
        trail.write(
            session, trail.event(request, principal, "delivery.priority", ("delivery", delivery_id), detail=detail)
        )
        return _one(reach, row)
