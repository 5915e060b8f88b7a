"""What somebody leaves of access when an account is closed: its grants, groups, links and notices end at once."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.groups import forget_member
from radrelay.access.links import revoke_link
from radrelay.access.models import Grant, Notice, ShareLink


def _open_links(organisation_id: uuid.UUID, account_id: uuid.UUID, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        ShareLink.organisation_id == organisation_id,
        ShareLink.maker_kind == "account",
        ShareLink.maker_id == account_id,
        ShareLink.revoked_at.is_(None),
        ShareLink.ends_at > now,
    )


def links_open(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, now: datetime) -> int:
    """Return how many links of an account end when it is closed."""
    return session.scalar(sa.select(sa.func.count()).where(_open_links(organisation_id, account_id, now))) or 0


def forget_account(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, now: datetime) -> None:
    """End an account's links, and take it out of every group, grant and notice; what it owned it owns no more."""
    links = sa.select(ShareLink.id).where(_open_links(organisation_id, account_id, now))
    for link_id in session.scalars(links).all():
        revoke_link(session, organisation_id, link_id, now)
    quietly = {"synchronize_session": False}
    made = sa.and_(ShareLink.maker_kind == "account", ShareLink.maker_id == account_id)
    session.execute(sa.update(ShareLink).where(made).values(maker_name="").execution_options(**quietly))
    forget_member(session, organisation_id, "account", str(account_id))
    mine = sa.and_(
        Grant.organisation_id == organisation_id,
        Grant.grantee_kind == "account",
        Grant.grantee_id == str(account_id),
    )
    session.execute(sa.delete(Grant).where(mine).execution_options(**quietly))
    session.execute(sa.delete(Notice).where(Notice.account_id == account_id).execution_options(**quietly))
