"""Sending what waits: one process at a time, each letter claimed before it is tried.

A server that is away keeps all letters; they are tried again after growing waits. One that was handed over just before
a crash is tried again and may come twice, under the same Message-ID; never not at all.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.mail.errors import LetterLate, LetterPutOff, LetterRefused, MailServerTrouble, RecipientRefused
from radrelay.mail.letters import Letter
from radrelay.mail.models import MailLetter
from radrelay.mail.post import Post, forget_old
from radrelay.mail.server import MailServer
from radrelay.storage.database import Database

AT_ONCE = 50
FIRST_S, CAP_S = 10, 900
PAUSE_FIRST_S, PAUSE_CAP_S = 5.0, 60.0
CLAIMED = timedelta(minutes=3)
"""A letter that somebody tries is nobody else's for so long; so long it waits if that process dies over it."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: uuid.UUID
    recipient: str
    letter: Letter
    attempts: int


class Postman:
    """Takes waiting letters to the server."""

    def __init__(
        self, database: Database, clock: Clock, post: Post, server: MailServer,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._post = post
        self._server = server
        self._monotonic = monotonic
        self._pauses = 0
        self._paused_until = float("-inf")

    def tick(self) -> int:
        """Send what is due; returns how many letters the server took."""
        if not self._any():
            return 0
        self._give_up()
        if not self._post.is_set or self._monotonic() < self._paused_until:
            return 0
        try:
            return self._send_due()
        except MailServerTrouble as trouble:
            self._pause(trouble)
            return 0

    def _any(self) -> bool:
        with self._database.read() as session:
            return session.scalar(sa.select(MailLetter.id).where(MailLetter.state == "waiting").limit(1)) is not None

    def _give_up(self) -> None:
        """End letters that are of no use any more, or that have waited too long."""
        now = self._clock.now()
        over = sa.and_(
            MailLetter.state == "waiting",
            sa.or_(
                MailLetter.expires_at <= now,
                MailLetter.created_at <= now - timedelta(seconds=self._post.settings.give_up_s),
            ),
        )
        with self._database.read() as session:
            if session.scalar(sa.select(MailLetter.id).where(over).limit(1)) is None:
                return
        with self._database.write() as session:
            for row in session.scalars(sa.select(MailLetter).where(over)):
                row.state, row.ended_at, row.sealed = "late", now, None
                if not row.trouble_code:
                    row.trouble_code, row.trouble_detail = LetterLate.code, LetterLate().message
                log.warning("a letter was given up", kind=row.kind, attempts=row.attempts, code=row.trouble_code)
            forget_old(session, now)

    def _send_due(self) -> int:
        if not self._due():
            return 0
        taken = 0
        try:
            with self._server.connected() as server:
                self._pauses, self._paused_until = 0, float("-inf")
                for letter_id in self._due():
                    claimed = self._claim(letter_id)
                    if claimed is None:
                        continue
                    try:
                        name, now = str(claimed.id), self._clock.now()
                        self._server.hand_over(server, claimed.recipient, claimed.letter, name, now)
                    except (RecipientRefused, LetterRefused) as error:
                        self._end(claimed, "failed", error)
                    except (LetterPutOff, MailServerTrouble) as error:
                        self._put_off(claimed, error)
                        if isinstance(error, MailServerTrouble):
                            raise
                    else:
                        self._end(claimed, "sent", None)
                        taken += 1
        except MailServerTrouble as trouble:
            self._note(trouble)
            raise
        return taken

    def _due(self) -> list[uuid.UUID]:
        with self._database.read() as session:
            return list(
                session.scalars(
                    sa.select(MailLetter.id)
                    .where(MailLetter.state == "waiting", MailLetter.due_at <= self._clock.now())
                    .order_by(MailLetter.due_at)
                    .limit(AT_ONCE)
                )
            )

    def _claim(self, letter_id: uuid.UUID) -> _Claimed | None:
        now = self._clock.now()
        with self._database.write() as session:
            row = _waiting(session, letter_id)
            if row is None or row.due_at > now or (row.expires_at is not None and row.expires_at <= now):
                return None
            row.due_at, row.tried_at, row.attempts = now + CLAIMED, now, row.attempts + 1
            try:
                letter = self._post.opened(row)
            except InvalidTag:  # sealed under another keyring: restored without it, or moved by hand
                row.state, row.ended_at, row.sealed = "failed", now, None
                row.trouble_code, row.trouble_detail = LetterRefused.code, "what the letter says cannot be read"
                return None
            return _Claimed(row.id, row.recipient, letter, row.attempts)

    def _end(self, claimed: _Claimed, state: str, error: RadrelayError | None) -> None:
        with self._database.write() as session:
            row = _waiting(session, claimed.id)
            if row is None:
                return
            row.state, row.ended_at, row.sealed = state, self._clock.now(), None
            row.trouble_code, row.trouble_detail = _told(error)
        if error is not None:
            log.warning("a letter was refused", kind=claimed.letter.kind, code=error.code, reason=_without_names(error))

    def _put_off(self, claimed: _Claimed, error: RadrelayError) -> None:
        wait_s = min(FIRST_S << min(claimed.attempts - 1, 10), CAP_S)
        with self._database.write() as session:
            row = _waiting(session, claimed.id)
            if row is not None:
                row.due_at = self._clock.now() + timedelta(seconds=wait_s)
                row.trouble_code, row.trouble_detail = _told(error)

    def _note(self, trouble: MailServerTrouble) -> None:
        """Say at all that wait what they wait for."""
        code, detail = _told(trouble)
        now = self._clock.now()
        with self._database.write() as session:
            session.execute(
                sa.update(MailLetter)
                .where(MailLetter.state == "waiting", MailLetter.due_at <= now)
                .values(trouble_code=code, trouble_detail=detail, tried_at=now)
            )

    def _pause(self, trouble: MailServerTrouble) -> None:
        wait_s = min(PAUSE_FIRST_S * 2 ** min(self._pauses, 10), PAUSE_CAP_S)
        self._pauses += 1
        self._paused_until = self._monotonic() + wait_s
        log.warning("mail waits", code=trouble.code, reason=trouble.message, again_in_s=wait_s)


def _waiting(session: Session, letter_id: uuid.UUID) -> MailLetter | None:
    return session.scalar(
        sa.select(MailLetter).where(MailLetter.id == letter_id, MailLetter.state == "waiting").with_for_update()
    )


def _told(error: RadrelayError | None) -> tuple[str, str]:
    return ("", "") if error is None else (error.code, error.message[:400])


def _without_names(error: RadrelayError) -> str:
    """Return what a log may hold: a server's answer repeats addresses."""
    return str(error.facts.get("said", ""))[:3]
