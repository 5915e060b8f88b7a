"""Databases of both kinds, and objects as they arrive, for the archive's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from tests.archive.arriving import Door
from tests.archive.databases import embedded, prepared_template
from tests.postgres import drop_database, new_database


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """Give the name of a database that holds the schema, to be copied."""
    return prepared_template(postgres_url)


@pytest.fixture(scope="session")
def embedded_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of an embedded database that holds the schema, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    embedded(folder).close()
    return folder / "radrelay.sqlite"


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.embedded(reason="rows in SQLCipher")), "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty archive's database, embedded and on PostgreSQL in turn."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("embedded_template"), tmp_path / "radrelay.sqlite")
        opened = Database.open(DatabaseSettings.model_validate({}), tmp_path, bytes(32))
        yield opened
        opened.close()
        return
    server_url = request.getfixturevalue("postgres_url")
    url = new_database(server_url, request.getfixturevalue("postgres_template"))
    opened = Database.open(DatabaseSettings.model_validate({"url": url}), tmp_path, b"")
    yield opened
    opened.close()
    drop_database(url)


@pytest.fixture
def door(database: Database) -> Door:
    """Give a source that objects arrive by."""
    return Door(database)
