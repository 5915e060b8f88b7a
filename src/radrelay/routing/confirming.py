"""Asks a destination for storage commitment to what it has taken, until it has reported on every object."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.network.ports import Reference
from radrelay.routing import committing, deliveries, steering
from radrelay.routing.carriers import Committer, Errand
from radrelay.routing.ending import end
from radrelay.routing.errors import CommitmentFromOther, CommitmentOverdue, Interrupted
from radrelay.routing.models import Delivery
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database


class Confirmation:
    """The last part of an attempt to a destination that shall commit; without a committer there is none."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: WorkSettings,
        committer: Committer | None,
        translate: committing.Translate | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._committer = committer
        self._translate = translate

    def due(self, session: Session, errand: Errand) -> bool:
        """Turn a delivery whose objects are all there to `confirming` if commitment is to be asked for."""
        wanted = errand.destination.commitment and self._committer is not None
        if not (wanted and committing.uncommitted(session, errand.delivery.id, errand.items)):
            return False
        delivery = session.get_one(Delivery, errand.delivery.id)
        delivery.state = "confirming"
        delivery.next_attempt_at = self._clock.now() + timedelta(seconds=self._settings.commitment_s)
        return True

    def ask(self, errand: Errand) -> None:
        """Ask for commitment to all that has none yet; what is not reported at once comes to the listener."""
        again = False
        while self._committer is not None and (opened := self._open(errand, again=again)) is not None:
            transaction_uid, references = opened
            again = True
            try:
                report = self._committer.ask(errand.destination, transaction_uid, references)
            except Interrupted as broken:
                self._not_asked(errand, broken)
                return
            if report is None:
                return
            with self._database.write() as session:
                committing.take_report(session, self._clock, self._settings, report, self._translate)

    def _open(self, errand: Errand, *, again: bool) -> tuple[str, list[Reference]] | None:
        """Open a transaction for what is not committed to; none if nothing is left, or it is too late.

        `again`: this attempt has asked for some of it and had an answer.
        """
        now = self._clock.now()
        with self._database.write() as session:
            delivery = session.get_one(Delivery, errand.delivery.id)
            references = committing.uncommitted(session, delivery.id, errand.items)[: committing.AT_ONCE]
            if delivery.state != "confirming" or not references:
                return None
            times = committing.times_asked(session, delivery.id)
            if times and not again and delivery.error_code != CommitmentFromOther.code:  # which says why it is overdue
                deliveries.tell(delivery, Trouble.of(CommitmentOverdue()))
            if deliveries.too_late(delivery, self._settings, now):
                end(session, delivery, "failed", now)
                return None
            longest = max(self._settings.retry_cap_s, self._settings.commitment_s)
            pause_s = min(self._settings.commitment_s * 2.0 ** min(times, 20), longest)
            delivery.next_attempt_at = now + timedelta(seconds=pause_s)
            return committing.open_transaction(session, delivery, references, now), references

    def _not_asked(self, errand: Errand, broken: Interrupted) -> None:
        now = self._clock.now()
        with self._database.write() as session:
            retry_at = steering.interrupted(session, errand.destination.id, broken, self._settings, now)
            delivery = session.get_one(Delivery, errand.delivery.id)
            if delivery.state != "confirming":
                return
            deliveries.tell(delivery, broken.trouble)
            if broken.final:
                end(session, delivery, "failed", now)
            else:
                pause = deliveries.next_pause(delivery.attempts, self._settings)
                delivery.next_attempt_at = retry_at or now + pause
