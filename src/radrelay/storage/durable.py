"""Durable work on DBOS Transact: an event of the outbox becomes a workflow that survives the process.

Each job is one function `(Event) -> None`, run at least once and therefore idempotent. A job that raises is
tried again after a growing pause, up to its attempts.
DBOS records in a SQLite file of its own, or in the PostgreSQL beside the domain's tables.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from radrelay.clock import Clock
from radrelay.settings import Settings
from radrelay.storage import outbox
from radrelay.storage.database import Database
from radrelay.storage.node import node_id
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

APPLICATION_VERSION = "1"  # of the workflows' shape: raised only when running ones could not be resumed
POLL_S = 1.0


@dataclass(frozen=True)
class Job:
    """What follows from an event: `function` runs on `queue`, at most `concurrency` at once per machine."""

    kind: str
    function: Callable[[Event], None]
    queue: str
    concurrency: int
    attempts: int = 11  # the pauses add up to half an hour


class DurableWork:
    """Hands events to workflows. One per process; only the role `work` launches it."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, jobs: list[Job]) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._jobs = {job.kind: job for job in jobs}
        self._workflows: dict[str, Callable[..., None]] = {}

    def launch(self) -> None:
        """Start working; unfinished workflows of this machine resume."""
        config: DBOSConfig = {
            "name": "radrelay",
            "system_database_url": self._url(),
            "application_version": APPLICATION_VERSION,
            "executor_id": node_id(self._settings.data_dir),
            "serializer": DBOSPortableJSONSerializer(),
            "run_migrations": True,
            "console_log_level": "WARNING",
            "notification_listener_polling_interval_sec": POLL_S,
        }
        DBOS(config=config)
        for job in self._jobs.values():
            self._workflows[job.kind] = _workflow(job)
        DBOS.launch()
        for queue, concurrency in {job.queue: job.concurrency for job in self._jobs.values()}.items():
            DBOS.register_queue(
                queue,
                worker_concurrency=concurrency,
                polling_interval_sec=POLL_S,
                on_conflict="always_update",
            )

    def dispatch(self) -> int:
        """Hand open events over; returns how many. Safe to repeat: the event's id is the workflow's."""
        with self._database.read() as session:
            events = outbox.open_events(session, list(self._jobs))
        for event in events:
            with SetWorkflowID(str(event.id)):
                DBOS.enqueue_workflow(
                    self._jobs[event.kind].queue,
                    self._workflows[event.kind],
                    event.kind,
                    str(event.id),
                    str(event.organisation_id),
                    str(event.subject_id),
                    dict(event.payload),
                )
        if events:
            with self._database.write() as session:
                outbox.mark_taken(session, [event.id for event in events], self._clock.now())
        return len(events)

    def close(self, grace_s: int = 5) -> None:
        """Stop; what is unfinished resumes at the next launch."""
        DBOS.destroy(workflow_completion_timeout_sec=grace_s)

    def _url(self) -> str:
        if self._settings.work.database_url is not None:
            return self._settings.work.database_url
        if self._settings.database.url is not None:
            return sa.make_url(self._settings.database.url).set(drivername="postgresql+psycopg").render_as_string(False)
        path = self._settings.data_dir / "work.sqlite"
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        return f"sqlite:///{path}"


def _workflow(job: Job) -> Callable[..., None]:
    """Wrap a job as a workflow of one step that is tried again with growing pauses."""

    @DBOS.step(
        name=f"{job.kind}.step",
        retries_allowed=True,
        interval_seconds=1.0,
        backoff_rate=2.0,
        max_attempts=job.attempts,
    )
    def step(kind: str, event_id: str, organisation_id: str, subject_id: str, payload: Mapping[str, Any]) -> None:
        event = Event(uuid.UUID(event_id), kind, uuid.UUID(organisation_id), uuid.UUID(subject_id), payload)
        structlog.contextvars.bind_contextvars(event_id=event_id)
        try:
            job.function(event)
        except Exception:  # why: DBOS counts the attempt and keeps the error; the log needs the trace of each
            log.warning("job failed", kind=kind, subject_id=subject_id, exc_info=True)
            raise
        finally:
            structlog.contextvars.unbind_contextvars("event_id")

    @DBOS.workflow(name=job.kind)
    def workflow(kind: str, event_id: str, organisation_id: str, subject_id: str, payload: Mapping[str, Any]) -> None:
        step(kind, event_id, organisation_id, subject_id, payload)

    return workflow
