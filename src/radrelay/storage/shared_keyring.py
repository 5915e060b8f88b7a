"""The keyring that several nodes share: kept, wrapped by the master key, in PostgreSQL beside the study keys.

Each node keeps a copy in its file, so that it opens what it holds without the database. A node's first start takes
the installation's keyring from here and needs only the master key; a change of the keyring is written here first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import sqlalchemy as sa

from radrelay.errors import Unavailable
from radrelay.settings import Settings
from radrelay.storage.columns import Instant
from radrelay.storage.database import mapped_errors
from radrelay.storage.durable_files import write_durably
from radrelay.storage.keyring_file import decoded, diverged, from_file
from radrelay.storage.master_key import KeyUnfit, MasterKeySource, known_master, master_for, read_master_key

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


def take_shared(path: Path, source: MasterKeySource, shared: SharedKeyring) -> None:
    """Bring the file to what the nodes share; the caller holds its lock. Without the database the file stands.

    Raises `KeyUnfit` when this node's master key or keyring is another installation's, or was rotated apart.
    """
    own = path.read_bytes() if path.exists() else None
    try:
        content = shared.fetch()
    except Unavailable:
        if own is None:
            raise
        return
    if content is None or content == own:
        return
    place = "the installation in database.url"
    stored = decoded(content, place)
    theirs = from_file(stored, master_for(stored.master, source, place))
    if own is not None:
        before = decoded(own, str(path))
        if before.master == stored.master:
            ours = from_file(before, read_master_key(source.path))
            if ours.metadata != theirs.metadata:
                raise KeyUnfit(f"the keyring {path} belongs to another installation than the database of database.url")
            if diverged(ours, theirs):
                raise KeyUnfit(
                    f"the keyring {path} was rotated apart from that in database.url, which was put back from an older "
                    "copy; neither opens what is under the other: keep both, and put the schema radrelay_keys back"
                )
            if ours.current > theirs.current:
                return  # the database was put back from an older copy; `share` gives it the newer keys again
        write_durably(path.with_name(f"{path.name}.replaced"), own)
    write_durably(path, content)


def share(path: Path, source: MasterKeySource, shared: SharedKeyring, *, made: bool) -> None:
    """Give the nodes this one's keyring where they have none, or an older one; the caller holds the file's lock.

    One that was `made` just now gives way to another node's.
    """
    try:
        there, own = shared.fetch(), path.read_bytes()
        if there == own:
            return
        if (there is None or (not made and _is_newer(own, there, source))) and shared.replace(there, own):
            return
        if made:  # another node's first start was quicker
            path.unlink()
        take_shared(path, source, shared)
    except Unavailable:
        return


def _is_newer(own: bytes, there: bytes, source: MasterKeySource) -> bool:
    """Say whether `own` has keys that `there` lacks; never for one under another master key: it is looked at anew."""
    ours, theirs = decoded(own, "of this node"), decoded(there, "of the nodes")
    if ours.master != theirs.master or ours.current <= theirs.current:
        return False
    master = known_master(ours.master, source, "of this node")
    mine, shared = from_file(ours, master), from_file(theirs, master)
    return mine.metadata == shared.metadata and not diverged(mine, shared)
