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
from datetime import date, datetime
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Study
from radrelay.audit import AuditEntry, AuditQuery, PatientIdentity, every
from radrelay.audit.disclosures import DISCLOSING, LOOKING
from radrelay.privacy.incidents import IncidentView
from radrelay.privacy.people_on_record import Recorded, recorded, together
from radrelay.privacy.suspects import Known, known, reach
from radrelay.storage.database import Database

GRANTS = ("grant.give", "grant.change", "grant.revoke", "release.give", "release.end", "group.join", "group.leave")
LEAVING = (*DISCLOSING, "study.forward")
"""By what a suspect lets data out: of what was sent on the record names the program, of who asked for it the asking."""
SEARCHES = ("study.search", "grant.list", "audit.view")


@dataclass(slots=True)
class Touched:
    """A patient whom events name: which studies, what was done how often, first and last; `left` is what got out.

    Several people may have one ID: they are told apart by name, birth date and sex, as their studies are.
    """

    issuer: str
    patient_id: str
    name: str
    birth_date: date | None
    first_at: datetime
    last_at: datetime
    studies: set[str] = field(default_factory=set)
    actions: Counter[str] = field(default_factory=Counter)
    left: int = 0

    def row(self) -> dict[str, str | int]:
        """Return it as one row of a table."""
        return {
            "patient_issuer": self.issuer, "patient_id": self.patient_id, "patient_name": self.name,
            "birth_date": "" if self.birth_date is None else str(self.birth_date),
            "first_at": self.first_at.isoformat(), "last_at": self.last_at.isoformat(),
            "events": self.actions.total(), "left": self.left, "studies": " ".join(sorted(self.studies)),
            "actions": ", ".join(f"{name} {count}" for name, count in sorted(self.actions.items())),
        }  # fmt: skip


TOUCHED_COLUMNS = (
    "patient_issuer", "patient_id", "patient_name", "birth_date", "first_at", "last_at", "events", "left", "studies",
    "actions",
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
        people = [studies for *_, studies in _reached(session, organisation_id, incident, who, now)]
    began, ended = _period(who, incident)
    told = _Told()
    for entry in every(database, organisation_id, _within(who.query, began, ended)):
        told.take(entry)
    about = Known(who.suspect, who.name, AuditQuery(), None)
    touched = sorted(told.people(), key=lambda one: (-one.left, one.name, one.patient_id))
    return Exposure(
        suspect=about, began_at=began, ended_at=ended, touched=tuple(touched), events=told.events,
        unnamed=told.unnamed, searches=told.searches, links=tuple(told.links),
        changes=tuple(_changes(database, organisation_id, who, began, ended)), reached_patients=len(people),
        reached_studies=sum(people),
    )  # fmt: skip


def reached(
    database: Database, organisation_id: uuid.UUID, incident: IncidentView, now: datetime
) -> Iterator[dict[str, str | int]]:
    """Yield the patients whose studies the suspect can see, as rows of a table; raises `SuspectUnknown` at once."""
    with database.read() as session:
        who = known(session, organisation_id, incident.suspect)
        rows = list(_reached(session, organisation_id, incident, who, now))
    return (
        {
            "patient_issuer": one.patient_issuer, "patient_id": one.patient_id_value, "patient_name": one.patient_name,
            "birth_date": "" if one.patient_birth_date is None else str(one.patient_birth_date), "studies": count,
        }
        for one, count in rows
    )  # fmt: skip


def _reached(
    session: Session, organisation_id: uuid.UUID, incident: IncidentView, who: Known, now: datetime
) -> Iterator[tuple[Recorded, int]]:
    """Yield each person whose studies the suspect can see, and how many of them had come by the period's end."""
    told = (Study.patient_name, Study.patient_birth_date, Study.patient_sex)
    key = (Study.patient_issuer, Study.patient_id_value, Study.patient_id)
    rows = session.execute(
        sa.select(*key, *told, sa.func.count())
        .where(Study.organisation_id == organisation_id, Study.first_received_at < incident.ended_at)
        .where(reach(session, organisation_id, who, now))
        .group_by(*key, *told)
        .order_by(*key, *told)
    )
    for (issuer, patient_id, _), of_one in groupby(rows, key=lambda row: row[:3]):
        counts = {Recorded((issuer, patient_id), patient_id, issuer, *row[3:6]): row[6] for row in of_one}
        for same in together(counts):
            yield same[0], sum(counts[one] for one in same)


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
        self.patients: dict[Recorded, Touched] = {}
        self.links: list[str] = []
        self.events = self.unnamed = self.searches = 0

    def take(self, entry: AuditEntry) -> None:
        """Count one event; the newest comes first."""
        self.events += 1
        if entry.action in SEARCHES:
            self.searches += 1
        if entry.action == "link.make" and entry.subject_id not in self.links:  # once for each of its studies
            self.links.append(entry.subject_id)
        patient = entry.patient
        if patient is None:
            self.unnamed += entry.study is not None or bool(entry.detail.get("study"))
            return
        who = _recorded(entry, patient)
        one = self.patients.setdefault(who, _untouched(who, entry.at))
        one.first_at = min(one.first_at, entry.at)
        one.actions[entry.action] += 1
        one.left += entry.action in LEAVING or (entry.actor_kind == "link" and entry.action in LOOKING)
        if entry.study is not None:
            one.studies.add(entry.study.study_uid)

    def people(self) -> Iterator[Touched]:
        """Yield each person once, whatever their studies call them."""
        by_id: dict[tuple[str, str], list[Recorded]] = {}
        for who in self.patients:
            by_id.setdefault(who.patient_id, []).append(who)
        for same in (one for of_one in by_id.values() for one in together(of_one)):
            whole = _untouched(same[0], self.patients[same[0]].last_at)
            for each in map(self.patients.__getitem__, same):
                whole.first_at, whole.last_at = min(whole.first_at, each.first_at), max(whole.last_at, each.last_at)
                whole.studies |= each.studies
                whole.actions += each.actions
                whole.left += each.left
            yield whole


def _recorded(entry: AuditEntry, patient: PatientIdentity) -> Recorded:
    """Return whom an event is about, by what the record says of its study."""
    key, study = (patient.issuer, patient.patient_id), entry.study
    if study is not None and (study.patient_issuer, study.patient_id) == key:
        return recorded(study)
    return Recorded(key, key[1], key[0], patient.name, None, "")


def _untouched(who: Recorded, at: datetime) -> Touched:
    return Touched(who.patient_issuer, who.patient_id_value, who.patient_name, who.patient_birth_date, at, at)


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
