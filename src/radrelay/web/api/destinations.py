"""The DICOM nodes that studies are sent to: anyone who is logged in sees them, administrators change them."""

from __future__ import annotations

import uuid
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import GUEST
from radrelay.routing import destinations
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.problems import Trouble
from radrelay.web.services import EchoTarget

router = APIRouter(prefix="/destinations", tags=["destinations"])


class WantedDestination(BaseModel):
    """What a person enters for a destination."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    ae_title: str = Field(min_length=1, max_length=16)
    host: str = Field(min_length=1, max_length=255)
    port: int = Field(ge=1, le=65535)
    calling_ae_title: str = Field("", max_length=16)
    tls: bool = False
    enabled: bool = True


class DestinationChange(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=100)
    ae_title: str | None = Field(None, min_length=1, max_length=16)
    host: str | None = Field(None, min_length=1, max_length=255)
    port: int | None = Field(None, ge=1, le=65535)
    calling_ae_title: str | None = Field(None, max_length=16)
    tls: bool | None = None
    enabled: bool | None = None


class Destination(BaseModel):
    """A destination."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    tls: bool
    enabled: bool
    created_at: datetime


class Destinations(BaseModel):
    """All destinations, by name."""

    destinations: list[Destination]


class Echo(BaseModel):
    """What came of a C-ECHO: `ok`, or the error that stands against it."""

    ok: bool
    error: Trouble | None
    ms: float


@router.get("")
def list_destinations(services: Services, principal: Authenticated) -> Destinations:
    """List the destinations; none to who signed up, for they tell of machines inside."""
    if principal.role == GUEST:
        return Destinations(destinations=[])
    with services.database.read() as session:
        rows = destinations.list_destinations(session, principal.organisation_id)
        return Destinations(destinations=[Destination.model_validate(row) for row in rows])


@router.post("", status_code=201)
def create_destination(
    request: Request, services: Services, principal: Administrator, wanted: WantedDestination
) -> Destination:
    """Add a destination."""
    draft = destinations.DestinationDraft(**wanted.model_dump())
    with services.database.write() as session:
        row = destinations.create_destination(session, services.clock, principal.organisation_id, draft)
        trail.write(session, trail.event(request, principal, "destination.create", ("destination", row.id)))
        return Destination.model_validate(row)


@router.patch("/{destination_id}")
def change_destination(
    request: Request,
    services: Services,
    principal: Administrator,
    destination_id: uuid.UUID,
    change: DestinationChange,
) -> Destination:
    """Change a destination."""
    organisation_id = principal.organisation_id
    with services.database.write() as session:
        present = destinations.get_destination(session, organisation_id, destination_id)
        fields = {name: getattr(present, name) for name in DestinationChange.model_fields}
        given = change.model_dump(exclude_none=True)
        draft = destinations.DestinationDraft(**(fields | given))
        row = destinations.update_destination(session, organisation_id, destination_id, draft)
        detail = {"changed": sorted(given)}
        subject = ("destination", destination_id)
        trail.write(session, trail.event(request, principal, "destination.change", subject, detail=detail))
        return Destination.model_validate(row)


@router.delete("/{destination_id}", status_code=204)
def delete_destination(
    request: Request, services: Services, principal: Administrator, destination_id: uuid.UUID
) -> None:
    """Remove a destination that no open delivery goes to."""
    with services.database.write() as session:
        destinations.delete_destination(session, principal.organisation_id, destination_id)
        trail.write(session, trail.event(request, principal, "destination.delete", ("destination", destination_id)))


@router.post("/{destination_id}/echo")
def echo(services: Services, principal: Administrator, destination_id: uuid.UUID) -> Echo:
    """Ask a destination whether it is there (C-ECHO)."""
    with services.database.read() as session:
        row = destinations.get_destination(session, principal.organisation_id, destination_id)
        target = EchoTarget(row.host, row.port, row.ae_title, row.calling_ae_title, row.tls)
    answer = services.echo(target)
    return Echo(ok=answer.trouble is None, error=Trouble.shown(answer.trouble), ms=answer.ms)
