"""The database engine: SQLCipher by default, PostgreSQL beyond it; one synchronous way of using either.

`Database.read()` gives a session for looking, `Database.write()` one that takes the writer's place at once
(BEGIN IMMEDIATE on SQLite: read-then-write under a plain BEGIN fails with "database is locked" as soon as
several processes write) and commits when its block ends without an error.
sqlcipher3's errors are turned into SQLAlchemy's, which does not know them by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool
from sqlcipher3 import dbapi2 as sqlcipher

from radrelay.errors import Misconfigured, Unavailable
from radrelay.settings import DatabaseSettings
from radrelay.storage.bells import RINGS, Bell, NotifyBell, PipeBell

BUSY_TIMEOUT_S = 30.0


class DatabaseUnavailable(Unavailable):
    """The database does not answer just now; try again."""

    code = "database-unavailable"


class Database:
    """One installation's rows. Thread-safe; open one per process, after any fork."""

    def __init__(self, engine: Engine, bell: Bell | None = None) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self.bell = bell

    @classmethod
    def open(cls, settings: DatabaseSettings, data_dir: Path, key: bytes) -> Database:
        """Open the database of `settings`; `key` (32 bytes) encrypts the embedded one."""
        if settings.url is None:
            return cls(sqlcipher_engine(data_dir / "radrelay.sqlite", key), PipeBell(data_dir / "work.bell"))
        try:
            url = sa.make_url(settings.url)
        except sa.exc.ArgumentError as error:
            raise Misconfigured("database.url cannot be understood; expected postgresql://…") from error
        if url.get_backend_name() == "postgresql":
            from radrelay.storage.postgresql import postgresql_engine  # noqa: PLC0415 -- brings the driver

            engine = postgresql_engine(url, settings.pool_size)
            return cls(engine, NotifyBell(engine))
        raise Misconfigured(f"database.url must be postgresql://…, not {url.drivername}")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for looking; what is changed in it is rolled back."""
        with mapped_errors(), Session(self.engine, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that holds the writer's place; commits at the end, rolls back on an error."""
        with (
            mapped_errors(),
            self.engine.connect().execution_options(radrelay_write=True) as connection,
            Session(connection, autoflush=True, expire_on_commit=False) as session,
        ):
            yield session
            rings = self.bell if session.info.get(RINGS) else None
            if rings is not None:
                rings.before_commit(session)
            session.commit()
        if rings is not None:
            rings.committed()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def sqlcipher_engine(path: Path, key: bytes) -> Engine:
    """Return an engine on the SQLCipher file `path`, made at need, under the raw `key` of 32 bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def connect() -> Any:
        connection = sqlcipher.connect(str(path), timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None)
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    engine = sa.create_engine(
        "sqlite://",
        module=sqlcipher,
        creator=connect,
        poolclass=QueuePool,
        pool_size=12,  # as many as the web role has threads of its own; one beyond is opened and closed each time
        max_overflow=28,
        pool_use_lifo=True,  # the one used last still has its pages decrypted; any commit makes each read them anew
        hide_parameters=True,  # they are patients' names; errors are logged
    )
    engine.dialect.statement_compiler = _WithHints
    event.listen(engine, "begin", _begin)
    return engine


class _WithHints(SQLiteCompiler):
    """Writes what a statement says of a table's index (`INDEXED BY`), which SQLAlchemy leaves out for SQLite."""

    def get_from_hint_text(self, table: sa.FromClause, text: str | None) -> str | None:
        """Return the hint."""
        return text


def _begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("radrelay_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn the driver's errors into SQLAlchemy's, and an absent database into `DatabaseUnavailable`."""
    try:
        yield
    except sqlcipher.IntegrityError as error:
        raise IntegrityError(None, None, error) from error
    except sqlcipher.OperationalError as error:
        raise DatabaseUnavailable(f"the database does not answer: {error}") from error
    except OperationalError as error:
        raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
    except PoolExhausted as error:
        raise DatabaseUnavailable("every connection to the database is in use") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
        raise
