"""What waits for a person to release it: told to who may release it, by a grant on its source or on everything."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import GUEST, Principal, Right
from radrelay.access.source_reach import SourceReach
from radrelay.intake import awaiting
from radrelay.intake.awaiting import Done
from radrelay.intake.errors import AwaitingUnknown
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import answers
from radrelay.web.services import WebServices

router = APIRouter(prefix="/waiting", tags=["waiting"])


class Awaiting(BaseModel):
    """What waits of a study from one source, or (without a study) of one transmission's files.

    `here`: so many images of the study were released before, or came from elsewhere.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    source_id: uuid.UUID
    source: str = ""
    objects: int
    bytes: int
    first_received_at: datetime
    last_received_at: datetime
    ends_at: datetime | None
    here: int
    patient_id: str
    patient_name: str
    birth_date: date | None
    study_date: date | None
    modality: str
    description: str
    accession_number: str
    file_name: str
    sent_by: str


class Waiting(BaseModel):
    """What waits, what came last first. `may`: the caller may release something, should it come.

    `seen` goes back with what is decided, so that nothing is let in that came after this list was read.
    """

    may: bool
    seen: dict[uuid.UUID, int]
    waiting: list[Awaiting]


class Chosen(BaseModel):
    """What is decided upon: some by `ids`, or all of a source; of what the list of `seen` held (all, without it)."""

    model_config = ConfigDict(extra="forbid")

    ids: list[uuid.UUID] = Field([], max_length=500)
    source_id: uuid.UUID | None = None
    seen: dict[uuid.UUID, int] | None = Field(None, max_length=10_000)
    reason: str = Field("", max_length=1000)


class Decided(BaseModel):
    """What came of each: objects let in, and those that went to the quarantine."""

    id: uuid.UUID
    objects: int
    aside: int


class Decision(BaseModel):
    """What came of all; nothing of one that somebody else was quicker with."""

    decided: list[Decided]


@dataclass(frozen=True, slots=True)
class _May:
    """What a principal may release."""

    sources: SourceReach
    restricted: bool

    @classmethod
    def of(cls, services: WebServices, principal: Principal) -> _May:
        now = services.clock.now()
        with services.database.read() as session:
            if principal.role == GUEST:
                return cls(SourceReach(every=False, ids=frozenset()), restricted=False)
            sources = access.reach_of_sources(session, principal, Right.ADMIT, now=now)
            scope = access.scope(session, principal, Right.ADMIT, now=now)
        return cls(sources, scope.whole and scope.sees_restricted)

    def required(self) -> _May:
        """Raise `AwaitingUnknown` where that is nothing."""
        if self.sources.nothing:
            raise AwaitingUnknown
        return self


@router.get("")
def list_waiting(request: Request, services: Services, principal: Authenticated) -> Waiting:
    """List what waits and the caller may release."""
    may = _May.of(services, principal)
    if may.sources.nothing:
        return Waiting(may=False, seen={}, waiting=[])
    found, seen = services.waiting_room.waiting(principal.organisation_id, may.sources.holds, restricted=may.restricted)
    if found:
        trail.seen(services.database, principal, trail.event(request, principal, "waiting.list"))
    names = {source.id: source.name for source in services.sources.sources()}
    shown = [Awaiting.model_validate(one).model_copy(update={"source": names.get(one.source_id, "")}) for one in found]
    told = {source_id: number for source_id, number in seen.items() if may.sources.holds(source_id)}
    return Waiting(may=True, seen=told, waiting=shown)


@router.get("/{awaiting_id}/picture", response_class=Response, responses=answers("image/jpeg"))
def picture(request: Request, services: Services, principal: Authenticated, awaiting_id: uuid.UUID) -> Response:
    """Show the first picture of what waits."""
    may = _May.of(services, principal)
    found = _found(services, principal, may, Chosen(ids=[awaiting_id]))
    if not found:
        raise AwaitingUnknown
    patient = _patient(found[0])
    record = trail.event(request, principal, "waiting.view", ("awaiting", awaiting_id), patient=patient)
    trail.seen(services.database, principal, record)
    room, holds = services.waiting_room, may.sources.holds
    made = room.picture(principal.organisation_id, awaiting_id, holds, restricted=may.restricted)
    return Response(made, media_type="image/jpeg")


@router.post("/release")
def release(request: Request, services: Services, principal: Authenticated, chosen: Chosen) -> Decision:
    """Let in what waits; rules, searches and deliveries meet it from now on."""

    def one(waited: awaiting.Awaiting, seen: awaiting.Seen | None, note: awaiting.Note) -> Done:
        return services.waiting_room.release(principal.organisation_id, waited, seen, note)

    return _decide(request, services, principal, chosen, "waiting.release", one)


@router.post("/reject")
def reject(request: Request, services: Services, principal: Authenticated, chosen: Chosen) -> Decision:
    """Put what waits into the quarantine, where its time runs out."""

    def one(waited: awaiting.Awaiting, seen: awaiting.Seen | None, note: awaiting.Note) -> Done:
        return services.waiting_room.reject(principal.organisation_id, waited, seen, principal.name, note)

    return _decide(request, services, principal, chosen, "waiting.reject", one)


def _decide(
    request: Request,
    services: WebServices,
    principal: Principal,
    chosen: Chosen,
    action: str,
    decide: Callable[[awaiting.Awaiting, awaiting.Seen | None, awaiting.Note], Done],
) -> Decision:
    may = _May.of(services, principal).required()

    def note(session: Session, done: Done) -> None:
        one = done.waited
        detail = {"source": one.source_id, "study_uid": one.study_uid or None, "objects": done.objects,
                  "aside": done.aside, "reason_given": bool(chosen.reason)}  # fmt: skip
        subject = ("awaiting", one.id)
        trail.write(session, trail.event(request, principal, action, subject, detail=detail, patient=_patient(one)))

    found = _found(services, principal, may, chosen)
    if not found:
        raise AwaitingUnknown
    decided = [decide(one, chosen.seen, note) for one in found]
    return Decision(decided=[Decided(id=done.waited.id, objects=done.objects, aside=done.aside) for done in decided])


def _found(services: WebServices, principal: Principal, may: _May, chosen: Chosen) -> Sequence[awaiting.Awaiting]:
    return services.waiting_room.find(
        principal.organisation_id, may.sources.holds, ids=chosen.ids, source_id=chosen.source_id,
        restricted=may.restricted,
    )  # fmt: skip


def _patient(one: awaiting.Awaiting) -> trail.Patient | None:
    return ("", one.patient_id, one.patient_name) if one.patient_id or one.patient_name else None
