"""That pictures of a study are taken away: on record before they are made, since the browser makes them."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import Right
from radrelay.archive.errors import InstanceNotFound
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import Reach

router = APIRouter(prefix="/studies", tags=["contents"])


class Export(BaseModel):
    """What is taken: pictures, a film or a printed sheet, of which objects, with the patient's name or without."""

    model_config = ConfigDict(extra="forbid")

    form: Literal["png", "jpeg", "mp4", "gif", "print"]
    named: bool
    instance_ids: Annotated[list[uuid.UUID], Field(min_length=1, max_length=5000)]
    frames: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class ExportNoted(BaseModel):
    """That it is on record."""

    instances: int
    frames: int


@router.post("/{study_id}/exports", status_code=201)
def note_export(
    request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, wanted: Export
) -> ExportNoted:
    """Put on record that pictures of a study are taken; refused to who may not download, or not see whose they are."""
    ids = set(wanted.instance_ids)
    with services.database.write() as session:
        reach = Reach.of(services, session, principal, Right.DOWNLOAD)
        found = reach.study(study_id)
        if wanted.named:
            found.require_clear()
        if not ids <= {ref.id for ref in reach.study_instances(study_id)}:
            raise InstanceNotFound
        detail = {"form": wanted.form, "named": wanted.named, "instances": len(ids), "frames": wanted.frames}
        record = trail.event(
            request, principal, "study.export", ("study", study_id), detail=detail, patient=found.patient
        )
        trail.write(session, record)
        trail.note_by_link(session, request, principal, services.clock.now())
    return ExportNoted(instances=len(ids), frames=wanted.frames)
