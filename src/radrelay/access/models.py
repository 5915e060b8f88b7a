"""Tables of access: grants. Access knows studies and series by their ids alone."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Grant(Owned, Base):
    """Someone may do something with the studies of a source, one study or one series.

    `grantee_kind` is account, token, ae or role; `grantee_id` the id, the AE title or the role's name (`*`: any).
    `target_kind` is organisation, source, study or series.
    """

    __tablename__ = "access_grant"
    __table_args__ = (
        Index("ix_access_grant_grantee", "organisation_id", "grantee_kind", "grantee_id"),
        Index("ix_access_grant_target", "target_kind", "target_id"),
    )

    grantee_kind: Mapped[str] = mapped_column(String(16))
    grantee_id: Mapped[str] = mapped_column(String(64))
    target_kind: Mapped[str] = mapped_column(String(16))
    target_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    rights: Mapped[str] = mapped_column(String(200))  # comma list of Right values
    identity: Mapped[str] = mapped_column(String(8), default="clear")  # clear | alias
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
