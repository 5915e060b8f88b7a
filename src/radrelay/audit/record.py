"""Writing events: in the caller's transaction, each tied to the one before it of the same chain.

A process calls `install` once for its database: from then on `record` knows the process's name, the clock and the
keys. The head of a chain is a row that one transaction at a time moves on, so a chain has no forks.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session
from sqlcipher3 import dbapi2 as sqlcipher

from radrelay.audit.models import AuditEvent, AuditMark, AuditWriter
from radrelay.audit.patients import AuditKeys, PatientIdentity, refer_to
from radrelay.audit.signing import signature
from radrelay.audit.studies import StudyNames, is_kept, keep
from radrelay.clock import Clock, SystemClock
from radrelay.errors import Misconfigured
from radrelay.storage.database import Database, DatabaseUnavailable
from radrelay.storage.ids import new_id

FIRST_HASH = bytes(32)
MARKS_IN_MEMORY = 20_000
_MARKS_AT_ONCE = 500
LONGEST_PROCESS = 48  # of the 64 characters of a chain's name


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


Patient = tuple[str, str, str] | PatientIdentity  # issuer, patient ID, name


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One event to be written. `detail` holds no patient data; those go into `patient` (issuer, ID, name)."""

    action: str
    principal: Actor
    subject_kind: str = ""
    subject_id: str | uuid.UUID = ""
    detail: Mapping[str, object] = field(default_factory=dict)
    patient: Patient | None = None
    outcome: str = "success"
    correlation_id: str = ""

    @property
    def study_id(self) -> uuid.UUID | None:
        """The row of the study that the event is about: its subject, or what `detail` names as its study."""
        given = self.subject_id if self.subject_kind == "study" else self.detail.get("study")
        if isinstance(given, uuid.UUID):
            return given
        try:
            return uuid.UUID(given) if isinstance(given, str) else None
        except ValueError:
            return None


class AuditKeyMissing(Misconfigured):
    """An event names a patient, but this process was given no key to seal the name with."""

    code = "audit-key-missing"


ADDRESS_BY: ContextVar[str] = ContextVar("address_by", default="")
"""Who says where a request comes from, while it is answered, if not our own socket does: the relay of the gateway."""


class NotRecorded(DatabaseUnavailable):
    """This cannot be put on record just now, so it was not done; whoever runs Radrelay must see to its database."""

    code = "not-recorded"


class Recorder:
    """What one process needs to write events into one database."""

    def __init__(self, writer: str, clock: Clock, keys: AuditKeys | None, studies: StudyNames | None = None) -> None:
        self.writer = writer[:LONGEST_PROCESS]
        self.clock = clock
        self.keys = keys
        self.studies = studies
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


def install(
    database: Database, role: str, clock: Clock, metadata_key: bytes | None, studies: StudyNames | None = None
) -> Recorder:
    """Make `record` write into `database` as `role` on this host, patients sealed under `metadata_key`.

    `studies` tells what a study is called, so that the record can still say it when the study is gone.
    """
    keys = None if metadata_key is None else AuditKeys.derive(metadata_key)
    recorder = Recorder(f"{role}-{socket.gethostname()}", clock, keys, studies)
    _RECORDERS[database.engine] = recorder
    return recorder


def recorder_of(session: Session) -> Recorder:
    """Return the recorder that `install` bound to the session's database, or an unnamed one without keys."""
    bind = session.get_bind()
    engine = bind.engine if isinstance(bind, Connection) else bind
    return _RECORDERS.get(engine, _UNNAMED)


def record(session: Session, event: AuditRecord) -> uuid.UUID:
    """Append `event` in the caller's writing transaction and return its id."""
    return record_many(session, (event,))[0]


def record_many(session: Session, events: Sequence[AuditRecord]) -> list[uuid.UUID]:
    """Append `events` in the caller's writing transaction and return their ids; some ten times as fast as one by one.

    Raises `NotRecorded` where the record takes nothing: the caller's transaction must not go on.
    """
    if not events:
        return []
    recorder = recorder_of(session)
    names = _Names(session, recorder)
    chains: dict[str, list[dict[str, object]]] = {}
    ids = []
    for event in events:
        row = _row(recorder, event, names)
        chains.setdefault(str(row["writer"]), []).append(row)
        ids.append(cast(uuid.UUID, row["id"]))
    try:
        _alone(session, recorder.writer)
        for writer, rows in chains.items():
            _append(session, recorder, writer, rows)
    except (sa.exc.DBAPIError, sqlcipher.Error) as error:
        raise NotRecorded from error
    return ids


