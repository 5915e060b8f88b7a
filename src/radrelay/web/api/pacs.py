"""Archives elsewhere, as administrators enter them; they are searched by `pacs_search`."""

from __future__ import annotations

import uuid
from datetime import datetime
from time import monotonic
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.intake.sources import get_source
from radrelay.retrieve import nodes
from radrelay.retrieve.errors import Broken, PacsInvalid
from radrelay.retrieve.models import Pacs as PacsRow
from radrelay.retrieve.ports import Connector, Kind, PacsNode, Wanted
from radrelay.routing.secrets import SecretSeal
from radrelay.web import trail
from radrelay.web.api.destinations import Echo
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.fetching import archives_of, within_reach
from radrelay.web.problems import Trouble
from radrelay.web.services import EchoTarget

router = APIRouter(prefix="/pacs", tags=["pacs"])
NOBODYS = "2.25.1"  # a study of nobody's


class WantedPacs(BaseModel):
    """What a person enters for a PACS. `source_id`: whose studies what is fetched becomes.

    A node that speaks DICOM has AE title, host and port, a DICOMweb service an `address`, which is its URL without
    /studies. A `worklist` is a DICOM node, too, that is asked at `/api/worklists/search` alone. `secret` is a
    service's password, or without `username` its bearer token.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    kind: Kind = "dicom"
    ae_title: str = Field("", max_length=16)
    host: str = Field("", max_length=255)
    port: int = Field(0, ge=0, le=65535)
    calling_ae_title: str = Field("", max_length=16)
    tls: bool = False
    model: Literal["study", "patient"] = "study"
    method: Literal["move", "get"] = "move"
    source_id: uuid.UUID
    address: str = Field("", max_length=1000)
    username: str = Field("", max_length=200)
    secret: str = Field("", max_length=4000)
    enabled: bool = True


class PacsChange(BaseModel):
    """What is to change; what is left out stays. An empty `secret` takes it away; another address does so, too."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=100)
    kind: Kind | None = None
    ae_title: str | None = Field(None, max_length=16)
    host: str | None = Field(None, max_length=255)
    port: int | None = Field(None, ge=0, le=65535)
    calling_ae_title: str | None = Field(None, max_length=16)
    tls: bool | None = None
    model: Literal["study", "patient"] | None = None
    method: Literal["move", "get"] | None = None
    source_id: uuid.UUID | None = None
    address: str | None = Field(None, max_length=1000)
    username: str | None = Field(None, max_length=200)
    secret: str | None = Field(None, max_length=4000)
    enabled: bool | None = None


class Pacs(BaseModel):
    """A PACS. `username` is told to administrators alone, a secret to nobody."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    kind: str
    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    tls: bool
    model: str
    method: str
    source_id: uuid.UUID
    address: str
    username: str
    has_secret: bool
    enabled: bool
    created_at: datetime


class PacsListed(BaseModel):
    """The archives that the caller may search, by name; `enabled` says whether that is switched on here at all."""

    enabled: bool
    pacs: list[Pacs]


@router.get("")
def list_pacs(services: Services, principal: Authenticated) -> PacsListed:
    """List the archives that the caller may search; administrators are told of all."""
    with services.database.read() as session:
        if principal.role == "admin":
            rows = nodes.every_pacs(session, principal.organisation_id)
        else:
            rows = within_reach(services, session, principal)
        enabled = services.archives is not None
        return PacsListed(enabled=enabled, pacs=[_listed(row, whole=principal.role == "admin") for row in rows])


@router.post("", status_code=201)
def create_pacs(request: Request, services: Services, principal: Administrator, wanted: WantedPacs) -> Pacs:
    """Add a PACS."""
    draft = nodes.PacsDraft(**wanted.model_dump(exclude={"secret"}))
    with services.database.write() as session:
        _require_source(session, principal, draft.source_id)
        row = nodes.create_pacs(session, services.clock, principal.organisation_id, draft)
        row.sealed = SecretSeal(services.metadata_key).close(row.id, wanted.secret)
        trail.write(session, trail.event(request, principal, "pacs.create", ("pacs", row.id)))
        return _listed(row, whole=True)


@router.patch("/{pacs_id}")
def change_pacs(
    request: Request, services: Services, principal: Administrator, pacs_id: uuid.UUID, change: PacsChange
) -> Pacs:
    """Change a PACS."""
    with services.database.write() as session:
        present = nodes.get_pacs(session, principal.organisation_id, pacs_id)
        fields = {name: getattr(present, name) for name in PacsChange.model_fields if name != "secret"}
        given = change.model_dump(exclude_none=True, exclude={"secret"})
        draft = nodes.PacsDraft(**(fields | given))
        _require_source(session, principal, draft.source_id)
        row = nodes.update_pacs(session, principal.organisation_id, pacs_id, draft)
        if change.secret is not None:
            row.sealed = SecretSeal(services.metadata_key).close(row.id, change.secret)
        detail = {"changed": sorted({*given, *(("secret",) if change.secret is not None else ())})}
        trail.write(session, trail.event(request, principal, "pacs.change", ("pacs", pacs_id), detail=detail))
        return _listed(row, whole=True)


@router.delete("/{pacs_id}", status_code=204)
def delete_pacs(request: Request, services: Services, principal: Administrator, pacs_id: uuid.UUID) -> None:
    """Remove a PACS from which nothing is being fetched."""
    with services.database.write() as session:
        nodes.delete_pacs(session, principal.organisation_id, pacs_id)
        trail.write(session, trail.event(request, principal, "pacs.delete", ("pacs", pacs_id)))


@router.post("/{pacs_id}/echo")
def echo_pacs(services: Services, principal: Administrator, pacs_id: uuid.UUID) -> Echo:
    """Ask a PACS whether it is there: by C-ECHO, a DICOMweb service by a search that nothing matches."""
    connector = archives_of(services)
    with services.database.read() as session:
        row = nodes.get_pacs(session, principal.organisation_id, pacs_id)
        node = nodes.node_of(row)
        target = EchoTarget(row.host, row.port, row.ae_title, row.calling_ae_title, row.tls)
    if node.kind == "dicomweb":
        return _searched_for_nothing(connector, node)
    answer = services.echo(target)
    return Echo(ok=answer.trouble is None, error=Trouble.shown(answer.trouble), ms=answer.ms)


def _searched_for_nothing(connector: Connector, node: PacsNode) -> Echo:
    began, trouble = monotonic(), None
    try:
        connector.search(node, Wanted(study_uid=NOBODYS), 1)
    except Broken as broken:
        trouble = broken.trouble
    return Echo(ok=trouble is None, error=Trouble.shown(trouble), ms=(monotonic() - began) * 1000)


def _listed(row: PacsRow, *, whole: bool) -> Pacs:
    fields = {name: getattr(row, name) for name in Pacs.model_fields if name != "has_secret"}
    if not whole:
        fields["username"] = ""
    return Pacs(**fields, has_secret=row.sealed is not None)


def _require_source(session: Session, principal: Principal, source_id: uuid.UUID) -> None:
    """Raise `PacsInvalid` unless devices may send to this source: it is where C-MOVE leads."""
    source = get_source(session, principal.organisation_id, source_id)
    if source.kind != "dicom":
        raise PacsInvalid("source_id: a source that DICOM devices send to", field="source_id")
