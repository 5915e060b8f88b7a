"""Two who act on one import at once, on PostgreSQL: the second sees what the first has done."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import FixedClock
from radrelay.importer import announced, brought, cases, deciding
from radrelay.importer.announced import Announced, Place
from radrelay.importer.attempts_kept import AttemptsKept
from radrelay.importer.cases import ASKING, FAILED, FETCHING, OPEN, OVER, RECEIVING
from radrelay.importer.errors import HostNotAllowed
from radrelay.importer.models import ImportCase, ImportConsent, LinkAttempt
from radrelay.importer.patient_page import BY_PATIENT
from radrelay.importer.secret import Secret
from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from tests.backends import BACKENDS
from tests.postgres import drop_database, new_database
from tests.system.installation import until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "portal.example"
OWN = uuid.uuid4()
Act = Callable[[Session], object]


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[Database]:
    url = new_database(postgres_url, BACKENDS.template())
    opened = Database.open(DatabaseSettings.model_validate({"url": url}), Path(), b"")
    yield opened
    opened.close()
    drop_database(url)


def one_after_the_other(database: Database, first: Act, second: Callable[[], object]) -> None:
    """Have the second begin before what the first did is there, and wait for it."""

    def waits() -> bool:
        with database.read() as session:
            return bool(session.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            first(session)
            session.flush()
            other = pool.submit(second)
            until(waits, "the other to wait")
        other.result(30)


def made(database: Database, **told: object) -> uuid.UUID:
    case_id = uuid.uuid4()
    columns = {
        "id": case_id, "organisation_id": OWN, "source_id": uuid.uuid4(), "parcel_id": uuid.uuid4(),
        "asked_kind": BY_PATIENT, "host": HOST, "created_at": NOW, "changed_at": NOW,
        "ends_at": NOW + timedelta(days=1),
    }  # fmt: skip
    with database.write() as session:
        session.add(ImportCase(**columns | told))
    return case_id


def row_of(database: Database, case_id: uuid.UUID) -> ImportCase:
    with database.read() as session:
        row = session.get_one(ImportCase, case_id)
        session.expunge(row)
        return row


def test_a_portal_that_is_confirmed_while_a_patient_withdraws_is_not_asked(database: Database) -> None:
    case_id = made(database, state=FAILED, resumes=FETCHING, error_code=HostNotAllowed.code, sealed=b"link")
    with database.write() as session:
        session.add(
            ImportConsent(
                id=uuid.uuid4(), organisation_id=OWN, case_id=case_id, text_id=uuid.uuid4(), text_version=1,
                text_sha256="", language="de", given_at=NOW,
            )
        )  # fmt: skip

    def withdraw(session: Session) -> None:
        consent = brought.consent_of(session, case_id)
        assert consent is not None
        brought.withdraw(session, consent, NOW)

    def confirm() -> None:
        with database.write() as session:
            assert brought.go_on(session, OWN, HOST, NOW) == 0

    one_after_the_other(database, withdraw, confirm)
    assert (row_of(database, case_id).state, row_of(database, case_id).sealed) == (OVER, None)


def test_an_answer_in_the_last_second_counts(database: Database) -> None:
    case_id = made(database, state=ASKING, asks_until=NOW, sealed=b"link")

    def answer(session: Session) -> None:
        cases.move(session, cases.get_case(session, OWN, case_id, lock=True), FETCHING, NOW)

    def end() -> None:
        with database.write() as session:
            assert cases.end_unanswered(session, NOW) == 0

    one_after_the_other(database, answer, end)
    assert row_of(database, case_id).state == FETCHING


def test_a_tick_that_is_taken_back_stays_so_while_another_sets_one(database: Database) -> None:
    case_id = made(database, state=OPEN, confirmed=json.dumps({"a": {}}))

    def take_back(session: Session) -> None:
        deciding.confirm(session, OWN, case_id, None, ["a"], "one", NOW, seen=False)

    def tick() -> None:
        with database.write() as session:
            deciding.confirm(session, OWN, case_id, None, ["b"], "two", NOW)

    one_after_the_other(database, take_back, tick)
    assert list(json.loads(row_of(database, case_id).confirmed)) == ["b"]


def test_files_that_come_at_once_are_all_counted(database: Database) -> None:
    case_id = made(database, state=RECEIVING)

    def count(session: Session, size: int) -> None:
        cases.add_bytes(session, cases.get_case(session, OWN, case_id), size, NOW)

    def other() -> None:
        with database.write() as session:
            count(session, 3)

    one_after_the_other(database, lambda session: count(session, 2), other)
    assert row_of(database, case_id).bytes_received == 5


def test_files_of_one_upload_that_come_at_once_are_each_accounted_for(database: Database) -> None:
    case_id = made(database, state=RECEIVING)

    def came(session: Session, number: int) -> None:
        row = cases.get_case(session, OWN, case_id, lock=True)
        announced.announce(session, row, "a", 9, 90)
        announced.note_came(session, row, Place("a", number), 10)

    def other() -> None:
        with database.write() as session:
            came(session, 8)

    one_after_the_other(database, lambda session: came(session, 0), other)
    with database.read() as session:
        assert announced.sum_of(session, case_id) == Announced(9, 90, 2, 20)
        assert [one.facts["missing"] for one in announced.findings_of(session, case_id)] == [7]


def test_two_first_attempts_at_a_link_both_count(database: Database) -> None:
    attempts, token = AttemptsKept(database, FixedClock(NOW), 5), Secret("of one link")

    def first(session: Session) -> None:
        session.add(LinkAttempt(fingerprint=token.fingerprint, spent=1, last_at=NOW))

    one_after_the_other(database, first, lambda: attempts.spend(token))
    assert attempts.spend(token) == 2
