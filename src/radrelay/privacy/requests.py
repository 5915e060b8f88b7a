"""The register of data subjects' requests (GDPR Art. 15 to 21): identity verified, a clock of one month, an answer.

The month is 30 days from receipt; it can be made 60 days longer once, with the reason that the requester is told
(Art. 12 (3)). Nothing is handed out, erased or restricted before somebody has noted how the requester proved who they
are. What is answered says how the requester was told; the clock stops, too, once it is all passed on (`passing`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Conflict, Invalid, NotFound
from radrelay.privacy.models import PrivacyRequest
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_rows

Right = Literal["access", "correction", "erasure", "restriction", "objection"]
SubjectKind = Literal["patient", "account"]
Decision = Literal["open", "done", "refused"]
State = Literal["open", "done", "refused", "passed"]
Clock = Literal["running", "soon", "late", "closed"]
ANSWER_WITHIN = timedelta(days=30)
LONGER = timedelta(days=60)
REMIND = timedelta(days=7)
SHORTEST_REASON = 3


class RequestChanged(Conflict):
    """This request was changed elsewhere in the meantime; look at the newer entry first."""

    code = "request-changed"


class RequestInvalid(Invalid):
    """A request cannot be entered like this."""

    code = "request-invalid"


class RequesterUnverified(Conflict):
    """Note first how the requester proved who they are."""

    code = "requester-unverified"


class RequestClosed(Conflict):
    """This request is answered; enter another one."""

    code = "request-closed"


class SeveralPeople(Conflict):
    """Studies of several people are held under this patient ID: say whose are meant."""

    code = "several-people"


class RecordOfSeveral(Conflict):
    """The record knows several people under this patient ID, so it is not erased: erase the studies without it."""

    code = "record-of-several"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data a request is about: a patient by issuer and ID, or somebody with an account."""

    kind: SubjectKind
    issuer: str = ""
    patient_id: str = ""
    account_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class RequestDraft:
    """A request as it came in."""

    kind: Right
    subject: Subject
    requester: str
    contact: str
    note: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class RequestChange:
    """What is known by now. An empty `extended_why` leaves the clock at 30 days."""

    contact: str
    note: str
    extended_why: str
    verified_how: str
    state: Decision
    answer: str
    told_how: str = ""
    stops: str = ""


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request in the register; `proof` is the JSON of what was erased, empty before that."""

    id: uuid.UUID
    kind: Right
    subject: Subject
    requester: str
    contact: str
    note: str
    received_at: datetime
    due_at: datetime
    extended_why: str
    verified_how: str
    verified_by: str
    verified_at: datetime | None
    state: State
    answer: str
    told_how: str
    stops: str
    closed_at: datetime | None
    proof: str
    created_by: str
    revision: int

    def clock(self, now: datetime) -> Clock:
        """Say how the clock stands; `soon` is a reminder in the last week."""
        if self.closed_at is not None:
            return "closed" if self.closed_at <= self.due_at else "late"
        return "late" if now > self.due_at else "soon" if now > self.due_at - REMIND else "running"

    def require_verified(self) -> None:
        """Raise `RequesterUnverified` or `RequestClosed` unless something may be done for the requester."""
        if self.verified_at is None:
            raise RequesterUnverified
        if self.state != "open":
            raise RequestClosed


def requests(session: Session, organisation_id: uuid.UUID) -> list[RequestView]:
    """Return the register: open ones by when they are due, then those that are answered, newest first."""
    rows = session.scalars(sa.select(PrivacyRequest).where(PrivacyRequest.organisation_id == organisation_id))
    known = [_view(row) for row in rows]
    still = sorted((one for one in known if one.closed_at is None), key=lambda one: one.due_at)
    over = sorted((one for one in known if one.closed_at), key=lambda one: one.received_at, reverse=True)
    return still + over


def request_of(session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID) -> RequestView:
    """Return one request; raises `NotFound`."""
    return _view(_row(session, organisation_id, request_id))


def enter(session: Session, organisation_id: uuid.UUID, draft: RequestDraft, *, by: str, now: datetime) -> RequestView:
    """Enter a request; raises `RequestInvalid`."""
    subject = draft.subject
    if not draft.requester.strip():
        raise RequestInvalid("a request names who asks", field="requester")
    named = subject.patient_id.strip() if subject.kind == "patient" else subject.account_id
    if not named:
        raise RequestInvalid("a request names a patient ID or an account", field="subject")
    if draft.received_at > now + timedelta(minutes=5):
        raise RequestInvalid("a request was not received in the future", field="received_at")
    row = PrivacyRequest(
        id=new_id(), organisation_id=organisation_id, kind=draft.kind, subject_kind=subject.kind,
        patient_issuer=subject.issuer.strip(), patient_id=subject.patient_id.strip(), account_id=subject.account_id,
        requester=draft.requester.strip(), contact=draft.contact, note=draft.note, received_at=draft.received_at,
        due_at=draft.received_at + ANSWER_WITHIN, extended_why="", verified_how="", verified_by="", verified_at=None,
        state="open", answer="", told_how="", stops="", closed_at=None, proof="", created_by=by, revision=1,
    )  # fmt: skip
    session.add(row)
    remember_rows(session, row)
    return _view(row)


def change(
    session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID, wanted: RequestChange, *, revision: int,
    by: str, now: datetime,
) -> RequestView:  # fmt: skip
    """Write what is known by now; raises `RequestChanged`, `RequestClosed`, `RequestInvalid`, `RequesterUnverified`.

    How somebody was verified is noted once, with who noted it and when. A refusal says why, an answer what was done.
    """
    row = _open_row(session, organisation_id, request_id, revision)
    if wanted.verified_how.strip() and row.verified_at is None:
        row.verified_how, row.verified_by, row.verified_at = wanted.verified_how.strip(), by, now
    if wanted.state == "done" and row.verified_at is None:
        raise RequesterUnverified
    if wanted.state != "open":
        _require_answer(row.kind, wanted)
    row.contact, row.note, row.answer = wanted.contact, wanted.note, wanted.answer
    row.told_how, row.stops = wanted.told_how.strip(), wanted.stops.strip()
    row.extended_why = row.extended_why or wanted.extended_why.strip()
    row.due_at = row.received_at + ANSWER_WITHIN + (LONGER if row.extended_why else timedelta())
    row.state, row.revision = wanted.state, revision + 1
    row.closed_at = None if wanted.state == "open" else now
    remember_rows(session, row)
    return _view(row)


def _require_answer(kind: str, wanted: RequestChange) -> None:
    """Raise `RequestInvalid` unless an answer says what was done or why not, and how the requester was told."""
    if len(wanted.answer.strip()) < SHORTEST_REASON:
        raise RequestInvalid("an answered request says what was done, or why not", field="answer")
    if len(wanted.told_how.strip()) < SHORTEST_REASON:
        raise RequestInvalid("an answered request says how the requester was told", field="told_how")
    if kind == "objection" and wanted.state == "done" and len(wanted.stops.strip()) < SHORTEST_REASON:
        raise RequestInvalid("an objection that is upheld says what is not done any more", field="stops")


def note_passed(
    session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID, *, revision: int, wholly: str, now: datetime
) -> RequestView:
    """Note that a request was passed on; with `wholly`, to whom, there is nothing left to answer: the clock stops.

    Raises `RequestChanged` or `RequestClosed`.
    """
    row = _open_row(session, organisation_id, request_id, revision)
    row.revision = revision + 1
    if wholly:
        row.state, row.closed_at, row.answer = "passed", now, wholly
    remember_rows(session, row)
    return _view(row)


def _open_row(session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID, revision: int) -> PrivacyRequest:
    row = _row(session, organisation_id, request_id, lock=True)
    if row.revision != revision:
        raise RequestChanged
    if row.state != "open":
        raise RequestClosed
    return row


def keep_proof(session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID, proof: str) -> RequestView:
    """Keep what was erased for a request."""
    row = _row(session, organisation_id, request_id, lock=True)
    row.proof, row.revision = proof, row.revision + 1
    remember_rows(session, row)
    return _view(row)


def _row(session: Session, organisation_id: uuid.UUID, request_id: uuid.UUID, *, lock: bool = False) -> PrivacyRequest:
    row = session.get(PrivacyRequest, request_id, with_for_update=lock or None)
    if row is None or row.organisation_id != organisation_id:
        raise NotFound("there is no such request")
    return row


def _view(row: PrivacyRequest) -> RequestView:
    subject = Subject(cast("SubjectKind", row.subject_kind), row.patient_issuer, row.patient_id, row.account_id)
    return RequestView(
        row.id, cast("Right", row.kind), subject, row.requester, row.contact, row.note, row.received_at, row.due_at,
        row.extended_why, row.verified_how, row.verified_by, row.verified_at, cast("State", row.state), row.answer,
        row.told_how, row.stops, row.closed_at, row.proof, row.created_by, row.revision,
    )  # fmt: skip
