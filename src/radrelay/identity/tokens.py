"""API tokens: `rr_` and 43 random characters, kept as a hash; for machines that speak HTTP."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Invalid, NotFound
from radrelay.identity.accounts import require_role
from radrelay.identity.errors import TokenRefused
from radrelay.identity.models import ApiToken
from radrelay.identity.sessions import LONGEST_SECRET, SECRET_BYTES, digest
from radrelay.identity.values import NewToken, TokenView
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_set

PREFIX = "rr_"
_BY_SECRET: sa.Select[Any] = (  # built once and of plain columns: every request of a machine asks this
    sa.select(*(ApiToken.__table__.c[field.name] for field in fields(TokenView))).where(
        ApiToken.__table__.c.secret_hash == sa.bindparam("secret")
    )
)


def view(row: ApiToken) -> TokenView:
    """Return the value of a row."""
    return TokenView(row.id, row.organisation_id, row.name, row.role, row.created_at, row.expires_at, row.revoked_at,
                     row.closed_at, row.suspended_at, row.may_launch)  # fmt: skip


def create(
    session: Session, organisation_id: uuid.UUID, *, name: str, role: str, expires_at: datetime | None, now: datetime,
    maker_id: uuid.UUID | None = None, may_launch: bool = False,
) -> NewToken:  # fmt: skip
    """Write a new token and return it with its secret, which is never seen again."""
    if not name.strip() or len(name) > 200:
        raise Invalid("a token has a name of 1 to 200 characters", field="name")
    if expires_at is not None and expires_at <= now:
        raise Invalid("a token ends in the future or not at all", field="expires_at")
    require_role(role)
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    row = ApiToken(
        id=new_id(),
        organisation_id=organisation_id,
        name=name.strip(),
        secret_hash=digest(secret),
        role=role,
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
        maker_id=maker_id,
        may_launch=may_launch,
    )
    session.add(row)
    session.flush()
    return NewToken(view(row), secret)


def find(session: Session, secret: str, now: datetime) -> TokenView:
    """Return the token of `secret`; raises `TokenRefused`."""
    if not secret.startswith(PREFIX) or len(secret) > LONGEST_SECRET:
        raise TokenRefused
    row = session.execute(_BY_SECRET, {"secret": digest(secret)}).one_or_none()
    if (
        row is None
        or row.revoked_at is not None
        or row.closed_at is not None
        or row.suspended_at is not None
        or (row.expires_at is not None and now >= row.expires_at)
    ):
        raise TokenRefused
    return TokenView(*row)


def listed(session: Session, organisation_id: uuid.UUID) -> list[TokenView]:
    """Return the organisation's tokens, newest first."""
    rows = session.scalars(
        sa.select(ApiToken).where(ApiToken.organisation_id == organisation_id).order_by(ApiToken.id.desc())
    )
    return [view(row) for row in rows]


def revoke(session: Session, organisation_id: uuid.UUID, token_id: uuid.UUID, now: datetime) -> TokenView:
    """End a token at once; raises `NotFound`."""
    row = session.scalar(
        sa.select(ApiToken).where(ApiToken.organisation_id == organisation_id, ApiToken.id == token_id)
    )
    if row is None:
        raise NotFound("there is no such token")
    if row.revoked_at is None:
        row.revoked_at = now
        remember_set(session, row, "revoked_at")
    return view(row)


def suspend(session: Session, organisation_id: uuid.UUID, token_id: uuid.UUID, at: datetime | None) -> bool:
    """Refuse a token until it is let in again (`at` none); says whether it was there."""
    own = sa.and_(ApiToken.organisation_id == organisation_id, ApiToken.id == token_id)
    held = session.scalar(sa.select(ApiToken).where(own).with_for_update())
    if held is not None:
        held.suspended_at = at
        remember_set(session, held, "suspended_at")
    return held is not None


def close_made_by(session: Session, account_id: uuid.UUID, closed_at: datetime | None) -> None:
    """Close what an account made, or open it again."""
    session.execute(sa.update(ApiToken).where(ApiToken.maker_id == account_id).values(closed_at=closed_at))
