"""`radrelay serve`: starts the roles as processes of their own, starts again what dies, stops all together.

Each is a copy of this process, which has imported all that they need and opened nothing (`forking`).

A role that dies comes back after a pause that grows from half a second to half a minute and shrinks again
once it has run for a minute. Signals are passed on; a role that does not end within its grace is killed.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType

import structlog
from setproctitle import setproctitle

from radrelay.app.forking import HANDLED, Copy

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.5
LAST_PAUSE_S = 30.0
SETTLED_S = 60.0
GRACE_S = 15.0


@dataclass
class Role:
    """One process that is to run."""

    name: str
    run: Callable[[], int]
    process: Copy | None = None
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    due_at: float = field(default=0.0)


class Supervisor:
    """Keeps roles running until told to stop."""

    def __init__(self, roles: Mapping[str, Callable[[], int]]) -> None:
        self._roles = [Role(name, run) for name, run in roles.items()]
        self._stop = threading.Event()

    def run(self, on_ready: Callable[[], bool] | None = None) -> int:
        """Run until SIGINT or SIGTERM. `on_ready` is called about five times a second until it returns true."""
        for number in HANDLED:
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
                self._start(role, now)

    def _start(self, role: Role, now: float) -> None:
        try:
            role.process = Copy(lambda: _titled(role))
        except OSError as error:  # no memory, too many processes: that ended this role, and must not end the others
            self._put_off(role, now)
            log.error("a role cannot be started, trying again", role_name=role.name, error=str(error))
        else:
            role.started_at = now

    def _note_end(self, role: Role, code: int, now: float) -> None:
        role.process = None
        self._put_off(role, now)
        log.error("role ended, starting it again", role_name=role.name, exit_code=code, pause_s=role.pause_s)

    def _put_off(self, role: Role, now: float) -> None:
        role.pause_s = FIRST_PAUSE_S if now - role.started_at > SETTLED_S else min(role.pause_s * 2, LAST_PAUSE_S)
        role.due_at = now + role.pause_s

    def _end(self) -> None:
        running = [role.process for role in self._roles if role.process is not None]
        for process in running:
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(process.poll() is None for process in running):
            time.sleep(0.02)
        for process in running:
            process.signal(signal.SIGKILL)
        while any(process.poll() is None for process in running):
            time.sleep(0.02)


def _titled(role: Role) -> int:
    setproctitle(f"radrelay {role.name}")
    return role.run()
