"""`radrelay doctor --verify`: reads every stored object and compares it with the SHA-256 of its receipt.

Then everything that must fit together for that: the index and the packs that it points into, the keys (`verify_keys`),
and what still lies in the landing (`verify_landing`). Changes nothing, and may run beside the roles.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import msgspec
import sqlalchemy as sa

from radrelay.app.core import Core, open_core
from radrelay.app.findings import Finding
from radrelay.app.verify_keys import verify_keys
from radrelay.app.verify_landing import verify_landing
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.layout import TableOfContents, decode_table
from radrelay.archive.models import Instance, Study
from radrelay.archive.reader import InstanceReader
from radrelay.errors import RadrelayError
from radrelay.settings import Settings
from radrelay.storage.models import Erasure, LandingRecord, Pack
from radrelay.storage.packs import PackRef

BACKUP = "restore it from a backup"


def verify_objects(settings: Settings) -> list[Finding]:
    """Read everything; may take as long as a copy of the archive would."""
    core = open_core(settings)
    try:
        return [*_objects(core), *_index(core), *_packs(core), *verify_keys(core), *verify_landing(core)]
    finally:
        core.close()


def _objects(core: Core) -> Iterator[Finding]:
    reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
    good = 0
    for ref in _every(core):
        digest = hashlib.sha256()
        try:
            for piece in reader.stream(ref):
                digest.update(piece)
        except (RadrelayError, OSError) as error:
            if _is_here(core, ref):  # else it was deleted or expired meanwhile
                yield Finding("object", "bad", f"{ref.id} cannot be read: {error}", BACKUP)
            continue
        if digest.digest() != ref.sha256:
            yield Finding("object", "bad", f"{ref.id} is not what was received", BACKUP)
        else:
            good += 1
    yield Finding("objects", "good", f"{good} objects are byte for byte what was received")


def _every(core: Core) -> Iterator[InstanceRef]:
    with core.database.read() as session:
        studies = session.execute(sa.select(Study.organisation_id, Study.id)).all()
    for organisation_id, study_id in studies:
        with core.database.read() as session:
            yield from find_instances(
                session, core.clock.now(), organisation_id=organisation_id, study_id=study_id, current=False
            )


def _is_here(core: Core, ref: InstanceRef) -> bool:
    with core.database.read() as session:
        return session.scalar(sa.select(Instance.id).where(Instance.id == ref.id)) is not None


def _index(core: Core) -> Iterator[Finding]:
    """Look for instances that the index has without a place where their bytes lie."""
    landed = sa.exists().where(LandingRecord.id == Instance.record_id)
    packed = sa.exists().where(Pack.id == Instance.pack_id)
    with core.database.read() as session:
        lost = session.scalars(sa.select(Instance.id).where(~landed, ~packed).limit(1000)).all()
        both = session.scalar(
            sa.select(sa.func.count()).where(Instance.record_id.is_not(None), Instance.pack_id.is_not(None))
        )
    for instance_id in lost:
        yield Finding("index", "bad", f"instance {instance_id} has no place where its bytes lie", BACKUP)
    if both:
        yield Finding("index", "bad", f"{both} instances have two places", "this is a fault of Radrelay; report it")
    if not lost and not both:
        yield Finding("index", "good", "every instance in the index has one place where its bytes lie")


def _packs(core: Core) -> Iterator[Finding]:
    with core.database.read() as session:
        rows = session.execute(
            sa.select(
                Pack.id, Pack.name, Pack.plain_bytes, Pack.toc_offset, Pack.toc_length, Pack.stored_bytes
            ).order_by(Pack.id)
        ).all()
    stored = {name: size for name, size, _ in core.packs.names()}
    whole = 0
    for row in rows:
        fault = _fault(core, PackRef(*row[:5]), row.stored_bytes, stored)
        if fault and _is_named(core, row.id):
            yield Finding("pack", "bad", f"{row.name} {fault}", BACKUP)
        else:
            whole += 1
    yield Finding("packs", "good", f"{whole} packs are whole and hold what the index says")
    yield from _orphans(core, set(stored))


def _orphans(core: Core, stored: set[str]) -> Iterator[Finding]:
    """Look for packs that no row names; the rows are asked after the store, so what is new since is no orphan."""
    with core.database.read() as session:
        named = set(session.scalars(sa.select(Erasure.name).where(Erasure.done_at.is_(None))))
        named |= set(session.scalars(sa.select(Pack.name)))
    orphans = len(stored - named)
    if orphans:
        text = f"{orphans} packs are named by no row"
        yield Finding("packs", "look", text, "the collector removes them a day after they were written")


def _is_named(core: Core, pack_id: uuid.UUID) -> bool:
    with core.database.read() as session:
        return session.scalar(sa.select(Pack.id).where(Pack.id == pack_id)) is not None


def _fault(core: Core, ref: PackRef, stored_bytes: int, stored: dict[str, int]) -> str:
    """Return what is wrong with a pack, nothing if nothing is."""
    if ref.name not in stored:
        return "is missing"
    if stored[ref.name] != stored_bytes:
        return f"has {stored[ref.name]} of {stored_bytes} bytes"
    try:
        table = decode_table(core.packs.toc(ref))
    except (RadrelayError, OSError, msgspec.MsgspecError) as error:
        return f"cannot be read: {error}"
    astray = _astray(core, ref.pack_id, table)
    return f"does not hold {astray} of the instances that the index seeks in it" if astray else ""


def _astray(core: Core, pack_id: uuid.UUID, table: TableOfContents) -> int:
    """Return how many instances the index seeks at a place of the pack where another one lies, or none."""
    with core.database.read() as session:
        rows = session.execute(sa.select(Instance.id, Instance.pack_entry).where(Instance.pack_id == pack_id)).all()
    return sum(
        row.pack_entry is None
        or row.pack_entry >= len(table.entries)
        or bytes(table.entries[row.pack_entry].instance_id) != row.id.bytes
        for row in rows
    )
