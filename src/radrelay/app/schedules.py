"""What schedules need of this installation: who is where (HL7), what is here, whose a study is, and how long it stays.

Where fetching is switched off, nothing of this runs.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.app.core import Core
from radrelay.app.retrieving import Archive
from radrelay.app.threads import loop
from radrelay.archive import holdings
from radrelay.archive.models import Study
from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.hl7 import whereabouts
from radrelay.hl7.content import Content
from radrelay.hl7.processing import KeptMessage
from radrelay.retrieve.ports import Connector, Person
from radrelay.retrieve.schedules.finding import Finder, Origin
from radrelay.retrieve.schedules.sizes import Means, means_of
from radrelay.retrieve.schedules.times import moment_of
from radrelay.retrieve.schedules.work import ScheduleWork, start_priors
from radrelay.settings.zones import zone_of
from radrelay.storage.database import Database
from radrelay.storage.leadership import Leadership

TICK_S = 1.0


def open_finder(core: Core, connector: Connector) -> Finder:
    """Return what asks archives for schedules."""
    zone = zone_of(core.settings.work.zone)
    return Finder(
        connector,
        Archive.of(core),
        HospitalWhereabouts(core.database, core.clock),
        core.settings.retrieve,
        zone,
        FetchedSizes(core.database),
    )


def open_schedules(core: Core, connector: Connector) -> ScheduleWork:
    """Return what carries schedules out."""
    finder = open_finder(core, connector)
    retain = Window(core.clock, finder.zone)
    return ScheduleWork(core.database, core.clock, core.settings.retrieve, finder, retain)


def keep_schedules(
    core: Core, connector: Connector, holder: str, stop: threading.Event
) -> list[threading.Thread]:  # fmt: skip
    """Return the thread that carries schedules out, on one machine; none where fetching is switched off."""
    if not core.settings.retrieve.enabled:
        return []
    work = open_schedules(core, connector)
    lead = Leadership(core.database, core.clock, "schedules", holder)
    return [loop("schedules", TICK_S, stop, lambda: lead.held() and work.tick())]


@dataclass(frozen=True)
class HospitalWhereabouts:
    """Fulfils `retrieve.ports.Whereabouts` over what HL7 messages say."""

    database: Database
    clock: Clock

    def on_wards(self, organisation_id: uuid.UUID, wards: Collection[str]) -> Sequence[Person]:
        """Return who is on these wards now."""
        with self.database.read() as session:
            found = whereabouts.on_wards(session, organisation_id, wards, self.clock.now())
        return [_person(one) for one in found]

    def due_on(self, organisation_id: uuid.UUID, day: date) -> Sequence[Person]:
        """Return whom the worklist has for a day."""
        with self.database.read() as session:
            found = whereabouts.due_on(session, organisation_id, day)
        return [_person(one) for one in found]


@dataclass(frozen=True)
class FetchedSizes:
    """Fulfils `retrieve.schedules.sizes.Sizes` over what was fetched before."""

    database: Database

    def means(self, organisation_id: uuid.UUID, pacs_ids: Collection[uuid.UUID]) -> Means:
        """Return the means of studies that were fetched from these archives."""
        with self.database.read() as session:
            return means_of(session, organisation_id, pacs_ids)


@dataclass(frozen=True)
class Window:
    """Fulfils `retrieve.schedules.work.Retain`: what a cache has fetched goes when its window has passed."""

    clock: Clock
    zone: tzinfo | None

    def __call__(
        self, session: Session, organisation_id: uuid.UUID, study_uid: str, source_id: uuid.UUID, since: datetime,
        day: date, days: int,
    ) -> None:  # fmt: skip
        """Let it end so many days after the study's, and leave what the source held of it before as it is."""
        until = moment_of(datetime.combine(day + timedelta(days=days), time()), self.zone)
        study = sa.select(Study.id).where(Study.organisation_id == organisation_id, Study.study_uid == study_uid)
        study_id = session.scalar(study)
        if study_id is not None:
            holdings.end_by(session, study_id, source_id, since, until, self.clock.now())


@dataclass(frozen=True)
class OrderPriors:
    """The HL7 handler that has the priors of a patient looked for who has got an order."""

    clock: Clock

    def __call__(self, session: Session, kept: KeptMessage, content: Content) -> RadrelayError | None:
        """Begin the runs that wait for an order; after the worklist has it."""
        del content
        for one in whereabouts.ordered_by(session, kept.organisation_id, kept.id):
            origin = Origin(_person(one.patient), (one.modality,) if one.modality else (), (), one.study_uid)
            start_priors(session, kept.organisation_id, origin, "order", str(one.id), self.clock.now())
        return None


def _person(one: whereabouts.Somebody) -> Person:
    return Person(one.issuer, one.patient_id, one.name, one.birth_date, one.sex)
