"""The table of letters."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class MailLetter(Owned, Base):
    """A letter that waits, or what became of it. Its words are sealed, and gone once it has ended."""

    __tablename__ = "mail_letter"
    __table_args__ = (Index("ix_mail_letter_due", "state", "due_at"), Index("ix_mail_letter_ended", "ended_at"))

    kind: Mapped[str] = mapped_column(String(32))  # one of letters.KINDS, or a room's own
    recipient: Mapped[str] = mapped_column(String(254))
    account_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # whom it is for
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(16))  # waiting | sent | failed | late
    created_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)  # when it is tried next
    expires_at: Mapped[datetime | None] = mapped_column(Instant)  # it is of no use after this
    tried_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(Integer)
    trouble_code: Mapped[str] = mapped_column(String(40), default="")
    trouble_detail: Mapped[str] = mapped_column(String(400), default="")
