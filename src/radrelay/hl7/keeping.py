"""Receiving: each message is read, kept and answered; a group of messages shares one commit.

A message that came before, byte for byte and under the same control ID from the same sender, is answered again and not
kept twice. Under the same control ID other bytes are another message: senders exist that count from one again each day.
One that was refused is looked at anew, for the mapping may have been mended.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Trouble, Unavailable
from radrelay.hl7.content import Content
from radrelay.hl7.errors import HeaderMissing, MessageRefused, MessageTooLarge, NotProcessed, SegmentBroken
from radrelay.hl7.mapping import Mapping as FieldMapping
from radrelay.hl7.message import PLAIN, Header, Message, Reading, acknowledge, batch_of, header_of, unpack
from radrelay.hl7.message.acknowledging import Mode
from radrelay.hl7.mllp.ports import Received
from radrelay.hl7.models import Hl7Message
from radrelay.hl7.sealing import OrderedIds, Seal
from radrelay.hl7.trying import understood
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

LONGEST_ERROR = 1000
WAITING, DONE, FAILED, KEPT, REFUSED = "waiting", "done", "failed", "kept", "refused"
_TABLE = cast(sa.Table, Hl7Message.__table__)
_INSERT = sa.insert(_TABLE)
_KNOWN = sa.select(_TABLE.c.id, _TABLE.c.organisation_id, _TABLE.c.digest, _TABLE.c.state).where(
    _TABLE.c.organisation_id.in_(sa.bindparam("owners", expanding=True)),
    _TABLE.c.digest.in_(sa.bindparam("digests", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class Inbox:
    """How messages of one port are taken: whose they are, how they are read, by which mapping."""

    organisation_id: uuid.UUID
    mapping: FieldMapping
    reading: Reading = PLAIN
    mode: Mode = "auto"


@dataclass(slots=True)
class _Entry:
    """One message on its way."""

    received: Received
    inbox: Inbox
    raw: bytes
    message: Message | None
    content: Content | None
    refusal: MessageRefused | None
    header: Header | None = None
    digest: bytes = b""

    def __post_init__(self) -> None:
        if self.content is not None:
            self.header = self.content.header
        elif self.message is not None:
            self.header = header_of(self.message)


class Keeping:
    """Fulfils the listener's `MessageSink` with rows. Thread-safe; one for all ports of a process."""

    def __init__(self, database: Database, clock: Clock, seal: Seal, inboxes: Mapping[str, Inbox]) -> None:
        self._database = database
        self._clock = clock
        self._seal = seal
        self._inboxes = inboxes
        self._ids = OrderedIds()

    def take(self, received: Sequence[Received]) -> list[list[bytes]]:
        """Keep what was received, durable on return, and return the answers to each."""
        frames = [self._read(one) for one in received]
        entries = [entry for frame, _ in frames for entry in frame]
        now = self._clock.now()
        try:
            self._keep(entries, now)
        except Unavailable as error:
            log.warning("HL7 messages cannot be kept", messages=len(entries), reason=error.code)
            for entry in entries:
                entry.refusal = NotProcessed()
        return [self._answers(frame, batched, now) for frame, batched in frames]

    def _read(self, received: Received) -> tuple[list[_Entry], bool]:
        """Return a frame's messages, and whether they are a batch."""
        inbox = self._inboxes[received.port]
        if not received.ended:
            refusal = _broken_off(received)
            message, _, _ = understood(received.frame, inbox.mapping, inbox.reading)
            entry = _Entry(received, inbox, received.frame, message, None, refusal)
            return [self._told_apart(entry)], False
        parcel = unpack(received.frame)
        entries = [
            _Entry(received, inbox, raw, *understood(raw, inbox.mapping, inbox.reading)) for raw in parcel.messages
        ]
        return [self._told_apart(entry) for entry in entries], parcel.batched

    def _told_apart(self, entry: _Entry) -> _Entry:
        header = entry.header
        parts = (entry.received.port, header.sender if header else "", header.control_id if header else "")
        entry.digest = self._seal.digest(*(part.encode() for part in parts), entry.raw)
        return entry

    def _keep(self, entries: list[_Entry], now: datetime) -> None:
        """Write the messages; another process that keeps one of them in the same moment is met at most once."""
        ids = self._ids.take(len(entries))
        for entry, row_id in zip(entries, ids, strict=True):
            if not _can_be_told(entry):  # one without control ID may be another that says the same
                entry.digest = self._seal.digest(row_id.bytes, entry.raw)
        try:
            self._write(entries, ids, now)
        except IntegrityError:
            self._write(entries, ids, now)

    def _write(self, entries: list[_Entry], ids: list[uuid.UUID], now: datetime) -> None:
        with self._database.write() as session:
            known = _known(session, entries)
            rows: dict[tuple[uuid.UUID, bytes], dict[str, Any]] = {}
            for entry, row_id in zip(entries, ids, strict=True):
                key = entry.inbox.organisation_id, entry.digest
                if key in known:
                    self._again(session, known[key], entry, now)
                elif key in rows:
                    rows[key]["repeats"] += 1
                else:
                    rows[key] = self._row(entry, row_id, now)
            if rows:
                session.execute(_INSERT, list(rows.values()))

    def _again(self, session: Session, found: sa.Row[Any], entry: _Entry, now: datetime) -> None:
        """Note that a message came again; one that was refused and is not any more is taken."""
        changed: dict[str, Any] = {"repeats": Hl7Message.repeats + 1}
        if found.state == REFUSED and entry.refusal is None:
            changed |= _said(entry) | {"received_at": now}
        elif found.state != REFUSED:
            entry.refusal = None  # as it was answered before, whatever the mapping says by now
        session.execute(sa.update(Hl7Message).where(Hl7Message.id == found.id).values(changed))

    def _row(self, entry: _Entry, row_id: uuid.UUID, now: datetime) -> dict[str, Any]:
        header = entry.header
        return {
            "id": row_id,
            "organisation_id": entry.inbox.organisation_id,
            "direction": "in",
            "port": entry.received.port,
            "sender": _fitting(header.sender if header else "", 200),
            "control_id": _fitting(header.control_id if header else "", 200),
            "type": _fitting(header.kind if header else "", 16),
            "peer": entry.received.peer[:64],
            "size": len(entry.raw),
            "digest": entry.digest,
            "sealed": self._seal.close(row_id, entry.raw),
            "received_at": now,
            "processed_at": None,
            "next_attempt_at": None,
            "attempts": 0,
            "repeats": 0,
            "replays": 0,
        } | _said(entry)

    def _answers(self, entries: list[_Entry], batched: bool, now: datetime) -> list[bytes]:
        answers: list[bytes] = []
        for entry, answer_id in zip(entries, self._ids.take(len(entries)), strict=True):
            inbox = entry.inbox
            answers += acknowledge(
                entry.raw, entry.message, entry.refusal, answer_id.hex[:19], now, mode=inbox.mode, reading=inbox.reading
            )
        if batched and answers and entries[0].message is not None:
            return [batch_of(answers, entries[0].message.encoding)]
        return answers


