"""Who sends studies: by which source, under which AE titles and from where, written as a study is indexed."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.tables import SENDER

NOTHING_NEW = uuid.UUID(int=0)


class Sent(NamedTuple):
    """Something of a study came by a source, over DICOM under these AE titles, else under none.

    `host` is the address of a machine that sent it, over DICOM or DICOMweb; of what people brought there is none.
    `series_id` is the series of which it brought something that was not here yet, else `NOTHING_NEW`.
    """

    study_id: uuid.UUID
    source_id: uuid.UUID
    calling_ae: str
    called_ae: str
    host: str = ""
    series_id: uuid.UUID = NOTHING_NEW


def write_senders(session: Session, sent: Collection[Sent]) -> set[uuid.UUID]:
    """Write who has sent something for the first time, and return of which studies."""
    if not sent:
        return set()
    clean = {_clean(one) for one in sent}
    columns = [SENDER.c[name] for name in Sent._fields]
    rows = session.execute(sa.select(*columns).where(SENDER.c.study_id.in_({one.study_id for one in clean})))
    there = {Sent(*row) for row in rows}
    bringers = {one[:-1] for one in there | clean if one.series_id != NOTHING_NEW}
    new = {one for one in clean - there if one.series_id != NOTHING_NEW or one[:-1] not in bringers}
    if new:
        session.execute(sa.insert(SENDER), [one._asdict() for one in sorted(new)])
    return {one.study_id for one in new}


def _clean(one: Sent) -> Sent:
    calling, called = (title.replace("\0", "")[:16] for title in (one.calling_ae, one.called_ae))
    return Sent(one.study_id, one.source_id, calling, called, one.host.replace("\0", "")[:64], one.series_id)
