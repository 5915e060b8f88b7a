"""Whether a person or a machine may still act at all, for what they set going and left: a link that they made."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity.models import Account, ApiToken

_ACCOUNT, _TOKEN = Account.__table__.c, ApiToken.__table__.c


def role_of(session: Session, organisation_id: uuid.UUID, kind: str, own_id: uuid.UUID, now: datetime) -> str | None:
    """Return the role of an account or a token; None where it is suspended, revoked, over or not there."""
    if kind == "account":
        person = sa.select(_ACCOUNT.role).where(
            _ACCOUNT.id == own_id, _ACCOUNT.organisation_id == organisation_id, _ACCOUNT.disabled_at.is_(None)
        )
        return session.scalar(person)
    if kind != "token":
        return None
    machine = sa.select(_TOKEN.role).where(
        _TOKEN.id == own_id,
        _TOKEN.organisation_id == organisation_id,
        _TOKEN.revoked_at.is_(None),
        sa.or_(_TOKEN.expires_at.is_(None), _TOKEN.expires_at > now),
    )
    return session.scalar(machine)
