"""Durable work on DBOS Transact: an event of the outbox becomes a workflow that survives the process.

Each job is one function `(Event) -> None`, run at least once and therefore idempotent. A job that raises is
tried again after a growing pause, up to its attempts. The outbox is the queue: an event is taken when a place is free,
which is at once where one is (`storage.bells`), and stays there in its turn while none is.
DBOS records in a SQLite file of its own, or in the PostgreSQL beside the domain's tables. What a machine that is gone
left unfinished is resumed by another, through DBOS's public interface and never by two (`executors`).
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from radrelay.clock import Clock
from radrelay.errors import Unavailable
from radrelay.settings import Settings
from radrelay.storage import outbox
from radrelay.storage.database import Database
from radrelay.storage.executors import ExecutorWatch, bury
from radrelay.storage.nodes import alone_in
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

APPLICATION_VERSION = "1"  # of the workflows' shape: raised only when running ones could not be resumed
POLL_S = 0.5  # DBOS looks so often whether anybody waits for notifications; whoever stops waits for it once


@dataclass(frozen=True)
class Job:
    """What follows from an event: `function` runs for at most `concurrency` of its kind at once per machine."""

    kind: str
    function: Callable[[Event], None]
    concurrency: int
    attempts: int = 11  # the pauses add up to half an hour


class DurableWork:
    """Hands events to workflows. One per process; only the role `work` launches it.

    `executor` names this process among all that do durable work: no two that live have one name.
    """

    def __init__(self, settings: Settings, database: Database, clock: Clock, executor: str, jobs: list[Job]) -> None:
        self._settings = settings
        self._database = database
        self._executor = executor
        self._watch = ExecutorWatch(database, executor)
        self._clock = clock
        self._jobs = {job.kind: job for job in jobs}
        self._workflows: dict[str, Callable[..., None]] = {}
        self._places = _Places({job.kind: job.concurrency for job in jobs})

    def launch(self) -> None:
        """Start working; unfinished workflows of this executor resume."""
        self._watch.tick(())
        config: DBOSConfig = {
            "name": "radrelay",
            "system_database_url": self._url(),
            "application_version": APPLICATION_VERSION,
            "executor_id": self._executor,
            "serializer": DBOSPortableJSONSerializer(),
            "run_migrations": True,
            "console_log_level": "WARNING",
            "notification_listener_polling_interval_sec": POLL_S,
        }
        DBOS(config=config)
        for job in self._jobs.values():
            self._workflows[job.kind] = _workflow(job, self._watch, self._places)
        DBOS.launch()  # two machines' first starts take turns by themselves

    def hear(self, stop: threading.Event) -> None:
        """Hear of events that are written, in whatever process, until `stop` is set."""
        if self._database.bell is None:
            stop.wait()
        else:
            self._database.bell.listen(stop, self._places.changed.set)

    def wait(self, at_most_s: float) -> None:
        """Return when an event was heard of, a place has become free, or the time is over."""
        self._places.changed.wait(at_most_s)
        self._places.changed.clear()

    def dispatch(self) -> int:
        """Begin work on open events as far as places are free; returns how many. The event's id is the workflow's."""
        with self._database.read() as session:
            kinds = outbox.open_kinds(session, [kind for kind in self._jobs if self._places.free(kind)])
        begun = 0
        for kind in kinds:
            with self._database.write() as session:  # others take other events; a crash in here begins none twice
                events = outbox.open_events(session, [kind], self._places.free(kind), lock=True)
                for event in self._unknown(events):
                    self._begin(event)
                outbox.mark_taken(session, [event.id for event in events], self._clock.now())
            begun += len(events)
        return begun

    def _unknown(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return those that durable work does not have yet: it may have begun just before a crash."""
        known: set[str] = set()
        if events:
            found = DBOS.list_workflows(
                workflow_ids=[str(event.id) for event in events], load_input=False, load_output=False
            )
            known = {one.workflow_id for one in found}
        return [event for event in events if str(event.id) not in known]

    def _begin(self, event: Event) -> None:
        self._places.take(event.kind, str(event.id))
        try:
            with SetWorkflowID(str(event.id)):
                DBOS.start_workflow(
                    self._workflows[event.kind],
                    event.kind,
                    str(event.id),
                    str(event.organisation_id),
                    str(event.subject_id),
                    dict(event.payload),
                )
        except BaseException:
            self._places.leave(event.kind, str(event.id))
            raise

    def take_over(self) -> int:
        """Give a sign of life and resume what executors that have none left unfinished; returns how many workflows.

        Raises `LeaseLost` if others have taken this one for dead.
        """
        unfinished = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        others = {found.executor_id for found in unfinished if found.executor_id} - {self._executor}
        resumed = 0
        for executor, sign in self._watch.tick(others).items():
            with self._database.write() as session:  # one at a time: resuming asks nobody whether it runs already
                alone_in(session)
                if not bury(session, executor, sign):
                    continue
                for found in DBOS.list_workflows(
                    status="PENDING", executor_id=executor, load_input=False, load_output=False
                ):
                    DBOS.resume_workflow(found.workflow_id)
                    resumed += 1
            log.warning("durable work taken over from a process that is gone", executor=executor, workflows=resumed)
        return resumed

    def unfinished(self, kind: str) -> set[uuid.UUID]:
        """Return the subjects that work of this kind is waiting or under way for, on any machine."""
        with self._database.read() as session:
            waiting = outbox.open_subjects(session, kind)
        found = DBOS.list_workflows(status=["PENDING", "ENQUEUED", "DELAYED"], name=kind, load_output=False)
        return waiting | {uuid.UUID(one.input["args"][3]) for one in found if one.input is not None}

    def runs_besides(self, event: Event) -> bool:
        """Say whether other work of the event's kind is under way for its subject, on any machine."""
        found = DBOS.list_workflows(status="PENDING", name=event.kind, load_output=False)
        return any(
            one.workflow_id != str(event.id) and one.input is not None and one.input["args"][3] == str(event.subject_id)
            for one in found
        )

    def close(self, grace_s: int = 5) -> None:
        """Stop; what is unfinished resumes at the next launch."""
        DBOS.destroy(workflow_completion_timeout_sec=grace_s)
        try:
            self._watch.leave()
        except Unavailable:
            log.info("durable work: this process could not say that it stopped")

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


