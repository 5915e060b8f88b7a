"""Measurements and annotations of a study: listed, written, deleted; as DICOM objects, downloaded or filed.

A mark's id is the client's, so a request that is sent twice is one. Two people at once are told of each other: who
changes what is no more gets 409 with what there is now.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session
from starlette.responses import Response

from radrelay.access import Principal, Right
from radrelay.archive.tables import INSTANCE
from radrelay.marks import service
from radrelay.marks.checking import LONGEST_TEXT, MOST_VALUES, Content
from radrelay.marks.errors import NoMarks
from radrelay.marks.filing import made, sheet_of
from radrelay.marks.gathering import Plan, gather, look, plans_of
from radrelay.marks.objects.shapes import MOST_POINTS, Kind
from radrelay.marks.objects.sheet import Author, Space, Value
from radrelay.web import trail
from radrelay.web.aliases import reference_of
from radrelay.web.answering import json_answer
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.downloads import SANDBOX, disposition
from radrelay.web.problems import answers, correlation_of
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.services import WebServices

router = APIRouter(prefix="/studies/{study_id}/marks", tags=["marks"])
DICOM = "application/dicom"
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
ValueName = Literal[
    "length", "long_axis", "short_axis", "angle", "area", "perimeter", "mean", "sd", "min", "max", "value", "count"
]
Revision = Annotated[int, Field(ge=0, le=1 << 31)]


class MarkValue(BaseModel):
    """A number that a mark shows; the unit is UCUM, or `px` and `px2` where a picture has no known size."""

    model_config = ConfigDict(extra="forbid")

    name: ValueName
    value: Number
    unit: str = Field(min_length=1, max_length=16, pattern=r"^[!-~]+$")


class MarkSpace(BaseModel):
    """A place in the patient: x, y, z in mm (+x left, +y back, +z head) in the frame of reference of a series."""

    model_config = ConfigDict(extra="forbid")

    series_id: uuid.UUID
    frame_of_reference: str = Field(min_length=1, max_length=64)
    points: list[tuple[Number, Number, Number]] = Field(max_length=MOST_POINTS)


class MarkWanted(BaseModel):
    """A mark as it shall be: on a frame of an instance, or with `space` in the patient, and then without both.

    `revision` is the one that this is based on; 0 makes a new mark. `label` is where the middle of its label was put:
    from the first point, in columns and rows. A text that its writer does not see stays.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    instance_id: uuid.UUID | None = None
    frame: int | None = Field(None, ge=1, le=1 << 24, strict=True)
    points: list[tuple[Number, Number]] = Field(default=[], max_length=MOST_POINTS)
    space: MarkSpace | None = None
    text: str = Field("", max_length=LONGEST_TEXT)
    label: tuple[Number, Number] | None = None
    values: list[MarkValue] = Field(default=[], max_length=MOST_VALUES)
    revision: int = Field(ge=0, le=1 << 31, strict=True)

    @model_validator(mode="after")
    def _lies_somewhere(self) -> Self:
        on_picture = (self.instance_id is not None, self.frame is not None)
        if on_picture != ((self.space is None),) * 2:
            raise ValueError("a mark has an instance_id and a frame, or a space")
        return self


class Person(BaseModel):
    """Who made or changed a mark."""

    id: str
    name: str


class Mark(BaseModel):
    """A mark as it is kept. Points are column and row from the outer corner of the first pixel.

    One that lies in the patient has a `space`, and neither instance nor frame. `text_hidden`: it has a text that is
    not for the caller, who knows patients by alias and did not type it.
    """

    id: uuid.UUID
    kind: Kind
    series_id: uuid.UUID
    instance_id: uuid.UUID | None
    frame: int | None
    points: list[tuple[float, float]]
    space: MarkSpace | None
    text: str
    text_hidden: bool
    label: tuple[float, float] | None
    values: list[MarkValue]
    revision: int
    author: Person
    created_at: datetime
    changed_at: datetime
    changed_by: Person


class Marks(BaseModel):
    """A study's marks on the series within reach, in the order they were made; whether the caller may make more."""

    marks: list[Mark]
    may_mark: bool


class FiledObject(BaseModel):
    """An object that was made of marks; it appears in the study within moments."""

    kind: Literal["report", "presentation", "key-objects"]
    sop_uid: str
    series_uid: str
    marks: int


class Filed(BaseModel):
    """What was filed; nothing where no mark has changed since the last time."""

    objects: list[FiledObject]


