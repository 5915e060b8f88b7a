"""The record has times of its own; what is over goes from a chain's beginning, signed, and the rest is still proven."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.audit import retention
from radrelay.audit.models import AuditCheckpoint, AuditEvent, AuditPatient, AuditStudy
from radrelay.audit.retention import RecordKept, expire, keep_for, kept_for
from radrelay.clock import FixedClock
from radrelay.errors import Invalid
from radrelay.storage.database import Database
from tests.audit.recording import HUBER, KEY, MEIER, ORGANISATION, OTHER, Who, forging, note, of_organisation, report

TIMES = RecordKept(patient_days=2000, usage_days=3000)


def over(database: Database, clock: FixedClock) -> int:
    return expire(database, clock.now(), KEY, TIMES, of_organisation)


def actions(database: Database, organisation_id: uuid.UUID = ORGANISATION) -> list[str]:
    with database.read() as session:
        found = audit.search(session, organisation_id, audit.AuditQuery(limit=500)).entries
    return [entry.action for entry in reversed(found)]


def fill(database: Database, clock: FixedClock, who: Who | None = None) -> None:
    for patient in (MEIER, HUBER):
        note(database, "login", who=who)
        note(database, "study.view", ("study", uuid.uuid4()), who, patient=patient)
        with database.write() as session:
            audit.sign_roots(session, clock, KEY)
        clock.advance(timedelta(days=1000))


def test_what_is_over_goes_and_the_rest_is_still_proven(database: Database, clock: FixedClock) -> None:
    fill(database, clock)
    assert over(database, clock) == 0, "at its last moment"
    clock.advance(timedelta(seconds=1))
    assert over(database, clock) == 1
    assert actions(database) == ["login", "login", "study.view", "audit.expire"]
    found = report(database)
    assert (found.intact, found.events) == (True, 4), found.broken
    with database.read() as session:
        assert len(session.scalars(sa.select(AuditPatient.id)).all()) == 1, "who is named by no event is forgotten"
        assert len(session.scalars(sa.select(AuditStudy.id)).all()) == 1
    clock.advance(timedelta(days=1000))
    assert over(database, clock) == 2, "the other view and the first login"
    note(database, "study.view", ("study", uuid.uuid4()), patient=MEIER)
    assert report(database).intact, "a chain that was emptied goes on"
    assert actions(database) == ["login", "audit.expire", "audit.expire", "audit.expire", "study.view"]


def test_each_organisation_has_its_own_times(database: Database, clock: FixedClock) -> None:
    fill(database, clock)
    with database.write() as session:
        keep_for(session, ORGANISATION, RecordKept(4000, 4000), clock.now())
        with pytest.raises(Invalid, match="patient_days"):
            keep_for(session, ORGANISATION, RecordKept(30, 4000), clock.now())
    clock.advance(timedelta(days=1500))
    note(database, "login", who=Who(organisation_id=OTHER))
    assert over(database, clock) == 0
    clock.advance(timedelta(days=3001))
    assert over(database, clock) == 5, "all of one, and the other's login"
    assert set(actions(database)) | set(actions(database, OTHER)) == {"audit.expire"}
    with database.read() as session:
        assert kept_for(session, OTHER, TIMES) == TIMES
    assert report(database).intact


def test_a_long_past_goes_in_pieces(database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    with database.write() as session:
        audit.record_many(session, [audit.AuditRecord("login", Who()) for _ in range(25)])
    clock.advance(timedelta(days=3001))
    note(database, "logout")
    assert over(database, clock) == 25
    assert report(database).intact
    assert over(database, clock) == 0


def test_events_of_a_wrong_clock_hold_up_what_stands_behind_them(database: Database, clock: FixedClock) -> None:
    clock.advance(timedelta(days=5000))
    note(database, "login")
    clock.advance(timedelta(days=-5000))
    note(database, "logout")
    clock.advance(timedelta(days=4000))
    assert over(database, clock) == 0


def test_a_forged_checkpoint_takes_nothing_away_unseen(database: Database, clock: FixedClock) -> None:
    fill(database, clock)
    with database.write() as session:  # which the triggers allow
        row = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "study.view").limit(1)).one()
        session.add(
            AuditCheckpoint(
                writer=row.writer, sequence=row.sequence, hash=row.hash, at=clock.now(), signature=bytes(32)
            )
        )
        session.flush()
        session.execute(sa.delete(AuditEvent).where(AuditEvent.writer == row.writer, AuditEvent.sequence == 1))
    found = {broken.fault for broken in report(database).broken}
    assert "the checkpoint's signature is not ours" in found
    assert "1 events are missing" in found


def test_events_left_before_a_checkpoint_are_found(database: Database, clock: FixedClock) -> None:
    fill(database, clock)
    with forging(database) as session:
        columns = AuditEvent.__table__.c
        row = dict(session.execute(sa.select(*columns).where(columns.action == "study.view").limit(1)).one()._mapping)
    clock.advance(timedelta(seconds=1))
    assert over(database, clock) == 1
    with forging(database) as session:
        session.execute(sa.insert(AuditEvent), [row])
    assert [broken.fault for broken in report(database).broken] == ["1 events stand before the chain's beginning"]
