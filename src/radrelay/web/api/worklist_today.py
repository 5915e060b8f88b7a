"""Today's worklist for whoever may import from portals: for whom images from elsewhere are waiting to be filed."""

from __future__ import annotations

import uuid
from datetime import date, time

from fastapi import APIRouter, Request
from pydantic import BaseModel

from radrelay import access
from radrelay.importer.waiting import Scheduled, Waiting, today_at, waiting_for
from radrelay.settings.zones import zone_of
from radrelay.web import importing, trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.import_candidates import PersonShown
from radrelay.web.import_sight import Sight

router = APIRouter(prefix="/worklist", tags=["imports"])


class StepShown(BaseModel):
    """What is done; `time` is the site's."""

    time: time | None
    modality: str
    procedure: str
    accession: str
    location: str
    state: str


class WaitingShown(BaseModel):
    """Somebody in an import. `sure`: chosen by a person, or proposed; else they may be this patient.

    `objects` are those that are not here yet. `known`: the patient stands beside the import already; else it has to be
    checked again. `also`: so many other imports bring nothing beyond it.
    """

    id: uuid.UUID
    number: int
    objects: int
    sure: bool
    known: bool
    also: int


class PatientToday(BaseModel):
    """A patient of today, and the imports that wait for them."""

    person: PersonShown
    steps: list[StepShown]
    waiting: list[WaitingShown]


class Today(BaseModel):
    """The patients of a day in the site's time zone. `may`: the caller may import from portals, and so see them."""

    day: date
    may: bool
    patients: list[PatientToday]


@router.get("/today")
def show_today(request: Request, services: Services, principal: Authenticated) -> Today:
    """List today's patients, those for whom images are waiting first; that somebody saw it is on record.

    Whoever a restriction keeps from the caller is left out, as from other worklists.
    """
    day = today_at(services.clock.now(), zone_of(services.settings.work.zone))
    with services.database.read() as session:
        ids = importing.source_ids(services, session, principal)
        may = importing.may_begin(session, principal, ids)
        scheduled = (
            services.importing.scheduled(session, principal.organisation_id, day)
            if may and services.importing is not None
            else ()
        )
        waiting = waiting_for(session, principal.organisation_id, ids, scheduled)
        sight = Sight.of(services, session, principal, [one.key for one in scheduled if one.person.patient_id])
        kept = access.kept_from(session, principal, now=services.clock.now())
    patients = [
        _shown(one, waits)
        for one, waits in zip(scheduled, waiting, strict=True)  # what waits is judged with everybody
        if not sight.hides(one.key) and not any(kept(step.study_uid, "") for step in one.steps)
    ]
    if patients:
        trail.seen(services.database, principal, trail.event(request, principal, "worklist.view"), day.isoformat())
    return Today(day=day, may=may, patients=sorted(patients, key=lambda one: not one.waiting))


def _shown(one: Scheduled, waits: tuple[Waiting, ...]) -> PatientToday:
    return PatientToday(
        person=PersonShown.of(one.person),
        steps=[
            StepShown(
                time=step.time, modality=step.modality, procedure=step.procedure, accession=step.accession,
                location=step.location, state=step.state,
            )
            for step in one.steps
        ],
        waiting=[
            WaitingShown(
                id=it.case_id, number=it.number, objects=it.objects, sure=it.sure, known=it.known, also=it.also
            )
            for it in waits
        ],
    )  # fmt: skip