class _Places:
    """What is being worked on in this process, by kind."""

    def __init__(self, most: Mapping[str, int]) -> None:
        self._most = most
        self._taken: dict[str, set[str]] = {kind: set() for kind in most}
        self._lock = threading.Lock()
        self.changed = threading.Event()

    def free(self, kind: str) -> int:
        """Return how many more pieces of work of a kind may begin."""
        with self._lock:
            return max(0, self._most[kind] - len(self._taken[kind]))

    def take(self, kind: str, event_id: str) -> None:
        """Take a place; what was resumed takes one beyond, if it has to."""
        with self._lock:
            self._taken[kind].add(event_id)

    def leave(self, kind: str, event_id: str) -> None:
        """Make a place free again."""
        with self._lock:
            self._taken[kind].discard(event_id)
        self.changed.set()


def _workflow(job: Job, watch: ExecutorWatch, places: _Places) -> Callable[..., None]:
    """Wrap a job as a workflow of one step that is tried again with growing pauses."""

    @DBOS.step(
        name=f"{job.kind}.step",
        retries_allowed=True,
        interval_seconds=1.0,
        backoff_rate=2.0,
        max_attempts=job.attempts,
    )
    def step(kind: str, event_id: str, organisation_id: str, subject_id: str, payload: Mapping[str, Any]) -> None:
        if not watch.fresh():
            raise Unavailable("this process was held up, or has no database; its work may run elsewhere by now")
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
        places.take(kind, event_id)
        try:
            step(kind, event_id, organisation_id, subject_id, payload)
        finally:
            places.leave(kind, event_id)

    return workflow
