"""What is kept aside or still to be unpacked while its bytes are lost with a machine's disk: taken out and told."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.kept_keys import Copy, keep_copies
from radrelay.intake.models import OpenArchive, Quarantined
from radrelay.intake.open_archives import lose_archive
from radrelay.intake.raw_files import lose_raw


def lose(
    session: Session,
    record_ids: Sequence[uuid.UUID],
    copied: Collection[uuid.UUID],
    until: datetime,
    machine: str,
    at: datetime,
) -> None:
    """Take quarantined objects and open archives out whose landing records are lost, in the caller's transaction.

    An archive ends its parcel with a finding that names the `machine`. Keys of `copied` records are kept until `until`.
    """
    aside = session.scalars(sa.select(Quarantined).where(Quarantined.record_id.in_(record_ids))).all()
    archives = session.scalars(sa.select(OpenArchive).where(OpenArchive.id.in_(record_ids))).all()
    copies = [Copy(row.record_id, row.organisation_id, row.parcel_id, row.id) for row in aside]
    copies += [Copy(row.id, row.organisation_id, row.parcel_id, None) for row in archives]
    copies += lose_raw(session, record_ids)
    unique = {copy.record_id: copy for copy in copies if copy.record_id in copied}
    keep_copies(session, list(unique.values()), until)
    for row in aside:
        session.delete(row)
    session.flush()
    for archive in archives:
        text = f"It was lost with the disk of the machine {machine!r} before it was unpacked. Send it again."
        lose_archive(session, archive.id, "archive-lost", text, at)
