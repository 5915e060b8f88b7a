"""`radrelay serve`: starts the roles as processes of their own, starts again what dies, stops all together.

A role that dies comes back after a pause that grows from half a second to half a minute and shrinks again
once it has run for a minute. Signals are passed on; a role that does not end within its grace is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

import structlog

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.5
LAST_PAUSE_S = 30.0
SETTLED_S = 60.0
GRACE_S = 15.0


@dataclass
class Role:
    """One process that is to run."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    due_at: float = field(default=0.0)


class Supervisor:
    """Keeps roles running until told to stop."""

    def __init__(self, roles: Sequence[str], environment: Mapping[str, str]) -> None:
        self._roles = [Role(name, [sys.executable, "-m", "radrelay", name]) for name in roles]
        self._environment = {**os.environ, **environment}
        self._stop = threading.Event()

    def run(self, on_ready: Callable[[], bool] | None = None) -> int:
        """Run until SIGINT or SIGTERM. `on_ready` is called about five times a second until it returns true."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            while not self._stop.is_set():
                self._tend()
                if on_ready is not None and on_ready():
                    on_ready = None
                self._stop.wait(0.2)
        finally:
            self._end()
        return 0

    def processes(self) -> dict[str, int]:
        """Return the process ids of the roles that run."""
        return {r.name: r.process.pid for r in self._roles if r.process is not None and r.process.poll() is None}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop.set()

    def _tend(self) -> None:
        now = time.monotonic()
        for role in self._roles:
            if role.process is not None:
                code = role.process.poll()
                if code is None:
                    continue
                self._note_end(role, code, now)
            if now >= role.due_at:
                role.process = subprocess.Popen(role.command, env=self._environment, start_new_session=True)  # noqa: S603 -- own interpreter and module
                role.started_at = now

    def _note_end(self, role: Role, code: int, now: float) -> None:
        role.process = None
        role.pause_s = FIRST_PAUSE_S if now - role.started_at > SETTLED_S else min(role.pause_s * 2, LAST_PAUSE_S)
        role.due_at = now + role.pause_s
        log.error("role ended, starting it again", role_name=role.name, exit_code=code, pause_s=role.pause_s)

    def _end(self) -> None:
        running = [role.process for role in self._roles if role.process is not None]
        for process in running:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + GRACE_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
