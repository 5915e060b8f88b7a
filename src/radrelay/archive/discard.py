"""Tombstones, and bytes that nothing in the index refers to any more.

An erasure row is the promise that bytes become unreadable and then go: a landing record (its id is the row's id),
a pack, or a pack that must be rewritten first because others' instances lie in it too. Packs that housekeeping
replaced while all in them lives are `kept_keys`' concern.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Tombstone
from radrelay.archive.tables import ATTACHMENT, ERASURE, INSTANCE, PACK
from radrelay.storage.ids import new_id

CHUNK = 500
_ATTACHMENT, _PACK = ATTACHMENT.c, PACK.c

TombstoneKind = Literal[
    "study", "series", "instance", "holding", "attachment", "quarantine", "parcel", "raw", "account"
]


def bury(
    session: Session,
    organisation_id: uuid.UUID,
    kind: TombstoneKind,
    subject_ids: Iterable[uuid.UUID],
    at: datetime,
    reason: str,
) -> None:
    """Write a tombstone for each subject, to be carried into the key store's ledger."""
    rows = [
        {
            "id": new_id(),
            "organisation_id": organisation_id,
            "kind": kind,
            "subject_id": subject_id,
            "reason": reason,
            "at": at,
            "ledgered_at": None,
        }
        for subject_id in subject_ids
    ]
    if rows:
        session.execute(sa.insert(Tombstone), rows)


def discard_records(
    session: Session, organisation_id: uuid.UUID, record_ids: Iterable[uuid.UUID], at: datetime
) -> None:
    """Have landing records erased that nothing refers to any more."""
    request(session, "record", [(record_id, organisation_id, "") for record_id in record_ids], at)


def discard_moved(
    session: Session, organisation_id: uuid.UUID, instances: Mapping[uuid.UUID, uuid.UUID], at: datetime
) -> None:
    """Have landing records erased whose instances (by record) lie in a pack now and live on."""
    request(session, "moved", [(record_id, organisation_id, "") for record_id in instances], at, instances)


def discard_packs(session: Session, pack_ids: Collection[uuid.UUID], at: datetime) -> None:
    """Have packs destroyed that something was deleted from; those that something still lies in are rewritten first."""
    for chunk in chunks(list(pack_ids)):
        packs = session.execute(sa.select(_PACK.id, _PACK.organisation_id, _PACK.name).where(_PACK.id.in_(chunk))).all()
        full = occupied(session, chunk)
        session.execute(sa.update(PACK).where(_PACK.id.in_(full)).values(torn=True))
        request(session, "rewrite", [tuple(pack) for pack in packs if pack.id in full], at)
        empty = [pack for pack in packs if pack.id not in full]
        request(session, "pack", [tuple(pack) for pack in empty], at)
        if empty:
            session.execute(sa.delete(PACK).where(_PACK.id.in_([pack.id for pack in empty])))


def occupied(session: Session, pack_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of `pack_ids` that an instance or an attachment lies in."""
    found: set[uuid.UUID] = set()
    for column in (INSTANCE.c.pack_id, _ATTACHMENT.pack_id):
        found.update(session.scalars(sa.select(column).where(column.in_(pack_ids)).distinct()))
    return found


def discard(session: Session, rows: Sequence[sa.Row[Any]], at: datetime) -> None:
    """Discard the bytes of deleted rows, which carry organisation_id, record_id and pack_id."""
    for organisation_id in {row.organisation_id for row in rows}:
        mine = [row.record_id for row in rows if row.organisation_id == organisation_id and row.record_id is not None]
        discard_records(session, organisation_id, mine, at)
    discard_packs(session, {row.pack_id for row in rows if row.pack_id is not None}, at)


def chunks(ids: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    """Cut a list of ids into pieces that one statement takes."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def request(
    session: Session,
    kind: Literal["record", "moved", "unpacked", "pack", "bytes", "rewrite"],
    subjects: Sequence[tuple[uuid.UUID, uuid.UUID, str]],
    at: datetime,
    instances: Mapping[uuid.UUID, uuid.UUID] | None = None,
) -> None:
    """Write erasures of (id, organisation, name); one that waits for a rewrite becomes what it is asked to be now."""
    table = ERASURE
    unique = {subject[0]: subject for subject in subjects}
    for chunk in chunks(list(unique)):
        known = set(session.scalars(sa.select(table.c.id).where(table.c.id.in_(chunk))))
        if known and kind in ("pack", "bytes"):
            session.execute(sa.update(table).where(table.c.id.in_(known)).values(kind=kind))
        rows = [
            {
                "id": subject_id,
                "organisation_id": unique[subject_id][1],
                "kind": kind,
                "name": unique[subject_id][2],
                "instance_id": (instances or {}).get(subject_id),
                "requested_at": at,
                "destroyed_at": None,
                "done_at": None,
            }
            for subject_id in chunk
            if subject_id not in known
        ]
        if rows:
            session.execute(sa.insert(table), rows)


def destroy_keys(session: Session, subjects: Sequence[tuple[uuid.UUID, uuid.UUID, str]], at: datetime) -> None:
    """Have keys of (id, organisation, name) destroyed whose bytes were erased before, or are about to be.

    A landing record that its node has not erased yet stays one that is to be erased, its copies' key with it.
    """
    known: set[uuid.UUID] = set()
    for chunk in chunks([subject[0] for subject in subjects]):
        waiting = ERASURE.c.id.in_(chunk) & ERASURE.c.done_at.is_(None) & ERASURE.c.kind.in_(("moved", "unpacked"))
        session.execute(sa.update(ERASURE).where(waiting).values(kind="record"))
        others = ERASURE.c.id.in_(chunk) & sa.or_(ERASURE.c.done_at.is_not(None), ERASURE.c.kind != "record")
        session.execute(sa.update(ERASURE).where(others).values(kind="pack", destroyed_at=None, done_at=None))
        known |= set(session.scalars(sa.select(ERASURE.c.id).where(ERASURE.c.id.in_(chunk))))
    request(session, "pack", [subject for subject in subjects if subject[0] not in known], at)