def _row(recorder: Recorder, event: AuditRecord, names: _Names) -> dict[str, object]:
    who = event.principal
    study_id = event.study_id
    patient_ref = names.patient(who.organisation_id, event.patient)
    if study_id is not None:
        names.study(who.organisation_id, study_id, patient_ref)
    return {
        "id": new_id(),
        "organisation_id": who.organisation_id,
        "writer": chain_name(recorder.writer, who.organisation_id, patient_ref is not None or study_id is not None),
        "at": recorder.clock.now().astimezone(UTC),
        "action": event.action,
        "outcome": event.outcome,
        "actor_kind": who.kind,
        "actor_id": who.id[:64],
        "actor_name": who.name[:128],
        "peer": who.peer[:64],
        "subject_kind": event.subject_kind,
        "subject_id": str(event.subject_id)[:64],
        "correlation_id": event.correlation_id[:64],
        "detail": json.dumps(_detail(event), ensure_ascii=False, sort_keys=True, default=str),
        "patient_ref": patient_ref,
        "study_id": study_id,
    }


def _detail(event: AuditRecord) -> dict[str, object]:
    """Return the detail of an event; an address that another machine told is marked as such."""
    told_by = ADDRESS_BY.get() if event.principal.peer else ""
    return dict(event.detail) | ({"address_by": told_by} if told_by else {})


PERSON, USAGE = ".p", ".u"


def chain_name(process: str, organisation_id: uuid.UUID, person_related: bool) -> str:
    """Return the name of a chain: process, organisation, and whether it is about patients.

    What is kept for different times stands in different chains, so that what is over is always a chain's beginning.
    """
    return f"{process}.{organisation_name(organisation_id)}{PERSON if person_related else USAGE}"


def organisation_name(organisation_id: uuid.UUID) -> str:
    """Return what names an organisation in the names of its chains."""
    return organisation_id.hex[-12:]


def organisation_part(writer: str) -> str:
    """Return what a chain's name has of its organisation."""
    return writer.rpartition(".")[0].rpartition(".")[2]


def _append(session: Session, recorder: Recorder, writer: str, rows: list[dict[str, object]]) -> None:
    sequence, previous = _head(session, writer, rows[0])
    for row in rows:
        sequence += 1
        row["sequence"], row["previous_hash"] = sequence, previous
        row["hash"] = previous = event_hash(row, previous)
    session.execute(_INSERT, rows)
    signed = None if recorder.keys is None else signature(recorder.keys, "head", writer, sequence, previous)
    session.execute(_MOVE, {"chain": writer, "sequence": sequence, "hash": previous, "signature": signed})


_EVENTS, _WRITERS = cast(sa.Table, AuditEvent.__table__), cast(sa.Table, AuditWriter.__table__)
_INSERT = sa.insert(_EVENTS)
_HEAD = sa.select(AuditWriter.sequence, AuditWriter.hash).where(AuditWriter.writer == sa.bindparam("chain"))
_MOVE = (
    sa.update(_WRITERS)
    .where(_WRITERS.c.writer == sa.bindparam("chain"))
    .values(sequence=sa.bindparam("sequence"), hash=sa.bindparam("hash"), signature=sa.bindparam("signature"))
)


