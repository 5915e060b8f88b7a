"""What every role's process does: logging, the core, signals, a heartbeat, and a clean end."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import FrameType

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import logs
from radrelay.app.core import Core, open_core
from radrelay.errors import RadrelayError
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.models import NodeState
from radrelay.storage.node import node_id

log = structlog.get_logger(__name__)

BEAT_S = 5.0
PARENT = "RADRELAY_SERVED_BY"  # process id of the `radrelay serve` that started this role
ALIVE = timedelta(seconds=20)


class Beat(msgspec.Struct, frozen=True):
    """One role's sign of life, kept in `node_state` under `role/<name>/<node>`."""

    name: str
    node: str
    pid: int
    at: datetime
    data: str = ""  # the data directory's `node_id`


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
    beating = threading.Thread(target=_beat, args=(core, name, stop), name="heartbeat", daemon=True)
    beating.start()
    log.info("role started", pid=os.getpid())
    try:
        body(core, stop)
    finally:
        stop.set()
        beating.join(BEAT_S)
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


def beats(database: Database) -> list[Beat]:
    """Return the latest sign of life of each role."""
    with database.read() as session:
        return beats_in(session)


def beats_in(session: Session) -> list[Beat]:
    """Return the same within a transaction."""
    rows = session.scalars(sa.select(NodeState.value).where(NodeState.name.startswith("role/"))).all()
    return [msgspec.msgpack.decode(value, type=Beat) for value in rows]


def _beat(core: Core, name: str, stop: threading.Event) -> None:
    node, data = socket.gethostname(), node_id(core.settings.data_dir)
    parent = os.environ.get(PARENT)
    key = f"role/{name}/{node}"[:64]
    while not stop.is_set():
        if parent is not None and str(os.getppid()) != parent:
            log.error("`radrelay serve` was killed; this role ends, so that the next one finds its ports free")
            stop.set()
            return
        value = msgspec.msgpack.encode(Beat(name, node, os.getpid(), core.clock.now(), data))
        try:
            with core.database.write() as session:
                session.merge(NodeState(name=key, value=value))
        except (RadrelayError, sa.exc.SQLAlchemyError) as error:  # two roles of one name may write at once
            log.warning("no sign of life could be written", error=type(error).__name__)
        stop.wait(BEAT_S)
