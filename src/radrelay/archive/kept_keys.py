"""Keys of bytes that were written anew elsewhere, kept so that backups which hold the old bytes stay readable.

Housekeeping moves living instances into new packs under new keys. A backup made before still holds the old pack, or
the copy of a landing record or of an archive that was unpacked since; their keys stay in the key store until the first
thing that lay there goes, at the latest until `keys.backup_days` are over. Everything here runs in the caller's
transaction, under `lock_archive`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.discard import bury, chunks, destroy_keys, discard_packs, occupied, request
from radrelay.archive.index_writes import DUPLICATE
from radrelay.archive.tables import ERASURE, INSTANCE, KEPT_KEY, LANDING_RECORD, PACK, STUDY

_KEPT = KEPT_KEY.c
NOBODY = uuid.UUID(int=0)
KNOWN = (KEPT_KEY, PACK, LANDING_RECORD)


def retire_packs(
    session: Session,
    moved: Mapping[uuid.UUID, Sequence[uuid.UUID]],
    until: datetime,
    at: datetime,
    *,
    carry: bool = True,
) -> None:
    """Give up packs that the instances `moved` were carried out of; what is empty is freed, its key kept.

    A pack in which something was deleted before has its key destroyed instead, and so have all when `until` is now.
    What else lies in a pack is carried over, or stays there (`carry` false: it may be damaged as well).
    """
    columns = (PACK.c.id, PACK.c.organisation_id, PACK.c.study_id, PACK.c.name, PACK.c.torn)
    packs: list[sa.Row[Any]] = list(session.execute(sa.select(*columns).where(PACK.c.id.in_(list(moved)))))
    discard_packs(session, [pack.id for pack in packs if pack.torn or until <= at], at)
    whole = [pack for pack in packs if not pack.torn and until > at]
    for pack in whole:
        _keep(session, pack, moved[pack.id], until)
    full = occupied(session, [pack.id for pack in whole])
    rest = [(pack.id, pack.organisation_id, pack.name) for pack in whole if pack.id in full]
    request(session, "rewrite", rest if carry else [], at)
    empty = [pack for pack in whole if pack.id not in full]
    request(session, "bytes", [(pack.id, pack.organisation_id, pack.name) for pack in empty], at)
    if empty:
        session.execute(sa.delete(PACK).where(PACK.c.id.in_([pack.id for pack in empty])))


def keep_records(session: Session, record_ids: Iterable[uuid.UUID], until: datetime) -> set[uuid.UUID]:
    """Keep the keys of landing records that backups hold copies of, where their instance lives; returns those."""
    kept: set[uuid.UUID] = set()
    for chunk in chunks(list(record_ids)):
        rows = session.execute(
            sa.select(ERASURE.c.id, ERASURE.c.organisation_id, INSTANCE.c.study_id, INSTANCE.c.id.label("instance_id"))
            .join_from(ERASURE, INSTANCE, INSTANCE.c.id == ERASURE.c.instance_id)
            .where(ERASURE.c.id.in_(chunk), ERASURE.c.kind == "moved")
        ).all()
        known = set(session.scalars(sa.select(_KEPT.id).where(_KEPT.id.in_(chunk))))
        new = [
            _row(_Owned(row.id, row.organisation_id), row.study_id, "record", until, instance_ids=[row.instance_id])
            for row in rows
            if row.id not in known
        ]
        if new:
            session.execute(sa.insert(KEPT_KEY), new)
        kept.update(row.id for row in rows)
    return kept


@dataclass(frozen=True, slots=True)
class Copy:
    """A landing record that backups hold a copy of; its key goes with the instance, study or parcel it is bound to."""

    record_id: uuid.UUID
    organisation_id: uuid.UUID
    bound_to: uuid.UUID | None
    subject_id: uuid.UUID | None


def keep_copies(session: Session, copies: Sequence[Copy], until: datetime) -> None:
    """Keep the keys of copies whose landing records are lost, while none of their subjects is deleted."""
    for start in range(0, len(copies), 500):
        part = copies[start : start + 500]
        known = set(session.scalars(sa.select(_KEPT.id).where(_KEPT.id.in_([copy.record_id for copy in part]))))
        rows = [
            _row(
                _Owned(copy.record_id, copy.organisation_id),
                copy.bound_to or NOBODY,
                "record",
                until,
                instance_ids=[copy.subject_id] if copy.subject_id is not None else [],
            )
            for copy in part
            if copy.record_id not in known
        ]
        if rows:
            session.execute(sa.insert(KEPT_KEY), rows)


def keep_archive(
    session: Session,
    organisation_id: uuid.UUID,
    record_id: uuid.UUID,
    brought: Iterable[uuid.UUID],
    until: datetime,
    at: datetime,
) -> None:
    """Give up an archive's landing record that is unpacked; its key stays for backups while all that it `brought` does.

    `brought` are the studies, and the parcel for what belongs to no study.
    """
    archive = _Owned(record_id, organisation_id)
    rows = [_row(archive, bound_to, "archive", until) for bound_to in sorted(set(brought), key=str)]
    if rows and until > at:
        session.execute(sa.insert(KEPT_KEY), rows)
    request(session, "unpacked", [(record_id, organisation_id, "")], at)


def bind_archives(session: Session, parcel_id: uuid.UUID, study_id: uuid.UUID) -> None:
    """Bind a parcel's unpacked archives to a study that something of them was let into later."""
    rows = session.execute(sa.select(KEPT_KEY).where(_KEPT.bound_to == parcel_id, _KEPT.kind == "archive")).all()
    known = set(session.scalars(sa.select(_KEPT.id).where(_KEPT.bound_to == study_id)))
    new = [_row(_Owned(row.id, row.organisation_id), study_id, "archive", row.until) for row in rows]
    new = [row for row in new if row["id"] not in known]
    if new:
        session.execute(sa.insert(KEPT_KEY), new)


