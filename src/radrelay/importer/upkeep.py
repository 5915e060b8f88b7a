"""What becomes of imports with time: they end, name nobody any more, and are forgotten."""

from __future__ import annotations

import uuid
from datetime import timedelta

from radrelay.archive.locking import lock_archive
from radrelay.clock import Clock
from radrelay.importer import broken_off, brought, cases, late_files, names_gone
from radrelay.importer.attempts_kept import AttemptsKept
from radrelay.importer.health import forget_fetches
from radrelay.importer.models import ImportConsent
from radrelay.intake.raw_files import discard_raw
from radrelay.settings import Settings
from radrelay.storage.database import Database

ENDED_KEPT = timedelta(days=30)
"""So long it is still said that an import was here, and how it ended; nothing of whom it was."""


class Upkeep:
    """Ends what is over, and forgets what was."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings, self._database, self._clock = settings, database, clock

    def expire(self) -> int:
        """End imports whose time is over; returns how many. What came after an end goes, too."""
        now = self._clock.now()
        filed_until = now - timedelta(seconds=self._settings.importer.keep_filed_s)
        self.withdraw_owed()
        with self._database.read() as session:
            over, late, broken = cases.over(session, now), cases.late(session), broken_off.late(session)
            refused, named = late_files.waiting(session), names_gone.due(session, now, filed_until)
        if late:
            with self._database.write() as session:
                lock_archive(session)
                discard_raw(session, late, "withdrawn", now)
        for case_id in over:
            with self._database.write() as session:
                lock_archive(session)
                brought.run_out(session, case_id, now)
        for case_id in named:
            with self._database.write() as session:
                lock_archive(session)
                brought.names_run_out(session, case_id, now, filed_until)
        for case_id in broken:
            with self._database.write() as session:
                lock_archive(session)
                broken_off.drop_late(session, case_id, now)
        for case_id in refused:
            self.drop_refused(case_id)
        return len(over) + self._end_unanswered()

    def drop_refused(self, case_id: uuid.UUID) -> None:
        """Have files go that came too late for an import."""
        with self._database.write() as session:
            lock_archive(session)
            late_files.drop(session, case_id, self._clock.now())

    def _end_unanswered(self) -> int:
        """Have imports wait for a person whose portal was asked about too long; returns how many."""
        now = self._clock.now()
        with self._database.read() as session:
            if not cases.any_unanswered(session, now):
                return 0
        with self._database.write() as session:
            return cases.end_unanswered(session, now)

    def forget(self) -> int:
        """Forget how often links were tried long ago, and imports that ended long ago."""
        attempts = AttemptsKept(self._database, self._clock, self._settings.importer.most_attempts)
        with self._database.write() as session:
            now = self._clock.now()
            ended = cases.forget_ended(session, now - ENDED_KEPT) + forget_fetches(session, now)
            ended += brought.forget(session, now)
        return ended + attempts.forget()

    def withdraw_owed(self) -> None:
        """Carry out withdrawals that had to wait for what was under way."""
        with self._database.read() as session:
            owed = brought.owing(session)
        for consent_id in owed:
            with self._database.write() as session:
                lock_archive(session)
                consent = session.get(ImportConsent, consent_id, with_for_update=True)
                if consent is not None:
                    brought.carry_out(session, consent, self._clock.now())
