"""The record: written with what it records, tied together, and whoever touches it is found out."""

from __future__ import annotations

import tracemalloc
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.audit.models import AuditEvent, AuditPatient, AuditRoot, AuditWriter
from radrelay.audit.proofs import ANCHOR, AnchorForged, last_proven, note_heads, prove
from radrelay.audit.record import event_hash
from radrelay.clock import FixedClock
from radrelay.errors import Misconfigured
from radrelay.storage.columns import Base
from radrelay.storage.database import Database
from tests.audit.recording import KEY, Who, forging, note, report, write
from tests.backends import open_database


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


def faults(found: audit.ChainReport) -> list[tuple[int, str]]:
    return [(broken.sequence, broken.fault) for broken in found.broken]


def test_a_removed_event_is_found_at_the_beginning_and_in_the_middle(database: Database) -> None:
    write(database, 9)
    with forging(database) as session:
        session.execute(sa.delete(AuditEvent).where(AuditEvent.sequence.in_([1, 4, 5])))
    assert faults(report(database)) == [(1, "1 events are missing"), (4, "2 events are missing")]


def test_a_cut_end_is_found(database: Database) -> None:
    write(database)
    with forging(database) as session:
        session.execute(sa.delete(AuditEvent).where(AuditEvent.sequence > 3))
    assert faults(report(database)) == [(4, "2 events are missing at the end")]


def test_a_cut_end_is_found_though_the_head_was_set_back_with_it(database: Database) -> None:
    write(database)
    with forging(database) as session:
        session.execute(sa.delete(AuditEvent).where(AuditEvent.sequence > 3))
        last = session.scalar(sa.select(AuditEvent.hash).where(AuditEvent.sequence == 3))
        session.execute(sa.update(AuditWriter).values(sequence=3, hash=last))
    assert faults(report(database)) == [(3, "the signature of the chain's head is not ours")]


def test_a_cut_end_is_found_by_the_root_though_an_old_head_was_put_back_whole(
    database: Database, clock: FixedClock
) -> None:
    write(database, 3)
    with database.read() as session:
        old = session.execute(sa.select(AuditWriter.hash, AuditWriter.signature)).one()
    write(database, 2)
    with database.write() as session:
        audit.sign_roots(session, clock, KEY)
    with forging(database) as session:
        session.execute(sa.delete(AuditEvent).where(AuditEvent.sequence > 3))
        session.execute(sa.update(AuditWriter).values(sequence=3, hash=old.hash, signature=old.signature))
    assert faults(report(database)) == [(5, "the chain was rewritten after its root was signed")]


def test_a_database_put_back_to_an_earlier_day_is_found_by_what_was_noted_outside(
    database: Database, clock: FixedClock, tmp_path: Path
) -> None:
    write(database, 5)
    note(database, "login")
    note_heads(database, clock, KEY, tmp_path)
    assert prove(database, clock, KEY, tmp_path).intact
    with forging(database) as session:
        session.execute(sa.delete(AuditEvent).where(AuditEvent.action == "login"))
        session.execute(sa.delete(AuditWriter).where(AuditWriter.writer.endswith(".u")))
        session.execute(sa.delete(AuditRoot).where(AuditRoot.writer.endswith(".u")))
    assert report(database).intact, "within the database nothing tells of it"
    assert faults(prove(database, clock, KEY, tmp_path)) == [(0, "the whole chain is gone")]
    (tmp_path / ANCHOR).write_text((tmp_path / ANCHOR).read_text().replace("5", "4"))
    with pytest.raises(AnchorForged):
        prove(database, clock, KEY, tmp_path)


def test_two_events_that_changed_places_are_found(database: Database) -> None:
    write(database)
    with forging(database) as session:
        for before, after in ((2, 99), (3, 2), (99, 3)):
            session.execute(sa.update(AuditEvent).where(AuditEvent.sequence == before).values(sequence=after))
    found = faults(report(database))
    assert {2, 3} <= {sequence for sequence, _ in found}
    assert (2, "does not follow from the event before") in found


def test_events_added_past_the_end_and_before_the_beginning_are_found(database: Database) -> None:
    write(database)
    with forging(database) as session:
        columns = AuditEvent.__table__.c
        row = dict(session.execute(sa.select(*columns).where(columns.sequence == 5)).one()._mapping)
        added = row | {"id": uuid.uuid4(), "sequence": 6, "previous_hash": row["hash"]}
        added["hash"] = event_hash(added, row["hash"])  # a forger who knows how the chain is made
        session.execute(sa.insert(AuditEvent), [added, row | {"id": uuid.uuid4(), "sequence": -1}])
    assert faults(report(database)) == [
        (-1, "1 events stand before the chain's beginning"),
        (6, "1 events were added past the end"),
    ]


def test_a_whole_chain_that_vanishes_is_found(database: Database) -> None:
    write(database)
    with forging(database) as session:
        session.execute(sa.delete(AuditWriter))
    assert faults(report(database)) == [(0, "the writer's head is gone")]


def test_very_many_faults_are_counted_and_the_first_are_told(database: Database) -> None:
    with database.write() as session:
        audit.record_many(session, [audit.AuditRecord("login", Who()) for _ in range(1500)])
    with forging(database) as session:
        session.execute(sa.update(AuditEvent).values(actor_name="nobody"))
    found = report(database)
    assert (found.faults, len(found.broken), found.intact) == (1500, 1000, False)


def test_what_was_proven_last_is_kept_with_its_time(database: Database, clock: FixedClock) -> None:
    write(database)
    with database.read() as session:
        assert last_proven(session) is None
    prove(database, clock, KEY)
    clock.advance(timedelta(days=1))
    with forging(database) as session:
        session.execute(sa.update(AuditEvent).where(AuditEvent.sequence == 3).values(action="x"))
    prove(database, clock, KEY)
    with database.read() as session:
        proven = last_proven(session)
    assert proven is not None
    assert (proven.at, proven.events, proven.intact) == (clock.now(), 5, False)
    assert proven.first_fault.endswith("at 3: was changed after it was written")


def test_memory_stays_flat_however_many_events_are_proven(database: Database) -> None:
    def peak(more: int) -> int:
        with database.write() as session:
            audit.record_many(session, [audit.AuditRecord("login", Who()) for _ in range(more)])
        tracemalloc.start()
        assert report(database).intact
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few = peak(4200)  # two pages and a bit
    assert peak(4200) < 1.5 * few, "of 4,200 events and of 8,400"


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


def test_many_that_are_recorded_once_are_written_together_and_each_once(database: Database, clock: FixedClock) -> None:
    views = [(audit.AuditRecord("import.view", Who(), "import", "c-1"), f"named {number}") for number in range(1200)]
    writes: list[object] = []
    sa.event.listen(database.engine, "commit", writes.append)
    assert audit.record_once(database, "login-1", *views[700])
    audit.install(database, "web", clock, KEY)  # a process that remembers nothing
    before = len(writes)
    assert audit.record_each_once(database, "login-1", [*views, views[3]]) == 1199
    assert len(writes) - before <= 2
    assert audit.record_each_once(database, "login-1", views) == 0
    assert report(database).events == 1200


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
