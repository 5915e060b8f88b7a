"""What has landed and is not in the index yet: taken in or waited for, so that a backup has it, too.

While roles run, one of them takes it in within a second. Where none runs (objects came by `radrelay import`, or the
machine went down under load), it lies in the landing until one does.
"""

from __future__ import annotations

import threading
import time

from radrelay.app.core import Core
from radrelay.app.pseudonyms import diversion
from radrelay.errors import Unavailable
from radrelay.intake.indexer import Indexer, indexer_lock
from radrelay.intake.upkeep import recover_dead_owners

WAIT_S = 30.0


def take_in_landed(core: Core, wait_s: float = WAIT_S) -> int:
    """Have all in the index that has landed on this machine; returns how many records could not be waited for.

    Where nobody else indexes this data directory it is done here, on an embedded database; several machines share a
    database only as long as each knows who serves what, so there a role has to do it.
    """
    indexer = Indexer(core.database, core.segments, core.settings, core.clock, diversion(core))
    at_once = threading.Event()
    at_once.set()
    with indexer_lock(core.settings.data_dir / "landing" / "indexer.lock", at_once) as held:
        if held and core.settings.database.url is None:
            recover_dead_owners(core.segments)
            try:
                while indexer.run_once():
                    pass
            except Unavailable:  # the virus scanner is away: what is left is counted
                return indexer.backlog()
            return indexer.backlog()
    until = time.monotonic() + wait_s
    while (left := indexer.backlog()) and time.monotonic() < until:
        time.sleep(0.2)
    return left