def kept_archives(session: Session, record_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of `record_ids` that are archives whose keys are kept."""
    return set(session.scalars(sa.select(_KEPT.id).where(_KEPT.id.in_(record_ids), _KEPT.kind == "archive")))


def destroy_kept(session: Session, deleted: Mapping[uuid.UUID, Collection[uuid.UUID]], at: datetime) -> None:
    """Have every kept key destroyed whose bytes hold one of the `deleted` things (by study or parcel).

    An archive of which something was deleted counts as deleted itself: a restored backup must not unpack it again.
    """
    for bound_to, instance_ids in deleted.items():
        wanted = {instance_id.bytes for instance_id in instance_ids}
        found = session.execute(sa.select(KEPT_KEY).where(_KEPT.bound_to == bound_to)).all()
        for row in found:
            if row.kind == "archive":
                bury(session, row.organisation_id, "parcel", [row.id], at, "deleted")
        _destroy(session, [row for row in found if not row.instance_ids or wanted & _split(row.instance_ids)], at)
        for chunk in chunks(list(instance_ids)):  # records that were packed, or came again, and are not erased yet
            waiting = ERASURE.c.kind.in_(("moved", DUPLICATE)) & ERASURE.c.done_at.is_(None)
            session.execute(sa.update(ERASURE).where(waiting, ERASURE.c.instance_id.in_(chunk)).values(kind="record"))


def end_over(session: Session, now: datetime, limit: int) -> int:
    """Have kept keys destroyed whose time is over; returns how many, at most `limit`."""
    found = session.execute(sa.select(KEPT_KEY).where(_KEPT.until <= now).limit(limit)).all()
    _destroy(session, found, now)
    return len(found)


def unnamed(session: Session, key_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of `key_ids` that no row names."""
    named = set(session.scalars(sa.select(ERASURE.c.id).where(ERASURE.c.id.in_(key_ids), ERASURE.c.done_at.is_(None))))
    for table in KNOWN:
        named.update(session.scalars(sa.select(table.c.id).where(table.c.id.in_(key_ids))))
    return set(key_ids) - named


def adopt(session: Session, keys: Mapping[uuid.UUID, uuid.UUID], *, until: datetime, unknown_until: datetime) -> int:
    """Take keys (with their studies) that no row names under the rule for kept ones; returns how many.

    They are of packs that were written after the backup whose rows these are. Such a key goes with anything that goes
    of its study; where the study is unknown, by `unknown_until`.
    """
    adopted = 0
    for chunk in chunks(list(keys)):
        new = unnamed(session, chunk)
        studies = {keys[key_id] for key_id in new}
        known = {
            row.id: row.organisation_id
            for row in session.execute(sa.select(STUDY.c.id, STUDY.c.organisation_id).where(STUDY.c.id.in_(studies)))
        }
        rows = [
            _row(_Owned(key_id, known.get(study_id, NOBODY)), study_id, "unknown", end)
            for key_id in new
            for study_id in (keys[key_id],)
            for end in (until if study_id in known else unknown_until,)
        ]
        if rows:
            session.execute(sa.insert(KEPT_KEY), rows)
        adopted += len(rows)
    return adopted


def _keep(session: Session, pack: sa.Row[Any], instance_ids: Sequence[uuid.UUID], until: datetime) -> None:
    """Note that instances which lay in a pack have moved on; a pack may be emptied in several steps."""
    before = session.scalar(sa.select(_KEPT.instance_ids).where(_KEPT.id == pack.id))
    if before is None:
        row = _row(
            _Owned(pack.id, pack.organisation_id),
            pack.study_id,
            "pack",
            until,
            name=pack.name,
            instance_ids=instance_ids,
        )
        session.execute(sa.insert(KEPT_KEY), [row])
        return
    joined = bytes(before) + _join(instance_ids)
    session.execute(sa.update(KEPT_KEY).where(_KEPT.id == pack.id).values(instance_ids=joined, until=until))


def _destroy(session: Session, kept: Sequence[sa.Row[Any]], at: datetime) -> None:
    ids = list({row.id for row in kept})
    if not ids:
        return
    living: set[uuid.UUID] = set()  # packs that are only partly emptied yet: their key goes once the rest has moved
    for chunk in chunks(ids):
        living.update(session.scalars(sa.select(PACK.c.id).where(PACK.c.id.in_(chunk))))
        session.execute(sa.delete(KEPT_KEY).where(_KEPT.id.in_(chunk)))
    discard_packs(session, living, at)
    destroy_keys(session, [(row.id, row.organisation_id, row.name) for row in kept if row.id not in living], at)


@dataclass(frozen=True, slots=True)
class _Owned:
    """A key's id and the organisation that it belongs to, as rows have them."""

    id: uuid.UUID
    organisation_id: uuid.UUID


def _row(
    owned: _Owned,
    bound_to: uuid.UUID,
    kind: str,
    until: datetime,
    *,
    name: str = "",
    instance_ids: Sequence[uuid.UUID] = (),
) -> dict[str, object]:
    return {
        "id": owned.id,
        "organisation_id": owned.organisation_id,
        "bound_to": bound_to,
        "kind": kind,
        "name": name,
        "instance_ids": _join(instance_ids),
        "until": until,
    }


def _join(instance_ids: Sequence[uuid.UUID]) -> bytes:
    return b"".join(instance_id.bytes for instance_id in instance_ids)


def _split(joined: bytes) -> set[bytes]:
    return {bytes(joined[at : at + 16]) for at in range(0, len(joined), 16)}
