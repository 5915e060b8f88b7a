"""Empty databases with the whole schema."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from radrelay.archive import search_index
from radrelay.settings import DatabaseSettings
from radrelay.storage.columns import Base
from radrelay.storage.database import Database
from tests.postgres import new_database

ROOMS = ("storage", "audit", "identity", "access", "archive", "intake", "routing", "marks")


def create_schema(database: Database) -> None:
    """Create every table and the text index."""
    for room in ROOMS:
        import_module(f"radrelay.{room}.models")
    with database.engine.connect().execution_options(radrelay_write=True) as connection, connection.begin():
        Base.metadata.create_all(connection)
        search_index.create(connection)


def embedded(folder: Path) -> Database:
    """Open an empty SQLCipher database in `folder`."""
    database = Database.open(DatabaseSettings.model_validate({}), folder, bytes(32))
    create_schema(database)
    return database


def prepared_template(server_url: str) -> str:
    """Create a PostgreSQL database with the schema; returns its name."""
    url = new_database(server_url)
    database = Database.open(DatabaseSettings.model_validate({"url": url}), Path(), b"")
    create_schema(database)
    database.close()
    return url.rsplit("/", 1)[1]
