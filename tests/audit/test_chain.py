"""The record: written with what it records, tied together, and whoever touches it is found out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.audit.models import AuditEvent, AuditPatient, AuditRoot, AuditWriter
from radrelay.clock import FixedClock
from radrelay.errors import Misconfigured
from radrelay.storage import append_only
from radrelay.storage.columns import Base
from radrelay.storage.database import Database
from tests.backends import open_database

KEY = bytes(range(32))


ORGANISATION = uuid.UUID(int=7)


@dataclass(frozen=True)
class Who:
    kind: str = "account"
    id: str = "a-1"
    name: str = "Anna"
    organisation_id: uuid.UUID = ORGANISATION
    peer: str = "10.0.0.1"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def database(tmp_path: Path, clock: FixedClock) -> Iterator[Database]:
    made = open_database(tmp_path)
    Base.metadata.create_all(made.engine)
    audit.install(made, "web", clock, KEY)
    yield made
    made.close()


def write(database: Database, count: int = 5, **more: object) -> None:
    with database.write() as session:
        for number in range(count):
            audit.record(session, audit.AuditRecord(f"act.{number}", Who(), "study", uuid.uuid4(), **more))  # type: ignore[arg-type]


@contextmanager
def forging(database: Database) -> Iterator[Session]:
    """Write as one who owns the database, and so can lift what holds the record append-only."""
    with database.write() as session:
        append_only.lift(session.connection())
        yield session
        append_only.hold(session.connection())


def report(database: Database) -> audit.ChainReport:
    with database.read() as session:
        return audit.verify(session, KEY)


def test_a_chain_that_nobody_touched_holds(database: Database) -> None:
    write(database, detail={"ä": "ö"}, patient=("issuer", "4711", "Meier^Anna"))
    write(database)
    found = report(database)
    assert (found.intact, found.events, found.writers) == (True, 10, 1), "each event is about a study"
    with database.write() as session:
        audit.record(session, audit.AuditRecord("login", Who()))
    assert report(database).writers == 2, "what is about nobody's pictures stands in a chain of its own"


def test_what_is_rolled_back_is_not_on_record(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            audit.record(session, audit.AuditRecord("study.delete", Who()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    write(database, 1)
    assert report(database).events == 1


@pytest.mark.parametrize(
    "change",
    [{"action": "other"}, {"outcome": "refused"}, {"actor_name": "Bert"}, {"detail": '{"x": 1}'}, {"peer": "10.9.9.9"},
     {"at": datetime(2020, 1, 1, tzinfo=UTC)}, {"subject_id": "else"}, {"hash": bytes(32)},
     {"previous_hash": bytes(32)}],
)  # fmt: skip
def test_a_changed_event_is_found(database: Database, change: dict[str, object]) -> None:
    write(database)
    with forging(database) as session:
        session.execute(sa.update(AuditEvent).where(AuditEvent.sequence == 3).values(**change))
    assert report(database).broken[0].sequence in (3, 4)


@pytest.mark.parametrize("sequence", [1, 3, 5])
def test_a_removed_event_is_found_at_the_beginning_middle_and_end(database: Database, sequence: int) -> None:
    write(database)
    with forging(database) as session:
        session.execute(sa.delete(AuditEvent).where(AuditEvent.sequence == sequence))
    assert not report(database).intact


def test_a_whole_chain_that_vanishes_is_found(database: Database) -> None:
    write(database)
    with forging(database) as session:
        session.execute(sa.delete(AuditWriter))
    assert report(database).broken[0].fault == "the writer's head is gone"


def test_a_chain_rewritten_as_a_whole_disagrees_with_its_signed_root(database: Database, clock: FixedClock) -> None:
    write(database)
    with database.write() as session:
        assert audit.sign_roots(session, clock, KEY) == 1
        assert audit.sign_roots(session, clock, KEY) == 0, "nothing new to sign"
    write(database, 2)
    assert report(database).roots == 1
    assert report(database).intact
    with forging(database) as session:
        session.execute(sa.delete(AuditEvent))
        session.execute(sa.delete(AuditWriter))
    write(database, 9)  # a forger with the program at hand
    assert any("rewritten" in fault.fault for fault in report(database).broken)


def test_a_forged_root_is_found(database: Database, clock: FixedClock) -> None:
    write(database)
    with database.write() as session:
        audit.sign_roots(session, clock, bytes(32))
    assert "signature" in report(database).broken[0].fault


def test_patients_are_sealed_found_again_and_can_be_erased(database: Database) -> None:
    write(database, 2, patient=("clinic", "4711", "Meier^Anna"))
    write(database, 1, patient=("clinic", "4712", "Huber^Bert"))
    organisation = Who().organisation_id
    with database.read() as session:
        sealed = session.scalars(sa.select(AuditPatient.sealed)).all()
        assert len(sealed) == 2
        assert all(b"Meier" not in (row or b"") for row in sealed)
        page = audit.search(session, organisation, audit.AuditQuery(patient=("clinic", "4711")))
        assert [entry.patient.name for entry in page.entries if entry.patient] == ["Meier^Anna"] * 2
    with database.write() as session:
        assert audit.erase_patient(session, KEY, organisation, "clinic", "4711")
        assert not audit.erase_patient(session, KEY, organisation, "clinic", "4711")
    with database.read() as session:
        page = audit.search(session, organisation, audit.AuditQuery())
        assert [entry.patient and entry.patient.patient_id for entry in page.entries] == ["4712", None, None]
    assert report(database).intact


def test_a_page_goes_on_where_the_one_before_ended_and_no_organisation_sees_anothers(database: Database) -> None:
    write(database, 7)
    with database.read() as session:
        first = audit.search(session, Who().organisation_id, audit.AuditQuery(limit=5))
        rest = audit.search(session, Who().organisation_id, audit.AuditQuery(limit=5, before_id=first.entries[-1].id))
        other = audit.search(session, uuid.UUID(int=8), audit.AuditQuery())
    assert (len(first.entries), first.more, len(rest.entries), rest.more) == (5, True, 2, False)
    assert other.entries == ()


def test_what_is_recorded_once_is_recorded_once_per_login_also_across_processes(
    database: Database, clock: FixedClock
) -> None:
    event = audit.AuditRecord("study.view", Who(), "study", "s-1")
    assert audit.record_once(database, "login-1", event)
    assert not audit.record_once(database, "login-1", event)
    audit.install(database, "web", clock, KEY)  # a process that remembers nothing
    assert not audit.record_once(database, "login-1", event)
    assert audit.record_once(database, "login-2", event)
    assert report(database).events == 2


def test_two_writers_have_a_chain_each(database: Database, clock: FixedClock) -> None:
    write(database, 2)
    audit.install(database, "work", clock, KEY)
    write(database, 3)
    found = report(database)
    assert (found.events, found.writers, found.intact) == (5, 2, True)


def test_a_root_signed_before_the_clock_went_back_is_noted(database: Database, clock: FixedClock) -> None:
    write(database, 1)
    with database.write() as session:
        audit.sign_roots(session, clock, KEY)
    clock.advance(timedelta(days=-1))
    write(database, 1)
    with database.write() as session:
        audit.sign_roots(session, clock, KEY)
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditRoot)) == 2
    assert "older" in report(database).broken[0].fault


def test_without_a_key_no_patient_is_recorded_and_so_nothing_happens(tmp_path: Path) -> None:
    bare = open_database(tmp_path)
    Base.metadata.create_all(bare.engine)
    with bare.write() as session, pytest.raises(Misconfigured, match="no key"):
        audit.record(session, audit.AuditRecord("study.view", Who(), patient=("", "1", "X")))
    bare.close()
