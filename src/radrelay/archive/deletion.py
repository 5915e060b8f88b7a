"""Taking studies, series, instances and ended holdings out of the index, in the caller's transaction.

What is written here is the durable decision: rows go, tombstones and erasures stand in their place. From the commit
on nothing finds what was deleted; `erasing.finish` then writes the ledger, destroys keys and frees bytes.
An instance that another holding claims too moves to that holding; a pack that holds others' instances as well is
marked to be rewritten before its key is destroyed; keys of packs and records that it lay in before go, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.attachments import remove_attachments
from radrelay.archive.counts import recount
from radrelay.archive.discard import bury, chunks, discard, discard_packs, discard_records
from radrelay.archive.errors import AttachmentNotFound, InstanceNotFound, SeriesNotFound, StudyNotFound
from radrelay.archive.holdings import refresh_times
from radrelay.archive.kept_keys import destroy_kept
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Attachment, Holding, Instance, InstanceHolding, Series, Study
from radrelay.archive.tables import HOLDING, INSTANCE, INSTANCE_HOLDING, PACK

__all__ = [
    "bury", "delete_attachment", "delete_instance", "delete_series", "delete_study", "discard_packs",
    "discard_records", "end_holdings", "remove_attachments",
]  # fmt: skip

_INSTANCE, _FURTHER, _HOLDING = INSTANCE.c, INSTANCE_HOLDING.c, HOLDING.c
_PACK = PACK.c


def delete_study(session: Session, study_id: uuid.UUID, at: datetime, reason: str = "deleted") -> None:
    """Delete a study with all it has, whoever holds it; raises `StudyNotFound`."""
    lock_archive(session)
    organisation_id = session.scalar(sa.select(Study.organisation_id).where(Study.id == study_id))
    if organisation_id is None:
        raise StudyNotFound
    bury(session, organisation_id, "study", [study_id], at, reason)
    series = sa.select(Series.id).where(Series.study_id == study_id)
    _remove_instances(session, list(session.scalars(sa.select(Instance.id).where(Instance.series_id.in_(series)))), at)
    recount(session, [study_id], at)


def delete_series(session: Session, series_id: uuid.UUID, at: datetime, reason: str = "deleted") -> None:
    """Delete a series; its study goes with its last one. Raises `SeriesNotFound`."""
    lock_archive(session)
    found = session.execute(
        sa.select(Series.organisation_id, Series.study_id).where(Series.id == series_id)
    ).one_or_none()
    if found is None:
        raise SeriesNotFound
    bury(session, found.organisation_id, "series", [series_id], at, reason)
    _remove_instances(session, list(session.scalars(sa.select(Instance.id).where(Instance.series_id == series_id))), at)
    recount(session, [found.study_id], at)


def delete_instance(session: Session, instance_id: uuid.UUID, at: datetime, reason: str = "deleted") -> None:
    """Delete an instance in all its versions; raises `InstanceNotFound`."""
    lock_archive(session)
    found = session.execute(
        sa.select(Instance.organisation_id, Instance.study_id, Instance.sop_uid).where(Instance.id == instance_id)
    ).one_or_none()
    if found is None:
        raise InstanceNotFound
    versions = list(
        session.scalars(
            sa.select(Instance.id).where(
                Instance.organisation_id == found.organisation_id, Instance.sop_uid == found.sop_uid
            )
        )
    )
    bury(session, found.organisation_id, "instance", versions, at, reason)
    _remove_instances(session, versions, at)
    recount(session, [found.study_id], at)


def delete_instances(
    session: Session, instance_ids: Sequence[uuid.UUID], at: datetime, reason: str = "deleted"
) -> None:
    """Delete these very instances, whatever other versions of them are here; unknown ones are passed over."""
    lock_archive(session)
    owners: dict[uuid.UUID, list[uuid.UUID]] = {}
    studies: set[uuid.UUID] = set()
    for chunk in chunks(instance_ids):
        columns = (Instance.id, Instance.organisation_id, Instance.study_id)
        for row in session.execute(sa.select(*columns).where(Instance.id.in_(chunk))):
            owners.setdefault(row.organisation_id, []).append(row.id)
            studies.add(row.study_id)
    for organisation_id, ids in owners.items():
        bury(session, organisation_id, "instance", ids, at, reason)
        _remove_instances(session, ids, at)
    recount(session, sorted(studies), at)


def delete_attachment(session: Session, attachment_id: uuid.UUID, at: datetime, reason: str = "deleted") -> None:
    """Delete an attachment; raises `AttachmentNotFound`."""
    lock_archive(session)
    organisation_id = session.scalar(sa.select(Attachment.organisation_id).where(Attachment.id == attachment_id))
    if organisation_id is None:
        raise AttachmentNotFound
    bury(session, organisation_id, "attachment", [attachment_id], at, reason)
    remove_attachments(session, [attachment_id], at)


def end_holdings(
    session: Session, holding_ids: Sequence[uuid.UUID], at: datetime, reason: str = "expired", *, spare: bool = True
) -> None:
    """End holdings: what they alone held is removed, what others hold too moves there; unknown ones are passed over.

    Those of studies whose processing is restricted are passed over, too, unless `spare` is false: they went before.
    """
    lock_archive(session)
    for holding_id in holding_ids:
        row = session.execute(
            sa.select(Holding.organisation_id, Holding.study_id).where(Holding.id == holding_id)
        ).one_or_none()
        if row is not None and not (spare and access.is_barred(session, row.study_id)):
            bury(session, row.organisation_id, "holding", [holding_id], at, reason)
            _end_holding(session, holding_id, row.study_id, at)


def _end_holding(session: Session, holding_id: uuid.UUID, study_id: uuid.UUID, at: datetime) -> None:
    session.execute(sa.delete(InstanceHolding).where(InstanceHolding.holding_id == holding_id))
    owned = list(session.scalars(sa.select(Instance.id).where(Instance.holding_id == holding_id)))
    heirs = _heirs(session, owned)
    _move(session, heirs)
    attachments = sa.select(Attachment.id).where(Attachment.holding_id == holding_id)
    remove_attachments(session, list(session.scalars(attachments)), at)
    _remove_instances(session, [instance_id for instance_id in owned if instance_id not in heirs], at)
    _reown_packs(session, holding_id)
    session.execute(sa.delete(Holding).where(Holding.id == holding_id))
    refresh_times(session, [study_id])
    recount(session, [study_id], at)


def _heirs(session: Session, instance_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Return the holding that each instance moves to: of those that hold it too, the one that ends last."""
    candidates: dict[uuid.UUID, tuple[datetime | None, uuid.UUID]] = {}
    for chunk in chunks(instance_ids):
        statement = (
            sa.select(_FURTHER.instance_id, _HOLDING.id, _HOLDING.ends_at)
            .join_from(INSTANCE_HOLDING, HOLDING, _HOLDING.id == _FURTHER.holding_id)
            .where(_FURTHER.instance_id.in_(chunk))
        )
        for instance_id, holding_id, ends_at in session.execute(statement):
            known = candidates.get(instance_id)
            if known is None or (known[0] is not None and (ends_at is None or ends_at > known[0])):
                candidates[instance_id] = (ends_at, holding_id)
    return {instance_id: holding_id for instance_id, (_, holding_id) in candidates.items()}


