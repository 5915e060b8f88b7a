"""What was de-identified, with what result, and what was kept back until a person has looked at it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay import pseudonyms
from radrelay.access import Right
from radrelay.archive.models import Instance
from radrelay.dicom.deidentify import Outcome, Reason, Warned
from radrelay.routing import deliveries
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import Reach

router = APIRouter(tags=["pseudonyms"])
Number = Annotated[int, Field(ge=0, le=65_535)]
Rectangle = tuple[Number, Number, Annotated[int, Field(ge=1, le=65_535)], Annotated[int, Field(ge=1, le=65_535)]]


class Report(BaseModel):
    """What was done, without any value: attributes by outcome and how often, warnings, templates, reasons."""

    attributes: dict[Outcome, dict[str, int]]
    warnings: dict[Warned, int]
    templates: dict[str, int]
    refused: dict[Reason, int]


class Handout(BaseModel):
    """A study that was de-identified. Without an end it is under way, or was broken off."""

    id: uuid.UUID
    project_id: uuid.UUID
    project: str
    study_id: uuid.UUID | None
    purpose: str
    made_by: str
    objects: int
    kept_back: int
    report: Report
    created_at: datetime
    ended_at: datetime | None


class Held(BaseModel):
    """An object that was kept back, or that a person let pass."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    project_id: uuid.UUID
    project: str
    study_id: uuid.UUID
    instance_id: uuid.UUID
    reasons: list[Reason]
    held_at: datetime
    released_at: datetime | None
    released_by: str
    note: str
    cover: list[tuple[int, int, int, int]]
    releasable: bool
    alike: int


class Handouts(BaseModel):
    """What was handed out of a study, and what was kept back of it."""

    handouts: list[Handout]
    held: list[Held]


class AllHeld(BaseModel):
    """What waits for a person to look at it."""

    held: list[Held]


class Proposal(BaseModel):
    """Where text may stand in a held picture; nothing is proposed where `installed` is false."""

    installed: bool
    columns: int
    rows: int
    frames: int
    regions: list[tuple[int, int, int, int]]


class Pass(BaseModel):
    """What is covered (x, y, width, height in pixels) when an object is let pass, and why it may."""

    model_config = ConfigDict(extra="forbid")

    cover: list[Rectangle] = Field([], max_length=64)
    note: str = Field(min_length=3, max_length=500)
    alike: bool = False
    """Of all objects of the study that wait for the same reasons and have the same size."""


def _handout(view: pseudonyms.HandoutView) -> Handout:
    told = view.report
    report = Report(
        attributes=told.attributes, warnings=told.warnings, templates=told.templates, refused=told.refused
    )  # fmt: skip
    return Handout(
        id=view.id, project_id=view.project_id, project=view.project, study_id=view.study_id, purpose=view.purpose,
        made_by=view.made_by, objects=view.objects, kept_back=view.kept_back, report=report,
        created_at=view.created_at, ended_at=view.ended_at,
    )  # fmt: skip


@router.get("/studies/{study_id}/handouts")
def study_handouts(services: Services, principal: Authenticated, study_id: uuid.UUID) -> Handouts:
    """Say what was de-identified of a study, by which project, with what result, and what was kept back."""
    organisation_id = principal.organisation_id
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.DOWNLOAD).study(study_id)
        found.require_clear()
        made = pseudonyms.list_handouts(session, organisation_id, study=(study_id, found.study_uid))
        kept = pseudonyms.study_held(session, organisation_id, study_id)
    return Handouts(handouts=[_handout(one) for one in made], held=[Held.model_validate(one) for one in kept])


@router.get("/pseudonyms/held")
def list_held(services: Services, principal: Authenticated) -> AllHeld:
    """List what waits for a person to look at it, of studies that who asks may re-identify."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.REIDENTIFY)
        if reach.scope.nothing or reach.scope.identity != "clear":
            return AllHeld(held=[])
        kept = pseudonyms.waiting_held(session, principal.organisation_id)
        mine = reach.studies(one.study_id for one in kept)
    return AllHeld(held=[Held.model_validate(one) for one in kept if one.study_id in mine])


@router.get("/pseudonyms/held/{held_id}/proposal")
def propose(request: Request, services: Services, principal: Authenticated, held_id: uuid.UUID) -> Proposal:
    """Propose what to cover on a held picture: rectangles around what looks like text. A person decides."""
    with services.database.read() as session:
        kept = pseudonyms.get_held(session, principal.organisation_id, held_id)
        reach = Reach.of(services, session, principal, Right.REIDENTIFY)
        found = reach.instance(kept.instance_id)
        found.study.require_clear()
        row = session.get_one(Instance, kept.instance_id)
        columns, rows = row.columns or 0, row.rows or 0
    subject = ("study", found.study.id)
    seen = trail.event(request, principal, "study.view", subject, patient=found.study.patient)
    trail.seen(services.database, principal, seen)
    ref = found.ref
    if not columns or not pseudonyms.recogniser_installed():
        return Proposal(installed=False, columns=columns, rows=rows, frames=ref.frames, regions=[])
    pictures = [services.renditions.picture(ref, number, form="png") for number in _looked_at(ref.frames)]
    regions = pseudonyms.propose(pictures, columns, rows)
    return Proposal(installed=True, columns=columns, rows=rows, frames=ref.frames, regions=list(regions))


def _looked_at(frames: int) -> list[int]:
    """Return the frames that are looked at for text: the first, the middle, the last."""
    return sorted({1, (frames + 1) // 2, max(1, frames)})


@router.post("/pseudonyms/held/{held_id}/release")
def release_held(
    request: Request, services: Services, principal: Authenticated, held_id: uuid.UUID, wanted: Pass
) -> Held:
    """Let an object pass when its study is handed out next, regions covered: for who has looked at it."""
    organisation_id = principal.organisation_id
    with services.database.write() as session:
        kept = pseudonyms.get_held(session, organisation_id, held_id)
        found = Reach.of(services, session, principal, Right.REIDENTIFY).study(kept.study_id)
        found.require_clear()
        released, count = pseudonyms.release_held(
            session, organisation_id, held_id, wanted.cover, wanted.note, principal.name, services.clock.now(),
            alike=wanted.alike,
        )  # fmt: skip
        detail = {
            "project": kept.project, "study": kept.study_id, "reason": wanted.note, "regions": len(wanted.cover),
            "instances": count,
        }  # fmt: skip
        deliveries.go_on_with_released(session, services.clock, organisation_id, kept.project_id, kept.study_id)
        subject = ("instance", kept.instance_id)
        record = trail.event(
            request, principal, "pseudonym.release", subject, detail=detail, patient=found.patient
        )  # fmt: skip
        trail.write(session, record)
    return Held.model_validate(released)
