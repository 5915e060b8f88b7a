"""What PostgreSQL sees otherwise than SQLite."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Grantee, Right, Target, follow_to_patient, grant
from radrelay.access.models import Grant
from radrelay.archive.models import Study
from radrelay.settings import DatabaseSettings
from radrelay.storage.bells import NotifyBell
from radrelay.storage.database import Database
from radrelay.storage.models import NodeState
from radrelay.storage.outbox import emit, mark_taken, open_events
from tests.access.test_scope import HEAD, ORGANISATION, insert
from tests.backends import BACKENDS
from tests.postgres import drop_database, new_database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    url = new_database(postgres_url, BACKENDS.template())
    opened = Database.open(DatabaseSettings.model_validate({"url": url}), Path(), b"")
    yield opened
    opened.close()
    drop_database(url)


@pytest.mark.parametrize("text", ["", "a\0b", "\0", "Müller\0^Jörg", "漢字", "\N{GRINNING FACE}", "a\\0b", "%s"])
def test_any_text_is_kept_and_found_again(database: Database, text: str) -> None:
    with database.write() as session:
        session.add_all([NodeState(name=text, value=b"kept"), NodeState(name="another", value=b"")])
    with database.read() as session:
        found = session.get(NodeState, text)
        assert found is not None
        assert found.value == b"kept"
        assert found.name == text.replace("\0", "␀")


RING = """
import sys, uuid
from datetime import UTC, datetime
from pathlib import Path
from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from radrelay.storage.outbox import emit
database = Database.open(DatabaseSettings.model_validate({"url": sys.argv[1]}), Path(), b"")
with database.write() as session:
    emit(session, organisation_id=uuid.uuid4(), kind="plain", subject_id=uuid.uuid4(), at=datetime.now(UTC))
database.close()
"""


def test_an_event_of_another_process_is_heard_of_at_once(database: Database) -> None:
    bell = database.bell
    assert isinstance(bell, NotifyBell)
    rings: queue.Queue[bool] = queue.Queue()
    stop = threading.Event()
    listener = threading.Thread(target=bell.listen, args=(stop, lambda: rings.put(True)))
    listener.start()
    try:
        rings.get(timeout=10)  # it listens, and rings for what came before
        with database.write() as session:
            session.execute(sa.text("SELECT 1"))
        assert rings.empty(), "nothing was written"
        url = database.engine.url.render_as_string(hide_password=False)
        subprocess.run([sys.executable, "-c", RING, url], check=True)
        assert rings.get(timeout=10)
    finally:
        stop.set()
        listener.join(10)
    assert not listener.is_alive()


def test_two_that_hand_over_at_once_take_different_events(database: Database) -> None:
    def take(session: Session) -> set[uuid.UUID]:
        found = open_events(session, ["plain"], limit=3, lock=True)
        mark_taken(session, [one.id for one in found], NOW)
        return {one.id for one in found}

    with database.write() as session:
        made = {
            emit(session, organisation_id=uuid.uuid4(), kind="plain", subject_id=uuid.uuid4(), at=NOW) for _ in range(5)
        }
    with database.write() as first, database.write() as second:
        second.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
        mine, others = take(first), take(second)
    assert (len(mine), len(others), mine | others) == (3, 2, made)
    with database.write() as session:
        assert take(session) == set()


def test_a_grant_follows_a_study_that_is_given_another_patient_meanwhile(database: Database) -> None:
    with database.write() as session:
        insert(session, Study, id=HEAD, patient_id=uuid.UUID(int=5))
    corrected = threading.Event()

    def correct() -> None:
        with database.write() as session:
            session.execute(sa.update(Study).where(Study.id == HEAD).values(patient_id=uuid.UUID(int=6)))
            follow_to_patient(session, HEAD, uuid.UUID(int=6))
        corrected.set()

    other = threading.Thread(target=correct)
    with database.write() as session:
        grant(session, ORGANISATION, Grantee("account", "anna"), Target("study", HEAD), [Right.SEE], now=NOW)
        other.start()
        assert not corrected.wait(0.2), "it waits for who reads whose the study is"
    other.join(10)
    with database.read() as session:
        assert session.scalars(sa.select(Grant.patient_id).where(Grant.target_id == HEAD)).all() == [uuid.UUID(int=6)]
