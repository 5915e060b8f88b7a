"""What is done with a whole study: taken away as a ZIP, kept longer, released again, deleted."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from radrelay.access import Right
from radrelay.archive import deletion, holdings
from radrelay.errors import Invalid
from radrelay.pseudonyms import ProjectUnknown
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.downloads import copies_response, files_beside, zip_response
from radrelay.web.problems import answers
from radrelay.web.reach import Reach

router = APIRouter(prefix="/studies", tags=["studies"])


class Hold(BaseModel):
    """Until when a study is held (null: until released), and why. No hold goes beyond a source's maximum age."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime | None = None
    reason: str = Field("", max_length=1000)


class Times(BaseModel):
    """When a study goes."""

    model_config = ConfigDict(from_attributes=True)

    expires_at: datetime | None
    ceiling_at: datetime | None
    held: bool


@router.delete("/{study_id}", status_code=204)
def delete_study(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> None:
    """Delete a study with all it has; nothing can bring it back."""
    with services.database.write() as session:
        found = Reach.of(services, session, principal, Right.DELETE).study(study_id, whole=True)
        record = trail.event(request, principal, "study.delete", ("study", study_id), patient=found.patient)
        trail.write(session, record)
        deletion.delete_study(session, study_id, services.clock.now())


@router.post("/{study_id}/hold")
def hold_study(
    request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, wanted: Hold
) -> Times:
    """Keep a study beyond its retention, up to its sources' maximum age."""
    if wanted.until is not None and wanted.until <= services.clock.now():
        raise Invalid("a hold ends in the future", field="until")
    with services.database.write() as session:
        found = Reach.of(services, session, principal, Right.DELETE).study(study_id, whole=True)
        times = holdings.hold(session, study_id, wanted.until, wanted.reason, services.clock.now())
        detail = {"until": wanted.until}
        record = trail.event(
            request, principal, "study.hold", ("study", study_id), detail=detail, patient=found.patient
        )
        trail.write(session, record)
    return Times.model_validate(times)


@router.delete("/{study_id}/hold")
def release_study(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Times:
    """Take a hold back: the study goes by its sources' retention again."""
    with services.database.write() as session:
        found = Reach.of(services, session, principal, Right.DELETE).study(study_id, whole=True)
        times = holdings.release(session, study_id, services.clock.now())
        record = trail.event(request, principal, "study.release", ("study", study_id), patient=found.patient)
        trail.write(session, record)
    return Times.model_validate(times)


@router.get("/{study_id}/archive.zip", response_class=StreamingResponse, responses=answers("application/zip"))
def download_study(
    request: Request,
    services: Services,
    principal: Authenticated,
    study_id: uuid.UUID,
    project: Annotated[uuid.UUID | None, Query(description="De-identified, by this project of pseudonyms.")] = None,
) -> Response:
    """Download a study as a ZIP with DICOMDIR (IHE PDI), streamed; de-identified if a project is named."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.DOWNLOAD)
        found = reach.study(study_id)
        if project is None:
            found.require_clear()
        refs = reach.study_instances(study_id)
        if project is not None:
            if principal.kind == "link":
                raise ProjectUnknown  # what a link shows is shown as it is, or not at all
            return copies_response(request, services, principal, found, refs, project)
        extras = files_beside(services, session, reach, study_id)
    return zip_response(request, services, principal, found, refs, extras=extras)
