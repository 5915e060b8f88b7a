"""Tables of second factors: what people have, recovery codes, PINs by e-mail, who needs one, resets."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Factor(Owned, Base):
    """A second factor of an account: one of values.KINDS. Until it is confirmed it counts for nothing.

    Of a code app `secret` is kept, encrypted; of a passkey everything from `credential_id` on.
    """

    __tablename__ = "factor"
    __table_args__ = (
        Index("ix_factor_account", "account_id"),
        Index("ux_factor_credential", "credential_id", unique=True),
    )

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary(100))
    credential_id: Mapped[bytes | None] = mapped_column(LargeBinary(1023))
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary(2000))
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    transports: Mapped[str] = mapped_column(String(100), default="")  # comma list
    aaguid: Mapped[str] = mapped_column(String(36), default="")
    backup_eligible: Mapped[bool] = mapped_column(Boolean, default=False)
    backed_up: Mapped[bool] = mapped_column(Boolean, default=False)


class RecoveryCode(Owned, Base):
    """A code that stands in for a factor, once; only its keyed hash is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index("ux_recovery_code", "account_id", "code_hash", unique=True),)

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class MailedPin(Owned, Base):
    """The last PIN that was sent to an account by e-mail; only its keyed hash is kept."""

    __tablename__ = "mailed_pin"
    __table_args__ = (Index("ux_mailed_pin_account", "account_id", unique=True),)

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    pin_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    login_id: Mapped[uuid.UUID] = mapped_column(Id)  # the login that asked for it, and alone may answer
    tries: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class FactorRule(Owned, Base):
    """People of a role, or members of a group, need a second factor of one of these kinds."""

    __tablename__ = "factor_rule"
    __table_args__ = (Index("ux_factor_rule", "organisation_id", "subject_kind", "subject_id", unique=True),)

    subject_kind: Mapped[str] = mapped_column(String(16))  # role | group
    subject_id: Mapped[str] = mapped_column(String(64))
    kinds: Mapped[str] = mapped_column(String(64))  # comma list
    changed_at: Mapped[datetime] = mapped_column(Instant)


class FactorReset(Owned, Base):
    """An administrator took an account's factors away, and why; shown to the person until they have read it."""

    __tablename__ = "factor_reset"
    __table_args__ = (Index("ix_factor_reset_account", "account_id", "read_at"),)

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    by_name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant)
    read_at: Mapped[datetime | None] = mapped_column(Instant)