def _move(session: Session, heirs: dict[uuid.UUID, uuid.UUID]) -> None:
    if not heirs:
        return
    connection = session.connection()
    rows = [{"row": instance_id, "heir": holding_id} for instance_id, holding_id in heirs.items()]
    instance, further = INSTANCE, INSTANCE_HOLDING
    connection.execute(
        sa.update(instance).where(_INSTANCE.id == sa.bindparam("row")).values(holding_id=sa.bindparam("heir")), rows
    )
    connection.execute(
        sa.delete(further).where(
            _FURTHER.instance_id == sa.bindparam("row"), _FURTHER.holding_id == sa.bindparam("heir")
        ),
        rows,
    )


def _reown_packs(session: Session, holding_id: uuid.UUID) -> None:
    """Give the packs that outlive a holding to the one that their instances moved to."""
    for pack_id in session.scalars(sa.select(_PACK.id).where(_PACK.holding_id == holding_id)).all():
        heir = session.scalar(sa.select(_INSTANCE.holding_id).where(_INSTANCE.pack_id == pack_id).limit(1))
        if heir is not None:
            session.execute(sa.update(PACK).where(_PACK.id == pack_id).values(holding_id=heir))


def _remove_instances(session: Session, instance_ids: Sequence[uuid.UUID], at: datetime) -> None:
    rows: list[sa.Row[Any]] = []
    for chunk in chunks(instance_ids):
        columns = (
            _INSTANCE.id,
            _INSTANCE.organisation_id,
            _INSTANCE.study_id,
            _INSTANCE.record_id,
            _INSTANCE.pack_id,
        )
        rows.extend(session.execute(sa.select(*columns).where(_INSTANCE.id.in_(chunk))))
        session.execute(sa.delete(INSTANCE_HOLDING).where(_FURTHER.instance_id.in_(chunk)))
        session.execute(sa.delete(INSTANCE).where(_INSTANCE.id.in_(chunk)))
    discard(session, rows, at)
    deleted: dict[uuid.UUID, list[uuid.UUID]] = {}
    for row in rows:
        deleted.setdefault(row.study_id, []).append(row.id)
    destroy_kept(session, deleted, at)
