"""What `work` watches over, in one process: unusual volume, guessed passwords, destinations that are down."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.app.core import Core
from radrelay.app.destination_watch import DestinationWatch
from radrelay.app.prepare import Prepared
from radrelay.app.threads import loop
from radrelay.audit.models import AuditEvent
from radrelay.clock import Clock
from radrelay.identity import TooManyAttempts
from radrelay.identity.models import Account, Organisation
from radrelay.identity.posting import open_post
from radrelay.mail import Post
from radrelay.mail.letters import language_of, until
from radrelay.mail.models import MailLetter
from radrelay.privacy.volume.watching import VolumeWatch
from radrelay.storage.database import Database
from radrelay.storage.leadership import Leadership

LOOK_S, FORGET_S = 10.0, 6 * 3600.0
BACK = timedelta(hours=1)
APART = timedelta(minutes=2)
TOLD_AGAIN = timedelta(hours=24)


class GuessWatch:
    """Tells people by mail that somebody tries passwords for their account, at most once a day.

    By what is on record, not where logins are refused: a letter written there would tell by its time who has one.
    """

    def __init__(self, database: Database, clock: Clock, post: Post) -> None:
        self._database = database
        self._clock = clock
        self._post = post
        self._looked_at: datetime | None = None

    def look(self) -> int:
        """Look once; returns how many letters were posted."""
        now = self._clock.now()
        since = now - BACK if self._looked_at is None or self._looked_at > now else self._looked_at - APART
        told = 0
        if self._post.is_set:
            with self._database.read() as session:
                found = self._guessed(session, since, now)
            for account, first_at in found:
                told += self._tell(account, first_at, now)
        self._looked_at = now
        return told

    def _guessed(self, session: Session, since: datetime, now: datetime) -> list[tuple[Account, datetime]]:
        """Return whose logins were refused for too many tries since a moment, and since when within the hour."""
        found = []
        for organisation in session.scalars(sa.select(Organisation.id)).all():
            refused = (
                AuditEvent.organisation_id == organisation, AuditEvent.action == "login",
                AuditEvent.outcome == "refused", AuditEvent.actor_kind == "account",
            )  # fmt: skip
            slowed = AuditEvent.detail.contains(f'"{TooManyAttempts.code}"')
            names = sa.select(AuditEvent.actor_id).where(*refused, AuditEvent.at >= since, slowed).distinct()
            for own in sorted({*session.scalars(names)} - {""}):
                account = session.get(Account, uuid.UUID(own))
                if account is not None and account.email and account.disabled_at is None:
                    mine = (AuditEvent.actor_id == own, AuditEvent.at >= now - BACK)
                    first = session.scalar(sa.select(sa.func.min(AuditEvent.at)).where(*refused, *mine))
                    found.append((account, first or now))
        session.expunge_all()
        return found

    def _tell(self, account: Account, first_at: datetime, now: datetime) -> bool:
        with self._database.write() as session:
            told = sa.select(MailLetter.id).where(
                MailLetter.account_id == account.id, MailLetter.kind == "guessed",
                MailLetter.created_at > now - TOLD_AGAIN,
            )  # fmt: skip
            if session.scalar(told.limit(1)) is not None:
                return False
            language = language_of(account.language, self._post.settings.language)
            facts = {"username": account.username, "since": until(first_at, language)}
            house = self._post.house_of(session, account.organisation_id)
            letter = self._post.letter("guessed", language, whom=account.full_name, house=house, **facts)
            self._post.enqueue(session, account.organisation_id, account.email or "", letter, account_id=account.id)
            return True


def keep_watching(core: Core, prepared: Prepared, holder: str, stop: threading.Event) -> list[threading.Thread]:
    """Return the threads of `work` that watch."""
    settings = core.settings
    post = open_post(settings, core.clock, core.keyring.metadata_key)
    volume = VolumeWatch(core.database, core.clock, settings.volume, prepared.identity, post)
    guesses = GuessWatch(core.database, core.clock, post)
    down = DestinationWatch(core.database, core.clock, settings.work, post)
    lead = Leadership(core.database, core.clock, "watch", holder)

    def look() -> None:
        if lead.held():
            guesses.look()
            volume.look()
            down.look()

    return [loop("watch", LOOK_S, stop, look), loop("sent bytes", FORGET_S, stop, volume.forget)]
