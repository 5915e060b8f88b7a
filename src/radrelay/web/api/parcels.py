"""Uploads: a parcel is made, files are put into it one by one (or whole ZIPs), and it is closed.

A file's body is streamed into the landing log and is durable and encrypted when the answer comes.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import Principal, Right
from radrelay.errors import RadrelayError
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import ParcelUnknown, SourceUnknown
from radrelay.intake.files import FileLander, LandedFile
from radrelay.intake.parcels import ParcelView
from radrelay.intake.sources import SourceView, get_source
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import correlation_of
from radrelay.web.reach import sees_everything
from radrelay.web.services import WebServices
from radrelay.web.uploads import BodyPieces, announced_bytes

router = APIRouter(prefix="/parcels", tags=["parcels"])
UPLOAD = "upload"
_FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class WantedParcel(BaseModel):
    """An upload that is about to begin; `source` is the id of an upload source, by default the first."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=1024)
    bytes_expected: int | None = Field(None, ge=0, lt=1 << 63)
    source: uuid.UUID | None = None


class Parcel(BaseModel):
    """What came in together, and how far it is; `error` and `error_code` say why it failed, as a finding does."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    source_id: uuid.UUID
    account_id: uuid.UUID | None
    kind: str
    name: str
    state: str
    error: str
    error_code: str
    bytes_expected: int | None
    bytes_received: int
    files: int
    objects: int
    duplicates: int
    attachments: int
    quarantined: int
    refused: int
    created_at: datetime
    finished_at: datetime | None
    study_ids: list[uuid.UUID]


class Finding(BaseModel):
    """One file that was not kept as it came, and why."""

    model_config = ConfigDict(from_attributes=True)

    file_name: str
    code: str
    text: str


class ParcelDetail(Parcel):
    """A parcel with its findings."""

    findings: list[Finding]


class Parcels(BaseModel):
    """Parcels, newest first."""

    parcels: list[Parcel]


class ParcelMade(BaseModel):
    """A parcel that files can be put into."""

    id: uuid.UUID


class FileTaken(BaseModel):
    """What became of one file."""

    outcome: str
    size: int
    media_type: str
    code: str
    text: str


def _own_account(principal: Principal) -> uuid.UUID | None:
    return uuid.UUID(principal.id) if principal.kind == "account" else None


def _reached(services: WebServices, principal: Principal, parcel_id: uuid.UUID) -> ParcelView:
    found = services.parcels.get(principal.organisation_id, parcel_id)
    own = _own_account(principal)
    if (own is None or found.account_id != own) and not sees_everything(services, principal, Right.SEE):
        raise ParcelUnknown
    return found


def _upload_source(services: WebServices, principal: Principal, wanted: uuid.UUID | None) -> SourceView:
    if wanted is None:
        return services.sources.resolve(UPLOAD, organisation_id=principal.organisation_id)
    with services.database.read() as session:
        source = get_source(session, principal.organisation_id, wanted)
    if source.kind != UPLOAD or not source.enabled:
        raise SourceUnknown
    return source


@router.get("")
def list_parcels(
    services: Services, principal: Authenticated, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Parcels:
    """List what came in together: everything for who sees everything, else one's own uploads."""
    sees_all = sees_everything(services, principal, Right.SEE)
    only = None if sees_all else _own_account(principal) or uuid.UUID(int=0)
    found = services.parcels.recent(principal.organisation_id, limit, only)
    return Parcels(parcels=[Parcel.model_validate(parcel) for parcel in found])


@router.post("", status_code=201)
def create_parcel(request: Request, services: Services, principal: Authenticated, wanted: WantedParcel) -> ParcelMade:
    """Begin an upload."""
    source = _upload_source(services, principal, wanted.source)
    origin = services.parcels.create(
        source,
        wanted.name,
        account_id=_own_account(principal),
        bytes_expected=wanted.bytes_expected,
        correlation_id=correlation_of(request),
        peer=principal.peer,
    )
    parcel_id = origin.parcel_id or uuid.UUID(int=0)
    with services.database.write() as session:
        detail = {"source": source.id}
        trail.write(session, trail.event(request, principal, "import.begin", ("parcel", parcel_id), detail=detail))
    return ParcelMade(id=parcel_id)


@router.get("/{parcel_id}")
def parcel(services: Services, principal: Authenticated, parcel_id: uuid.UUID) -> ParcelDetail:
    """Show a parcel, and what of it was not kept."""
    found = _reached(services, principal, parcel_id)
    findings = services.parcels.findings(principal.organisation_id, parcel_id)
    return ParcelDetail(
        **Parcel.model_validate(found).model_dump(),
        findings=[Finding.model_validate(finding) for finding in findings],
    )


@router.put("/{parcel_id}/files", openapi_extra=_FILE_BODY)
async def put_file(
    request: Request,
    services: Services,
    principal: Authenticated,
    parcel_id: uuid.UUID,
    name: Annotated[str, Query(min_length=1, max_length=1024)],
) -> FileTaken:
    """Put one file into a parcel; `name` is its path as sent. Durable when the answer comes."""
    limit = services.settings.web.upload_limit_bytes
    announced_bytes(request, limit)
    pieces = BodyPieces(request, limit)
    landed = await services.upload_threads.run(partial(_land, services, principal, parcel_id, name, pieces))
    services.measurements.uploaded_bytes.inc(pieces.taken)
    return FileTaken(
        outcome=landed.outcome,
        size=landed.size,
        media_type=landed.media_type,
        code=landed.code,
        text=landed.text,
    )


def _origin(services: WebServices, principal: Principal, parcel_id: uuid.UUID) -> Origin:
    _reached(services, principal, parcel_id)
    return services.parcels.origin(principal.organisation_id, parcel_id, principal.peer)


def _land(
    services: WebServices, principal: Principal, parcel_id: uuid.UUID, name: str, pieces: BodyPieces
) -> LandedFile:
    lander = FileLander(services.landing, _origin(services, principal, parcel_id))
    try:
        return lander.land(name, pieces)
    except RadrelayError as error:
        lander.refuse(name, error)
        raise


@router.post("/{parcel_id}/done", status_code=202)
def close_parcel(request: Request, services: Services, principal: Authenticated, parcel_id: uuid.UUID) -> Parcel:
    """Say that no more files follow."""
    services.parcels.seal(services.landing, _origin(services, principal, parcel_id))
    with services.database.write() as session:
        trail.write(session, trail.event(request, principal, "import.end", ("parcel", parcel_id)))
    return Parcel.model_validate(services.parcels.get(principal.organisation_id, parcel_id))
