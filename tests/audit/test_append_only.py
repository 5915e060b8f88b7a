"""What is on record cannot be changed or removed through the database either, but in the documented way."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.audit.models import AuditCheckpoint, AuditEvent, AuditPatient, AuditRoot, AuditStudy, AuditWriter
from radrelay.clock import FixedClock
from radrelay.settings import DatabaseSettings
from radrelay.storage.columns import Base
from radrelay.storage.database import Database
from radrelay.storage.migrate import migrate
from tests.audit.recording import KEY, MEIER, ORGANISATION, Who, report, write

FORGERIES = {
    "an event changed": sa.update(AuditEvent).values(outcome="refused"),
    "an event removed": sa.delete(AuditEvent).where(AuditEvent.sequence == 5),
    "a root changed": sa.update(AuditRoot).values(signature=bytes(32)),
    "a root removed": sa.delete(AuditRoot),
    "a head set back": sa.update(AuditWriter).values(sequence=1),
    "a head removed": sa.delete(AuditWriter),
    "a patient renamed": sa.update(AuditPatient).values(sealed=b"somebody else"),
    "a patient removed": sa.delete(AuditPatient),
    "a study renamed": sa.update(AuditStudy).values(sealed=b"something else"),
    "a study removed": sa.delete(AuditStudy),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_database_refuses_forgeries(database: Database, clock: FixedClock, forgery: str) -> None:
    write(database, patient=MEIER)
    with database.write() as session:
        audit.sign_roots(session, clock, KEY)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.write() as session:
        session.execute(FORGERIES[forgery])
    assert report(database).intact


def test_a_checkpoint_stays_for_good(database: Database, clock: FixedClock) -> None:
    with database.write() as session:
        session.add(AuditCheckpoint(writer="x", sequence=1, hash=bytes(32), at=clock.now(), signature=bytes(32)))
    for forgery in (sa.delete(AuditCheckpoint), sa.update(AuditCheckpoint).values(sequence=9)):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.write() as session:
            session.execute(forgery)


def test_the_database_is_not_emptied_in_one_stroke(database: Database) -> None:
    write(database)
    if database.dialect == "postgresql":
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.write() as session:
            session.execute(sa.text("TRUNCATE audit_event"))
    assert report(database).events == 5


def test_erasing_a_patient_is_allowed_and_only_that(database: Database) -> None:
    write(database, patient=MEIER)
    with database.write() as session:
        assert audit.erase_patient(session, KEY, ORGANISATION, *MEIER[:2])
    with database.read() as session:
        assert set(session.scalars(sa.select(AuditPatient.sealed))) == {None}
        assert set(session.scalars(sa.select(AuditStudy.sealed))) == {None}, "nor which studies there were"
    assert report(database).intact


def test_a_migrated_database_is_held_as_one_made_from_the_models(tmp_path: Path) -> None:
    def triggers(folder: str, make: object) -> set[tuple[str, str]]:
        made = Database.open(DatabaseSettings.model_validate({}), tmp_path / folder, bytes(32))
        assert callable(make)
        make(made)
        with made.read() as session:
            rows = session.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        made.close()
        return {(row[0], row[1]) for row in rows if row[0].startswith("audit_")}

    migrated = triggers("migrated", migrate)
    assert len(migrated) == 12
    assert migrated == triggers("modelled", lambda made: Base.metadata.create_all(made.engine))


def test_a_study_is_named_by_its_first_event_and_known_by_its_uid_ever_after(database: Database) -> None:
    study = uuid.uuid4()
    with database.write() as session:
        first = audit.AuditRecord("study.view", Who(), "study", study, patient=MEIER)
        audit.record_many(session, [first, audit.AuditRecord("mark.write", Who(), "mark", "m", {"study": study})])
    with database.read() as session:
        page = audit.search(session, ORGANISATION, audit.AuditQuery(study=f"2.25.{study.int}"))
        assert audit.known_study(session, ORGANISATION, f"2.25.{study.int}") == study
    assert {entry.action for entry in page.entries} == {"mark.write", "study.view"}
    assert {entry.study.accession_number for entry in page.entries if entry.study} == {"A-17"}
