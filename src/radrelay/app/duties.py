"""What each node does for its own disk: index what has landed, erase it, free it, show it to others, mirror the keys.

One process per node does this, the one that holds the lock in the landing directory: `work`, or where the node has
none, `listen` or `web`. So nothing but reading crosses between machines, and what a node holds follows its disk.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from radrelay.app.beats import ALIVE, beats
from radrelay.app.core import Core
from radrelay.app.threads import kept_up, loop
from radrelay.archive.erasing import Eraser
from radrelay.errors import RadrelayError
from radrelay.intake.indexer import Indexer, indexer_lock
from radrelay.intake.upkeep import LandingUpkeep
from radrelay.storage.landing_endpoint import LandingEndpoint
from radrelay.storage.node_tls import server_context
from radrelay.storage.nodes import Lease, tell_address

if TYPE_CHECKING:
    from radrelay.archive.second_copies import SecondCopies

ERASE_S = 2.0
MIRROR_S = 30.0  # what another node destroyed is to be gone from this one's mirror within a minute
LOOK_S = 5.0
ENDPOINT_AGAIN_S = 15.0
STANDBY_S = 15.0  # a node's `work` is given so long to start before another role stands in
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class NodeDuties:
    """The parts that look after one node's landing directory."""

    core: Core
    lease: Lease
    indexer: Indexer
    upkeep: LandingUpkeep
    eraser: Eraser
    second_copies: SecondCopies

    @classmethod
    def of(cls, core: Core, lease: Lease) -> NodeDuties:
        """Put the parts together; what reads pixel data is loaded only here: `listen` has no memory for it."""
        from radrelay.app.pseudonyms import diversion  # noqa: PLC0415
        from radrelay.archive.reader import InstanceReader  # noqa: PLC0415
        from radrelay.archive.second_copies import SecondCopies  # noqa: PLC0415

        indexer = Indexer(core.database, core.segments, core.settings, core.clock, diversion(core), lease)
        eraser = Eraser(core.database, core.clock, core.keys, core.segments, core.packs)
        reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
        keep_keys = core.settings.keys.keep_replaced
        copies = SecondCopies(core.database, core.clock, core.segments, reader, keep_keys)
        return cls(core, lease, indexer, LandingUpkeep(core.database, core.segments), eraser, copies)

    def run(self, stop: threading.Event) -> None:
        """Do them until `stop` is set; waits for the lock first, in case another process does."""
        with indexer_lock(self.core.settings.landing_dir / "node.lock", stop) as held:
            if not held:
                return
            threads = [
                kept_up("indexer", stop, self.indexer.run),
                kept_up("upkeep", stop, self.upkeep.run),
                loop("second copies", ERASE_S, stop, self.second_copies.settle),
                loop("erase", ERASE_S, stop, self.eraser.erase_records),
                loop("key mirror", MIRROR_S, stop, self.core.keys.agree_with_mirror),
            ]
            if self.core.database.dialect == "postgresql":
                threads.append(kept_up("landing endpoint", stop, self._show))
            for thread in threads:
                thread.start()
            stop.wait()
            for thread in threads:
                thread.join(10)

    def _show(self, stop: threading.Event) -> None:
        settings = self.core.settings
        context = server_context(self.core.keyring, self.core.node, settings.keys_dir)
        host, port = settings.node.host, settings.node.port
        try:
            endpoint = LandingEndpoint(settings.landing_dir, self.lease, context, host, port)
        except OSError as error:
            log.error("node.host and node.port cannot be listened at: other machines cannot read what has landed here",
                      host=host, port=port, error=error.strerror)  # fmt: skip
            stop.wait(ENDPOINT_AGAIN_S)
            return
        try:
            address = settings.node.reached_at(endpoint.port)
            tell_address(self.core.database, self.lease, address)
            log.info("other nodes may read what has landed here", address=address)
            stop.wait()
        finally:
            endpoint.close()


def stand_in(core: Core, lease: Lease, stop: threading.Event) -> None:
    """Do a node's duties while it has no `work`; for the other roles, where `radrelay serve` does not start all."""
    stop.wait(STANDBY_S)
    while not stop.is_set():
        if not _has_work(core):
            log.info("this node has no role `work`: this one looks after what has landed")
            _until_work_is_there(core, lease, stop)
        stop.wait(LOOK_S)


def _until_work_is_there(core: Core, lease: Lease, stop: threading.Event) -> None:
    enough = threading.Event()
    worker = threading.Thread(target=NodeDuties.of(core, lease).run, args=(enough,), name="duties")
    worker.start()
    try:
        while not stop.wait(LOOK_S) and not _has_work(core):
            pass
    finally:
        enough.set()
        worker.join()


def _has_work(core: Core) -> bool:
    """Say whether this node's `work` lives; if nobody can say, it is left alone."""
    try:
        now = core.clock.now()
        return any(b.name == "work" and b.data == core.node and now - b.at < ALIVE for b in beats(core.database))
    except RadrelayError:
        return True
