"""The keys under `radrelay doctor --verify`: there for all that lives, gone with what does not, the same in the mirror.

Also what deletion still owes: erasures that wait, and a ledger that is ahead of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa

from radrelay.app.core import Core
from radrelay.app.findings import Finding
from radrelay.app.key_keeping import unnamed_keys
from radrelay.app.restored import lacks_acts, ledger_is_ahead
from radrelay.archive.discard import chunks
from radrelay.storage.models import Erasure, KeptKey, Pack

LATE = timedelta(hours=1)
MADE_GOOD = "this is made good within a minute while Radrelay runs; see that the mirror's disk is there"


def verify_keys(core: Core) -> Iterator[Finding]:
    """Yield what is found of keys, their mirror, the ledger and erasures."""
    yield from _of_packs(core)
    yield from _kept(core)
    yield from _mirror(core)
    yield from _versions(core)
    if ledger_is_ahead(core):
        text = "the rows are older than the deletion ledger: a backup was put back"
        yield Finding("deletions", "bad", text, "start Radrelay: deletions are repeated before it serves")
    if lacks_acts(core):
        text = (
            "restrictions, corrections or rights taken back since the backup that was put back are not done again yet"
        )
        yield Finding("acts", "bad", text, "start Radrelay: they are repeated before it serves; else see its log")
    yield from _erasures(core)


def _of_packs(core: Core) -> Iterator[Finding]:
    with core.database.read() as session:
        ids = list(session.scalars(sa.select(Pack.id)))
    lost = set(ids) - {key_id for chunk in chunks(ids) for key_id in core.keys.known(chunk)}
    with core.database.read() as session:  # those that were deleted meanwhile are no loss
        living = [session.scalars(sa.select(Pack.id).where(Pack.id.in_(part))).all() for part in chunks(list(lost))]
        lost = {pack_id for found in living for pack_id in found}
    if lost:
        text = f"{len(lost)} packs have no key: they cannot be read any more"
        yield Finding("keys", "bad", text, "put study-keys.sqlite back from keys.mirror, or restore a newer backup")
    else:
        yield Finding("keys", "good", f"{len(ids)} packs have their keys")


def _kept(core: Core) -> Iterator[Finding]:
    now = core.clock.now()
    with core.database.read() as session:
        kept = session.scalar(sa.select(sa.func.count(KeptKey.id.distinct()))) or 0
        late = session.scalar(sa.select(sa.func.count()).where(KeptKey.until < now - LATE)) or 0
        unknown = session.scalar(sa.select(sa.func.count()).where(KeptKey.kind == "unknown")) or 0
    if kept:
        yield Finding("keys", "good", f"{kept} more are kept for older backups (keys.backup_days)")
    if late:
        text = f"{late} keys were to be destroyed more than an hour ago"
        yield Finding("keys", "bad", text, "see that `work` runs and that expiry is not suspended")
    strange = unknown + unnamed_keys(core)
    if strange:
        text = f"{strange} keys belong to nothing in the index, as after restoring an older backup"
        yield Finding("keys", "look", text, "they are destroyed a week after `work` has met them, or with their study")


def _mirror(core: Core) -> Iterator[Finding]:
    if core.settings.keys.mirror is None:
        yield Finding(
            "key mirror", "look", "keys.mirror is not set", "without it the loss of one disk loses everything"
        )
        return
    apart = core.keys.mirror_differs()
    if apart.lacking:
        text = f"the mirror lacks {apart.lacking} keys or entries of the ledger"
        yield Finding("key mirror", "bad", text, f"{MADE_GOOD}; until then the loss of the store would lose them")
    if apart.surplus:
        text = f"the mirror still holds {apart.surplus} keys that are destroyed"
        yield Finding("key mirror", "look", text, MADE_GOOD)
    if not (apart.lacking or apart.surplus):
        yield Finding("key mirror", "good", "the mirror holds the same keys and the same ledger")


def _versions(core: Core) -> Iterator[Finding]:
    versions = core.keyring.versions()
    used = core.keys.key_versions() | core.segments.key_versions()
    if used - versions:
        text = f"keys are wrapped under image keys that are not here: {sorted(used - versions)}"
        yield Finding("image key", "bad", text, "put keyring.json back from keys.mirror or a newer backup")
    elif len(versions) > 1 and not (core.keyring.is_shared and used <= {core.keyring.image_version}):
        text = f"a rotation is not finished: versions {sorted(versions)} are here"
        yield Finding("image key", "look", text, "`work` finishes it within the hour")
    else:
        yield Finding("image key", "good", f"all is wrapped under version {core.keyring.image_version}")


def _erasures(core: Core) -> Iterator[Finding]:
    before = core.clock.now() - LATE
    waiting = sa.select(Erasure.kind, sa.func.count()).where(Erasure.done_at.is_(None), Erasure.requested_at < before)
    with core.database.read() as session:
        rows = session.execute(waiting.group_by(Erasure.kind)).all()
    for kind, count in rows:
        text = f"{count} wait for more than an hour ({kind})"
        yield Finding("erasures", "look", text, "see that `work` runs and that the store and the mirror answer")
    if not rows:
        yield Finding("erasures", "good", "nothing that was deleted waits to be erased")
