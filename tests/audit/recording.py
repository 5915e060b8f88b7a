"""A record to look at: who does things, what they do, and somebody who owns the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.storage import append_only
from radrelay.storage.database import Database

KEY = bytes(range(32))
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORGANISATION = uuid.UUID(int=7)
OTHER = uuid.UUID(int=8)
MEIER = ("clinic", "4711", "Meier^Anna")
NO_ROOM = "database or disk is full"
HUBER = ("clinic", "4712", "Huber^Bert")


@dataclass(frozen=True)
class Who:
    kind: str = "account"
    id: str = "a-1"
    name: str = "Anna"
    organisation_id: uuid.UUID = ORGANISATION
    peer: str = "10.0.0.1"


def of_organisation(organisation_id: uuid.UUID) -> Who:
    return Who("system", "system", "Radrelay", organisation_id, "")


def named(session: Session, study_id: uuid.UUID) -> audit.StudyNamed:
    del session
    return audit.StudyNamed(f"2.25.{study_id.int}", "A-17", "20260228", "CT\\SR", "CT Thorax")


def write(database: Database, count: int = 5, who: Who | None = None, **more: object) -> None:
    with database.write() as session:
        for number in range(count):
            audit.record(
                session,
                audit.AuditRecord(f"act.{number}", who or Who(), "study", uuid.uuid4(), **more),  # type: ignore[arg-type]
            )


def note(
    database: Database,
    action: str,
    subject: tuple[str, str | uuid.UUID] = ("", ""),
    who: Who | None = None,
    **more: object,
) -> uuid.UUID:
    with database.write() as session:
        return audit.record(session, audit.AuditRecord(action, who or Who(), *subject, **more))  # type: ignore[arg-type]


@contextmanager
def forging(database: Database) -> Iterator[Session]:
    """Write as one who owns the database, and so can lift what holds the record append-only."""
    with database.write() as session:
        append_only.lift(session.connection())
        yield session
        append_only.hold(session.connection())


def report(database: Database, seen: dict[str, tuple[int, bytes]] | None = None) -> audit.ChainReport:
    with database.read() as session:
        return audit.verify(session, KEY, seen)


@contextmanager
def full(database: Database) -> Iterator[None]:
    """Let the record take nothing, as on a full disk; all else still works."""
    with database.write() as session:
        if database.dialect == "postgresql":
            session.execute(
                sa.text(
                    "CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
                    f"$$ BEGIN RAISE EXCEPTION '{NO_ROOM}' USING ERRCODE = 'disk_full'; END $$"
                )
            )
            session.execute(
                sa.text("CREATE TRIGGER no_room BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION no_room()")
            )
        else:
            raising = f"BEGIN SELECT RAISE(ABORT, '{NO_ROOM}'); END"
            session.execute(sa.text(f"CREATE TRIGGER no_room BEFORE INSERT ON audit_event {raising}"))
    yield
    with database.write() as session:
        session.execute(sa.text(f"DROP TRIGGER no_room{' ON audit_event' if database.dialect == 'postgresql' else ''}"))
