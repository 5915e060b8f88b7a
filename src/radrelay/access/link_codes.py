"""Codes by e-mail: six digits for a link's address, for ten minutes, once, in the browser that asked for them.

Who asks gets a secret that goes back with the code: a code that somebody else was sent, or asked for earlier, opens
nothing here. Wrong answers are counted by the link, and close it, as those to its other questions.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.errors import LinkAsksForNone
from radrelay.access.link_keys import LinkKeys, canonical, digest, new_pin
from radrelay.access.models import LinkCode, ShareLink
from radrelay.identity import throttle
from radrelay.storage.ids import new_id

LASTS = timedelta(minutes=10)
SENDING = throttle.Limit(free=1, cap_s=3600, forget_s=24 * 3600, first_s=60)
"""Of one link: a second code after a minute, the next after two …: each is a mail that perhaps nobody wanted."""


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code at the moment it is made: the only time that it, and the secret of who asked, are seen."""

    id: uuid.UUID
    link_id: uuid.UUID
    organisation_id: uuid.UUID
    maker_name: str
    email: str
    expires_at: datetime
    code: str = field(repr=False)
    secret: str = field(repr=False)


def make(session: Session, keys: LinkKeys, row: ShareLink, now: datetime) -> NewCode:
    """Make a code for a link; raises `LinkAsksForNone`, or `TooManyAttempts` if the last one was just now."""
    if row.protection != "email":
        raise LinkAsksForNone
    throttle.begin(session, _sendings(row.id), now)
    session.execute(sa.delete(LinkCode).where(LinkCode.link_id == row.id, LinkCode.expires_at <= now))
    code_id, code, secret = new_id(), new_pin(), secrets.token_urlsafe(32)
    session.add(
        LinkCode(
            id=code_id, organisation_id=row.organisation_id, link_id=row.id, secret_hash=digest(secret),
            code_hash=keys.answer_hash(code_id, code), letter_id=None, created_at=now, expires_at=now + LASTS,
        )
    )  # fmt: skip
    session.flush()
    return NewCode(code_id, row.id, row.organisation_id, row.maker_name, row.email, now + LASTS, code, secret)


def answer(
    session: Session, keys: LinkKeys, row: ShareLink, secret: str, given: str, now: datetime
) -> Literal["right", "wrong", "over"]:
    """Judge a code with the link's row locked; a right one is used up. What counts no more is `over`."""
    found = session.scalar(
        sa.select(LinkCode).where(LinkCode.secret_hash == digest(secret), LinkCode.link_id == row.id)
    )
    if found is None or not now < found.expires_at <= now + LASTS:  # a clock that went back gives no time back
        return "over"
    if not hmac.compare_digest(keys.answer_hash(found.id, canonical("email", given)), found.code_hash):
        return "wrong"
    session.delete(found)
    throttle.succeed(session, _sendings(row.id))
    return "right"


def note_letter(session: Session, code_id: uuid.UUID, letter_id: uuid.UUID) -> None:
    """Note by which letter a code goes out."""
    session.execute(sa.update(LinkCode).where(LinkCode.id == code_id).values(letter_id=letter_id))


def letter_of(session: Session, secret: str, now: datetime) -> uuid.UUID | None:
    """Return the letter of the code that somebody asked for; None where that counts no more."""
    return session.scalar(
        sa.select(LinkCode.letter_id).where(LinkCode.secret_hash == digest(secret), LinkCode.expires_at > now)
    )


def _sendings(link_id: uuid.UUID) -> list[tuple[str, throttle.Limit]]:
    return [(f"link-code:{link_id.hex}", SENDING)]
