"""Tables of marks. All hang on rows of the archive, and go in the transaction in which those do."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Mark(Owned, Base):
    """A mark on one frame, or at a place in the patient (then without instance and frame); the id is the client's.

    Revision 1 is the first. `content` is JSON: points, text, values, and where there are such the label's place and
    the points in the patient; a deleted mark's is empty. `size` is its length. `text_by_id` is who typed the text.
    """

    __tablename__ = "mark"
    __table_args__ = (
        Index("ix_mark_study", "study_id", "created_at"),
        Index("ix_mark_instance", "instance_id"),
        Index("ix_mark_series", "series_id"),
        Index("ix_mark_deleted", "deleted_at"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"))
    series_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("series.id", ondelete="CASCADE"))
    instance_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("instance.id", ondelete="CASCADE"))
    frame: Mapped[int | None] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    text_by_id: Mapped[str] = mapped_column(String(64), default="")
    size: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer)
    author_kind: Mapped[str] = mapped_column(String(16))
    author_id: Mapped[str] = mapped_column(String(64))
    author_name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_by_id: Mapped[str] = mapped_column(String(64))
    changed_by_name: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)


class MarkedStudy(Base):
    """A study that has, or had, marks. `turn` counts the changes of the organisation's marks.

    `open_since` is the last change that no work to file it is under way for; `filed_turn` what was filed last.
    """

    __tablename__ = "marked_study"
    __table_args__ = (
        Index("ix_marked_study_turn", "organisation_id", "turn"),
        Index("ix_marked_study_open", "open_since"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    turn: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    open_since: Mapped[datetime | None] = mapped_column(Instant)
    filed_turn: Mapped[int] = mapped_column(BigInteger, default=0)


class MarkFiling(Owned, Base):
    """An object that was made of marks, or is about to be; `subject` says what it is of within its holding.

    `sheet` is all that it is made of, until it has landed. `digest` tells whether the marks have changed since.
    `pictures` are the ids of the instances that it refers to, as JSON. What is withdrawn is to be deleted wherever
    it appears.
    """

    __tablename__ = "mark_filing"
    __table_args__ = (
        Index("ux_mark_filing_number", "study_id", "number", unique=True),
        Index("ix_mark_filing_holding", "holding_id"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"))
    holding_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("holding.id", ondelete="CASCADE"))
    subject: Mapped[str] = mapped_column(String(100))
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    marks: Mapped[int] = mapped_column(Integer)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    sop_uid: Mapped[str] = mapped_column(String(64))
    series_uid: Mapped[str] = mapped_column(String(64))
    pictures: Mapped[str] = mapped_column(Text)
    sheet: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(Instant)
    landed_at: Mapped[datetime | None] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)
