"""The register of incidents, and their clocks: 72 hours to tell the authority (GDPR Art. 33 (1)) and 60 days to tell
the patients (45 CFR 164.404 (b)), both from the moment that the incident was noticed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Conflict, Invalid, NotFound
from radrelay.privacy.models import PrivacyIncident
from radrelay.privacy.suspects import Suspect, SuspectKind
from radrelay.storage.ids import new_id

AUTHORITY_AFTER = timedelta(hours=72)
PATIENTS_AFTER = timedelta(days=60)
Clock = Literal["told", "running", "late"]


class IncidentChanged(Conflict):
    """This incident was changed elsewhere in the meantime; look at the newer entry first."""

    code = "incident-changed"


class IncidentInvalid(Invalid):
    """An incident cannot be entered like this."""

    code = "incident-invalid"


@dataclass(frozen=True, slots=True)
class IncidentDraft:
    """What a person says of an incident."""

    title: str
    description: str
    suspect: Suspect
    began_at: datetime
    ended_at: datetime
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident as it stands in the register."""

    id: uuid.UUID
    title: str
    description: str
    suspect: Suspect
    began_at: datetime
    ended_at: datetime
    noticed_at: datetime
    authority_told_at: datetime | None
    patients_told_at: datetime | None
    closed_at: datetime | None
    outcome: str
    created_at: datetime
    created_by: str
    revision: int

    @property
    def authority_due_at(self) -> datetime:
        """By when the authority is told."""
        return self.noticed_at + AUTHORITY_AFTER

    @property
    def patients_due_at(self) -> datetime:
        """By when the patients are told."""
        return self.noticed_at + PATIENTS_AFTER

    def authority(self, now: datetime) -> Clock:
        """Say whether the authority was told in time."""
        return _clock(self.authority_told_at, self.authority_due_at, self.closed_at, now)

    def patients(self, now: datetime) -> Clock:
        """Say whether the patients were told in time."""
        return _clock(self.patients_told_at, self.patients_due_at, self.closed_at, now)


def _clock(told_at: datetime | None, due_at: datetime, closed_at: datetime | None, now: datetime) -> Clock:
    """Return how a clock stands; one that is closed without telling anybody was decided in `outcome`."""
    if told_at is not None:
        return "told" if told_at <= due_at else "late"
    return "running" if (closed_at or now) <= due_at else "late"


def incidents(session: Session, organisation_id: uuid.UUID) -> list[IncidentView]:
    """Return the register, newest first."""
    rows = session.scalars(
        sa.select(PrivacyIncident)
        .where(PrivacyIncident.organisation_id == organisation_id)
        .order_by(PrivacyIncident.noticed_at.desc(), PrivacyIncident.id.desc())
    )
    return [_view(row) for row in rows]


def incident_of(session: Session, organisation_id: uuid.UUID, incident_id: uuid.UUID) -> IncidentView:
    """Return one incident; raises `NotFound`."""
    return _view(_row(session, organisation_id, incident_id))


def named_by_incidents(session: Session, kind: SuspectKind) -> set[uuid.UUID]:
    """Return the logins, or links, that incidents are about: they stay after their end, for the reports."""
    subjects = session.scalars(sa.select(PrivacyIncident.subject).where(PrivacyIncident.kind == kind))
    return {uuid.UUID(subject) for subject in subjects}


def open_incident(
    session: Session, organisation_id: uuid.UUID, draft: IncidentDraft, *, by: str, now: datetime
) -> IncidentView:
    """Enter an incident; raises `IncidentInvalid` for times that cannot be."""
    row = PrivacyIncident(
        id=new_id(), organisation_id=organisation_id, outcome="", created_at=now, created_by=by, revision=1
    )
    _describe(row, draft, now)
    session.add(row)
    session.flush()
    return _view(row)


def change_incident(
    session: Session, organisation_id: uuid.UUID, incident_id: uuid.UUID, draft: IncidentDraft,
    told: Mapping[str, datetime | None], outcome: str, *, revision: int, now: datetime,
) -> IncidentView:  # fmt: skip
    """Write what is known by now. `told` are authority_told_at, patients_told_at and closed_at.

    Raises `NotFound`, `IncidentChanged`, or `IncidentInvalid`: what is closed says in `outcome` what was decided.
    """
    row = _row(session, organisation_id, incident_id, lock=True)
    if row.revision != revision:
        raise IncidentChanged
    _describe(row, draft, now)
    for name in ("authority_told_at", "patients_told_at", "closed_at"):
        moment = told.get(name)
        if moment is not None and not draft.began_at <= moment <= now + timedelta(minutes=5):
            raise IncidentInvalid(f"{name} lies before the incident or ahead of the clock", field=name)
        setattr(row, name, moment)
    if row.closed_at is not None and not outcome.strip():
        raise IncidentInvalid("a closed incident says what was found and decided", field="outcome")
    row.outcome, row.revision = outcome, revision + 1
    session.flush()
    return _view(row)


def _describe(row: PrivacyIncident, draft: IncidentDraft, now: datetime) -> None:
    if not draft.title.strip() or not draft.suspect.id.strip():
        raise IncidentInvalid("an incident has a title, and says whose access it is about", field="title")
    if not draft.began_at < draft.ended_at:
        raise IncidentInvalid("the period begins before it ends", field="ended_at")
    if not draft.began_at <= draft.noticed_at <= now + timedelta(minutes=5):
        raise IncidentInvalid("it was noticed after it began, and not in the future", field="noticed_at")
    row.title, row.description = draft.title.strip(), draft.description
    row.kind, row.subject = draft.suspect.kind, draft.suspect.id.strip()
    row.began_at, row.ended_at, row.noticed_at = draft.began_at, draft.ended_at, draft.noticed_at


def _row(
    session: Session, organisation_id: uuid.UUID, incident_id: uuid.UUID, *, lock: bool = False
) -> PrivacyIncident:
    row = session.get(PrivacyIncident, incident_id, with_for_update=lock or None)
    if row is None or row.organisation_id != organisation_id:
        raise NotFound("there is no such incident")
    return row


def _view(row: PrivacyIncident) -> IncidentView:
    return IncidentView(
        row.id, row.title, row.description, Suspect(cast("SuspectKind", row.kind), row.subject), row.began_at,
        row.ended_at, row.noticed_at, row.authority_told_at, row.patients_told_at, row.closed_at, row.outcome,
        row.created_at, row.created_by, row.revision,
    )  # fmt: skip
