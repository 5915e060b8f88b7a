"""Removing attachments: their rows, their bytes, and the copies of the archive that they came in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.discard import chunks, discard
from radrelay.archive.kept_keys import destroy_kept
from radrelay.archive.tables import ATTACHMENT

_ATTACHMENT = ATTACHMENT.c


def remove_attachments(session: Session, attachment_ids: Sequence[uuid.UUID], at: datetime) -> None:
    """Remove attachments' rows and have their bytes erased; the tombstone is the caller's."""
    rows: list[sa.Row[Any]] = []
    for chunk in chunks(attachment_ids):
        columns = (
            _ATTACHMENT.id,
            _ATTACHMENT.organisation_id,
            _ATTACHMENT.parcel_id,
            _ATTACHMENT.record_id,
            _ATTACHMENT.pack_id,
        )
        rows.extend(session.execute(sa.select(*columns).where(_ATTACHMENT.id.in_(chunk))))
        session.execute(sa.delete(ATTACHMENT).where(_ATTACHMENT.id.in_(chunk)))
    discard(session, rows, at)
    destroy_kept(session, {row.parcel_id: [row.id] for row in rows if row.parcel_id is not None}, at)
