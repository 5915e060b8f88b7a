"""Tables of storage: where bytes lie, how far the landing segments are read, and the outbox."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class LandingCursor(Base):
    """How far a landing segment has been taken into the index; moved in the transaction of its rows."""

    __tablename__ = "landing_cursor"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    segment: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    finished: Mapped[bool] = mapped_column(Boolean, default=False)


class LandingRecord(Owned, Base):
    """A record in a landing segment whose bytes are still needed there; its id is the record's own."""

    __tablename__ = "landing_record"
    __table_args__ = (Index("ix_landing_record_segment", "owner", "segment"),)

    owner: Mapped[str] = mapped_column(String(64))
    segment: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger)
    length: Mapped[int] = mapped_column(BigInteger)  # payload bytes, plain


class Pack(Owned, Base):
    """An encrypted file that holds a series' instances of one holding; its key is in the key store under its id."""

    __tablename__ = "pack"
    __table_args__ = (Index("ix_pack_holding", "holding_id"), Index("ix_pack_series", "series_id"))

    series_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    holding_id: Mapped[uuid.UUID] = mapped_column(Id)
    generation: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(80))  # HMAC under the link key
    plain_bytes: Mapped[int] = mapped_column(BigInteger)
    stored_bytes: Mapped[int] = mapped_column(BigInteger)
    toc_offset: Mapped[int] = mapped_column(BigInteger)
    toc_length: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Erasure(Owned, Base):
    """Bytes that nothing refers to any more: first their key is destroyed, then they are freed."""

    __tablename__ = "erasure"
    __table_args__ = (Index("ix_erasure_due", "done_at"),)

    kind: Mapped[str] = mapped_column(String(16))  # pack | record | rewrite (others' instances move out first)
    name: Mapped[str] = mapped_column(String(200))  # a pack's; the row's id is the pack's or the landing record's
    requested_at: Mapped[datetime] = mapped_column(Instant)
    destroyed_at: Mapped[datetime | None] = mapped_column(Instant)  # when its key was
    done_at: Mapped[datetime | None] = mapped_column(Instant)


class OutboxEvent(Owned, Base):
    """Something that happened and that durable work follows from; its id is the workflow's id."""

    __tablename__ = "outbox_event"
    __table_args__ = (Index("ix_outbox_event_open", "taken_at", "id"),)

    kind: Mapped[str] = mapped_column(String(64))  # study.completed, delivery.requested, parcel.landed …
    subject_id: Mapped[uuid.UUID] = mapped_column(Id)
    payload: Mapped[str] = mapped_column(Text, default="{}")  # JSON, ids only
    created_at: Mapped[datetime] = mapped_column(Instant)
    taken_at: Mapped[datetime | None] = mapped_column(Instant)


class NodeState(Base):
    """Small facts an installation remembers: last seen time, expiry suspended, schema of stored things."""

    __tablename__ = "node_state"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class NodeLease(Base):
    """A data directory that serves this installation, and the machine that has it; times are the database's own.

    `epoch` grows whenever another machine takes the directory over: what carries an older one is refused.
    """

    __tablename__ = "node_lease"

    node: Mapped[str] = mapped_column(String(32), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    holder: Mapped[str] = mapped_column(String(64))  # of the machine and the folder; see `node.holder_of`
    name: Mapped[str] = mapped_column(String(255))  # shown to people
    address: Mapped[str] = mapped_column(String(255), default="")  # host:port of its internal endpoint, if it has one
    taken_at: Mapped[datetime] = mapped_column(Instant)
    beat_at: Mapped[datetime] = mapped_column(Instant)
