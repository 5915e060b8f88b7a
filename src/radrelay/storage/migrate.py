"""Brings the database to the schema of this version; several roles may try at once, one does it.

Alembic is imported only when there is something to apply: it would cost each start of each role half a second.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from radrelay.errors import Misconfigured
from radrelay.storage import planner
from radrelay.storage.database import Database, mapped_errors

LOCK = 0x5241_4452  # PostgreSQL's advisory lock: "RADR"
HEAD = "0001"
"""The newest revision under `migrations/versions`."""


class SchemaTooNew(Misconfigured):
    """The database was written by a newer version of Radrelay; start that one."""

    code = "schema-too-new"


def migrate(database: Database) -> None:
    """Apply what is missing; raises `SchemaTooNew` when the database is ahead of this program."""
    if revision(database) == HEAD:
        return
    with (
        mapped_errors(),
        database.engine.connect().execution_options(radrelay_write=True) as connection,
        connection.begin(),
    ):
        if database.dialect == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        apply(connection)


def revision(database: Database) -> str | None:
    """Return the database's schema revision, none when it is empty."""
    with mapped_errors(), database.engine.connect() as connection:
        return _revision(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def apply(connection: sa.Connection) -> None:
    """Bring a connection's database to the newest revision, in the transaction that it is in."""
    from alembic import command  # noqa: PLC0415 -- as said above
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    here = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if here is not None and here not in known:
        raise SchemaTooNew(f"the database's schema is {here}, which this version does not know", revision=here)
    command.upgrade(config, "head")
    planner.tell(connection)
