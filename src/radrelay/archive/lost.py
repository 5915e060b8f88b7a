"""What is in the index while its bytes are lost with a machine's disk: taken out, so that it can be sent again.

No tombstone is written and no key destroyed: nobody deleted it. A backup may hold a copy, and as long as the index had
it, the same object sent again would be acknowledged as a duplicate of what nobody can read.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.counts import recount
from radrelay.archive.kept_keys import Copy, keep_copies
from radrelay.archive.tables import ATTACHMENT, INSTANCE, INSTANCE_HOLDING

_INSTANCE, _ATTACHMENT = INSTANCE.c, ATTACHMENT.c


def lose(
    session: Session, record_ids: Sequence[uuid.UUID], copied: Collection[uuid.UUID], until: datetime, at: datetime
) -> dict[uuid.UUID, int]:
    """Take instances and attachments out whose landing records are lost, in the caller's transaction, which is alone.

    Keys of `copied` records, which backups hold, are kept until `until`. Attachments of studies that end thereby stay
    with their parcel. Returns how many instances each study lost.
    """
    instances = session.execute(
        sa.select(_INSTANCE.id, _INSTANCE.organisation_id, _INSTANCE.study_id, _INSTANCE.record_id).where(
            _INSTANCE.record_id.in_(record_ids)
        )
    ).all()
    attachments = session.execute(
        sa.select(_ATTACHMENT.id, _ATTACHMENT.organisation_id, _ATTACHMENT.parcel_id, _ATTACHMENT.record_id).where(
            _ATTACHMENT.record_id.in_(record_ids)
        )
    ).all()
    copies = [Copy(row.record_id, row.organisation_id, row.study_id, row.id) for row in instances]
    copies += [Copy(row.record_id, row.organisation_id, row.parcel_id, row.id) for row in attachments]
    keep_copies(session, [copy for copy in copies if copy.record_id in copied], until)
    ids = [row.id for row in instances]
    session.execute(sa.delete(INSTANCE_HOLDING).where(INSTANCE_HOLDING.c.instance_id.in_(ids)))
    session.execute(sa.delete(INSTANCE).where(_INSTANCE.id.in_(ids)))
    session.execute(sa.delete(ATTACHMENT).where(_ATTACHMENT.id.in_([row.id for row in attachments])))
    lost: dict[uuid.UUID, int] = {}
    for row in instances:
        lost[row.study_id] = lost.get(row.study_id, 0) + 1
    _leave_attachments(session, list(lost))
    recount(session, lost, at)
    return lost


def _leave_attachments(session: Session, study_ids: Sequence[uuid.UUID]) -> None:
    """Part attachments, which are not lost, from studies of which nothing else is left."""
    left = set(session.scalars(sa.select(_INSTANCE.study_id).where(_INSTANCE.study_id.in_(study_ids)).distinct()))
    ended = [study_id for study_id in study_ids if study_id not in left]
    session.execute(sa.update(ATTACHMENT).where(_ATTACHMENT.study_id.in_(ended)).values(study_id=None, holding_id=None))
