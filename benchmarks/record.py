"""The record: events written in batches and one by one, proven again, and what it adds to a frame's delivery.

A login's first look at a study is one event; each further frame of it only asks whether that is written. How long that
asking takes, beside the 2 to 4 ms of a frame, is what recording costs the reader.
"""

from __future__ import annotations

import resource
import shutil
import time
import uuid
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.study_rows import ORGANISATION
from benchmarks.table import OURS, Aim, Line, line
from radrelay import audit
from radrelay.access import Principal
from radrelay.app.rows import ROOMS
from radrelay.clock import SystemClock
from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from radrelay.storage.migrate import migrate

PART = "audit"
BATCH = 500
PATIENTS = 50
KEY = bytes(range(32))
WHO = Principal("account", "0198a000-0000-7000-8000-000000000001", "Anna Arzt", ORGANISATION, "user", "192.0.2.1", "s")


def run(plan: Plan) -> list[Line]:
    """Write, prove, and ask as for a frame."""
    assert ROOMS
    folder = plan.folder / PART
    database = Database.open(DatabaseSettings.model_validate({}), folder, KEY)
    migrate(database)
    audit.install(database, "bench", SystemClock(), KEY)
    batched, single, asked = [], [], []
    for _ in range(plan.rounds):
        batched.append(_batches(database, plan.pick(40, 10)))
        single.append(_singly(database, plan.pick(1000, 200)))
        asked.append(_frames(database, plan.pick(50_000, 5_000)))
    before = _resident_mb()
    proven, events = _proven(database)
    lines = [
        line(PART, f"events on record, {BATCH} a transaction", "events/s", {OURS: batched}, Aim(5000)),
        line(PART, "events on record, one a transaction, synced", "events/s", {OURS: single}),
        line(PART, f"proving {events:,} events", "events/s", {OURS: [proven]}),
        line(PART, f"memory that proving {events:,} events adds", "MiB", {OURS: [_resident_mb() - before]}),
        line(PART, "what recording adds to a further frame", "µs", {OURS: asked}, Aim(50, below=True)),
    ]
    database.close()
    shutil.rmtree(folder)
    return plan.tell(lines)


def _event(number: int) -> audit.AuditRecord:
    patient = ("HOSPITAL", f"{number % PATIENTS:07d}", "Müller^Anna")
    return audit.AuditRecord("study.view", WHO, "study", uuid.UUID(int=number % PATIENTS), patient=patient)


def _batches(database: Database, count: int) -> float:
    events = [_event(number) for number in range(BATCH)]
    begun = time.perf_counter()
    for _ in range(count):
        with database.write() as session:
            audit.record_many(session, events)
    return count * BATCH / (time.perf_counter() - begun)


def _singly(database: Database, count: int) -> float:
    begun = time.perf_counter()
    for number in range(count):
        with database.write() as session:
            audit.record(session, _event(number))
    return count / (time.perf_counter() - begun)


def _frames(database: Database, count: int) -> float:
    session_key = uuid.uuid4().hex
    audit.record_once(database, session_key, _event(1))
    begun = time.perf_counter()
    for _ in range(count):
        audit.record_once(database, session_key, _event(1))
    return (time.perf_counter() - begun) / count * 1e6


def _proven(database: Database) -> tuple[float, int]:
    begun = time.perf_counter()
    with database.read() as session:
        report = audit.verify(session, KEY)
    assert report.intact, report.broken
    return report.events / (time.perf_counter() - begun), report.events


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
