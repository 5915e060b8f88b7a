"""Closing an account: what will go and what stays is told first, then it goes at once, in one transaction.

Gone are logins, tokens, links, factors, settings, groups and grants, letters that wait, the name and the address. What
was kept until the account ends expires (a hold, another owner or another source keeps it). The record stays by its own
retention, under the account's id; so do marks, which are part of a study's documentation, and what proves display
checks, emergency access and accepted terms.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import ownership
from radrelay.archive.discard import bury
from radrelay.archive.locking import lock_archive
from radrelay.identity import AccountView, closing
from radrelay.identity.accounts import require_other_admin
from radrelay.identity.errors import LastAdmin
from radrelay.identity.models import Account
from radrelay.identity.service import Identity
from radrelay.marks.models import Mark
from radrelay.privacy.models import PrivacyAcceptance


@dataclass(frozen=True, slots=True)
class Outlook:
    """What will go with an account, and what stays of it."""

    logins: int
    tokens: int
    factors: int
    settings: int
    letters: int
    links: int
    groups: int
    studies_ending: int
    """Studies that nobody else owns, nor any source holds: they expire now, those on hold once it is over."""
    studies_kept: int
    """Studies that it owns, or brought, and that stay for others."""
    marks: int
    last_admin: bool
    """It cannot be closed: nobody could administer the installation."""
    comes_back: bool
    """The directory or single sign-on will make a new, empty account unless the person is taken out there."""


def outlook(session: Session, identity: Identity, account: AccountView, now: datetime) -> Outlook:
    """Say what closing an account would do."""
    organisation_id, own_id = account.organisation_id, account.id
    things = closing.things_of(session, own_id, now)
    held = ownership.kept_for(session, own_id)
    ending = {one.study_id for one in held} - ownership.also_held(session, held, now)
    mine = ownership.studies_of(session, organisation_id, own_id)
    written = sa.and_(Mark.author_id == str(own_id), Mark.deleted_at.is_(None))
    return Outlook(
        logins=things.logins,
        tokens=things.tokens,
        factors=things.factors,
        settings=things.settings,
        letters=things.letters,
        links=access.links_open(session, organisation_id, own_id, now),
        groups=len(access.groups_of(session, organisation_id, "account", str(own_id))),
        studies_ending=len(ending),
        studies_kept=len(mine - ending),
        marks=session.scalar(sa.select(sa.func.count()).where(written)) or 0,
        last_admin=_is_last_admin(session, own_id),
        comes_back=identity.is_kept_elsewhere(session, account),
    )


def _is_last_admin(session: Session, account_id: uuid.UUID) -> bool:
    row = session.get(Account, account_id)
    try:
        if row is not None:
            require_other_admin(session, row)
    except LastAdmin:
        return True
    return False


def close(
    session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID, now: datetime
) -> tuple[AccountView, int]:
    """Close an account; returns it as it was, and how many holdings end with it. Raises `NotFound`, `LastAdmin`."""
    lock_archive(session)
    before = closing.close(session, organisation_id, account_id, now)
    access.forget_account(session, organisation_id, account_id, now)
    session.execute(
        sa.update(PrivacyAcceptance)
        .where(PrivacyAcceptance.account_id == account_id)
        .values(username=f"account {account_id}")
        .execution_options(synchronize_session=False)
    )
    bury(session, organisation_id, "account", [account_id], now, "closed")
    return before, ownership.end_orphaned(session, now)
