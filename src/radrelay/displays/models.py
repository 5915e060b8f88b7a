"""Tables of displays: workstations, their displays, and the log of checks, which is only ever added to."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Boolean, Float, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Workstation(Owned, Base):
    """A browser that displays hang on, known by the secret in its cookie, of which only the hash is kept."""

    __tablename__ = "workstation"
    __table_args__ = (Index("ux_workstation_secret", "secret_hash", unique=True),)

    name: Mapped[str] = mapped_column(String(100))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(Instant)


class Display(Owned, Base):
    """A display of a workstation, as the person who registered it described it."""

    __tablename__ = "display"
    __table_args__ = (Index("ix_display_workstation", "workstation_id"),)

    workstation_id: Mapped[uuid.UUID] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(100))
    room: Mapped[str] = mapped_column(String(100))
    room_class: Mapped[str] = mapped_column(String(8))
    use: Mapped[str] = mapped_column(String(16))
    columns: Mapped[int] = mapped_column(Integer)  # device pixels
    rows: Mapped[int] = mapped_column(Integer)
    pixel_um: Mapped[float] = mapped_column(Float)  # distance of pixels
    css_width: Mapped[int] = mapped_column(Integer)  # how the browser names the screen
    css_height: Mapped[int] = mapped_column(Integer)
    screen_left: Mapped[int] = mapped_column(Integer)  # of its usable area among the workstation's screens
    screen_top: Mapped[int] = mapped_column(Integer)
    label: Mapped[str] = mapped_column(String(200), default="")  # as the browser tells it, where it does
    created_at: Mapped[datetime] = mapped_column(Instant)
    retired_at: Mapped[datetime | None] = mapped_column(Instant)


class DisplayCheck(Owned, Base):
    """A check of a display; never changed. It holds what the display was called and set to at that time."""

    __tablename__ = "display_check"
    __table_args__ = (Index("ix_display_check_display", "display_id", "checked_at"),)

    display_id: Mapped[uuid.UUID] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(16))  # visual | photometer
    passed: Mapped[bool] = mapped_column(Boolean)
    checked_at: Mapped[datetime] = mapped_column(Instant)
    valid_until: Mapped[datetime | None] = mapped_column(Instant)  # none: it did not pass
    account_id: Mapped[str] = mapped_column(String(64))
    account_name: Mapped[str] = mapped_column(String(200))
    display: Mapped[str] = mapped_column(Text)  # JSON: the display as it was
    entered: Mapped[str] = mapped_column(Text)  # JSON: answers or readings, as entered
    criteria: Mapped[str] = mapped_column(Text)  # JSON: each with value, limit, source and verdict
    correction: Mapped[bytes | None] = mapped_column(LargeBinary(256))  # in force from this check on; none: none
