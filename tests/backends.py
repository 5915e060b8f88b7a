"""Where the tests' installations keep rows, keys and packs.

RADRELAY_TEST_BACKEND chooses: `embedded` (the default: SQLCipher and a folder), or `postgresql-s3`, which gives each
data directory a database on one PostgreSQL server and a bucket on one S3 server, both started at first need. A data
directory that is opened again finds what it had.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from radrelay.settings import DatabaseSettings, Settings
from radrelay.storage.database import Database
from radrelay.storage.migrate import migrate
from tests import object_store, postgres

EMBEDDED, SERVERS = "embedded", "postgresql-s3"
Sections = dict[str, dict[str, Any]]


def chosen() -> str:
    """Return the back end that the tests run on."""
    name = os.environ.get("RADRELAY_TEST_BACKEND", EMBEDDED)
    if name not in (EMBEDDED, SERVERS):
        raise ValueError(f"RADRELAY_TEST_BACKEND is {name!r}; expected {EMBEDDED} or {SERVERS}")
    return name


@dataclass(frozen=True)
class _Place:
    database_url: str
    bucket: str


class Backends:
    """The servers, and which data directory has what on them; one per process of the tests."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._places: dict[Path, _Place] = {}
        self._postgres = ""
        self._template = ""
        self._s3 = ""

    def postgres_url(self) -> str:
        """Return the URL of the PostgreSQL server, started at need."""
        if not self._postgres:
            self._postgres = self._running.enter_context(postgres.server())
        return self._postgres

    def template(self) -> str:
        """Return the name of a database with the whole schema, to be copied."""
        if not self._template:
            url = postgres.new_database(self.postgres_url())
            database = Database.open(DatabaseSettings.model_validate({"url": url}), Path(), b"")
            migrate(database)
            database.close()
            self._template = url.rsplit("/", 1)[1]
        return self._template

    def s3_endpoint(self) -> str:
        """Return the address of the S3 server, started at need."""
        if not self._s3:
            self._s3 = self._running.enter_context(object_store.s3_server())
        return self._s3

    def sections(self, data_dir: Path) -> Sections:
        """Return what the settings of an installation say about `database` and `storage`."""
        if chosen() == EMBEDDED:
            return {"database": {}, "storage": {}}
        place = self._places.get(data_dir)
        if place is None:
            url = postgres.new_database(self.postgres_url(), self.template())
            place = self._places[data_dir] = _Place(url, object_store.new_bucket(self.s3_endpoint()))
        return {
            "database": {"url": place.database_url},
            "storage": object_store.storage_section(self.s3_endpoint(), place.bucket),
        }

    def pack_names(self, data_dir: Path) -> list[str]:
        """Return the packs that an installation has written, as they are called where they lie."""
        place = self._places.get(data_dir)
        if place is None:
            return [str(path) for path in (data_dir / "packs").rglob("*") if path.is_file()]
        return object_store.object_names(self.s3_endpoint(), place.bucket)

    def lose_packs(self, data_dir: Path) -> None:
        """Lose all packs."""
        place = self._places.get(data_dir)
        if place is not None:
            object_store.empty_bucket(self.s3_endpoint(), place.bucket)
        shutil.rmtree(data_dir / "packs", ignore_errors=True)

    def lose(self, data_dir: Path) -> None:
        """Lose a data directory and what the servers hold of it; its settings find everything new and empty."""
        place = self._places.get(data_dir)
        if place is not None:
            postgres.drop_database(place.database_url)
            postgres.new_database(self.postgres_url(), self.template(), place.database_url.rsplit("/", 1)[1])
        self.lose_packs(data_dir)
        shutil.rmtree(data_dir)

    def forget(self, folder: Path) -> None:
        """Drop what the data directories in `folder` had."""
        for data_dir in [known for known in self._places if known.is_relative_to(folder)]:
            place = self._places.pop(data_dir)
            postgres.drop_database(place.database_url)
            object_store.remove_bucket(self.s3_endpoint(), place.bucket)

    def close(self) -> None:
        """Stop the servers, and all that they hold is gone."""
        self._places.clear()
        self._running.close()


BACKENDS = Backends()


def settings_for(data_dir: Path, **given: Any) -> Settings:
    """Return the settings of an installation in `data_dir`; `given` are further sections, or parts of them."""
    own: Sections = BACKENDS.sections(data_dir)
    merged = {name: {**own.get(name, {}), **section} for name, section in given.items()}
    return Settings.model_validate({"data_dir": data_dir, **own, **merged})


def environment_for(data_dir: Path) -> dict[str, str]:
    """Return the same as the environment of a process."""
    return {
        f"RADRELAY_{section.upper()}__{name.upper()}": value if isinstance(value, str) else str(value).lower()
        for section, values in BACKENDS.sections(data_dir).items()
        for name, value in values.items()
    }


def open_database(data_dir: Path, key: bytes = bytes(32)) -> Database:
    """Open the database of `data_dir`: on PostgreSQL it has its schema already, embedded it is empty when new."""
    database: dict[str, Any] = BACKENDS.sections(data_dir)["database"]
    return Database.open(DatabaseSettings.model_validate(database), data_dir, key)


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """Give the URL of a running PostgreSQL server."""
    assert postgres.binaries(), f"no PostgreSQL server under {postgres.VERSIONS}: apt-get install postgresql"
    return BACKENDS.postgres_url()


@pytest.fixture(scope="session")
def s3_endpoint() -> str:
    """Give the address of a running S3 server."""
    return BACKENDS.s3_endpoint()


@pytest.fixture(scope="session", autouse=True)
def servers_end() -> Iterator[None]:
    """Stop the servers at the end."""
    yield
    BACKENDS.close()


@pytest.fixture(autouse=True)
def places_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drop after each test what its folder had on the servers."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        BACKENDS.forget(folder)
