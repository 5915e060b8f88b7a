"""Writing events: in the caller's transaction, each tied to the one before it of the same writer.

A process calls `install` once for its database: from then on `record` knows the writer's name, the clock and the
keys. The head of a writer's chain is a row that is locked while an event is added, so a chain has no forks.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditEvent, AuditMark, AuditWriter
from radrelay.audit.patients import AuditKeys, PatientIdentity, refer_to
from radrelay.clock import Clock, SystemClock
from radrelay.errors import Misconfigured
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id

FIRST_HASH = bytes(32)
MARKS_IN_MEMORY = 20_000


class Actor(Protocol):
    """Who did it; `radrelay.access.Principal` is one."""

    @property
    def kind(self) -> str: ...  # noqa: D102  # the protocol's members are named as audit_event's columns
    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def organisation_id(self) -> uuid.UUID: ...  # noqa: D102
    @property
    def peer(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One event to be written. `detail` holds no patient data; those go into `patient` (issuer, ID, name)."""

    action: str
    principal: Actor
    subject_kind: str = ""
    subject_id: str | uuid.UUID = ""
    detail: Mapping[str, object] = field(default_factory=dict)
    patient: tuple[str, str, str] | PatientIdentity | None = None
    outcome: str = "success"
    correlation_id: str = ""


class AuditKeyMissing(Misconfigured):
    """An event names a patient, but this process was given no key to seal the name with."""

    code = "audit-key-missing"


class Recorder:
    """What one process needs to write events into one database."""

    def __init__(self, writer: str, clock: Clock, keys: AuditKeys | None) -> None:
        self.writer = writer[:64]
        self.clock = clock
        self.keys = keys
        self._marked: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def remembers(self, digest: bytes) -> bool:
        """Say whether `digest` was recorded by this process not long ago."""
        with self._lock:
            if digest not in self._marked:
                return False
            self._marked.move_to_end(digest)
            return True

    def remember(self, digest: bytes) -> None:
        """Keep `digest`, forgetting the least recently asked."""
        with self._lock:
            self._marked[digest] = None
            while len(self._marked) > MARKS_IN_MEMORY:
                self._marked.popitem(last=False)


_RECORDERS: weakref.WeakKeyDictionary[Engine, Recorder] = weakref.WeakKeyDictionary()
_UNNAMED = Recorder(f"local-{socket.gethostname()}", SystemClock(), None)


def install(database: Database, role: str, clock: Clock, metadata_key: bytes | None) -> Recorder:
    """Make `record` write into `database` as `role` on this host, patients sealed under `metadata_key`."""
    keys = None if metadata_key is None else AuditKeys.derive(metadata_key)
    recorder = Recorder(f"{role}-{socket.gethostname()}", clock, keys)
    _RECORDERS[database.engine] = recorder
    return recorder


def recorder_of(session: Session) -> Recorder:
    """Return the recorder that `install` bound to the session's database, or an unnamed one without keys."""
    bind = session.get_bind()
    engine = bind.engine if isinstance(bind, Connection) else bind
    return _RECORDERS.get(engine, _UNNAMED)


def record(session: Session, event: AuditRecord) -> uuid.UUID:
    """Append `event` in the caller's writing transaction and return its id."""
    recorder = recorder_of(session)
    organisation_id = event.principal.organisation_id
    patient_ref = _patient_ref(session, recorder, organisation_id, event.patient)
    sequence, previous = _next_link(session, recorder.writer)
    row_id = new_id()
    row: dict[str, object] = {
        "id": row_id,
        "organisation_id": organisation_id,
        "writer": recorder.writer,
        "sequence": sequence,
        "at": recorder.clock.now().astimezone(UTC),
        "action": event.action,
        "outcome": event.outcome,
        "actor_kind": event.principal.kind,
        "actor_id": event.principal.id[:64],
        "actor_name": event.principal.name[:128],
        "peer": event.principal.peer[:64],
        "subject_kind": event.subject_kind,
        "subject_id": str(event.subject_id)[:64],
        "correlation_id": event.correlation_id[:64],
        "detail": json.dumps(dict(event.detail), ensure_ascii=False, sort_keys=True, default=str),
        "patient_ref": patient_ref,
        "previous_hash": previous,
    }
    row["hash"] = event_hash(row, previous)
    session.execute(sa.insert(AuditEvent), [row])
    session.execute(
        sa.update(AuditWriter)
        .where(AuditWriter.writer == recorder.writer)
        .values(sequence=sequence, hash=row["hash"])
        .execution_options(synchronize_session=False)
    )
    return row_id


def _patient_ref(
    session: Session,
    recorder: Recorder,
    organisation_id: uuid.UUID,
    patient: tuple[str, str, str] | PatientIdentity | None,
) -> uuid.UUID | None:
    if patient is None:
        return None
    if recorder.keys is None:
        raise AuditKeyMissing
    identity = patient if isinstance(patient, PatientIdentity) else PatientIdentity(*patient)
    return refer_to(session, recorder.keys, organisation_id, identity)


def _next_link(session: Session, writer: str) -> tuple[int, bytes]:
    head = sa.select(AuditWriter.sequence, AuditWriter.hash).where(AuditWriter.writer == writer).with_for_update()
    found = session.execute(head).one_or_none()
    if found is None:
        session.execute(sa.insert(AuditWriter), [{"writer": writer, "sequence": 0, "hash": FIRST_HASH}])
        return 1, FIRST_HASH
    return found[0] + 1, found[1]


HASHED = (
    "id", "organisation_id", "writer", "sequence", "at", "action", "outcome", "actor_kind", "actor_id", "actor_name",
    "peer", "subject_kind", "subject_id", "correlation_id", "detail", "patient_ref",
)  # fmt: skip


def event_hash(row: Mapping[str, object], previous: bytes) -> bytes:
    """Return SHA-256 over the previous hash and the event's columns as one JSON array in a fixed order."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in map(row.__getitem__, HASHED)]
    text = json.dumps([None if value is None else str(value) for value in values], separators=(",", ":"))
    return hashlib.sha256(previous + text.encode()).digest()


def once_digest(session_key: str, event: AuditRecord, distinct: str = "") -> bytes:
    """Return what tells two events of one login apart: who, what, on which subject, and `distinct`."""
    parts = (event.principal.kind, event.principal.id, session_key, event.action, str(event.subject_id), distinct)
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def record_once(database: Database, session_key: str, event: AuditRecord, distinct: str = "") -> bool:
    """Record `event` unless this login has done the same before; durable on return. Says whether it was written.

    A view is one event per principal, study and session: the first frame waits for it, the others do not.
    """
    digest = once_digest(session_key, event, distinct)
    recorder = _RECORDERS.get(database.engine, _UNNAMED)
    if recorder.remembers(digest):
        return False
    with database.read() as session:
        known = session.scalar(sa.select(AuditMark.at).where(AuditMark.digest == digest))
    if known is None:
        with database.write() as session:
            if session.scalar(sa.select(AuditMark.at).where(AuditMark.digest == digest)) is None:
                session.execute(sa.insert(AuditMark), [{"digest": digest, "at": recorder.clock.now()}])
                record(session, event)
    recorder.remember(digest)
    return known is None


def forget_marks(session: Session, before: datetime) -> None:
    """Drop marks older than `before`, when no login of that time can still be open."""
    session.execute(sa.delete(AuditMark).where(AuditMark.at < before))