def _alone(session: Session, process: str) -> None:
    """Let one transaction at a time add to a process's chains: on SQLite it is alone already.

    One lock for all of them, because two transactions that lock two chains each in another order stop each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(b"radrelay audit " + process.encode()).digest()[:8], "big", signed=True)
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _head(session: Session, writer: str, row: Mapping[str, object]) -> tuple[int, bytes]:
    found = session.execute(_HEAD, {"chain": writer}).one_or_none()
    if found is not None:
        return found[0], found[1]
    first = {
        "writer": writer,
        "organisation_id": row["organisation_id"],
        "sequence": 0,
        "hash": FIRST_HASH,
        "signature": None,
    }
    session.execute(sa.insert(AuditWriter), [first])
    return 0, FIRST_HASH


class _Names:
    """Whom and what a batch of events is about, looked up and sealed once each."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._recorder = recorder
        self._patients: dict[tuple[uuid.UUID, str, str], uuid.UUID] = {}
        self._studies: set[uuid.UUID] = set()

    def patient(self, organisation_id: uuid.UUID, named: Patient | None) -> uuid.UUID | None:
        """Return the reference to a patient's sealed row."""
        if named is None:
            return None
        keys = self._recorder.keys
        if keys is None:
            raise AuditKeyMissing
        identity = named if isinstance(named, PatientIdentity) else PatientIdentity(*named)
        key = (organisation_id, identity.issuer, identity.patient_id)
        if key not in self._patients:
            self._patients[key] = refer_to(self._session, keys, organisation_id, identity)
        return self._patients[key]

    def study(self, organisation_id: uuid.UUID, study_id: uuid.UUID, patient_ref: uuid.UUID | None) -> None:
        """Keep what a study is called, once."""
        if study_id in self._studies or self._recorder.keys is None or self._recorder.studies is None:
            return
        self._studies.add(study_id)
        if is_kept(self._session, study_id):
            return
        named = self._recorder.studies(self._session, study_id)
        if named is not None:
            keep(self._session, self._recorder.keys, organisation_id, study_id, patient_ref, named)


HASHED = (
    "id", "organisation_id", "writer", "sequence", "at", "action", "outcome", "actor_kind", "actor_id", "actor_name",
    "peer", "subject_kind", "subject_id", "correlation_id", "detail", "patient_ref", "study_id",
)  # fmt: skip


def event_hash(row: Mapping[str, object], previous: bytes) -> bytes:
    """Return SHA-256 over the previous hash and the event's columns as one JSON array in a fixed order."""
    return hash_of([row[name] for name in HASHED], previous)


def hash_of(values: Iterable[object], previous: bytes) -> bytes:
    """Return the same from the values of the columns `HASHED`."""
    texts = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    text = json.dumps([None if value is None else str(value) for value in texts], separators=(",", ":"))
    return hashlib.sha256(previous + text.encode()).digest()


def once_digest(session_key: str, event: AuditRecord, distinct: str = "") -> bytes:
    """Return what tells two events of one login apart: who, what, on which subject, and `distinct`."""
    parts = (event.principal.kind, event.principal.id, session_key, event.action, str(event.subject_id), distinct)
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def record_once(database: Database, session_key: str, event: AuditRecord, distinct: str = "") -> bool:
    """Record `event` unless this login has done the same before; durable on return. Says whether it was written.

    A view is one event per principal, study and session: the first frame waits for it, the others do not.
    """
    return record_each_once(database, session_key, [(event, distinct)]) > 0


def record_each_once(database: Database, session_key: str, events: Iterable[tuple[AuditRecord, str]]) -> int:
    """Record events as `record_once` does, each with what makes it distinct, together; returns how many were new."""
    recorder = _RECORDERS.get(database.engine, _UNNAMED)
    told = {once_digest(session_key, *one): one[0] for one in events}
    wanted = {digest: event for digest, event in told.items() if not recorder.remembers(digest)}
    if not wanted:
        return 0
    with database.read() as session:
        new = _unmarked(session, wanted)
    if new:
        with database.write() as session:
            left = _unmarked(session, new)
            if left:
                now = recorder.clock.now()
                session.execute(sa.insert(AuditMark), [{"digest": digest, "at": now} for digest in sorted(left)])
                record_many(session, [*left.values()])
    for digest in wanted:
        recorder.remember(digest)
    return len(new)


def _unmarked(session: Session, wanted: Mapping[bytes, AuditRecord]) -> dict[bytes, AuditRecord]:
    digests, known = [*wanted], set[bytes]()
    for start in range(0, len(digests), _MARKS_AT_ONCE):
        some = AuditMark.digest.in_(digests[start : start + _MARKS_AT_ONCE])
        known |= set(session.scalars(sa.select(AuditMark.digest).where(some)))
    return {digest: event for digest, event in wanted.items() if digest not in known}


def forget_marks(session: Session, before: datetime) -> None:
    """Drop marks older than `before`, when no login of that time can still be open."""
    session.execute(sa.delete(AuditMark).where(AuditMark.at < before))
