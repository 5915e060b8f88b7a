"""The whole schema in a new embedded database at a fraction of what its migrations take: their statements, kept.

They are those of one real migration in this process, so nothing here can drift from it; what is about migrations
runs them itself (`radrelay.storage.migrate.apply`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from radrelay.settings import DatabaseSettings
from radrelay.storage import migrate, planner
from radrelay.storage.database import Database

_really = migrate.apply


def lay(database: Database) -> None:
    """Give a new database its schema; one on PostgreSQL is made from a template that has it."""
    migrate.migrate(database)


def apply_quickly(connection: sa.Connection) -> None:
    """Do what `radrelay.storage.migrate.apply` does, in less time where the database is embedded and empty."""
    if connection.dialect.name != "sqlite" or sa.inspect(connection).get_table_names():
        _really(connection)
        return
    for statement in _statements():
        connection.exec_driver_sql(statement)
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": migrate.HEAD})
    planner.tell(connection)  # what it wrote is in a table of SQLite's own, which no statement makes


@cache
def _statements() -> tuple[str, ...]:
    with TemporaryDirectory() as folder:
        database = Database.open(DatabaseSettings.model_validate({}), Path(folder), bytes(32))
        with database.engine.connect().execution_options(radrelay_write=True) as connection, connection.begin():
            _really(connection)
        with database.engine.connect() as connection:
            made = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
            rows = [(name, sql) for name, sql in connection.exec_driver_sql(made)]
        database.close()
    virtual = [name for name, sql in rows if sql.startswith("CREATE VIRTUAL")]
    own = [f"{name}_" for name in virtual]  # tables that a text index makes for itself
    return tuple(sql for name, sql in rows if not name.startswith(("sqlite_", *own)))
