"""Whether a person or a machine may still act at all, for what they set going and left: a link that they made."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity.models import Account, ApiToken
from radrelay.storage.columns import Id, Instant

_ACCOUNT, _TOKEN = Account.__table__.c, ApiToken.__table__.c
_PERSON = sa.select(_ACCOUNT.role).where(  # built once, as is the next: each request by a link asks
    _ACCOUNT.id == sa.bindparam("id", type_=Id),
    _ACCOUNT.organisation_id == sa.bindparam("organisation", type_=Id),
    _ACCOUNT.disabled_at.is_(None),
)
_MACHINE = sa.select(_TOKEN.role).where(
    _TOKEN.id == sa.bindparam("id", type_=Id),
    _TOKEN.organisation_id == sa.bindparam("organisation", type_=Id),
    _TOKEN.revoked_at.is_(None),
    _TOKEN.closed_at.is_(None),
    _TOKEN.suspended_at.is_(None),
    sa.or_(_TOKEN.expires_at.is_(None), _TOKEN.expires_at > sa.bindparam("now", type_=Instant)),
)


def role_of(session: Session, organisation_id: uuid.UUID, kind: str, own_id: uuid.UUID, now: datetime) -> str | None:
    """Return the role of an account or a token; None where it is suspended, revoked, over or not there."""
    asked = {"id": own_id, "organisation": organisation_id}
    if kind == "account":
        return session.scalar(_PERSON, asked)
    if kind == "token":
        return session.scalar(_MACHINE, {**asked, "now": now})
    return None
