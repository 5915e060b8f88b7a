"""Accounts in the database: made, found, changed, disabled."""

from __future__ import annotations

import unicodedata
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Invalid, NotFound
from radrelay.identity.errors import AccountExists, LastAdmin
from radrelay.identity.models import Account
from radrelay.identity.models import Session as LoginSession
from radrelay.identity.values import AccountView
from radrelay.mail import require_address
from radrelay.storage.ids import new_id

ROLES = ("admin", "user", "dpo", "service", "guest")
"""Administration; who works with studies; the data protection officer; accounts of machines and maintenance; who
signed up: what a site grants to its users is not theirs, they see what is granted to them or to a group of theirs."""
LONGEST_NAME = 200


def fold_username(username: str) -> str:
    """Return the form that user names are compared in: NFKC, without case, without outer space."""
    folded, before = username, None
    while folded != before:  # one pass can leave something for the next: a mark that stood behind a space
        before = folded
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold()).strip()
        folded = folded[:LONGEST_NAME].strip()
    return folded


def view(row: Account) -> AccountView:
    """Return the value of a row."""
    return AccountView(
        id=row.id,
        organisation_id=row.organisation_id,
        username=row.username,
        full_name=row.full_name,
        role=row.role,
        language=row.language,
        must_change_password=row.must_change_password,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        directory_id=row.directory_id,
        email=row.email,
        lost_at=row.lost_at,
        affiliation=row.affiliation,
        awaits_since=row.awaits_since,
    )


def by_name(session: Session, username: str) -> Account | None:
    """Return the row of a user name, disabled or not."""
    return session.scalar(sa.select(Account).where(Account.username_folded == fold_username(username)))


def by_id(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID) -> Account:
    """Return the row of an id in the organisation; raises `NotFound`, for a closed account too."""
    row = session.scalar(sa.select(Account).where(Account.organisation_id == organisation_id, Account.id == account_id))
    if row is None or row.closed_at is not None:
        raise NotFound("there is no such account")
    return row


def insert(
    session: Session,
    organisation_id: uuid.UUID,
    *,
    username: str,
    full_name: str,
    role: str,
    password_hash: str | None,
    must_change_password: bool,
    now: datetime,
    directory_id: str | None = None,
    email: str | None = None,
    affiliation: str = "",
    awaits: bool = False,
) -> AccountView:
    """Write a new account, disabled if it `awaits` an administrator.

    Raises `AccountExists`, or `Invalid` for an empty name or an unknown role.
    """
    username = username.strip()
    if not username or len(username) > LONGEST_NAME or any(unicodedata.category(char) == "Cc" for char in username):
        message = f"a user name has 1 to {LONGEST_NAME} characters and no control characters"
        raise Invalid(message, field="username")
    require_role(role)
    if by_name(session, username) is not None:
        raise AccountExists
    row = Account(
        id=new_id(),
        organisation_id=organisation_id,
        username=username,
        username_folded=fold_username(username),
        full_name=full_name.strip()[:LONGEST_NAME],
        password_hash=password_hash,
        must_change_password=must_change_password,
        role=role,
        language="",
        created_at=now,
        disabled_at=now if awaits else None,
        directory_id=directory_id,
        disabled_by_directory=False,
        email=require_address(email) if email else None,
        lost_at=None,
        affiliation=one_line(affiliation),
        awaits_since=now if awaits else None,
        closed_at=None,
    )
    session.add(row)
    session.flush()
    return view(row)


def one_line(text: str) -> str:
    """Return what somebody wrote of themselves without line ends and control characters, at most 200 characters."""
    plain = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text)
    return " ".join(plain.split())[:LONGEST_NAME].strip()


def require_role(role: str) -> None:
    """Raise `Invalid` unless `role` is one that exists."""
    if role not in ROLES:
        raise Invalid(f"a role is one of {', '.join(ROLES)}")


def require_other_admin(session: Session, row: Account) -> None:
    """Raise `LastAdmin` if `row` is the organisation's only administrator who can log in."""
    if row.role != "admin" or row.disabled_at is not None:
        return
    able = session.scalars(  # all of them, in one order: two who shut out each other wait for each other here
        sa.select(Account.id)
        .where(
            Account.organisation_id == row.organisation_id,
            Account.role == "admin",
            Account.disabled_at.is_(None),
        )
        .order_by(Account.id)
        .with_for_update()
    ).all()
    if not set(able) - {row.id}:
        raise LastAdmin


def reachable_administrators(session: Session, organisation_id: uuid.UUID, but: uuid.UUID) -> list[Account]:
    """Return the administrators who can log in and have an e-mail address."""
    return list(
        session.scalars(
            sa.select(Account).where(
                Account.organisation_id == organisation_id,
                Account.role == "admin",
                Account.disabled_at.is_(None),
                Account.lost_at.is_(None),
                Account.email.is_not(None),
                Account.id != but,
            )
        )
    )


def is_shut(row: Account) -> bool:
    """Say whether nobody gets in by an account's credentials: it is disabled, or they were reported lost."""
    return row.disabled_at is not None or row.lost_at is not None


def never_logged_in(session: Session, account_id: uuid.UUID) -> bool:
    """Say whether no login of this account was ever opened."""
    return session.scalar(sa.select(LoginSession.id).where(LoginSession.account_id == account_id).limit(1)) is None
