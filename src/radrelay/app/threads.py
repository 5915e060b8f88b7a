"""Threads of a role that go on until it is told to stop, whatever happens in them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from radrelay.errors import Unavailable

AGAIN_S = 5.0
log = structlog.get_logger(__name__)


def kept_up(name: str, stop: threading.Event, body: Callable[[threading.Event], object]) -> threading.Thread:
    """Return a thread that runs `body` until `stop` is set; one that breaks off is begun again."""

    def run() -> None:
        while not stop.is_set():
            try:
                body(stop)
            except Exception:  # why: without it objects would land and never be shown, or the disk fill up, in silence
                log.exception("work broke off; it is begun again", thread=name)
                stop.wait(AGAIN_S)

    return threading.Thread(target=run, name=name)


def loop(
    name: str,
    every_s: float,
    stop: threading.Event,
    body: Callable[[], object],
    first_s: float | None = None,
    *,
    wait: Callable[[float], object] | None = None,
) -> threading.Thread:
    """Return a thread that calls `body` again and again, first after `first_s`; an error is logged and tried again.

    `wait` may return before the time is over, when there is something to do.
    """

    def run() -> None:
        pause_s = every_s if first_s is None else first_s
        while not stop.wait(pause_s):
            try:
                body()
                pause_s = every_s
                if wait is not None:
                    wait(every_s)
                    pause_s = 0.0
            except Unavailable as error:
                log.warning("work waits", loop=name, reason=error.code)
                pause_s = min(max(1.0, pause_s * 2), 30.0)
            except Exception:  # why: a loop that ended would stop expiry or deliveries in silence
                log.exception("work failed; it is tried again", loop=name)
                pause_s = min(max(1.0, pause_s * 2), 60.0)

    return threading.Thread(target=run, name=name)
