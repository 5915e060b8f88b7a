"""Messages that are kept: found, shown, worked on again, forgotten."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.hl7.errors import MessageNotFound, NothingToReplay
from radrelay.hl7.keeping import WAITING, Inbox, names_of
from radrelay.hl7.models import Hl7Message, Hl7Patient, PerformedStep, WorklistItem
from radrelay.hl7.sealing import Seal
from radrelay.hl7.sending import HELD

MOST_LISTED = 200
FORGOTTEN_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """What is looked for; what is empty is not asked."""

    text: str = ""  # the beginning of a patient ID (also of one that is no more), accession number or control ID
    type: str = ""  # ADT, or ADT^A01
    state: str = ""
    direction: str = ""
    port: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message without what it says."""

    id: uuid.UUID
    direction: str
    port: str
    sender: str
    control_id: str
    type: str
    patient_id: str
    patient_issuer: str
    accession_number: str
    state: str
    answer: str
    error: str
    error_code: str
    error_facts: str
    peer: str
    size: int
    received_at: datetime
    processed_at: datetime | None
    next_attempt_at: datetime | None
    attempts: int
    repeats: int
    replays: int


_LISTED = [getattr(Hl7Message, one.name) for one in fields(ListedMessage)]


def search_messages(
    session: Session,
    organisation_id: uuid.UUID,
    query: MessageQuery,
    *,
    after: uuid.UUID | None = None,
    limit: int = 50,
) -> list[ListedMessage]:
    """Return messages, the newest first; `after` is the last of the page before."""
    wanted = sa.select(*_LISTED).where(Hl7Message.organisation_id == organisation_id, *_asked(query))
    if after is not None:
        wanted = wanted.where(Hl7Message.id < after)
    rows = session.execute(wanted.order_by(Hl7Message.id.desc()).limit(min(limit, MOST_LISTED)))
    return [ListedMessage(*row) for row in rows]


def _asked(query: MessageQuery) -> list[sa.ColumnElement[bool]]:
    asked: list[sa.ColumnElement[bool]] = []
    if query.text:
        own = (Hl7Message.patient_id, Hl7Message.prior_patient_id)
        columns = (*own, Hl7Message.accession_number, Hl7Message.control_id)
        asked.append(sa.or_(*(one.startswith(query.text, autoescape=True) for one in columns)))
    if query.type:
        asked.append(Hl7Message.type == query.type if "^" in query.type else Hl7Message.type.like(f"{query.type[:3]}%"))
    for column, value in (
        (Hl7Message.state, query.state), (Hl7Message.direction, query.direction), (Hl7Message.port, query.port),
    ):  # fmt: skip
        if value:
            asked.append(column == value)
    if query.since is not None:
        asked.append(Hl7Message.received_at >= query.since)
    if query.until is not None:
        asked.append(Hl7Message.received_at < query.until)
    return asked


def listed_message(session: Session, organisation_id: uuid.UUID, message_id: uuid.UUID) -> ListedMessage:
    """Return one message without what it says; raises `MessageNotFound`."""
    mine = (Hl7Message.organisation_id == organisation_id, Hl7Message.id == message_id)
    row = session.execute(sa.select(*_LISTED).where(*mine)).one_or_none()
    if row is None:
        raise MessageNotFound
    return ListedMessage(*row)


def message_bytes(session: Session, seal: Seal, organisation_id: uuid.UUID, message_id: uuid.UUID) -> bytes:
    """Return what a message says; raises `MessageNotFound` and `ContentDamaged`."""
    row = _get(session, organisation_id, message_id)
    return seal.open(row.id, row.sealed)


def replay(
    session: Session, seal: Seal, inboxes: Mapping[str, Inbox], organisation_id: uuid.UUID,
    message_ids: Sequence[uuid.UUID],
) -> None:  # fmt: skip
    """Let messages be worked on again, by the mapping of today; ones to be sent are sent again.

    Raises `MessageNotFound`, `NothingToReplay` for one that waits, and what a received one is refused by today.
    """
    for message_id in message_ids:
        row = _get(session, organisation_id, message_id)
        if row.state == WAITING:
            raise NothingToReplay
        if row.direction == "in":
            told = names_of(seal.open(row.id, row.sealed), inboxes.get(row.port))
            for name, value in told.items():
                setattr(row, name, value)
        row.state, row.replays, row.attempts = WAITING, row.replays + 1, 0
        row.next_attempt_at = row.processed_at = None
        row.error, row.error_code, row.error_facts = "", "", "{}"
    session.flush()


def forget_old(session: Session, now: datetime, keep_days: int, limit: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete messages that were kept long enough, but none that still waits; returns how many.

    A few at a time, so that others can write in between; call again while it returns `limit`.
    """
    over = sa.select(Hl7Message.id).where(*_over(now, keep_days)).order_by(Hl7Message.received_at).limit(limit)
    ids = list(session.scalars(over))
    if ids:
        session.execute(sa.delete(Hl7Message).where(Hl7Message.id.in_(ids)))
    return len(ids)


def forget_patient(session: Session, organisation_id: uuid.UUID, issuer: str, patient_id: str) -> int:
    """Delete every message about a patient, received or sent, one that waits, too, and what was kept of them.

    Returns how many messages.
    """
    session.execute(
        sa.delete(Hl7Patient).where(
            Hl7Patient.organisation_id == organisation_id, Hl7Patient.issuer == issuer,
            Hl7Patient.patient_id == patient_id,
        )
    )  # fmt: skip
    session.execute(
        sa.delete(WorklistItem).where(
            WorklistItem.organisation_id == organisation_id, WorklistItem.patient_issuer == issuer,
            WorklistItem.patient_id == patient_id,
        )
    )  # fmt: skip
    session.execute(
        sa.delete(PerformedStep).where(
            PerformedStep.organisation_id == organisation_id, PerformedStep.patient_id == patient_id,
            PerformedStep.patient_issuer.in_(("", issuer)),
        )
    )  # fmt: skip
    named = sa.or_(Hl7Message.patient_id == patient_id, Hl7Message.prior_patient_id == patient_id)
    found = session.execute(
        sa.select(Hl7Message.id, Hl7Message.lanes).where(Hl7Message.organisation_id == organisation_id, named)
    )
    ids = [row.id for row in found.all() if [issuer, patient_id] in json.loads(row.lanes)]
    for begin in range(0, len(ids), FORGOTTEN_AT_ONCE):
        session.execute(sa.delete(Hl7Message).where(Hl7Message.id.in_(ids[begin : begin + FORGOTTEN_AT_ONCE])))
    return len(ids)


def _over(now: datetime, keep_days: int) -> tuple[sa.ColumnElement[bool], ...]:
    return Hl7Message.received_at < now - timedelta(days=keep_days), Hl7Message.state != WAITING


def hold_open(session: Session) -> int:
    """Hold what waits to be sent: in a restored copy it may have gone out already; returns how many."""
    done = session.execute(
        sa.update(Hl7Message).where(Hl7Message.direction == "out", Hl7Message.state == WAITING).values(state=HELD)
    )
    return int(getattr(done, "rowcount", 0))


def _get(session: Session, organisation_id: uuid.UUID, message_id: uuid.UUID) -> Hl7Message:
    row = session.get(Hl7Message, message_id)
    if row is None or row.organisation_id != organisation_id:
        raise MessageNotFound
    return row
