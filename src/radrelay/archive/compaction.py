"""Compaction: instances move from landing records into packs, one pack per series and holding.

A pack is written and proven before the index points to it; the landing records (or the pack that is rewritten)
are given up in the same transaction, their keys kept for the backups that hold them (`kept_keys`). An instance that was
deleted meanwhile is not carried over: if one was, the new pack is destroyed and written again without it. While a pack
is being written a draft stands for it (`drafts`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from itertools import groupby
from typing import cast

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive import drafts
from radrelay.archive.discard import discard_moved
from radrelay.archive.instances import InstanceRef, PackPlace, find_instances
from radrelay.archive.kept_keys import retire_packs
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Instance, Series, Study
from radrelay.archive.packing import ObjectDamaged, Source, write_pack
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.clock import Clock
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.keystore import KeyStore
from radrelay.storage.models import LandingRecord, Pack
from radrelay.storage.packs import PackInfo, PackStore

log = structlog.get_logger(__name__)

PACK_LIMIT = 20_000  # instances in one pack: bounds its table of contents
MERGED_PACKS = 8  # so many packs of one series and holding are made one when more arrives
MERGED_BYTES = 1 << 30  # unless it would be so much work
TRIES = 5
KEEP_KEYS = timedelta(days=35)
_INSTANCE = cast("sa.Table", Instance.__table__)


class Compactor:
    """Moves instances into packs. One at a time per study; safe to kill at any moment."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        reader: InstanceReader,
        packs: PackStore,
        keys: KeyStore,
        executor: Executor,
        keep_keys: timedelta = KEEP_KEYS,
    ) -> None:
        """`keep_keys` is how long the keys of what is replaced are kept at most, for backups that hold it."""
        self._database = database
        self._clock = clock
        self._reader = reader
        self._packs = packs
        self._keys = keys
        self._executor = executor
        self._keep_keys = keep_keys
        self._drafts = drafts.Drafts(database, clock)

    def compact_study(self, organisation_id: uuid.UUID, study_id: uuid.UUID) -> int:
        """Pack what still lies in landing records; returns how many instances moved."""
        with self._database.read() as session:
            refs = find_instances(
                session, self._clock.now(), organisation_id=organisation_id, study_id=study_id, current=False
            )
        self.abandon_drafts()
        return self._repack(list(_landed_and_merged(refs)))

    def rewrite_pack(self, pack_id: uuid.UUID) -> int:
        """Carry what still lives of a pack over into new ones, under new keys; returns how many instances."""
        with self._database.read() as session:
            pack = session.get(Pack, pack_id)
            if pack is None:
                return 0
            refs = find_instances(
                session,
                self._clock.now(),
                organisation_id=pack.organisation_id,
                series_id=pack.series_id,
                current=False,
            )
        ours = [ref for ref in refs if isinstance(ref.place, PackPlace) and ref.place.ref.pack_id == pack_id]
        return self._repack(ours)

    def pending(self, limit: int = 50, away: Collection[str] = ()) -> list[tuple[uuid.UUID, uuid.UUID]]:
        """Return (organisation, study) of complete studies that still have landing records, by chance.

        In any order of theirs, those that cannot be compacted would come first for ever. Studies that nodes of `away`
        hold a part of wait for those, and keep nobody else waiting.
        """
        records = sa.select(LandingRecord.id)
        theirs = records.where(sa.or_(sa.false(), *(LandingRecord.owner.startswith(f"{node}/") for node in away)))
        landed, out_of_reach = (
            sa.select(Instance.study_id).where(Instance.record_id.in_(some)) for some in (records, theirs)
        )
        with self._database.read() as session:
            rows = session.execute(
                sa.select(Study.organisation_id, Study.id)
                .where(
                    Study.state == "complete",
                    Study.id.in_(landed),
                    Study.id.not_in(out_of_reach) if away else sa.true(),
                )
                .order_by(sa.func.random())
                .limit(limit)
            )
            return [(row[0], row[1]) for row in rows]

    def _repack(self, refs: Sequence[InstanceRef]) -> int:
        moved = 0
        ordered = sorted(refs, key=lambda ref: (ref.series_id.bytes, ref.holding_id.bytes))
        for _, group in groupby(ordered, key=lambda ref: (ref.series_id, ref.holding_id)):
            together = sorted(group, key=lambda ref: (ref.number is None, ref.number or 0, ref.sop_uid))
            for start in range(0, len(together), PACK_LIMIT):
                moved += self._repack_group(together[start : start + PACK_LIMIT])
        return moved

    def abandon_drafts(self) -> int:
        """Have destroyed what killed writers left of packs that were never adopted; returns how many there were."""
        return self._drafts.abandon_old()

    def _repack_group(self, refs: list[InstanceRef]) -> int:
        source = Source(self._reader.data_set, self._reader.stream)
        tries = TRIES
        while tries and (refs := self._still_there(refs)):
            pack_id = new_id()
            with self._drafts.kept_fresh(pack_id, refs[0].organisation_id, self._packs.name_of(pack_id)):
                try:
                    info, _table = write_pack(self._packs, pack_id, refs, source, self._executor)
                except ObjectDamaged as damaged:
                    log.error("stored object is damaged", **damaged.facts)
                    self._abandon(pack_id)
                    whole = [ref for ref in refs if str(ref.id) != damaged.facts.get("instance_id")]
                    tries -= len(whole) == len(refs)  # one less to carry, however many are damaged
                    refs = whole
                    continue
                except InstanceGone:
                    self._abandon(pack_id)
                else:
                    if self._adopt(refs, info):
                        return len(refs)
                    self._abandon(pack_id)
                    self._packs.delete(info.ref.name)
            tries -= 1
        return 0

    def _abandon(self, pack_id: uuid.UUID) -> None:
        self._keys.destroy([pack_id])
        self._drafts.forget(pack_id)

    def _still_there(self, refs: list[InstanceRef]) -> list[InstanceRef]:
        """Drop what was deleted or moved since; the holding may have changed, too, then others pack it."""
        with self._database.read() as session:
            known = {
                row.id: (row.record_id, row.pack_id, row.holding_id)
                for chunk in _chunks([ref.id for ref in refs])
                for row in session.execute(
                    sa.select(Instance.id, Instance.record_id, Instance.pack_id, Instance.holding_id).where(
                        Instance.id.in_(chunk)
                    )
                )
            }
        return [ref for ref in refs if known.get(ref.id) == _whereabouts(ref)]

    def _adopt(self, refs: list[InstanceRef], info: PackInfo) -> bool:
        """Let the index point to the new pack; false, and nothing changed, if an instance went meanwhile."""
        now = self._clock.now()
        with self._database.write() as session:
            lock_archive(session)
            if not self._unchanged(session, refs) or not drafts.take(session, info.ref.pack_id):
                return False
            first = refs[0]
            generation = session.scalar(
                sa.select(sa.func.coalesce(sa.func.max(Pack.generation), 0)).where(Pack.series_id == first.series_id)
            )
            session.execute(sa.insert(Pack), [_pack_row(first, info, (generation or 0) + 1, now)])
            records = {ref.place.record_id: ref.id for ref in refs if not isinstance(ref.place, PackPlace)}
            session.connection().execute(
                sa.update(_INSTANCE)
                .where(_INSTANCE.c.id == sa.bindparam("row"))
                .values(pack_id=info.ref.pack_id, pack_entry=sa.bindparam("entry"), record_id=None),
                [{"row": ref.id, "entry": entry} for entry, ref in enumerate(refs)],
            )
            discard_moved(session, first.organisation_id, records, now)
            retire_packs(session, _by_pack(refs), now + self._keep_keys, now)
            session.execute(sa.update(Series).where(Series.id == first.series_id).values(changed_at=now))
        return True

    def _unchanged(self, session: Session, refs: list[InstanceRef]) -> bool:
        found = 0
        wanted = {ref.id: _whereabouts(ref) for ref in refs}
        for chunk in _chunks(list(wanted)):
            rows = session.execute(
                sa.select(Instance.id, Instance.record_id, Instance.pack_id, Instance.holding_id).where(
                    Instance.id.in_(chunk)
                )
            )
            found += sum(wanted[row.id] == (row.record_id, row.pack_id, row.holding_id) for row in rows)
        return found == len(wanted)


