"""Brings the database to the schema of this version; several roles may try at once, one does it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from radrelay.errors import Misconfigured
from radrelay.storage.database import Database, mapped_errors

LOCK = 0x5241_4452  # PostgreSQL's advisory lock: "RADR"


class SchemaTooNew(Misconfigured):
    """The database was written by a newer version of Radrelay; start that one."""

    code = "schema-too-new"


def migrate(database: Database) -> None:
    """Apply what is missing; raises `SchemaTooNew` when the database is ahead of this program."""
    with (
        mapped_errors(),
        database.engine.connect().execution_options(radrelay_write=True) as connection,
        connection.begin(),
    ):
        if database.dialect == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        config = _config(connection)
        here = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if here is not None and here not in known:
            raise SchemaTooNew(f"the database's schema is {here}, which this version does not know", revision=here)
        command.upgrade(config, "head")


def revision(database: Database) -> str | None:
    """Return the database's schema revision, none when it is empty."""
    with mapped_errors(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
