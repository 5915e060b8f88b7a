"""Who sends studies: by which source and under which AE titles, written as a study is indexed."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.tables import SENDER


class Sent(NamedTuple):
    """Something of a study came by a source, over DICOM under these AE titles, else under none."""

    study_id: uuid.UUID
    source_id: uuid.UUID
    calling_ae: str
    called_ae: str


def write_senders(session: Session, sent: Collection[Sent]) -> set[uuid.UUID]:
    """Write who has sent something for the first time, and return of which studies."""
    if not sent:
        return set()
    clean = {Sent(*one[:2], *(title.replace("\0", "")[:16] for title in one[2:])) for one in sent}
    there = session.execute(sa.select(SENDER).where(SENDER.c.study_id.in_({one.study_id for one in clean})))
    new = clean - {Sent(row.study_id, row.source_id, row.calling_ae, row.called_ae) for row in there}
    if new:
        session.execute(sa.insert(SENDER), [one._asdict() for one in sorted(new)])
    return {one.study_id for one in new}
