"""The watch over how much is fetched: every few seconds, in one process of an installation.

Only who has fetched something since the last look is counted, and only who is above what is allowed to everybody is
compared with their own days. A look that broke off is made again from where the last one ended.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.access.models import ShareLink
from radrelay.clock import Clock
from radrelay.identity import Identity
from radrelay.identity.models import Account, ApiToken, Organisation
from radrelay.mail import Post
from radrelay.privacy.volume import alarms, counting, usual
from radrelay.privacy.volume.alarms import DAY, Found
from radrelay.privacy.volume.counting import Counts, Subject
from radrelay.settings import VolumeSettings
from radrelay.storage.database import Database

APART = timedelta(minutes=2)  # clocks of other processes, and transactions that end later than they noted
MOST_REMEMBERED = 10_000
log = structlog.get_logger(__name__)


class VolumeWatch:
    """Looks for who fetches far more than usual, and raises alarms. For one thread."""

    def __init__(
        self, database: Database, clock: Clock, settings: VolumeSettings, identity: Identity, post: Post
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._identity = identity
        self._post = post
        self._looked_at: datetime | None = None
        self._usual: dict[tuple[Subject, datetime], list[Counts]] = {}

    def look(self) -> int:
        """Look once; returns how many alarms were raised."""
        now = self._clock.now()
        since = self._looked_at - APART if self._looked_at is not None and self._looked_at <= now else now - DAY
        least = min(usual.limits_for(self._settings, kind).bytes for kind in counting.KINDS)
        with self._database.read() as session:
            organisations = session.scalars(sa.select(Organisation.id)).all()
            asked = (max(since, now - DAY), now - DAY, least)
            subjects = [one for each in organisations for one in counting.active(session, each, *asked)]
            found = [one for subject in sorted(subjects) if (one := self._judged(session, subject, now)) is not None]
        raised = sum(self._told(one, now) for one in found)
        self._looked_at = now
        return raised

    def forget(self) -> None:
        """Forget bytes that tell nothing of what is usual any more."""
        with self._database.write() as session:
            counting.forget_sent(session, self._clock.now() - timedelta(weeks=self._settings.weeks, days=2))

    def _judged(self, session: Session, subject: Subject, now: datetime) -> Found | None:
        began = alarms.counted_from(alarms.newest(session, subject), now)
        found = counting.counts(session, subject, began, now + APART)
        if not usual.above_floor(self._settings, subject.kind, found):
            return None
        worst = usual.exceeded(self._settings, subject.kind, found, self._earlier(session, subject, now))
        return None if worst is None else Found(subject, name_of(session, subject), began, found, worst)

    def _earlier(self, session: Session, subject: Subject, now: datetime) -> list[Counts]:
        """Return the days of some weeks before this one (UTC) on which anything was fetched, counted once a day."""
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if (subject, today) not in self._usual:
            if len(self._usual) >= MOST_REMEMBERED:
                self._usual.clear()
            days = self._settings.weeks * 7
            self._usual[subject, today] = counting.days_before(session, subject, today, days)
        return self._usual[subject, today]

    def _told(self, found: Found, now: datetime) -> bool:
        suspends = usual.limits_for(self._settings, found.subject.kind).suspend
        with self._database.write() as session:
            if alarms.count_on(session, found, now):
                return False
            alarm = alarms.raise_alarm(session, self._identity, self._post, found, now, suspends=suspends)
        log.warning(
            "somebody fetches far more than usual", kind=alarm.kind, id=alarm.own_id, measure=alarm.measure,
            counted=found.exceeded.counted, most=alarm.most, suspended=alarm.suspended_at is not None,
        )  # fmt: skip
        return True


def name_of(session: Session, subject: Subject) -> str:
    """Return what an access is called: a person's name, a token's, a link's maker and label, an AE title."""
    if subject.kind == "ae":
        return subject.id
    own = uuid.UUID(subject.id)
    if subject.kind == "account":
        account = session.get(Account, own)
        return "" if account is None else account.full_name or account.username
    if subject.kind == "token":
        token = session.get(ApiToken, own)
        return "" if token is None else token.name
    link = session.get(ShareLink, own)
    return "" if link is None else " · ".join(filter(None, (link.maker_name, link.label)))
