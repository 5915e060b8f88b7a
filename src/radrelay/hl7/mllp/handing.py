"""The thread between connections and sink: gathers what has come while the sink was at work, and hands it over."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from radrelay.hl7.mllp.connection import Connection
from radrelay.hl7.mllp.framing import Frame
from radrelay.hl7.mllp.ports import MessageSink, Received

log = structlog.get_logger(__name__)

MOST_MESSAGES = 500
MOST_BYTES = 8 << 20

Answered = tuple[Connection, Sequence[bytes] | None]
"""A connection and what it is answered; None: it is to be closed without an answer."""


class Handing:
    """Hands frames to the sink in groups, in the order of each connection."""

    def __init__(self, sink: MessageSink, answered: Callable[[list[Answered]], None]) -> None:
        self._sink = sink
        self._answered = answered
        self._waiting: deque[tuple[Connection, Frame]] = deque()
        self._some = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="hl7-keeping", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, connection: Connection, frame: Frame) -> None:
        """Take a frame."""
        with self._some:
            self._waiting.append((connection, frame))
            self._some.notify()

    def stop(self) -> None:
        """Hand over what has come, and end."""
        with self._some:
            self._stopping = True
            self._some.notify()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def _run(self) -> None:
        while group := self._next():
            received = [
                Received(one.port.name, one.peer, frame.content, frame.ended, frame.too_large) for one, frame in group
            ]
            answers = self._taken(received)
            self._answered([(one, answer) for (one, _), answer in zip(group, answers, strict=True)])
            group.clear()
            received.clear()

    def _next(self) -> list[tuple[Connection, Frame]]:
        with self._some:
            while not self._waiting and not self._stopping:
                self._some.wait()
            group: list[tuple[Connection, Frame]] = []
            size = 0
            while self._waiting and len(group) < MOST_MESSAGES and size < MOST_BYTES:
                group.append(self._waiting.popleft())
                size += len(group[-1][1].content)
            return group

    def _taken(self, received: list[Received]) -> list[Sequence[bytes] | None]:
        """Return the sink's answers; where it fails over a group, each message is handed over by itself."""
        try:
            answers = list(self._sink.take(received))
            if len(answers) != len(received):
                raise AssertionError("the sink answers each message once")
            return list(answers)
        except Exception:  # why: whatever is wrong with one message must not keep the others from being kept
            log.exception("HL7 messages could not be kept", messages=len(received))
            if len(received) == 1:
                return [None]
        return [answer for one in received for answer in self._taken([one])]
