"""From the decision to delete to bytes that are gone: ledger, keys, bytes, in this order and again after any crash.

`deletion` has written tombstones and erasures. `Eraser.finish` carries tombstones into the key store's ledger, which
outlives a restored backup; then makes bytes unreadable (destroys packs' keys, erases landing records); then frees
packs. Each step is noted only after it is durable and does no harm when it is done twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import sqlalchemy as sa
import structlog

from radrelay.archive.discard import CHUNK, discard_packs, occupied
from radrelay.archive.kept_keys import end_over, keep_records, kept_archives
from radrelay.archive.locking import lock_archive
from radrelay.archive.tables import ERASURE, INSTANCE, LANDING_RECORD, PACK, TOMBSTONE
from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.storage.database import Database
from radrelay.storage.keystore import ACT, LedgerEntry
from radrelay.storage.models import RememberedAct
from radrelay.storage.segments import RecordLocation

log = structlog.get_logger(__name__)

KEEP_DONE = timedelta(days=7)
RECORDS = ("record", "moved", "unpacked")
Rewrite = Callable[[uuid.UUID, Sequence[uuid.UUID]], object]
"""Carries the given instances of a pack over into new ones and lets the index point there."""


class Keys(Protocol):
    """What erasing needs of the key store."""

    def destroy(self, key_ids: Sequence[uuid.UUID]) -> None:
        """Destroy keys, durable on return; unknown ones are passed over."""

    def known(self, key_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
        """Return those that there are keys by."""

    def append_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        """Append deletions to the ledger, durable on return."""


class Records(Protocol):
    """What erasing needs of the landing segments."""

    @property
    def node(self) -> str:
        """The node whose records these are; empty: all."""

    def erase_many(self, locations: Sequence[RecordLocation]) -> None:
        """Make records unreadable, durable on return; those that are gone are passed over."""


class Packs(Protocol):
    """What erasing needs of the pack store."""

    def delete(self, name: str) -> None:
        """Delete a pack's file; one that is gone is passed over."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How much was carried out; `waiting` is what could not be just now."""

    ledgered: int = 0
    erased: int = 0
    destroyed: int = 0
    freed: int = 0
    waiting: int = 0


