"""Says at once, from one process to another, that durable work waits; who hears nothing finds it a little later.

A bell is rung by the transaction that writes an event (`outbox`). The embedded database's is a named pipe in the data
directory; PostgreSQL's is NOTIFY, which comes with the commit and reaches every machine.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, cast

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

log = structlog.get_logger(__name__)

CHANNEL = "radrelay_work"
LOOK_S = 0.5  # how often one that listens looks whether it is to stop
RINGS = "rings"
"""Of a session's `info`: its transaction wrote what another process waits for."""


class Bell(Protocol):
    """Rung by those that write events, heard by those that work on them."""

    def before_commit(self, session: Session) -> None:
        """Ring within a transaction."""
        ...

    def committed(self) -> None:
        """Ring after a transaction."""
        ...

    def listen(self, stop: threading.Event, rung: Callable[[], object]) -> None:
        """Call `rung` whenever it was rung, until `stop` is set."""
        ...


class PipeBell:
    """A named pipe. Without a reader, or full, nothing is lost: one ring is as good as many."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def before_commit(self, session: Session) -> None:
        """Do nothing: the writer's place is still taken."""

    def committed(self) -> None:
        """Write a byte, if somebody reads."""
        try:
            pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # why: nobody listens; whoever comes looks first
            return
        try:
            os.write(pipe, b"!")
        except OSError:  # why: full, or who listened has gone: what is written is committed, and is found without it
            pass
        finally:
            os.close(pipe)

    def listen(self, stop: threading.Event, rung: Callable[[], object]) -> None:
        """Make the pipe at need and read it; where a file system has none, wait for `stop`."""
        try:
            if not self._path.is_fifo():
                self._path.unlink(missing_ok=True)
                os.mkfifo(self._path, 0o600)
            pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # with a writer it has no end
        except OSError as error:
            log.warning("no named pipe in the data directory: durable work begins when it is looked for",
                        error=error.strerror)  # fmt: skip
            stop.wait()
            return
        try:
            while not stop.is_set():
                if select.select([pipe], [], [], LOOK_S)[0]:
                    with suppress(BlockingIOError):  # another that listens took it: it is ours all the same
                        os.read(pipe, 65536)
                    rung()
        finally:
            os.close(pipe)


class NotifyBell:
    """PostgreSQL's NOTIFY and LISTEN."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def before_commit(self, session: Session) -> None:
        """Send it with the commit."""
        session.execute(sa.text(f"NOTIFY {CHANNEL}"))

    def committed(self) -> None:
        """Do nothing: it has gone with the commit."""

    def listen(self, stop: threading.Event, rung: Callable[[], object]) -> None:
        """Listen on a connection of its own; raises what the driver raises when that breaks."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            driver = cast("Any", connection.connection.driver_connection)
            rung()  # for what came while nobody listened
            while not stop.is_set():
                for _ in driver.notifies(timeout=LOOK_S, stop_after=1):
                    rung()
            connection.exec_driver_sql("UNLISTEN *")
