"""The doors that studies come in by, and what their data are promised. Administrators change them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import GUEST
from radrelay.intake import sources
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Authenticated, Services

router = APIRouter(prefix="/sources", tags=["sources"])
Kind = Literal["dicom", "stow", "upload", "import", "folder"]
Policy = Literal["quarantine", "supersede", "keep-both"]
MOST_S = (1 << 31) - 1
MOST_BYTES = (1 << 63) - 1


class SourceFields(BaseModel):
    """What a person sets of a source. No retention means: until deleted or the owner's account ends.

    `release_by_hand`: what comes waits until a person releases it; of all with `*`, or of a comma list of calling AE
    titles.
    """

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    name: str = Field(min_length=1, max_length=100)
    kind: Kind
    ae_title: str | None = Field(None, max_length=16)
    callers: str = Field("*", max_length=4000)
    folder: str | None = Field(None, max_length=4000)
    issuer_of_patient_id: str = Field("", max_length=64)
    retention_s: int | None = Field(None, ge=60, le=MOST_S)
    max_age_s: int | None = Field(None, ge=60, le=MOST_S)
    quiet_s: int = Field(30, ge=1, le=86400)
    duplicate_policy: Policy = "quarantine"
    quota_bytes: int | None = Field(None, ge=0, le=MOST_BYTES)
    scan: bool = True
    enabled: bool = True
    project_id: uuid.UUID | None = None
    release_by_hand: str = Field("", max_length=4000)


class Source(BaseModel):
    """A source. Callers, folder and whose objects wait for release are shown to administrators only."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    kind: str
    ae_title: str | None
    callers: str | None
    folder: str | None
    issuer_of_patient_id: str
    retention_s: int | None
    max_age_s: int | None
    quiet_s: int
    duplicate_policy: str
    quota_bytes: int | None
    scan: bool
    enabled: bool
    project_id: uuid.UUID | None
    release_by_hand: str | None
    created_at: datetime


class SourceChange(BaseModel):
    """What is to change; what is left out stays, null takes a limit away."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", min_length=1, max_length=100)
    ae_title: str | None = Field(None, max_length=16)
    callers: str = Field("*", max_length=4000)
    folder: str | None = Field(None, max_length=4000)
    issuer_of_patient_id: str = Field("", max_length=64)
    retention_s: int | None = Field(None, ge=60, le=MOST_S)
    max_age_s: int | None = Field(None, ge=60, le=MOST_S)
    quiet_s: int = Field(30, ge=1, le=86400)
    duplicate_policy: Policy = "quarantine"
    quota_bytes: int | None = Field(None, ge=0, le=MOST_BYTES)
    scan: bool = True
    enabled: bool = True
    project_id: uuid.UUID | None = None
    release_by_hand: str = Field("", max_length=4000)


class Sources(BaseModel):
    """All sources, by name."""

    sources: list[Source]


@router.get("")
def list_sources(services: Services, principal: Authenticated) -> Sources:
    """List the sources; to who signed up those alone that they may upload to."""
    with services.database.read() as session:
        found = [Source.model_validate(source) for source in sources.list_sources(session, principal.organisation_id)]
    if principal.role != "admin":
        found = [
            source.model_copy(update={"callers": None, "folder": None, "release_by_hand": None}) for source in found
        ]
    if principal.role == GUEST:
        found = [source for source in found if source.kind == "upload"]
    return Sources(sources=found)


@router.post("", status_code=201)
def create_source(request: Request, services: Services, principal: Administrator, wanted: SourceFields) -> Source:
    """Add a source."""
    spec = sources.SourceSpec(**wanted.model_dump())
    with services.database.write() as session:
        made = sources.add_source(session, principal.organisation_id, spec, services.clock.now())
        detail = {"kind": made.kind, "retention_s": made.retention_s, "max_age_s": made.max_age_s}
        trail.write(session, trail.event(request, principal, "source.create", ("source", made.id), detail=detail))
    services.sources.refresh()
    return Source.model_validate(made)


@router.patch("/{source_id}")
def change_source(
    request: Request, services: Services, principal: Administrator, source_id: uuid.UUID, change: SourceChange
) -> Source:
    """Change a source; a new retention counts for what arrives from now on."""
    given = change.model_dump(exclude_unset=True)
    with services.database.write() as session:
        changed = sources.change_source(session, principal.organisation_id, source_id, given)
        subject = ("source", source_id)
        trail.write(session, trail.event(request, principal, "source.change", subject, detail={"changed": given}))
    services.sources.refresh()
    return Source.model_validate(changed)


@router.delete("/{source_id}", status_code=204)
def remove_source(request: Request, services: Services, principal: Administrator, source_id: uuid.UUID) -> None:
    """Remove a source that nothing is here of."""
    with services.database.write() as session:
        sources.remove_source(session, principal.organisation_id, source_id)
        trail.write(session, trail.event(request, principal, "source.delete", ("source", source_id)))
    services.sources.refresh()
