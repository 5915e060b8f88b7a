"""Which patients' data could have come to the wrong person: what was done by a suspect's access, and what it reaches.

From the record: every event of the suspect in the period that names a patient or a study, by patient. From what is
here: the patients whose studies it can see and that had come by the period's end; what was deleted since is in the
record alone. What the record cannot name any more, because a patient was erased from it, is counted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from radrelay.archive.models import Study
from radrelay.audit import AuditEntry, AuditQuery, every
from radrelay.audit.disclosures import DISCLOSING
from radrelay.privacy.incidents import IncidentView
from radrelay.privacy.suspects import Known, known, reach
from radrelay.storage.database import Database

GRANTS = ("grant.give", "grant.change", "grant.revoke", "release.give", "release.end", "group.join", "group.leave")
SEARCHES = ("study.search", "grant.list", "audit.view")


@dataclass(slots=True)
class Touched:
    """A patient whom events name: which studies, what was done how often, first and last; `left` is what got out."""

    issuer: str
    patient_id: str
    name: str
    first_at: datetime
    last_at: datetime
    studies: set[str] = field(default_factory=set)
    actions: Counter[str] = field(default_factory=Counter)
    left: int = 0

    def row(self) -> dict[str, str | int]:
        """Return it as one row of a table."""
        return {
            "patient_issuer": self.issuer, "patient_id": self.patient_id, "patient_name": self.name,
            "first_at": self.first_at.isoformat(), "last_at": self.last_at.isoformat(),
            "events": self.actions.total(), "left": self.left, "studies": " ".join(sorted(self.studies)),
            "actions": ", ".join(f"{name} {count}" for name, count in sorted(self.actions.items())),
        }  # fmt: skip


TOUCHED_COLUMNS = (
    "patient_issuer", "patient_id", "patient_name", "first_at", "last_at", "events", "left", "studies", "actions",
)  # fmt: skip
REACHED_COLUMNS = ("patient_issuer", "patient_id", "patient_name", "birth_date", "studies")


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an incident is about, as it is found.

    `unnamed` are events about patients whom the record does not name any more, `searches` those by which lists were
    looked at, `links` the links that the suspect made in the period, `changes` what was granted to it or taken back.
    """

    suspect: Known
    began_at: datetime
    ended_at: datetime
    touched: tuple[Touched, ...]
    events: int
    unnamed: int
    searches: int
    links: tuple[str, ...]
    changes: tuple[AuditEntry, ...]
    reached_patients: int
    reached_studies: int


def exposure(database: Database, organisation_id: uuid.UUID, incident: IncidentView, now: datetime) -> Exposure:
    """Return which patients an incident is about; raises `SuspectUnknown`."""
    with database.read() as session:
        who = known(session, organisation_id, incident.suspect)
        visible = (Study.organisation_id == organisation_id, Study.first_received_at < incident.ended_at,
                   reach(session, organisation_id, who, now))  # fmt: skip
        counted = sa.select(sa.func.count(sa.distinct(Study.patient_id)), sa.func.count()).where(*visible)
        patients, studies = session.execute(counted).one()
    began, ended = _period(who, incident)
    told = _Told()
    for entry in every(database, organisation_id, _within(who.query, began, ended)):
        told.take(entry)
    about = Known(who.suspect, who.name, AuditQuery(), None)
    touched = sorted(told.patients.values(), key=lambda one: (-one.left, one.name, one.patient_id))
    return Exposure(
        suspect=about, began_at=began, ended_at=ended, touched=tuple(touched), events=told.events,
        unnamed=told.unnamed, searches=told.searches, links=tuple(told.links),
        changes=tuple(_changes(database, organisation_id, who, began, ended)), reached_patients=patients,
        reached_studies=studies,
    )  # fmt: skip


def reached(
    database: Database, organisation_id: uuid.UUID, incident: IncidentView, now: datetime
) -> Iterator[dict[str, str | int]]:
    """Yield the patients whose studies the suspect can see, as rows of a table; raises `SuspectUnknown` at once."""
    with database.read() as session:
        who = known(session, organisation_id, incident.suspect)
        wanted = (
            sa.select(
                Study.patient_issuer, Study.patient_id_value, sa.func.max(Study.patient_name),
                sa.func.max(Study.patient_birth_date), sa.func.count(),
            )
            .where(Study.organisation_id == organisation_id, Study.first_received_at < incident.ended_at)
            .where(reach(session, organisation_id, who, now))
            .group_by(Study.patient_issuer, Study.patient_id_value)
            .order_by(Study.patient_issuer, Study.patient_id_value)
        )  # fmt: skip
        rows = session.execute(wanted).all()
    return (
        {
            "patient_issuer": issuer, "patient_id": patient_id, "patient_name": name,
            "birth_date": "" if birth is None else str(birth), "studies": count,
        }
        for issuer, patient_id, name, birth, count in rows
    )  # fmt: skip


def _period(who: Known, incident: IncidentView) -> tuple[datetime, datetime]:
    """Return the incident's time, within that of a login if it is about one."""
    began = incident.began_at if who.began_at is None else max(incident.began_at, who.began_at)
    ended = incident.ended_at if who.ended_at is None else min(incident.ended_at, who.ended_at)
    return began, max(began, ended)


def _within(query: AuditQuery, began: datetime, ended: datetime) -> AuditQuery:
    return AuditQuery(
        since=began, until=ended, actor_kind=query.actor_kind, actor_id=query.actor_id, peer=query.peer,
        outcome="success",
    )  # fmt: skip


class _Told:
    """Gathers what the record tells of a suspect."""

    def __init__(self) -> None:
        self.patients: dict[tuple[str, str], Touched] = {}
        self.links: list[str] = []
        self.events = self.unnamed = self.searches = 0

    def take(self, entry: AuditEntry) -> None:
        """Count one event; the newest comes first."""
        self.events += 1
        if entry.action in SEARCHES:
            self.searches += 1
        if entry.action == "link.make":
            self.links.append(entry.subject_id)
        patient = entry.patient
        if patient is None:
            self.unnamed += entry.study is not None or bool(entry.detail.get("study"))
            return
        key = (patient.issuer, patient.patient_id)
        one = self.patients.get(key)
        if one is None:
            one = self.patients[key] = Touched(
                patient.issuer, patient.patient_id, patient.name, entry.at, entry.at
            )  # fmt: skip
        one.first_at = min(one.first_at, entry.at)
        one.actions[entry.action] += 1
        one.left += entry.action in DISCLOSING
        if entry.study is not None:
            one.studies.add(entry.study.study_uid)


def _changes(
    database: Database, organisation_id: uuid.UUID, who: Known, began: datetime, ended: datetime
) -> Iterator[AuditEntry]:
    """Yield what was granted to the suspect, or taken back, in the period: its reach was another then."""
    if who.principal is None:
        return
    query = AuditQuery(since=began, until=ended, actions=GRANTS, outcome="success")
    for entry in every(database, organisation_id, query):
        if who.principal.id in str(entry.detail):
            yield entry
