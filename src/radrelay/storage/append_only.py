"""Tables that the database itself holds append-only, by triggers: the record, its roots and where its chains begin.

A row of the record goes only where a checkpoint of its chain covers it, a root likewise, a checkpoint never; the head
of a chain moves forward only; of a patient or study that events name nothing can be written but that it is erased.
Who owns the database can lift this as he can everything in it: the hash chains tell of it afterwards. A restore, which
replaces every row, lifts and holds it in its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

COVERED = "EXISTS (SELECT 1 FROM audit_checkpoint c WHERE c.writer = OLD.writer AND c.sequence >= OLD.sequence)"
UNNAMED = "NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.{column} = OLD.{key})"
FORWARD = "NEW.writer = OLD.writer AND NEW.sequence > OLD.sequence"


@dataclass(frozen=True, slots=True)
class Guard:
    """When a row may be deleted and when updated, as SQL that both databases read; OLD and NEW are the row."""

    delete: str = "1 = 0"
    update: str = "1 = 0"


GUARDED: dict[str, Guard] = {
    "audit_event": Guard(delete=COVERED),
    "audit_root": Guard(delete=COVERED),
    "audit_checkpoint": Guard(),
    "audit_writer": Guard(update=FORWARD),
    "audit_patient": Guard(delete=UNNAMED.format(column="patient_ref", key="id"), update="NEW.sealed IS NULL"),
    "audit_study": Guard(delete=UNNAMED.format(column="study_id", key="study_id"), update="NEW.sealed IS NULL"),
}


def hold(connection: sa.Connection) -> None:
    """Put the triggers up."""
    lift(connection)
    for table, guard in GUARDED.items():
        for statement in _statements(connection.dialect.name, table, guard):
            connection.exec_driver_sql(statement)


def lift(connection: sa.Connection) -> None:
    """Take the triggers away, for as long as the caller's transaction needs that."""
    for table in GUARDED:
        for what in ("delete", "update", "truncate"):
            name = f"{table}_no_{what}"
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            else:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")


def _statements(dialect: str, table: str, guard: Guard) -> list[str]:
    refused = f"{table} is append-only"
    allowed = {"delete": guard.delete, "update": guard.update}
    if dialect != "postgresql":
        return [
            f"CREATE TRIGGER {table}_no_{what} BEFORE {what.upper()} ON {table} WHEN NOT ({condition}) "
            f"BEGIN SELECT RAISE(ABORT, '{refused}'); END"
            for what, condition in allowed.items()
        ]
    made: list[str] = []
    for what, condition in (*allowed.items(), ("truncate", "")):
        name = f"{table}_no_{what}"
        check = f"IF {condition} THEN RETURN {'NEW' if what == 'update' else 'OLD'}; END IF; " if condition else ""
        body = f"BEGIN {check}RAISE EXCEPTION '{refused}' USING ERRCODE = 'integrity_constraint_violation'; END"
        made += [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ {body} $body$",
            f"CREATE TRIGGER {name} BEFORE {what.upper()} ON {table} "
            f"FOR EACH {'ROW' if condition else 'STATEMENT'} EXECUTE FUNCTION {name}()",
        ]
    return made
