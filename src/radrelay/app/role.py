"""What every role's process does: logging, the core, signals, a heartbeat, and a clean end."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

import msgspec
import sqlalchemy as sa
import structlog

from radrelay import logs
from radrelay.app import decoding
from radrelay.app.beats import PARENT, Beat
from radrelay.app.core import Core, exclusive, open_core
from radrelay.app.duties import stand_in
from radrelay.app.prepare import claim
from radrelay.app.threads import kept_up
from radrelay.errors import RadrelayError
from radrelay.settings import Settings
from radrelay.storage.models import NodeState
from radrelay.storage.nodes import Lease, beat

log = structlog.get_logger(__name__)

BEAT_S = 5.0
COLLECTED_AFTER = 700  # new objects, as Python has it


def run_role(name: str, settings: Settings, body: Callable[[Core, threading.Event], None]) -> int:
    """Run `body` with an open core until a signal sets its event; returns the exit code."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log, name, settings.log_dir)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    core = open_core(settings)
    if name != "listen":  # which installs them when it is first asked for an object
        decoding.install(settings)
    with exclusive(settings.data_dir / "setup.lock"):
        lease = claim(core)
    beating = threading.Thread(target=_beat, args=(core, name, lease, stop), name="heartbeat", daemon=True)
    beating.start()
    threads = [beating]
    if name != "work" and PARENT not in os.environ:  # `radrelay serve` starts `work` beside it
        threads.append(kept_up("stand-in", stop, lambda ending: stand_in(core, lease, ending)))
        threads[-1].start()
    gc.set_threshold(COLLECTED_AFTER)  # which starting has put up (`radrelay.cli`)
    log.info("role started", pid=os.getpid())
    try:
        body(core, stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join(BEAT_S)
        decoding.close()
        core.close()
        log.info("role ended")
    return 0


def settle() -> None:
    """Take what has been loaded out of the garbage collector's sight, once a role is ready to serve.

    A full collection looks at every object that the libraries made, some 170,000, and stops all threads for a tenth of
    a second: one answer in twenty took that long.
    """
    gc.collect()
    gc.freeze()


def _beat(core: Core, name: str, lease: Lease, stop: threading.Event) -> None:
    node = core.settings.node.name or socket.gethostname()
    parent = os.environ.get(PARENT)
    key = f"role/{name}/{core.node}"
    while not stop.is_set():
        if parent is not None and str(os.getppid()) != parent:
            log.error("`radrelay serve` was killed; this role ends, so that the next one finds its ports free")
            stop.set()
            return
        value = msgspec.msgpack.encode(Beat(name, node, os.getpid(), core.clock.now(), core.node))
        try:
            with core.database.write() as session:
                session.merge(NodeState(name=key, value=value))
            if not beat(core.database, core.clock, lease):
                log.critical("another machine has taken this data directory over; this role ends", node=core.node)
                stop.set()
                return
        except (RadrelayError, sa.exc.SQLAlchemyError) as error:  # two roles of one name may write at once
            log.warning("no sign of life could be written", error=type(error).__name__)
        stop.wait(BEAT_S)