class Eraser:
    """Carries out what `deletion` decided; one runs at a time per installation, two do no harm."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: Keys,
        records: Records,
        packs: Packs,
        rewrite: Rewrite | None = None,
        keep_keys: timedelta = timedelta(days=35),
    ) -> None:
        """`keep_keys` is how long keys of landing records that backups hold are kept at most once they are packed."""
        self._database = database
        self._clock = clock
        self._keys = keys
        self._records = records
        self._packs = packs
        self._rewrite = rewrite
        self._keep_keys = keep_keys

    def finish(self) -> Finished:
        """Carry out all that stands open. A store that does not answer is tried again by the next call."""
        ledgered = self._carry_into_ledger() + self._carry_acts()
        erased = self.erase_records()
        self._destroy_copies_elsewhere()
        destroyed = self._destroy_keys()  # first: rewriting may take minutes
        self._rewrite_packs()
        destroyed += self._destroy_keys()
        freed = self._free_packs()
        self._forget_done()
        with self._database.read() as session:
            open_rows = sa.select(sa.func.count()).where(ERASURE.c.done_at.is_(None))
            waiting = session.scalar(open_rows) or 0
        return Finished(ledgered, erased, destroyed, freed, waiting)

    def _carry_into_ledger(self) -> int:
        done = 0
        while True:
            with self._database.read() as session:
                rows = session.execute(
                    sa.select(TOMBSTONE).where(TOMBSTONE.c.ledgered_at.is_(None)).order_by(TOMBSTONE.c.id).limit(CHUNK)
                ).all()
            if not rows:
                return done
            self._keys.append_ledger(
                [LedgerEntry(row.at, row.organisation_id, row.kind, row.subject_id, row.reason) for row in rows]
            )
            now = self._clock.now()
            with self._database.write() as session:
                ids = [row.id for row in rows]
                session.execute(sa.update(TOMBSTONE).where(TOMBSTONE.c.id.in_(ids)).values(ledgered_at=now))
            done += len(rows)

    def _carry_acts(self) -> int:
        """Carry what no backup may undo into the ledger, in the order in which it was done."""
        done, act = 0, RememberedAct
        while True:
            with self._database.read() as session:
                waiting = sa.select(act.id, act.organisation_id, act.act, act.detail).where(act.ledgered_at.is_(None))
                rows = session.execute(waiting.order_by(act.id).limit(CHUNK)).all()
            if not rows:
                return done
            now = self._clock.now()
            self._keys.append_ledger([LedgerEntry(now, row[1], ACT, row.id, row.act, row.detail) for row in rows])
            with self._database.write() as session:
                carried = sa.update(act).where(act.id.in_([row.id for row in rows]))
                session.execute(carried.values(ledgered_at=now, detail=b""))  # which is the ledger's alone from now on
            done += len(rows)

    def _open(
        self, kinds: Sequence[str], condition: sa.ColumnElement[bool], after: uuid.UUID | None
    ) -> list[sa.Row[Any]]:
        statement = sa.select(ERASURE.c.id, ERASURE.c.name).where(
            ERASURE.c.done_at.is_(None), ERASURE.c.kind.in_(kinds), condition
        )
        if after is not None:
            statement = statement.where(ERASURE.c.id > after)
        with self._database.read() as session:
            return list(session.execute(statement.order_by(ERASURE.c.id).limit(CHUNK)))

    def end_kept_keys(self) -> int:
        """Have keys destroyed that were kept for backups long enough; `finish` carries it out. Returns how many."""
        ended = 0
        while True:
            with self._database.write() as session:
                lock_archive(session)
                count = end_over(session, self._clock.now(), CHUNK)
            ended += count
            if count < CHUNK:
                return ended

    def erase_records(self) -> int:
        """Erase the records that lie on this node's disk; other nodes do the same for theirs. Returns how many."""
        done = 0
        while rows := self._records_here():
            ids = [row.erasure_id for row in rows]
            found = [tuple(row)[1:] for row in rows if row.owner is not None]
            self._records.erase_many([RecordLocation(*place) for place in found])
            kept = self._destroy_copies(ids)
            now = self._clock.now()
            # What was deleted since is a `record` by now, and its key is still to go.
            ready = sa.or_(ERASURE.c.id.not_in(kept), ERASURE.c.kind != "record")
            with self._database.write() as session:
                done_ids = ERASURE.c.id.in_(ids) & ERASURE.c.kind.in_(RECORDS) & ready
                session.execute(sa.delete(LANDING_RECORD).where(LANDING_RECORD.c.id.in_(ids)))
                session.execute(sa.update(ERASURE).where(done_ids).values(destroyed_at=now, done_at=now))
            done += len(ids)
        return done

    def _records_here(self) -> list[sa.Row[Any]]:
        c = LANDING_RECORD.c
        columns = (ERASURE.c.id.label("erasure_id"), c.id, c.owner, c.segment, c.epoch, c.offset, c.length)
        statement = (
            sa.select(*columns)
            .join_from(ERASURE, LANDING_RECORD, c.id == ERASURE.c.id, isouter=True)
            .where(ERASURE.c.done_at.is_(None), ERASURE.c.kind.in_(RECORDS))
            .order_by(ERASURE.c.id)
            .limit(CHUNK)
        )
        if self._records.node:
            statement = statement.where(sa.or_(c.id.is_(None), c.owner.startswith(f"{self._records.node}/")))
        with self._database.read() as session:
            return list(session.execute(statement))

    def _destroy_copies(self, record_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
        """Destroy the keys of records' copies in backups, but for those whose content was moved and lives: these.

        No copy can be made any more: the records are erased.
        """
        kept: set[uuid.UUID] = set()
        copied = self._keys.known(record_ids)
        if copied and self._keep_keys:
            with self._database.write() as session:
                lock_archive(session)
                kept = keep_records(session, copied, self._clock.now() + self._keep_keys)
                kept |= kept_archives(session, list(copied))
        self._keys.destroy([record_id for record_id in record_ids if record_id not in kept])
        return kept

    def _destroy_copies_elsewhere(self) -> None:
        """Destroy the keys of backups' copies of deleted records that wait for their own node to erase them."""
        while rows := self._open(("record",), ERASURE.c.destroyed_at.is_(None), None):
            ids = [row.id for row in rows]
            self._keys.destroy(ids)
            with self._database.write() as session:
                session.execute(sa.update(ERASURE).where(ERASURE.c.id.in_(ids)).values(destroyed_at=self._clock.now()))

    def _rewrite_packs(self) -> None:
        """Move others' instances out of packs that are to go; the pack's own erasure follows when it is empty."""
        last: uuid.UUID | None = None
        while rows := self._open(("rewrite",), sa.true(), last):
            last = rows[-1].id
            for row in rows:
                try:
                    self._rewrite_pack(row.id)
                except RadrelayError as error:
                    log.warning("pack waits to be rewritten", pack=str(row.id), reason=error.code)

    def _rewrite_pack(self, pack_id: uuid.UUID) -> None:
        with self._database.read() as session:
            survivors = list(session.scalars(sa.select(INSTANCE.c.id).where(INSTANCE.c.pack_id == pack_id)))
        if survivors and self._rewrite is not None:
            self._rewrite(pack_id, survivors)
        with self._database.write() as session:
            lock_archive(session)
            known = session.scalar(sa.select(PACK.c.id).where(PACK.c.id == pack_id))
            if known is not None and not occupied(session, [pack_id]):
                discard_packs(session, [pack_id], self._clock.now())
            elif known is None:
                session.execute(
                    sa.update(ERASURE).where(ERASURE.c.id == pack_id, ERASURE.c.kind == "rewrite").values(kind="pack")
                )

    def _destroy_keys(self) -> int:
        done = 0
        while rows := self._open(("pack",), ERASURE.c.destroyed_at.is_(None), None):
            ids = [row.id for row in rows]
            self._keys.destroy(ids)
            with self._database.write() as session:
                session.execute(sa.update(ERASURE).where(ERASURE.c.id.in_(ids)).values(destroyed_at=self._clock.now()))
            done += len(ids)
        return done

    def _free_packs(self) -> int:
        done = 0
        last: uuid.UUID | None = None
        ready = sa.or_(ERASURE.c.kind == "bytes", ERASURE.c.destroyed_at.is_not(None))
        while rows := self._open(("pack", "bytes"), ready, last):
            last = rows[-1].id
            freed = []
            for row in rows:
                try:
                    if row.name:  # none: only a key was to go
                        self._packs.delete(row.name)
                except (RadrelayError, OSError) as error:
                    log.warning("pack waits to be freed", pack=str(row.id), error=type(error).__name__)
                else:
                    freed.append(row.id)
            with self._database.write() as session:
                # Not those that were asked meanwhile to have their key destroyed, too.
                session.execute(
                    sa.update(ERASURE).where(ERASURE.c.id.in_(freed), ready).values(done_at=self._clock.now())
                )
            done += len(freed)
        return done

    def _forget_done(self) -> None:
        before = self._clock.now() - KEEP_DONE
        with self._database.write() as session:
            session.execute(sa.delete(ERASURE).where(ERASURE.c.done_at < before))
