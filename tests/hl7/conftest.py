"""A database that HL7 messages are kept in, and ports that they come by."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

import radrelay.app.rows
from radrelay.clock import FixedClock
from radrelay.hl7 import Inbox, Keeping, Limits, MllpListener, Port, Seal, shipped
from radrelay.hl7.mllp import MessageSink
from radrelay.hl7.models import Hl7Message
from radrelay.storage.database import Database
from tests.backends import open_database
from tests.schema import lay

assert radrelay.app.rows.ROOMS  # which names every table

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSPITAL = uuid.UUID(int=7)
INBOX = Inbox(HOSPITAL, shipped())


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(tmp_path)
    lay(made)
    yield made
    made.close()


@pytest.fixture
def seal() -> Seal:
    return Seal(bytes(32))


@pytest.fixture
def keeping(database: Database, clock: FixedClock, seal: Seal) -> Keeping:
    return Keeping(database, clock, seal, {"KIS": INBOX})


Listening = Callable[..., MllpListener]


@pytest.fixture
def listening() -> Iterator[Listening]:
    with ExitStack() as open_ones:

        def start(sink: MessageSink, limits: Limits | None = None, port: Port | None = None) -> MllpListener:
            listener = MllpListener([port or Port("KIS", "127.0.0.1", 0)], sink, limits)
            listener.start()
            open_ones.callback(listener.stop, 2.0)
            return listener

        yield start


def rows(database: Database) -> list[Hl7Message]:
    """Return the messages that are kept, in their order."""
    with database.read() as session:
        found = list(session.scalars(sa.select(Hl7Message).order_by(Hl7Message.id)))
        session.expunge_all()
        return found