@router.get("", response_model=Marks)
def list_marks(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Response:
    """List a study's marks."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        found = reach.study(study_id)
        marks = service.list_marks(session, _place(services, reach, study_id, principal))
        annotating = Reach.of(services, session, principal, Right.ANNOTATE)
        may_mark = study_id in annotating.studies([study_id])
    record = trail.event(request, principal, "study.open", ("study", study_id), patient=found.patient)
    trail.seen(services.database, principal, record)
    return json_answer({"marks": marks, "may_mark": may_mark})


@router.put("/{mark_id}", response_model=Mark)
def put_mark(
    request: Request,
    services: Services,
    principal: Authenticated,
    study_id: uuid.UUID,
    mark_id: uuid.UUID,
    wanted: MarkWanted,
) -> Response:
    """Make or change a mark; the same request again is answered the same."""
    with services.database.write() as session:
        reach = Reach.of(services, session, principal, Right.ANNOTATE)
        found = reach.study(study_id)
        place = _place(services, reach, study_id, principal, Reach.of(services, session, principal, Right.SEE))
        stored, changed = service.put(session, place, _wanted(mark_id, wanted), _author(principal))
        if changed:
            detail = {"study": study_id, "kind": stored.kind, "revision": stored.revision}
            _record(session, request, principal, "mark.write", mark_id, found, detail)
    return json_answer(stored)


@router.delete("/{mark_id}", status_code=204)
def delete_mark(
    request: Request,
    services: Services,
    principal: Authenticated,
    study_id: uuid.UUID,
    mark_id: uuid.UUID,
    revision: Annotated[Revision, Query()] = 0,
) -> None:
    """Delete a mark of the given revision. It is brought back by a change that is based on the revision after that."""
    with services.database.write() as session:
        reach = Reach.of(services, session, principal, Right.ANNOTATE)
        found = reach.study(study_id)
        place = _place(services, reach, study_id, principal, Reach.of(services, session, principal, Right.SEE))
        if service.delete(session, place, mark_id, revision, _author(principal)):
            detail = {"study": study_id, "revision": revision}
            _record(session, request, principal, "mark.delete", mark_id, found, detail)


@router.post("/file", status_code=202)
def file_marks(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Filed:
    """File the marks that have changed as DICOM objects of the study, now; otherwise it is done once they rest."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.ANNOTATE).study(study_id, whole=True)
    found.require_clear()
    filed = services.filings.file(study_id, principal, correlation_of(request))
    return Filed(
        objects=[FiledObject(kind=o.kind, sop_uid=o.sop_uid, series_uid=o.series_uid, marks=o.marks) for o in filed]
    )


@router.get("/report.dcm", response_class=Response, responses=answers(DICOM))
def report(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Response:
    """Download the marks within reach as a structured report (TID 1500)."""
    return _download(request, services, principal, study_id, "report")


@router.get("/presentation.dcm", response_class=Response, responses=answers(DICOM))
def presentation(
    request: Request,
    services: Services,
    principal: Authenticated,
    study_id: uuid.UUID,
    series: Annotated[uuid.UUID, Query()],
    part: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Download a series' marks as a softcopy presentation state.

    A series whose pictures are rescaled differently, as in PET, has a state for each of these: `part` 1, 2, …
    """
    return _download(request, services, principal, study_id, "presentation", series, part)


@router.get("/key-objects.dcm", response_class=Response, responses=answers(DICOM))
def key_objects(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Response:
    """Download the key images as a key object selection (TID 2010)."""
    return _download(request, services, principal, study_id, "key-objects")


def _place(
    services: WebServices, reach: Reach, study_id: uuid.UUID, principal: Principal, seeing: Reach | None = None
) -> service.Place:
    """Return what `reach` gives of a study; who sees by alias (`seeing`) is told no names where he writes either.

    A frame of reference is known to him as it was told where he sees it, whatever he annotates by.
    """
    within = reach.scope.series_filter(INSTANCE.c.study_id, INSTANCE.c.series_id)
    seen_by = reach.scope.identity
    if seeing is not None and seeing.studies([study_id]):
        seen_by = seeing.scope.identity
    clear = all(one.scope.identity == "clear" for one in (reach, seeing or reach))
    reader = service.Reader(
        principal.id, clear, partial(reference_of, services, principal.organisation_id, clear=seen_by == "clear")
    )
    return service.Place(reach.scope.organisation_id, study_id, within, reach.now, reader)


def _wanted(mark_id: uuid.UUID, body: MarkWanted) -> service.Wanted:
    values = [Value(value.name, value.value, value.unit) for value in body.values]
    text = body.text.replace("\r\n", "\n")
    space = Space(body.space.frame_of_reference, list(body.space.points)) if body.space else None
    content = Content(list(body.points), text, values, body.label, space)
    series_id = body.space.series_id if body.space else None
    return service.Wanted(mark_id, body.kind, body.instance_id, body.frame, content, body.revision, series_id)


def _author(principal: Principal) -> Author:
    return Author(principal.id, principal.name[:200], principal.kind)


def _record(
    session: Session,
    request: Request,
    principal: Principal,
    action: str,
    mark_id: uuid.UUID,
    study: ReachedStudy,
    detail: Mapping[str, object],
) -> None:
    subject = ("mark", mark_id)
    trail.write(session, trail.event(request, principal, action, subject, detail=detail, patient=study.patient))


def _download(
    request: Request,
    services: WebServices,
    principal: Principal,
    study_id: uuid.UUID,
    kind: Literal["report", "presentation", "key-objects"],
    series_id: uuid.UUID | None = None,
    part: int = 1,
) -> Response:
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.DOWNLOAD)
        found = reach.study(study_id)
        found.require_clear()
        within = _place(services, reach, study_id, principal).within
        gathered = gather(session, reach.now, principal.organisation_id, study_id, within)
    marks = [placed for placed in gathered.marks if series_id in (None, placed.series_id)]
    gathered.marks = marks
    if kind == "presentation":
        look(gathered, services.renditions)
    plan = _nth((one for one in plans_of(marks, gathered, study_id) if one.kind == kind), part)
    sheet = sheet_of(plan, gathered, principal.organisation_id, 1)
    with services.database.write() as session:
        detail = {"study": study_id, "object": kind, "marks": len(plan.marks)}
        _record(session, request, principal, "marks.download", study_id, found, detail)
    headers = {"Content-Disposition": disposition(f"{kind}.dcm"), "Content-Security-Policy": SANDBOX}
    return Response(made(sheet), media_type=DICOM, headers=headers)


def _nth(found: Iterator[Plan], part: int) -> Plan:
    for number, plan in enumerate(found, 1):
        if number == part:
            return plan
    raise NoMarks
