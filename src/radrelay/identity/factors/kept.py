"""What accounts have of second factors, as rows."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Invalid, NotFound
from radrelay.identity.factors import pins, recovery, rules
from radrelay.identity.factors.errors import TooManyFactors
from radrelay.identity.factors.models import Factor, FactorReset
from radrelay.identity.factors.values import KINDS, FactorView, Kind, ResetView, Standing
from radrelay.identity.values import AccountView
from radrelay.storage.ids import new_id

MOST: dict[Kind, int] = {"passkey": 20, "totp": 5, "email": 1}
LONGEST_NAME = 100


def standing(session: Session, account: AccountView, groups: Collection[str]) -> Standing:
    """Return what an account has and needs; `groups` are the ids of those that it is in, as text."""
    have = session.scalars(
        sa.select(Factor.kind).where(Factor.account_id == account.id, Factor.confirmed_at.is_not(None)).distinct()
    )
    return Standing(
        have=frozenset(cast("list[Kind]", have.all())),
        needs=rules.needed(session, account.organisation_id, account.role, groups),
        codes_left=recovery.left(session, account.id),
    )


def confirmed(session: Session, account_id: uuid.UUID, kind: Kind | None = None) -> Sequence[Factor]:
    """Return an account's factors that count, oldest first; of one kind, if asked."""
    wanted = sa.select(Factor).where(Factor.account_id == account_id, Factor.confirmed_at.is_not(None))
    if kind is not None:
        wanted = wanted.where(Factor.kind == kind)
    return session.scalars(wanted.order_by(Factor.created_at, Factor.id)).all()


def one(session: Session, account_id: uuid.UUID, factor_id: uuid.UUID) -> Factor:
    """Return a factor of the account, confirmed or not; raises `NotFound`."""
    row = session.scalar(sa.select(Factor).where(Factor.account_id == account_id, Factor.id == factor_id))
    if row is None:
        raise NotFound("there is no such second factor")
    return row


def by_credential(session: Session, credential_id: bytes) -> Factor | None:
    """Return the passkey of a credential's id."""
    if not credential_id:
        return None
    return session.scalar(sa.select(Factor).where(Factor.credential_id == credential_id))


def begin(session: Session, account: AccountView, kind: Kind, name: str, now: datetime) -> Factor:
    """Write a factor that is not confirmed yet, in the place of one that never was; raises `TooManyFactors`."""
    session.execute(
        sa.delete(Factor).where(Factor.account_id == account.id, Factor.kind == kind, Factor.confirmed_at.is_(None))
    )
    if len(confirmed(session, account.id, kind)) >= MOST[kind]:
        raise TooManyFactors
    row = Factor(
        id=new_id(), organisation_id=account.organisation_id, account_id=account.id, kind=kind, name=named(name),
        created_at=now, sign_count=0, transports="", aaguid="", backup_eligible=False, backed_up=False,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def named(name: str) -> str:
    """Return a factor's name; raises `Invalid` for an empty or overlong one."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(f"a name has 1 to {LONGEST_NAME} characters", field="name")
    return name


def remove(session: Session, row: Factor) -> None:
    """Delete a factor; with the last one go the recovery codes and the PIN."""
    session.delete(row)
    session.flush()
    if not confirmed(session, row.account_id):
        recovery.forget(session, row.account_id)
    if row.kind == "email":
        pins.forget(session, row.account_id)


def remove_all(session: Session, account_id: uuid.UUID) -> int:
    """Delete everything that an account has, and return how many factors counted."""
    count = len(confirmed(session, account_id))
    session.execute(sa.delete(Factor).where(Factor.account_id == account_id))
    recovery.forget(session, account_id)
    pins.forget(session, account_id)
    return count


def note_reset(session: Session, account: AccountView, by_name: str, reason: str, now: datetime) -> None:
    """Keep what the person is told at the next login."""
    session.add(
        FactorReset(
            id=new_id(), organisation_id=account.organisation_id, account_id=account.id, by_name=by_name[:200],
            reason=reason, at=now,
        )
    )  # fmt: skip
    session.flush()


def unread_reset(session: Session, account_id: uuid.UUID) -> ResetView | None:
    """Return the last reset that the person has not read of."""
    row = session.scalar(
        sa.select(FactorReset)
        .where(FactorReset.account_id == account_id, FactorReset.read_at.is_(None))
        .order_by(FactorReset.at.desc())
        .limit(1)
    )
    return None if row is None else ResetView(row.id, row.by_name, row.reason, row.at)


def read_resets(session: Session, account_id: uuid.UUID, now: datetime) -> None:
    """Note that the person has read of every reset."""
    session.execute(
        sa.update(FactorReset)
        .where(FactorReset.account_id == account_id, FactorReset.read_at.is_(None))
        .values(read_at=now)
    )


def kinds_of_all(session: Session, organisation_id: uuid.UUID) -> dict[uuid.UUID, list[Kind]]:
    """Return which kinds each account of the organisation has, strongest first."""
    rows = session.execute(
        sa.select(Factor.account_id, Factor.kind)
        .where(Factor.organisation_id == organisation_id, Factor.confirmed_at.is_not(None))
        .distinct()
    )
    found: dict[uuid.UUID, list[Kind]] = {}
    for account_id, kind in rows:
        found.setdefault(account_id, []).append(cast("Kind", kind))
    return {account_id: sorted(kinds, key=KINDS.index) for account_id, kinds in found.items()}


def view(row: Factor) -> FactorView:
    """Return the value of a row."""
    return FactorView(
        row.id, row.account_id, cast("Kind", row.kind), row.name, row.created_at, row.used_at, row.backed_up
    )
