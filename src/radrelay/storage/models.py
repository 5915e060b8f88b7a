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
    torn: Mapped[bool] = mapped_column(Boolean, default=False)  # something in it was deleted: its key goes with it
    created_at: Mapped[datetime] = mapped_column(Instant)


class Erasure(Owned, Base):
    """Bytes that nothing refers to any more: first their key is destroyed, then they are freed.

    `kind` is pack (key and bytes go), bytes (a pack's bytes; its key is kept for backups), rewrite (a pack that others'
    instances move out of first), record (a landing record), moved (one whose instance is in a pack now), duplicate (the
    second copy of an instance, which is looked at first) or draft (a pack that is being written).
    """

    __tablename__ = "erasure"
    __table_args__ = (Index("ix_erasure_due", "done_at"),)

    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))  # a pack's; the row's id is the pack's or the landing record's
    instance_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # whose landing record was packed, or came again
    requested_at: Mapped[datetime] = mapped_column(Instant)
    destroyed_at: Mapped[datetime | None] = mapped_column(Instant)  # when its key was
    done_at: Mapped[datetime | None] = mapped_column(Instant)


class KeptKey(Owned, Base):
    """The key of bytes that were written anew elsewhere, which backups may still hold; its id is the key's.

    The bytes are a pack's that was rewritten, a landing record's that was packed, or an archive's that was unpacked
    (`kind`). The key is destroyed with the first of `instance_ids` that goes (of none: with the first thing of the
    study or parcel that it is bound to), at the latest at `until`. An archive is bound to all that it brought.
    """

    __tablename__ = "kept_key"
    __table_args__ = (Index("ix_kept_key_bound_to", "bound_to"), Index("ix_kept_key_until", "until"))

    bound_to: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)  # a study, or of an archive also its parcel
    kind: Mapped[str] = mapped_column(String(16))  # pack | record | archive | unknown
    name: Mapped[str] = mapped_column(String(80))  # a pack's
    instance_ids: Mapped[bytes] = mapped_column(LargeBinary)  # 16 bytes each: all that lay there
    until: Mapped[datetime] = mapped_column(Instant)


class RememberedAct(Owned, Base):
    """Something was done that no restored backup may undo; ids follow the order in which it was.

    `detail` is MessagePack, all that it takes to do it again. `ledgered_at` says since when the key store's ledger has
    it, sealed; here it is empty then.
    """

    __tablename__ = "remembered_act"
    __table_args__ = (Index("ix_remembered_act_open", "ledgered_at"),)

    act: Mapped[str] = mapped_column(String(16))
    detail: Mapped[bytes] = mapped_column(LargeBinary)
    ledgered_at: Mapped[datetime | None] = mapped_column(Instant)


class OutboxEvent(Owned, Base):
    """Something that happened and that durable work follows from; its id is the workflow's id."""

    __tablename__ = "outbox_event"
    __table_args__ = (
        Index("ix_outbox_event_open", "taken_at", "kind", "turn", "id"),
        Index("ix_outbox_event_newest", "organisation_id", "id"),
    )

    kind: Mapped[str] = mapped_column(String(64))  # study.completed, delivery.requested, parcel.landed …
    subject_id: Mapped[uuid.UUID] = mapped_column(Id)
    turn: Mapped[int] = mapped_column(Integer, default=0)  # the lowest first
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
