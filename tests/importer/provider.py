"""The provider that can be told to fail, on loopback, and what fetches from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.dlx import DlxConnector, DlxErrand
from radrelay.importer.dlx.library import Library
from radrelay.importer.dlx.provider import Key, Provider
from radrelay.importer.dlx.serving import ProviderServer
from radrelay.importer.line import Limits
from tests.importer.portal import PATIENT, outgoing

TOKEN, BORN = "ABC-S1Z-98A", "19700101"
RIGHT = {"1": "1970-01-01"}


@dataclass
class Serving:
    """One running provider, whose faults each test sets."""

    server: ProviderServer
    library: Library

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def become(self, *faults: str, keys: tuple[Key, ...] = (Key(TOKEN, {"PAT_BIRTH_DATE": BORN}),)) -> None:
        self.server.provider = Provider(self.library, keys, frozenset(faults), self.base)


@contextmanager
def serving(library: Library, certificate: Path | None = None) -> Iterator[Serving]:
    server = ProviderServer(Provider(library, ()), ("127.0.0.1", 0), certificate)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Serving(server, library)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Waits:
    """Waits for nothing, and moves the clock instead."""

    def __init__(self) -> None:
        self.now, self.waited = 0.0, list[float]()

    def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def connector(waits: Waits, attempts: AttemptsInMemory | None = None, limits: Limits = PATIENT) -> DlxConnector:
    way = outgoing(limits=limits, allows=lambda host: host.startswith("127.0.0.1"))
    return DlxConnector(way, attempts or AttemptsInMemory(), pause=waits.pause, clock=waits.clock)


def errand(text: str, waits: Waits, limits: Limits = PATIENT) -> DlxErrand:
    made = connector(waits, limits=limits)
    lead = made.recognise(text)
    assert lead is not None
    return made.open(lead)