def _broken_off(received: Received) -> MessageRefused:
    if received.too_large:
        return MessageTooLarge()
    if not received.frame.lstrip().removeprefix(b"\xef\xbb\xbf").startswith((b"MSH", b"FHS", b"BHS")):
        return HeaderMissing()
    return SegmentBroken("the message has no end: its end block did not come")


def _can_be_told(entry: _Entry) -> bool:
    """Say whether the message names itself, by its control ID."""
    return entry.message is not None and bool(entry.message.header.raw(10))


def _known(session: Session, entries: Sequence[_Entry]) -> dict[tuple[uuid.UUID, bytes], sa.Row[Any]]:
    """Return what came before, of the same organisation and port."""
    wanted = {entry.digest for entry in entries}
    owners = {entry.inbox.organisation_id for entry in entries}
    found: sa.Result[Any] = session.execute(_KNOWN, {"owners": list(owners), "digests": list(wanted)})
    return {(row.organisation_id, row.digest): row for row in found.all()}


def _said(entry: _Entry) -> dict[str, Any]:
    """Return the columns that say what the message is about, and how it stands."""
    content, refusal = entry.content, entry.refusal
    trouble = None if refusal is None else Trouble.of(refusal)
    followed = content is not None and content.change is not None
    return {
        "state": REFUSED if refusal is not None else WAITING if followed else KEPT,
        "answer": "AA" if refusal is None else refusal.answer,
        "error": "" if trouble is None else _fitting(trouble.detail, LONGEST_ERROR),
        "error_code": "" if trouble is None else trouble.code,
        "error_facts": "{}" if trouble is None else json.dumps(dict(trouble.facts)),
        **_named(content if refusal is None else None),
    }


def _named(content: Content | None) -> dict[str, str]:
    """Return the columns that a message is found by."""
    patient = None if content is None else content.patient
    about = () if content is None else content.orders or content.reports
    merges = () if content is None or content.adt is None else content.adt.merges
    return {
        "patient_id": "" if patient is None else patient.patient_id,
        "patient_issuer": "" if patient is None else _fitting(patient.issuer, 200),
        "prior_patient_id": next((one.prior.patient_id for one in merges), ""),
        "accession_number": next((_fitting(one.accession_number, 64) for one in about), ""),
        "lanes": json.dumps([] if content is None else [one.key for one in content.patients]),
    }


def names_of(raw: bytes, inbox: Inbox | None) -> dict[str, str]:
    """Return the columns that a received message is found by, read as its port reads now.

    Raises what it is refused by, and `MessageRefused` where its port is not set any more.
    """
    if inbox is None:
        raise MessageRefused("the port that this came by is not set any more, so nothing says how to read it")
    _, content, refusal = understood(raw, inbox.mapping, inbox.reading)
    if refusal is not None:
        raise refusal
    return _named(content)


def _fitting(text: str, most: int) -> str:
    """Return text as a column takes it: PostgreSQL knows no NUL in text."""
    return text.replace("\0", "")[:most]