def _landed_and_merged(refs: Sequence[InstanceRef]) -> Iterator[InstanceRef]:
    """Yield what lies in landing records, with what lies in many small packs beside it, so that they become one."""
    groups: dict[tuple[uuid.UUID, uuid.UUID], list[InstanceRef]] = {}
    for ref in refs:
        groups.setdefault((ref.series_id, ref.holding_id), []).append(ref)
    for group in groups.values():
        landed = [ref for ref in group if not isinstance(ref.place, PackPlace)]
        packs = {ref.place.ref.pack_id for ref in group if isinstance(ref.place, PackPlace)}
        merge = landed and len(packs) >= MERGED_PACKS and sum(ref.size for ref in group) <= MERGED_BYTES
        yield from group if merge else landed


def _by_pack(refs: Sequence[InstanceRef]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Return the instances by the pack that they lie in."""
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    for ref in refs:
        if isinstance(ref.place, PackPlace):
            found.setdefault(ref.place.ref.pack_id, []).append(ref.id)
    return found


def _whereabouts(ref: InstanceRef) -> tuple[uuid.UUID | None, uuid.UUID | None, uuid.UUID]:
    if isinstance(ref.place, PackPlace):
        return None, ref.place.ref.pack_id, ref.holding_id
    return ref.place.record_id, None, ref.holding_id


def _pack_row(first: InstanceRef, info: PackInfo, generation: int, now: datetime) -> dict[str, object]:
    return {
        "id": info.ref.pack_id,
        "organisation_id": first.organisation_id,
        "series_id": first.series_id,
        "study_id": first.study_id,
        "holding_id": first.holding_id,
        "generation": generation,
        "name": info.ref.name,
        "plain_bytes": info.ref.plain_bytes,
        "stored_bytes": info.stored_bytes,
        "toc_offset": info.ref.toc_offset,
        "toc_length": info.ref.toc_length,
        "torn": False,
        "created_at": now,
    }


def _chunks(ids: Sequence[uuid.UUID]) -> list[Sequence[uuid.UUID]]:
    return [ids[start : start + 500] for start in range(0, len(ids), 500)]
