"""The durable work of runs: each in a process of its own, within what its kind and this machine have to give.

Run at least once. Begun anew after a crash it computes again and lands what is missing: its results have the same UIDs
every time, and are written down before the first of them lands, so that they come once.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection
from datetime import timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.analysis import service, switching, using
from radrelay.analysis.attempt import Attempt, Begun, Interrupted, LostRun
from radrelay.analysis.ending import Done, finish
from radrelay.analysis.errors import AnalysisFailed, AnalysisOff, GaveUp, NothingToAnalyse, StudyRestricted
from radrelay.analysis.folders import Folders
from radrelay.analysis.kinds import Kinds
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.perfusion.refusals import AnalysisRefused
from radrelay.analysis.running import Refused, Stopped
from radrelay.archive.reader import InstanceReader
from radrelay.clock import Clock
from radrelay.errors import NotFound, RadrelayError, Trouble
from radrelay.intake.landing import Landing
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.nodes import alone_in
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

TURN_S = 2.0  # a run for which there is no room looks again after so long


class AnalysisWork:
    """Carries runs out."""

    def __init__(
        self, settings: Settings, database: Database, clock: Clock, kinds: Kinds, reader: InstanceReader,
        landing: Landing, done: Done,
    ) -> None:  # fmt: skip
        self.kinds = kinds
        self._settings = settings
        self._database = database
        self._clock = clock
        self._reader = reader
        self._landing = landing
        self._done = done
        self._folders = Folders(settings)
        self._under_way: set[uuid.UUID] = set()
        self._stuck: set[uuid.UUID] = set()
        self._closing = threading.Event()
        if left := self._folders.clean():
            log.warning("folders of runs that a crash has left are removed", folders=left)

    @property
    def machine(self) -> str:
        """The name of this process among all that work."""
        return self._landing.log.owner

    def attempt(self, event: Event) -> None:
        """Carry a run out, as far as there is room; what breaks off is begun anew a few times."""
        run_id = event.subject_id
        if run_id in self._under_way:
            self.postpone(run_id)
            return
        self._under_way.add(run_id)
        try:
            begun = self._begin(run_id)
            if begun is not None:
                self._carry_out(begun)
        finally:
            self._under_way.discard(run_id)

    def close(self) -> None:
        """Stop what runs here; it waits, and is begun anew wherever there is room."""
        self._closing.set()

    def postpone(self, run_id: uuid.UUID, after_s: float = TURN_S) -> None:
        """Look at a run again a little later, if it waits."""
        with self._database.write() as session:
            waits = sa.update(AnalysisRun).where(AnalysisRun.id == run_id, AnalysisRun.state == "waiting")
            session.execute(waits.values(next_attempt_at=self._clock.now() + timedelta(seconds=after_s)))

    def revive(self, attended: Collection[uuid.UUID] = ()) -> int:
        """Begin runs anew that nothing works on, met so twice; returns how many. `attended` are worked on."""
        lost = sa.or_(
            AnalysisRun.state == "running",
            sa.and_(AnalysisRun.state == "waiting", AnalysisRun.next_attempt_at.is_(None)),
        )
        with self._database.read() as session:
            stuck = set(session.scalars(sa.select(AnalysisRun.id).where(lost))) - self._under_way - set(attended)
        again, self._stuck = stuck & self._stuck, stuck
        if again:
            with self._database.write() as session:
                due = sa.update(AnalysisRun).where(AnalysisRun.id.in_(again), lost)
                session.execute(due.values(state="waiting", next_attempt_at=self._clock.now()))
        return len(again)

    def forget(self) -> int:
        """Forget what the log of use has kept long enough."""
        with self._database.write() as session:
            return using.forget(session, self._clock.now(), self._settings.analysis.keep_use_days)

    def _begin(self, run_id: uuid.UUID) -> Begun | None:
        """Take a run on; none where it is over, there is no room for it now, or it cannot be."""
        now = self._clock.now()
        with self._database.write() as session:
            alone_in(session)
            row = session.get(AnalysisRun, run_id, with_for_update=True)
            if row is None or row.state not in service.OPEN:
                return None
            if self._closing.is_set() or not self._has_room(session, row):
                row.state, row.next_attempt_at = "waiting", now + timedelta(seconds=TURN_S)
                return None
            try:
                begun = self._prepared(session, row)
            except RadrelayError as error:
                self._over(session, row, error)
                return None
            row.state, row.machine, row.step, row.share = "running", self.machine, "", 0.0
            row.attempts += 1
            row.started_at = row.started_at or now
            row.changed_at, row.next_attempt_at = now, None
            service.tell(row, None)
            session.flush()
            return begun._replace(attempt=row.attempts)

    def _prepared(self, session: Session, row: AnalysisRun) -> Begun:
        """Return what a run works with; raises `RadrelayError` where it cannot."""
        if row.attempts >= self._settings.analysis.attempts:
            raise GaveUp
        if access.is_barred(session, row.study_id):
            raise StudyRestricted
        kind = self.kinds.get(row.kind)
        here = switching.require_on(session, row.organisation_id, kind)
        row.version = kind.version
        series = [uuid.UUID(one) for one in row.series.split(",") if one]
        refs = service.inputs(session, self._clock.now(), kind, row.organisation_id, row.study_id, series)
        if not refs:
            raise NothingToAnalyse(f"the study has no images that {kind.name} takes", kind=kind.name)
        return Begun(row.id, 0, row.organisation_id, row.study_id, here, row.parameters, row.correlation_id, refs)

    def _has_room(self, session: Session, row: AnalysisRun) -> bool:
        """Say whether the kind may have one more run, on all machines, and this machine has memory and cores for it."""
        others = sa.select(AnalysisRun).where(AnalysisRun.state == "running", AnalysisRun.id != row.id)
        running = session.scalars(others).all()
        here = [one for one in running if one.machine == self.machine]
        most = self.kinds.get(row.kind).limits.at_once if row.kind in self.kinds else 1
        limits = self._settings.analysis
        return (
            sum(one.kind == row.kind for one in running) < most
            and (not here or sum(one.memory_bytes for one in (*here, row)) <= limits.memory_bytes)
            and (not here or sum(one.cores for one in (*here, row)) <= limits.cores)
        )

    def _carry_out(self, begun: Begun) -> None:
        attempt = Attempt(
            begun, self._settings.analysis, self._database, self._clock, self._reader, self._landing, self._folders,
            self._closing,
        )  # fmt: skip
        try:
            output = attempt.run()
        except (Stopped, LostRun):
            log.info("a run is not wanted any more", run_id=str(begun.run_id))
        except Interrupted:
            self._wait(begun, 0.0)
        except (AnalysisRefused, AnalysisFailed, NotFound) as error:
            with self._database.write() as session:
                row = begun.mine(session, hold=True)
                if row is not None:
                    self._over(session, row, error)
        except RadrelayError as error:
            log.warning("a run broke off", run_id=str(begun.run_id), code=error.code, exc_info=True)
            self._wait(begun, self._settings.analysis.retry_first_s, Trouble.of(error))
        else:
            with self._database.write() as session:
                row = begun.mine(session, hold=True)
                if row is not None:
                    finish(session, row, "done", self._clock.now(), source=using.source_of(session, begun.refs))
                    self._done(session, row, begun.here.destination_id, {one.series_uid for one in output})

    def _wait(self, begun: Begun, after_s: float, trouble: Trouble | None = None) -> None:
        """Have a run begun anew; what was interrupted by the end of this process does not count as a try."""
        with self._database.write() as session:
            row = begun.mine(session, hold=True)
            if row is None:
                return
            row.state, row.step, row.share = "waiting", "", 0.0
            row.next_attempt_at = row.changed_at = self._clock.now() + timedelta(seconds=after_s)
            if trouble is None:
                row.attempts -= 1
            service.tell(row, trouble)

    def _over(self, session: Session, row: AnalysisRun, error: RadrelayError) -> None:
        """End a run without a result, for a reason."""
        service.tell(row, error.trouble if isinstance(error, Refused) else Trouble.of(error))
        refused = isinstance(error, AnalysisRefused | AnalysisOff | StudyRestricted | NothingToAnalyse)
        finish(session, row, "refused" if refused else "failed", self._clock.now())
        log.info("a run ended without a result", run_id=str(row.id), state=row.state, code=row.error_code)
