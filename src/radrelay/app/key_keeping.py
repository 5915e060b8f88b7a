"""Keeping house in the key store: no key stays there that nothing accounts for, none under an old image key.

After a restore the rows are older than the key store: it holds keys of packs and copies that these rows never heard of.
They are taken under the rule of kept keys, so that they go with their study and at the latest after a while.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import structlog

from radrelay.app.core import Core
from radrelay.archive.kept_keys import adopt, unnamed
from radrelay.archive.locking import lock_archive

log = structlog.get_logger(__name__)

ROWS = uuid.UUID(int=0)
"""Stands for the study of a key that a backup's rows are under; these belong to no study and are left alone."""
COPIES = uuid.UUID(int=1)
"""Stands for the study of a key that backups' copies of a landing record are under."""
UNKNOWN_STUDY = timedelta(days=7)
"""How long keys of studies that no row knows are kept: time to notice that a wrong backup was put in place."""
BATCH = 500


def finish_rotation(core: Core) -> list[int]:
    """Wrap all that is under older versions of the image key anew and destroy these; returns the destroyed ones.

    Safe to repeat: what a crash (or a mirror that was away) left of a rotation is done by the next call. Where nodes
    share the keyring, each wraps its own segments, and none destroys a version: one that is away may still need it.
    """
    if len(core.keyring.versions()) == 1:
        return []
    if core.keys.key_versions() - {core.keyring.image_version}:
        core.keys.rewrap()
    core.segments.rewrap()
    if core.keyring.is_shared:
        return []
    gone = core.keyring.retire(lambda: core.keys.key_versions() | core.segments.key_versions())
    if gone:
        log.info("older versions of the image key are destroyed", versions=gone)
    return gone


def adopt_keys(core: Core) -> int:
    """Take keys that no row names under the rule for kept ones; returns how many. Call it now and then."""
    adopted = 0
    now = core.clock.now()
    for page in _pages(core):
        with core.database.read() as session:
            found = unnamed(session, list(page))
        if not found:
            continue
        with core.database.write() as session:
            lock_archive(session)  # a pack may have been adopted or rewritten since
            adopted += adopt(
                session,
                {key_id: page[key_id] for key_id in found},
                until=now + core.settings.keys.keep_replaced,
                unknown_until=now + UNKNOWN_STUDY,
            )
    if adopted:
        log.warning("keys that no row names are kept for a while, then destroyed", keys=adopted)
    return adopted


def unnamed_keys(core: Core) -> int:
    """Return how many keys no row accounts for."""
    count = 0
    for page in _pages(core):
        with core.database.read() as session:
            count += len(unnamed(session, list(page)))
    return count


def _pages(core: Core) -> Iterator[dict[uuid.UUID, uuid.UUID]]:
    keys = ((key_id, study_id) for key_id, study_id in core.keys.every() if study_id != ROWS)
    while page := dict(islice(keys, BATCH)):
        yield page
