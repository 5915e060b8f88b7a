"""The first administrator: who is made where nobody is yet, and gets a new password until somebody has come in."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity import accounts
from radrelay.identity.models import Account

FIRST_ADMIN = "admin"


def is_awaited(session: Session, organisation_id: uuid.UUID) -> bool:
    """Say whether nobody is there yet, or the first administrator alone, who has never logged in."""
    own = sa.select(Account).where(Account.organisation_id == organisation_id)
    rows = session.scalars(own.limit(2)).all()
    if not rows:
        return accounts.by_name(session, FIRST_ADMIN) is None  # or another organisation's person is called so
    only = rows[0]
    return (
        len(rows) == 1
        and only.username_folded == FIRST_ADMIN
        and only.must_change_password
        and accounts.never_logged_in(session, only.id)
    )


def make(session: Session, organisation_id: uuid.UUID, encoded: str, now: datetime) -> bool:
    """Make the first administrator, or give a new password; says whether one was awaited."""
    if not is_awaited(session, organisation_id):
        return False
    row = accounts.by_name(session, FIRST_ADMIN)
    if row is not None:
        row.password_hash = encoded
    else:
        accounts.insert(
            session, organisation_id, username=FIRST_ADMIN, full_name="", role="admin", password_hash=encoded,
            must_change_password=True, now=now,
        )  # fmt: skip
    return True
