"""What is said to a browser and what it says: the Chrome DevTools Protocol over a pipe, JSON ended by a zero byte.

Calls are answered in any order; events go to whoever listens for them. Nothing that is said here is logged: it holds
what opens a portal.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from radrelay.importer.errors import BrowserEnded, PageHangs

MOST_MESSAGE = 64 << 20
PIECE = 1 << 16
Told = dict[str, Any]
Listener = Callable[[Told], None]


class Refused(Exception):
    """The browser says that this cannot be done."""


class Pipe:
    """A browser's two pipes. Thread-safe."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._state, self._sending = threading.Condition(), threading.Lock()
        self._answers: dict[int, Told] = {}
        self._awaited: set[int] = set()
        self._listeners: dict[str, Listener] = {}
        self._last, self._over = 0, False
        self._thread = threading.Thread(target=self._read, name="browser pipe", daemon=True)
        self._thread.start()

    def listen(self, event: str, listener: Listener) -> None:
        """Have an event go to a listener, which must not wait."""
        self._listeners[event] = listener

    def say(self, method: str, session: str = "", **parameters: object) -> int:
        """Say something and wait for no answer; returns its number. Raises `BrowserEnded`."""
        return self._say(method, session, parameters, awaited=False)

    def call(self, method: str, within_s: float, session: str = "", **parameters: object) -> Told:
        """Return the answer to a call; raises `Refused`, `PageHangs` when it does not come in time, `BrowserEnded`."""
        number = self._say(method, session, parameters, awaited=True)
        until = time.monotonic() + within_s
        with self._state:
            while number not in self._answers:
                left = until - time.monotonic()
                if self._over:
                    raise BrowserEnded
                if left <= 0:
                    self._awaited.discard(number)
                    raise PageHangs
                self._state.wait(left)
            told = self._answers.pop(number)
        if "error" in told:
            raise Refused(str(told["error"].get("message", ""))[:200])
        answer: Told = told.get("result", {})
        return answer

    def close(self) -> None:
        """Hang up; the browser ends by that."""
        with self._state:
            self._over = True
            self._state.notify_all()
        with self._sending, suppress(OSError):
            os.close(self._writing)
            self._writing = -1

    def _say(self, method: str, session: str, parameters: Mapping[str, object], *, awaited: bool) -> int:
        with self._sending:
            self._last += 1
            number = self._last
            if awaited:
                with self._state:
                    self._awaited.add(number)
            said = {"id": number, "method": method, "params": dict(parameters)}
            raw = json.dumps(said | ({"sessionId": session} if session else {})).encode() + b"\0"
            try:
                while raw:
                    raw = raw[os.write(self._writing, raw) :]
            except OSError:
                raise BrowserEnded from None
        return number

    def _read(self) -> None:
        rest = bytearray()
        with suppress(OSError, ValueError):
            while piece := os.read(self._reading, PIECE):
                rest += piece
                if len(rest) > MOST_MESSAGE:
                    break
                *whole, rest = rest.split(b"\0")
                for one in whole:
                    self._take(json.loads(one))
        os.close(self._reading)
        with self._state:
            self._over = True
            self._state.notify_all()

    def _take(self, told: Told) -> None:
        if "id" not in told:
            listener = self._listeners.get(str(told.get("method")))
            if listener is not None:
                with suppress(BrowserEnded):
                    listener(told)
            return
        with self._state:
            if told["id"] in self._awaited:
                self._awaited.discard(told["id"])
                self._answers[told["id"]] = told
                self._state.notify_all()
