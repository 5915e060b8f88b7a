"""Tables of pseudonyms: projects, and the vault of who stands behind which alias, sealed by a key of its own.

Without the vault key no row here leads from an alias to a patient, nor back: whom a row is of stands in it as a keyed
digest alone, its id tells no time, and days are kept in place of moments.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import Boolean, Date, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class PseudonymProject(Owned, Base):
    """How one project names patients and de-identifies. `settings` is JSON; the project's key is in `sealed`."""

    __tablename__ = "pseudonym_project"
    __table_args__ = (Index("ux_pseudonym_project_name", "organisation_id", "name", unique=True),)

    name: Mapped[str] = mapped_column(String(64))
    pattern: Mapped[str] = mapped_column(String(64))
    settings: Mapped[str] = mapped_column(Text)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    next_number: Mapped[int] = mapped_column(Integer)
    keep_days: Mapped[int] = mapped_column(Integer)  # an alias, after it was last used
    enabled: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)


class PseudonymAlias(Owned, Base):
    """One patient's alias in one project; `sealed` holds who it is."""

    __tablename__ = "pseudonym_alias"
    __table_args__ = (
        Index("ux_pseudonym_alias_person", "project_id", "person", unique=True),
        Index("ux_pseudonym_alias_alias", "project_id", "alias", unique=True),
        Index("ix_pseudonym_alias_used", "project_id", "used_on"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(Id)
    alias: Mapped[str] = mapped_column(String(64))
    person: Mapped[bytes] = mapped_column(LargeBinary)  # HMAC over issuer and patient ID
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    used_on: Mapped[date] = mapped_column(Date)


class PseudonymStudy(Owned, Base):
    """A study under an alias. `inward` says that it came in so: the original was never kept here."""

    __tablename__ = "pseudonym_study"
    __table_args__ = (
        Index("ux_pseudonym_study_new", "organisation_id", "new", "alias_id", unique=True),
        Index("ix_pseudonym_study_alias", "alias_id"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(Id)
    alias_id: Mapped[uuid.UUID] = mapped_column(Id)
    new: Mapped[bytes] = mapped_column(LargeBinary)  # HMAC over the new Study Instance UID
    inward: Mapped[bool] = mapped_column(Boolean)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class PseudonymUids(Owned, Base):
    """Original UIDs of some objects of such a study by their new ones, sealed."""

    __tablename__ = "pseudonym_uids"
    __table_args__ = (Index("ix_pseudonym_uids_study", "study_id"),)

    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class PseudonymHandout(Owned, Base):
    """A study that was de-identified, by which project and with what result; never under which alias.

    `purpose` is export, delivery or intake. `report` is JSON without any former value. At intake the study is named by
    the UID that it has here, its new one.
    """

    __tablename__ = "pseudonym_handout"
    __table_args__ = (
        Index("ix_pseudonym_handout_study", "organisation_id", "study_id", "created_at"),
        Index("ix_pseudonym_handout_uid", "organisation_id", "study_uid"),
        Index("ix_pseudonym_handout_created", "organisation_id", "created_at"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    study_uid: Mapped[str] = mapped_column(String(64))  # at intake
    purpose: Mapped[str] = mapped_column(String(16))
    made_by: Mapped[str] = mapped_column(String(128))
    objects: Mapped[int] = mapped_column(Integer)
    kept_back: Mapped[int] = mapped_column(Integer)
    report: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)  # none: under way, or broken off


class PseudonymHeld(Owned, Base):
    """An object that a project could not make safe, until a person lets it pass, with regions covered if need be."""

    __tablename__ = "pseudonym_held"
    __table_args__ = (
        Index("ux_pseudonym_held_instance", "project_id", "instance_id", unique=True),
        Index("ix_pseudonym_held_study", "organisation_id", "study_id"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    instance_id: Mapped[uuid.UUID] = mapped_column(Id)
    reasons: Mapped[str] = mapped_column(String(300))  # comma list
    held_at: Mapped[datetime] = mapped_column(Instant)
    released_at: Mapped[datetime | None] = mapped_column(Instant)
    released_by: Mapped[str] = mapped_column(String(128))
    note: Mapped[str] = mapped_column(Text)
    cover: Mapped[str] = mapped_column(Text)  # JSON: rectangles of x, y, width, height
