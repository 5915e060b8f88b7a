"""Tables of rules: what counts now, what each rule was before, and which rules met which study."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned

EVALUATE = "rules.evaluate"
"""The event that has the rules look at a study."""


class RoutingRule(Owned, Base):
    """A rule as it counts now; `position` orders an organisation's rules."""

    __tablename__ = "routing_rule"
    __table_args__ = (Index("ix_routing_rule_position", "organisation_id", "position"),)

    name: Mapped[str] = mapped_column(String(200))
    position: Mapped[int] = mapped_column(Integer)
    enabled: Mapped[bool] = mapped_column(Boolean)
    moment: Mapped[str] = mapped_column(String(16))  # arrival | complete
    match: Mapped[str] = mapped_column(String(8))  # all | any
    when: Mapped[str] = mapped_column(Text)  # JSON: conditions
    actions: Mapped[str] = mapped_column(Text)  # JSON
    stop: Mapped[bool] = mapped_column(Boolean)  # once it is met, the rules after it are not looked at
    revision: Mapped[int] = mapped_column(Integer)
    changed_by: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)


class RoutingRuleRevision(Owned, Base):
    """What a rule was made, by whom and when; those of a deleted rule are kept, and say that it was."""

    __tablename__ = "routing_rule_revision"
    __table_args__ = (Index("ux_routing_rule_revision", "rule_id", "revision", unique=True),)

    rule_id: Mapped[uuid.UUID] = mapped_column(Id)
    revision: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(String(200))
    deleted: Mapped[bool] = mapped_column(Boolean)
    wanted: Mapped[str] = mapped_column(Text)  # JSON: the whole rule


class RuleLook(Base):
    """Rules are still to look at a study: written with the event, taken out once they have, or due again."""

    __tablename__ = "routing_rule_look"
    __table_args__ = (Index("ix_routing_rule_look_at", "at"),)

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime | None] = mapped_column(Instant)


class RuleOwed(Base):
    """Rules had still to look at this study in a backup that was restored; see `routing.rules.restored`."""

    __tablename__ = "routing_rule_owed"

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"), primary_key=True)


class RuleMeeting(Owned, Base):
    """A rule has met a study: why, and what it did, each action once. It goes with the study."""

    __tablename__ = "routing_rule_meeting"
    __table_args__ = (
        Index("ux_routing_rule_meeting", "study_id", "rule_id", unique=True),
        Index("ix_routing_rule_meeting_rule", "rule_id", "failed", "at"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"))
    rule_id: Mapped[uuid.UUID] = mapped_column(Id)
    rule_name: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(Instant)
    match: Mapped[str] = mapped_column(String(8))
    why: Mapped[str] = mapped_column(Text)  # JSON: its conditions, and what they were asked of
    effects: Mapped[str] = mapped_column(Text)  # JSON: what it did
    failed: Mapped[bool] = mapped_column(Boolean, default=False)
