"""SQL is compiled once in a process of the tests, not once for each of the hundreds of databases that they open.

SQLAlchemy keeps what it has compiled by the dialect of an engine, and each engine has one of its own. Those of embedded
databases are all alike, so here they are one and the same; what is sent to the database is what it always is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.util import LRUCache

from radrelay.storage import database

_own = database.sqlcipher_engine
_compiled: LRUCache[object, object] = LRUCache(4000)


def engine_with_known_statements(path: Path, key: bytes) -> Engine:
    """Do what `radrelay.storage.database.sqlcipher_engine` does, with the dialect that all such engines share."""
    engine = _own(path, key)
    engine.dialect = _dialect()
    engine.update_execution_options(compiled_cache=_compiled)
    return engine


@cache
def _dialect() -> Dialect:
    """Return the dialect of an engine that has met a database: it knows what this one can do."""
    with TemporaryDirectory() as folder:
        engine = _own(Path(folder) / "first.sqlite", bytes(32))
        engine.connect().close()
        engine.dispose()
    return engine.dialect
