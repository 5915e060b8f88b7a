"""Digests of objects that are here, made once and kept: an object as received never changes, and may be large.

Those of a parcel are made when it is checked (`House.known`), so that nobody waits for it at a page.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from radrelay.archive.instances import InstanceRef, alive
from radrelay.archive.reader import InstanceReader
from radrelay.archive.tables import INSTANCE, LANDING_RECORD, PACK, STUDY
from radrelay.importer.arrived import ArrivedObject, header_digest
from radrelay.importer.duplicates import KeptObject
from radrelay.importer.models import ImportObject, ImportVersion

CHUNK = 500


class Digests(NamedTuple):
    """By what an object is known again: digests of its pixel data (empty: it has none) and of its header."""

    pixels: str
    header: str


class Here(NamedTuple):
    """A version of an object that is here, and what came under its UID.

    `received` is its SHA-256, `source` that of what an import made it from; `digests` are of either, if they are known.
    """

    id: uuid.UUID
    sop_uid: str
    study_uid: str
    transfer_syntax: str
    received: str
    came: Sequence[ArrivedObject]
    source: str = ""
    digests: Digests | None = None

    @property
    def wants_reading(self) -> bool:
        """Say whether it decides anything what it looks like: not of the very same bytes, nor in another study."""
        if self.digests is not None:
            return False
        return any(one.digest != self.received and one.study_uid == self.study_uid for one in self.came)

    def as_kept(self, made: Digests | None) -> KeptObject:
        """Return it as what came is held against it; `made`: its digests, where it was read just now."""
        same = frozenset({self.received, self.source} - {""})
        pixels, header = self.digests or made or ("", "")
        return KeptObject(self.sop_uid, self.study_uid, same, self.transfer_syntax, pixels, header)


def here_of(
    session: Session, organisation_id: uuid.UUID, objects: Sequence[ArrivedObject], now: datetime
) -> list[Here]:  # fmt: skip
    """Return the versions that are here of objects in a parcel, as far as the index knows them."""
    came: dict[str, list[ArrivedObject]] = {}
    for one in objects:
        came.setdefault(one.sop_uid, []).append(one)
    uids, found = sorted(came), list[Here]()
    i, s = INSTANCE.c, STUDY.c
    placed = sa.or_(LANDING_RECORD.c.id.is_not(None), PACK.c.id.is_not(None))
    asked = (
        sa.select(i.id, i.sop_uid, s.study_uid, i.transfer_syntax_uid, i.sha256)
        .join_from(INSTANCE, STUDY, s.id == i.study_id)
        .outerjoin(LANDING_RECORD, LANDING_RECORD.c.id == i.record_id)
        .outerjoin(PACK, PACK.c.id == i.pack_id)
        .where(i.organisation_id == organisation_id, i.current.is_(True), alive(now), placed)
        .order_by(i.sop_uid, i.version.desc())
    )
    for start in range(0, len(uids), CHUNK):
        some = uids[start : start + CHUNK]
        rows = [(*row[:4], row[4].hex()) for row in session.execute(asked.where(i.sop_uid.in_(some)))]
        filed = _filed(session, organisation_id, some) if rows else {}
        here = [Here(*row, came[row[1]], *filed.get(row[4], ("", None))) for row in rows]
        known = kept_digests(session, [one.id for one in here if one.wants_reading])
        found += [one._replace(digests=known[one.id]) if one.id in known else one for one in here]
    return found


def _filed(
    session: Session, organisation_id: uuid.UUID, sop_uids: Sequence[str]
) -> dict[str, tuple[str, Digests]]:  # fmt: skip
    """Return what imports have filed of some objects, by the SHA-256 of what was written: of what, and its digests."""
    o = ImportObject
    asked = sa.select(o.written, o.digest, o.pixels, o.header).where(
        o.organisation_id == organisation_id, o.sop_uid.in_(sop_uids), o.written != ""
    )
    return {one.written: (one.digest, Digests(one.pixels, one.header)) for one in session.execute(asked)}


def kept_digests(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Digests]:
    """Return the digests of instances that were made before."""
    found: dict[uuid.UUID, Digests] = {}
    for start in range(0, len(ids), CHUNK):
        some = ImportVersion.instance_id.in_(ids[start : start + CHUNK])
        asked = sa.select(ImportVersion.instance_id, ImportVersion.pixels, ImportVersion.header).where(some)
        found |= {one.instance_id: Digests(one.pixels, one.header) for one in session.execute(asked)}
    return found


def keep_digests(session: Session, made: Mapping[uuid.UUID, Digests]) -> None:
    """Keep the digests of instances that are here still; they go with those."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    new = insert(ImportVersion).on_conflict_do_nothing(index_elements=["instance_id"])
    ids = sorted(made)
    for start in range(0, len(ids), CHUNK):
        asked = sa.select(INSTANCE.c.id).where(INSTANCE.c.id.in_(ids[start : start + CHUNK]))
        here = session.scalars(asked.with_for_update(read=True, key_share=True)).all()
        if here:
            rows = [{"instance_id": one, "pixels": made[one].pixels, "header": made[one].header} for one in here]
            session.execute(new, rows)


def digests_of(reader: InstanceReader, ref: InstanceRef) -> Digests:
    """Return the digests of an object, which is read to its end."""
    header = reader.received_header(ref)
    if header.bulk is None:
        return Digests("", header_digest(header))
    pixels = hashlib.sha256()
    for piece in reader.received_stream(ref, header.bulk[1]):
        pixels.update(piece)
    return Digests(pixels.hexdigest(), header_digest(header))
