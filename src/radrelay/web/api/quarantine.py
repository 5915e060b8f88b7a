"""What is kept aside: for who sees everything in the organisation. Looking into it is on record, as is what follows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import Right
from radrelay.intake.quarantine import QuarantinedView
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import answers
from radrelay.web.reach import require_everything
from radrelay.web.services import WebServices

router = APIRouter(prefix="/quarantine", tags=["quarantine"])


class Kept(BaseModel):
    """An object that is kept aside, and why."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    source_id: uuid.UUID
    source: str = ""
    parcel_id: uuid.UUID | None
    code: str
    reason: str
    study_uid: str
    sop_uid: str
    patient_name: str
    patient_id: str = Field(validation_alias="patient_id_value")
    file_name: str
    size: int
    received_at: datetime
    ends_at: datetime | None
    releasable: bool


class Quarantine(BaseModel):
    """What is kept aside, newest first."""

    quarantined: list[Kept]


class Release(BaseModel):
    """How an object is let in, and why. Its bytes are never changed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    as_: Literal["as-received"] = Field("as-received", alias="as")
    reason: str = Field("", max_length=1000)


class Released(BaseModel):
    """What a released object has become."""

    model_config = ConfigDict(from_attributes=True)

    study_id: uuid.UUID | None
    instance_id: uuid.UUID | None
    attachment_id: uuid.UUID | None


def _patient(kept: QuarantinedView) -> trail.Patient | None:
    return ("", kept.patient_id_value, kept.patient_name) if kept.patient_id_value or kept.patient_name else None


def _shown(services: WebServices, kept: QuarantinedView) -> Kept:
    names = {source.id: source.name for source in services.sources.sources()}
    return Kept.model_validate(kept).model_copy(update={"source": names.get(kept.source_id, "")})


@router.get("")
def list_quarantined(
    request: Request,
    services: Services,
    principal: Authenticated,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Quarantine:
    """List what is kept aside."""
    require_everything(services, principal, Right.SEE)
    trail.seen(services.database, principal, trail.event(request, principal, "quarantine.list"))
    found = services.quarantine.list(principal.organisation_id, limit, offset)
    return Quarantine(quarantined=[_shown(services, kept) for kept in found])


@router.get("/{quarantined_id}")
def quarantined(request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID) -> Kept:
    """Show one object that is kept aside."""
    require_everything(services, principal, Right.SEE)
    found = services.quarantine.get(principal.organisation_id, quarantined_id)
    record = trail.event(
        request, principal, "quarantine.view", ("quarantined", quarantined_id), patient=_patient(found)
    )
    trail.seen(services.database, principal, record)
    return _shown(services, found)


@router.get("/{quarantined_id}/header", response_class=Response, responses=answers("text/plain"))
def header(request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID) -> Response:
    """Show the object's header as text, as far as it can be read."""
    quarantined(request, services, principal, quarantined_id)
    text = services.quarantine.header_text(principal.organisation_id, quarantined_id)
    return Response(text, media_type="text/plain; charset=utf-8")


@router.post("/{quarantined_id}/release")
def release(
    request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID, wanted: Release
) -> Released:
    """Let an object in after all, as it was received."""
    require_everything(services, principal, Right.SEE)
    kept = services.quarantine.get(principal.organisation_id, quarantined_id)
    with services.database.write() as session:
        released = services.quarantine.release(session, principal.organisation_id, quarantined_id)
        detail = {"code": kept.code, "study": released.study_id, "reason_given": bool(wanted.reason)}
        subject = ("quarantined", quarantined_id)
        record = trail.event(request, principal, "quarantine.release", subject, detail=detail, patient=_patient(kept))
        trail.write(session, record)
    return Released.model_validate(released)


@router.delete("/{quarantined_id}", status_code=204)
def delete(request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID) -> None:
    """Delete an object that is kept aside."""
    require_everything(services, principal, Right.DELETE)
    kept = services.quarantine.get(principal.organisation_id, quarantined_id)
    with services.database.write() as session:
        services.quarantine.delete(session, principal.organisation_id, quarantined_id)
        subject = ("quarantined", quarantined_id)
        record = trail.event(
            request, principal, "quarantine.delete", subject, detail={"code": kept.code}, patient=_patient(kept)
        )
        trail.write(session, record)
