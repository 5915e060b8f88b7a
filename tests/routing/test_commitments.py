"""Commitment requests as rows: whose they are, when they are due, when they are given up."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from radrelay.routing import commitments
from radrelay.routing.commitments import LEASE, Requested, TooManyCommitments
from radrelay.settings import DatabaseSettings, WorkSettings
from radrelay.storage.database import Database
from tests.schema import lay

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE, BEFORE = "node/listen", "node/listen-2"
ORGANISATION = uuid.UUID(int=7)
ASKED = Requested("CT1", "RADRELAY", "10.0.0.1", "a" * 32, "1.2.99", (("1.2", "1.2.3"), ("1.2", "1.2.4")))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(DatabaseSettings(), tmp_path, b"k" * 32)
    lay(opened)
    yield opened
    opened.close()


def remembered(database: Database, asked: Requested = ASKED, owner: str = HERE) -> uuid.UUID:
    with database.write() as session:
        return commitments.remember(session, ORGANISATION, asked, owner, NOW)


def claimed(database: Database, at: datetime, owner: str = HERE) -> list[tuple[uuid.UUID, Requested]]:
    with database.write() as session:
        assert commitments.is_any_due(session, at) in (True, False)
        return commitments.claim_due(session, owner, at, 10)


def test_request_belongs_to_its_association_until_that_is_over(database: Database) -> None:
    key = remembered(database)
    assert claimed(database, NOW + timedelta(seconds=30)) == []
    with database.write() as session:
        commitments.due_now(session, key, NOW)
    assert claimed(database, NOW) == [(key, replace(ASKED, attempts=1))]
    assert claimed(database, NOW) == []
    assert claimed(database, NOW + LEASE) == [(key, replace(ASKED, attempts=2))]


def test_request_of_a_process_that_is_gone_is_due_when_its_follower_starts(database: Database) -> None:
    key = remembered(database, owner=BEFORE)
    remembered(database, replace(ASKED, transaction_uid="1.2.9"), owner=HERE)
    assert claimed(database, NOW) == []
    with database.write() as session:
        commitments.release(session, BEFORE, NOW)
    assert claimed(database, NOW) == [(key, replace(ASKED, attempts=1))]


def test_reported_request_is_forgotten_and_asking_again_replaces_it(database: Database) -> None:
    remembered(database)
    key = remembered(database)
    with database.write() as session:
        assert [row.id for row in commitments.open_requests(session)] == [key]
        commitments.reported(session, key)
        assert commitments.open_requests(session) == []


def test_pauses_grow_until_it_is_given_up(database: Database) -> None:
    settings = WorkSettings.model_validate({"retry_first_s": 10, "retry_cap_s": 30, "retry_for_s": 3600})
    key = remembered(database, owner=BEFORE)
    at, pauses = NOW + LEASE, []
    for _ in range(4):
        assert claimed(database, at)
        with database.write() as session:
            assert commitments.postpone(session, key, "no answer", settings, at)
            (row,) = commitments.open_requests(session)
            pauses.append((row.next_attempt_at - at).total_seconds())
            at = row.next_attempt_at
    assert pauses == [10, 20, 30, 30]
    with database.write() as session:
        assert not commitments.postpone(session, key, "no answer", settings, NOW + timedelta(hours=2))
    assert claimed(database, NOW + timedelta(days=1)) == []


def test_device_that_never_takes_reports_is_stopped_and_others_are_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitments, "MAX_OPEN", 2)
    for number in range(2):
        remembered(database, replace(ASKED, transaction_uid=f"1.2.{number}"))
    with pytest.raises(TooManyCommitments) as refused:
        remembered(database)
    assert refused.value.dimse_status == 0x0213
    remembered(database, replace(ASKED, calling_ae="CT2"))
