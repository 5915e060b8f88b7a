"""The keyring that several nodes share: kept, wrapped by the master key, in PostgreSQL beside the study keys.

Each node keeps a copy in its file, so that it opens what it holds without the database. A node's first start takes
the installation's keyring from here and needs only the master key; a change of the keyring is written here first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import sqlalchemy as sa

from radrelay.settings import Settings
from radrelay.storage.columns import Instant
from radrelay.storage.database import mapped_errors

SCHEMA = "radrelay_keys"
SCHEMA_LOCK = 7239847  # the same as the key tables': one at a time makes the schema

_tables = sa.MetaData()
_keyring = sa.Table(
    "keyring",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    schema=SCHEMA,
)


class SharedKeyring:
    """The keyring's row in PostgreSQL. Raises `Unavailable` where the database does not answer."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url).set(drivername="postgresql+psycopg")

    @classmethod
    def of(cls, settings: Settings) -> SharedKeyring | None:
        """Return where the keyring is shared, none for an embedded database, which has one node."""
        url = settings.database.url
        return cls(url) if url is not None and url.startswith("postgres") else None

    def fetch(self) -> bytes | None:
        """Return the keyring's file, none if the installation has none yet."""
        with self._connection() as connection:
            if not sa.inspect(connection).has_table("keyring", schema=SCHEMA):
                return None
            found = connection.execute(sa.select(_keyring.c.content)).scalar()
            return None if found is None else bytes(found)

    def replace(self, expected: bytes | None, content: bytes) -> bool:
        """Put `content` in the place of `expected`, durable on return; false if another node was first."""
        now = sa.func.clock_timestamp()
        with self._connection() as connection, connection.begin():
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            _tables.create_all(connection)
            if expected is None:
                if connection.execute(sa.select(_keyring.c.id)).first() is not None:
                    return False
                connection.execute(sa.insert(_keyring).values(id=1, content=content, changed_at=now))
                return True
            done = connection.execute(
                sa.update(_keyring).where(_keyring.c.content == expected).values(content=content, changed_at=now)
            )
            return cast("sa.CursorResult[object]", done).rowcount == 1

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        engine = sa.create_engine(self._url, poolclass=sa.NullPool, hide_parameters=True)
        with mapped_errors(), engine.connect() as connection:
            yield connection
