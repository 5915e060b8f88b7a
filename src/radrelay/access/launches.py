"""Launches: another program (RIS, KIS) opens the viewer on studies in the name of a person, by an address used once.

The program's token asks, and gets a random secret that counts for a minute and is kept as a hash. Whoever brings it
gets a login of that person that reaches those studies alone and ends soon. It ends with the token, too: what opened
it in the person's name must be able to stand for it.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.errors import LaunchExpired, LaunchRefused, LaunchUsed, LaunchWithdrawn
from radrelay.access.link_keys import LONGEST, digest
from radrelay.access.links import CLOCKS_APART
from radrelay.access.models import Launch
from radrelay.identity import TooManyAttempts, role_of
from radrelay.identity.throttle import Limit, address_key, begin, take_back
from radrelay.storage.columns import Id
from radrelay.storage.ids import new_id

SECRET_BYTES = 32
KEPT = timedelta(days=2)  # longer than a login by a launch lasts: its studies stand here
ADDRESS = Limit(free=50, cap_s=60, forget_s=3600)
_OF_SESSION = sa.select(Launch.token_id, Launch.program, Launch.study_ids).where(  # built once: each request asks
    Launch.session_id == sa.bindparam("session", type_=Id)
)


@dataclass(frozen=True, slots=True)
class WantedLaunch:
    """Which studies a program opens in whose name, and the page that shows them."""

    organisation_id: uuid.UUID
    token_id: uuid.UUID
    program: str
    account_id: uuid.UUID
    studies: Sequence[uuid.UUID]
    address: str


@dataclass(frozen=True, slots=True)
class LaunchView:
    """A launch; `secret` is given only when it is made."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    token_id: uuid.UUID
    program: str
    account_id: uuid.UUID
    studies: frozenset[uuid.UUID]
    address: str
    expires_at: datetime
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Launched:
    """What a login that a program opened reaches, and which program it was."""

    program: str
    studies: frozenset[uuid.UUID]


def make_launch(session: Session, wanted: WantedLaunch, lasts: timedelta, now: datetime) -> LaunchView:
    """Write a launch, and forget old ones; that the person sees the studies is the caller's to know."""
    session.execute(sa.delete(Launch).where(Launch.expires_at < now - KEPT))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = Launch(
        id=new_id(), organisation_id=wanted.organisation_id, secret_hash=digest(secret), token_id=wanted.token_id,
        program=wanted.program[:200], account_id=wanted.account_id,
        study_ids=",".join(str(one) for one in dict.fromkeys(wanted.studies)), address=wanted.address, created_at=now,
        expires_at=now + lasts, used_at=None, session_id=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _view(row, secret)


def count_try(session: Session, secret: str, address: str, now: datetime) -> bool:
    """Count a try of an address before it is looked at; says whether it was counted. Raises `TooManyAttempts`.

    Whoever brings what a program was just given is not slowed down by others of the same address, who bring rubbish.
    """
    try:
        begin(session, _counted(address), now)
    except TooManyAttempts:
        fresh = (Launch.secret_hash == digest(secret[:LONGEST]), Launch.used_at.is_(None), Launch.expires_at > now)
        if session.scalar(sa.select(Launch.id).where(*fresh)) is None:
            raise
        return False
    return True


def take_launch(
    session: Session, secret: str, address: str, now: datetime, *, counted: bool
) -> LaunchView | LaunchRefused:  # fmt: skip
    """Use a launch up, in the caller's writing transaction, which is to be committed whatever comes of it.

    Of two at once, one opens; the other is told that it was used. Its token may have ended meanwhile.
    """
    row = session.scalar(sa.select(Launch).where(Launch.secret_hash == digest(secret[:LONGEST])).with_for_update())
    if row is None:
        return LaunchRefused()
    if row.used_at is not None:
        return LaunchUsed(program=row.program).of(row.organisation_id)
    if not row.created_at - CLOCKS_APART <= now < row.expires_at:
        return LaunchExpired(program=row.program).of(row.organisation_id)
    if role_of(session, row.organisation_id, "token", row.token_id, now) is None:
        return LaunchWithdrawn(program=row.program).of(row.organisation_id)
    if counted:
        take_back(session, _counted(address))
    row.used_at = now
    session.flush()
    return _view(row)


def note_session(session: Session, launch_id: uuid.UUID, session_id: uuid.UUID) -> None:
    """Note which login a launch has opened, or added its studies to."""
    session.execute(sa.update(Launch).where(Launch.id == launch_id).values(session_id=session_id))


def launched_of(session: Session, organisation_id: uuid.UUID, session_id: uuid.UUID, now: datetime) -> Launched | None:
    """Return what a login that a program opened reaches; None where the program may not act any more."""
    rows = session.execute(_OF_SESSION, {"session": session_id}).all()
    if not rows or role_of(session, organisation_id, "token", rows[0].token_id, now) is None:
        return None
    return Launched(rows[0].program, frozenset().union(*(_ids(row.study_ids) for row in rows)))


def _counted(address: str) -> list[tuple[str, Limit]]:
    return [(f"launch:{address_key(address)}", ADDRESS)]


def _ids(text: str) -> frozenset[uuid.UUID]:
    return frozenset(uuid.UUID(one) for one in text.split(",") if one)


def _view(row: Launch, secret: str = "") -> LaunchView:
    return LaunchView(
        row.id, row.organisation_id, row.token_id, row.program, row.account_id, _ids(row.study_ids), row.address,
        row.expires_at, secret,
    )  # fmt: skip
