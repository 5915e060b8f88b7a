"""`radrelay doctor --verify`: reads every stored object and compares it with the SHA-256 of its receipt.

Also names packs that no row knows (orphans) and rows whose pack is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import sqlalchemy as sa

from radrelay.app.core import Core, open_core
from radrelay.app.findings import Finding
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.models import Study
from radrelay.archive.reader import InstanceReader
from radrelay.errors import RadrelayError
from radrelay.settings import Settings
from radrelay.storage.models import Erasure, Pack


def verify_objects(settings: Settings) -> list[Finding]:
    """Read everything; may take as long as a copy of the archive would."""
    core = open_core(settings)
    try:
        return [*_objects(core), *_packs(core)]
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
            yield Finding("object", "bad", f"{ref.id} cannot be read: {error}", "restore it from a backup")
            continue
        if digest.digest() != ref.sha256:
            yield Finding("object", "bad", f"{ref.id} is not what was received", "restore it from a backup")
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


def _packs(core: Core) -> Iterator[Finding]:
    with core.database.read() as session:
        named = set(session.scalars(sa.select(Pack.name)))
        going = set(session.scalars(sa.select(Erasure.name).where(Erasure.done_at.is_(None))))
    stored = {name for name, _, _ in core.packs.names()}
    for name in sorted(named - stored):
        yield Finding("pack", "bad", f"{name} is missing", "restore it from a backup")
    orphans = stored - named - going
    if orphans:
        text = f"{len(orphans)} packs are named by no row"
        yield Finding("packs", "look", text, "the collector removes them a day after they were written")
