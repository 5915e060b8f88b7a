"""The record: events written in batches and one by one, proven again, and what it adds to a frame's delivery.

A login's first look at a study is one event; each further frame of it only asks whether that is written. How long that
asking takes, beside the 2 to 4 ms of a frame, is what recording costs the reader. Frames are also fetched from two
servers that differ in nothing else: one of them does not record who looks at what.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

from benchmarks.fetch import Client
from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.sender import send, split
from benchmarks.servers import HOST, Radrelay
from benchmarks.study_rows import ORGANISATION
from benchmarks.table import OURS, Aim, Line, Rounds, line
from radrelay import audit
from radrelay.access import Principal
from radrelay.app.rows import ROOMS
from radrelay.clock import SystemClock
from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from radrelay.storage.migrate import migrate

PART = "audit"
BATCH = 500
UNRECORDED = "Radrelay, unrecorded"
LEAST_OF_UNRECORDED = 0.97  # in the frames that are delivered: what two runs of the same server differ by
IN_A_TURN = 50
"""Frames from one server before the other is asked: a machine's moods last longer, so that they count for both."""
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
    lines.append(_delivered(plan))
    shutil.rmtree(folder)
    return plan.tell(lines)


class _Unrecorded(Radrelay):
    """The same server without the record of who looks at what."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.unrecorded", "serve"]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(Path(__file__).parent.parent)}


def _delivered(plan: Plan) -> Line:
    """Fetch frames one after the other from either server, in short turns, now the one first and now the other."""
    folder = plan.folder / PART
    slices, turns = plan.pick(200, 40), plan.pick(100, 10) * plan.rounds
    files = write_ct(folder / "ct", slices)
    sides = {OURS: Radrelay(folder / "recorded", quiet_s="1"), UNRECORDED: _Unrecorded(folder / "other", quiet_s="1")}
    try:
        clients = {}
        for name, server in sides.items():
            server.start()
            send(HOST, server.dicom_port, server.ae_title, split(files, 1))
            server.wait_indexed(slices, packed=True)
            clients[name] = Client.of(server)
        paths = {name: _frame_paths(client) for name, client in clients.items()}

        def frames_per_s(name: str, turn: int) -> float:
            began = time.perf_counter()
            for number in range(turn * IN_A_TURN, (turn + 1) * IN_A_TURN):
                clients[name].request(paths[name][number % slices])
            return IN_A_TURN / (time.perf_counter() - began)

        rounds: Rounds = {name: [] for name in sides}
        for turn in range(-turns // 10, turns):
            for name in sorted(sides, reverse=turn % 2 == 0):
                found_now = frames_per_s(name, turn)
                if turn >= 0:  # before that they warm up
                    rounds[name].append(found_now)
    finally:
        for server in sides.values():
            server.stop()
    aim = Aim(LEAST_OF_UNRECORDED, UNRECORDED)
    found = line(PART, "frames, one after the other", "frames/s", rounds, aim)
    told = f"{found.what}; {found.values[UNRECORDED]:.0f} unrecorded, ratio"
    return replace(found, what=told)


def _frame_paths(client: Client) -> list[str]:
    study = json.loads(client.request("/api/studies?limit=1"))["studies"][0]["id"]
    opened = json.loads(client.request(f"/api/studies/{study}/opening"))
    return [f"/api/instances/{one['id']}/frames/1/stream" for one in opened["series"]["instances"]]


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
