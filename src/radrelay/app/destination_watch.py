"""Destinations that are down: administrators are told by mail, once for each outage; the doctor says so, too."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import structlog

from radrelay.app.findings import Finding
from radrelay.clock import Clock
from radrelay.identity.accounts import reachable_administrators
from radrelay.mail import Post
from radrelay.mail.letters import language_of, until
from radrelay.routing import steering
from radrelay.routing.models import Destination
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)
NOBODY = uuid.UUID(int=0)


class DestinationWatch:
    """Looks for destinations that have been down for a while and that something waits for."""

    def __init__(self, database: Database, clock: Clock, settings: WorkSettings, post: Post) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._post = post

    def look(self) -> int:
        """Look once; returns how many letters were posted."""
        if not self._post.is_set:
            return 0
        now = self._clock.now()
        before = now - timedelta(seconds=self._settings.destination_alarm_s)
        with self._database.read() as session:
            due = [
                (row.id, waiting)
                for row, waiting in steering.down(session)
                if row.alarmed_at is None and row.down_since is not None and row.down_since <= before and waiting
            ]
        return sum(self._tell(destination_id, waiting, now) for destination_id, waiting in due)

    def _tell(self, destination_id: uuid.UUID, waiting: int, now: datetime) -> int:
        with self._database.write() as session:
            row = session.get(Destination, destination_id)
            if row is None or row.down_since is None or row.alarmed_at is not None:
                return 0
            row.alarmed_at = now
            told = reachable_administrators(session, row.organisation_id, NOBODY)
            for account in told:
                language = language_of(account.language, self._post.settings.language)
                facts = {"destination": row.name, "since": until(row.down_since, language), "n": str(waiting)}
                house = self._post.house_of(session, row.organisation_id)
                letter = self._post.letter("destination-down", language, whom=account.full_name, house=house, **facts)
                self._post.enqueue(session, row.organisation_id, account.email or "", letter, account_id=account.id)
            log.warning("a destination is down", destination=row.name, waiting=waiting, administrators=len(told))
            return len(told)


def destination_findings(database: Database) -> Iterator[Finding]:
    """Say which destinations do not answer, and what waits for them."""
    with database.read() as session:
        found = steering.down(session)
    for row, waiting in found:
        since = row.down_since.astimezone(UTC) if row.down_since is not None else datetime.now(UTC)
        text = f"does not answer since {since:%Y-%m-%d %H:%M} UTC; {waiting} deliveries wait: {row.error}"
        advice = "look there; nothing is lost, and everything leaves by itself once it answers"
        yield Finding(f"destination {row.name}", "bad" if waiting else "look", text, advice)
