"""Recovery codes: ten, for who has lost the factor. Each works once; only keyed hashes are kept.

A code has 49 random bits as ten letters and digits without those that are mistaken for another.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity.factors.models import RecoveryCode
from radrelay.identity.factors.sealing import FactorKeys
from radrelay.storage.ids import new_id

COUNT = 10
LENGTH = 10
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def renew(
    session: Session, keys: FactorKeys, organisation_id: uuid.UUID, account_id: uuid.UUID, now: datetime
) -> tuple[str, ...]:
    """Make new codes instead of the old and return them, which is the only time that they are seen."""
    forget(session, account_id)
    codes: set[str] = set()
    while len(codes) < COUNT:
        codes.add("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))
    session.add_all(
        RecoveryCode(
            id=new_id(), organisation_id=organisation_id, account_id=account_id, created_at=now,
            code_hash=keys.code_hash(account_id, code),
        )
        for code in codes
    )  # fmt: skip
    session.flush()
    return tuple(f"{code[:5]}-{code[5:]}" for code in codes)


def hash_of(keys: FactorKeys, account_id: uuid.UUID, typed: str) -> bytes:
    """Return the hash of a code as somebody types it: spaces, dashes and case do not count."""
    return keys.code_hash(account_id, "".join(char for char in typed.lower() if char.isalnum()))


def is_open(session: Session, account_id: uuid.UUID, code_hash: bytes) -> bool:
    """Say whether a code is one of the account's, and not used."""
    return session.scalar(sa.select(RecoveryCode.id).where(*_the_code(account_id, code_hash))) is not None


def spend(session: Session, account_id: uuid.UUID, code_hash: bytes, now: datetime) -> bool:
    """Use a code, and say whether it was there to be used: of two at once, one."""
    spent = session.execute(sa.update(RecoveryCode).where(*_the_code(account_id, code_hash)).values(used_at=now))
    return bool(getattr(spent, "rowcount", 0))


def left(session: Session, account_id: uuid.UUID) -> int:
    """Return how many codes are left."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
        )
        or 0
    )


def forget(session: Session, account_id: uuid.UUID) -> None:
    """Delete an account's codes."""
    session.execute(sa.delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def _the_code(account_id: uuid.UUID, code_hash: bytes) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        RecoveryCode.account_id == account_id, RecoveryCode.code_hash == code_hash, RecoveryCode.used_at.is_(None)
    )  # fmt: skip
