"""The post: letters as rows, written in the transaction of what they tell of, sealed until they are sent."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.mail.addresses import require_address
from radrelay.mail.errors import MailNotSet, MailServerTrouble
from radrelay.mail.letters import Letter, language_of, write
from radrelay.mail.models import MailLetter
from radrelay.settings import MailSettings
from radrelay.storage.ids import new_id

NONCE_BYTES = 12
Named = Callable[[Session, uuid.UUID], str]
"""Tells what an organisation is called."""
MOST_LISTED = 100
KEPT = timedelta(days=30)
SERVER_TROUBLE = (MailServerTrouble.code, *(one.code for one in MailServerTrouble.__subclasses__()))


@dataclass(frozen=True, slots=True)
class PostedLetter:
    """A letter without its words."""

    id: uuid.UUID
    kind: str
    recipient: str
    state: str
    created_at: datetime
    due_at: datetime
    expires_at: datetime | None
    tried_at: datetime | None
    ended_at: datetime | None
    attempts: int
    trouble_code: str
    trouble_detail: str


@dataclass(frozen=True, slots=True)
class PostState:
    """How the post stands: how many wait since when, how many were given up in 30 days, and the newest letters."""

    waiting: int
    waiting_since: datetime | None
    given_up: int
    last_sent_at: datetime | None
    letters: Sequence[PostedLetter]


@dataclass(frozen=True, slots=True)
class LetterState:
    """How one letter stands: waiting, sent, failed or late; `troubled` says that it waits longer than it should."""

    state: str
    troubled: bool


class Post:
    """Writes letters for one installation and tells how they stand."""

    def __init__(
        self, settings: MailSettings, clock: Clock, metadata_key: bytes, house: str, named: Named | None = None
    ) -> None:
        """Write letters of `house`, or of the organisation's own name where `named` tells it."""
        self.settings = settings
        self._clock = clock
        self._house = house
        self._named = named
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, b"radrelay letters").derive(metadata_key))

    @property
    def is_set(self) -> bool:
        """Say whether there is a server to send by."""
        return self.settings.host is not None

    def house_of(self, session: Session, organisation_id: uuid.UUID) -> str:
        """Return what letters to an organisation's people call whom they come from."""
        return self._house if self._named is None else self._named(session, organisation_id)

    def letter(self, kind: str, language: str, *, whom: str = "", house: str = "", **facts: str) -> Letter:
        """Return a letter of `letters.KINDS` in a person's language, else in the installation's."""
        return write(kind, language_of(language, self.settings.language), house or self._house, facts, whom=whom)

    def enqueue(
        self,
        session: Session,
        organisation_id: uuid.UUID,
        recipient: str,
        letter: Letter,
        *,
        account_id: uuid.UUID | None = None,
        expires_at: datetime | None = None,
    ) -> uuid.UUID:
        """Post a letter in the caller's transaction; it is not sent after `expires_at`.

        Raises `MailNotSet`, or `AddressInvalid`.
        """
        if not self.is_set:
            raise MailNotSet
        row_id, now = new_id(), self._clock.now()
        session.add(
            MailLetter(
                id=row_id,
                organisation_id=organisation_id,
                kind=letter.kind,
                recipient=require_address(recipient),
                account_id=account_id,
                sealed=self._seal(row_id, letter),
                state="waiting",
                created_at=now,
                due_at=now,
                expires_at=expires_at,
                tried_at=None,
                ended_at=None,
                attempts=0,
            )
        )
        session.flush()
        return row_id

    def _seal(self, row_id: uuid.UUID, letter: Letter) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, json.dumps(asdict(letter)).encode(), row_id.bytes)

    def opened(self, row: MailLetter) -> Letter:
        """Return what a waiting letter says; raises `InvalidTag` for one that was put in another's place."""
        sealed = row.sealed or b""
        held = json.loads(self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row.id.bytes))
        return Letter(**held)

    @staticmethod
    def state_of(session: Session, letter_id: uuid.UUID) -> LetterState | None:
        """Return how one letter stands; None where nothing is known of it any more."""
        found = session.execute(
            sa.select(MailLetter.state, MailLetter.trouble_code).where(MailLetter.id == letter_id)
        ).one_or_none()
        return None if found is None else LetterState(found.state, bool(found.trouble_code))

    def state(self, session: Session, organisation_id: uuid.UUID) -> PostState:
        """Return how the organisation's letters stand, the newest first."""
        own = MailLetter.organisation_id == organisation_id
        waiting = sa.and_(own, MailLetter.state == "waiting")
        count, since = session.execute(
            sa.select(sa.func.count(), sa.func.min(MailLetter.created_at)).where(waiting)
        ).one()
        given_up = session.scalar(
            sa.select(sa.func.count()).select_from(MailLetter).where(own, MailLetter.state.in_(("failed", "late")))
        )
        sent_at = session.scalar(sa.select(sa.func.max(MailLetter.ended_at)).where(own, MailLetter.state == "sent"))
        rows = session.scalars(sa.select(MailLetter).where(own).order_by(MailLetter.id.desc()).limit(MOST_LISTED))
        return PostState(count, since, given_up or 0, sent_at, [_shown(row) for row in rows])


def is_delayed(session: Session) -> bool:
    """Say whether letters wait because the mail server does not take them just now; tells nothing of any one."""
    held_up = sa.select(MailLetter.id).where(MailLetter.state == "waiting", MailLetter.trouble_code.in_(SERVER_TROUBLE))
    return session.scalar(held_up.limit(1)) is not None


def _shown(row: MailLetter) -> PostedLetter:
    return PostedLetter(**{one.name: getattr(row, one.name) for one in fields(PostedLetter)})


def forget_old(session: Session, now: datetime) -> None:
    """Delete what is told of letters that ended long ago."""
    session.execute(sa.delete(MailLetter).where(MailLetter.ended_at < now - KEPT))
