"""What becomes of an account: changed, shut because its credentials are lost, opened again.

What shuts somebody out is remembered, so that no restored backup lets them in again.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from radrelay.identity import accounts, sessions, tokens
from radrelay.identity.models import Account
from radrelay.mail import require_address
from radrelay.storage.remembering import remember


def change(
    session: Session, row: Account, now: datetime, *, full_name: str | None, role: str | None, language: str | None,
    disabled: bool | None, email: str | None, lost: bool | None, affiliation: str | None,
) -> None:  # fmt: skip
    """Change what is given; raises `LastAdmin` or `Invalid`."""
    _change_standing(session, row, now, role=role, disabled=disabled)
    if full_name is not None:
        row.full_name = full_name.strip()[: accounts.LONGEST_NAME]
    if affiliation is not None:
        row.affiliation = accounts.one_line(affiliation)
    if language is not None:
        row.language = language[:8]
    if email is not None:
        row.email = require_address(email) if email.strip() else None
    if lost is False:
        reopen(session, row)
    session.flush()


def _change_standing(session: Session, row: Account, now: datetime, *, role: str | None, disabled: bool | None) -> None:
    """Change what somebody may be and whether they get in; disabling ends all their logins."""
    before = (row.role, row.disabled_at)
    if role is not None and role != row.role:
        accounts.require_role(role)
        accounts.require_other_admin(session, row)
        row.role = role
    if disabled is True and row.disabled_at is None:
        accounts.require_other_admin(session, row)
        row.disabled_at = now
        sessions.end(session, now, account_id=row.id)
        row.disabled_by_directory = False
    elif disabled is False:
        row.disabled_at, row.disabled_by_directory, row.awaits_since = None, False, None
    elif disabled is True:
        row.disabled_by_directory = False  # by hand counts more: the directory does not let them in again
    if before != (row.role, row.disabled_at):
        told = {"id": row.id, "role": row.role, "disabled_at": row.disabled_at}
        remember(session, row.organisation_id, "account", told)


def report_lost(session: Session, row: Account, now: datetime) -> None:
    """Shut an account whose credentials are lost: all its logins end, password and own tokens open nothing."""
    row.lost_at = row.lost_at or now
    remember(session, row.organisation_id, "lost", {"id": row.id, "at": row.lost_at})
    sessions.end(session, now, account_id=row.id)
    tokens.close_made_by(session, row.id, now)


def reopen(session: Session, row: Account) -> None:
    """Let in again who had lost credentials: they have other ones now.

    That is not remembered: a restored backup would bring the lost ones back.
    """
    row.lost_at = None
    session.flush()
    tokens.close_made_by(session, row.id, None)


def do_again(session: Session, account_id: uuid.UUID, role: str, disabled_at: datetime | None, now: datetime) -> None:
    """Give an account the standing that it had before a backup was restored; raises `LastAdmin`."""
    row = session.get(Account, account_id)
    if row is None or row.closed_at is not None:
        return
    if row.disabled_at is None and (role != row.role or disabled_at is not None):
        accounts.require_other_admin(session, row)
    row.role, row.disabled_at = role, disabled_at
    if disabled_at is not None:
        row.disabled_by_directory = False
        sessions.end(session, now, account_id=row.id)
    session.flush()


def lose_again(session: Session, account_id: uuid.UUID, at: datetime, now: datetime) -> None:
    """Shut an account anew whose credentials were lost before a backup was restored."""
    row = session.get(Account, account_id)
    if row is not None and row.closed_at is None:
        row.lost_at = at
        session.flush()
        sessions.end(session, now, account_id=row.id)
        tokens.close_made_by(session, row.id, now)
