"""What every role stands on: keys, database, stored bytes, opened from the settings."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog

from radrelay.clock import Clock, SystemClock
from radrelay.errors import Misconfigured
from radrelay.settings import Settings
from radrelay.storage import nodes
from radrelay.storage.database import Database
from radrelay.storage.durable_files import make_private_directory, write_durably
from radrelay.storage.keys import Keyring
from radrelay.storage.keystore import KeyStore
from radrelay.storage.migrate import migrate
from radrelay.storage.models import Pack
from radrelay.storage.neighbours import Neighbours
from radrelay.storage.node import node_id
from radrelay.storage.node_tls import client_context
from radrelay.storage.packs import PackStore
from radrelay.storage.record_reader import LandingFiles
from radrelay.storage.segments import SegmentReader

STARTS_FILE = "starts"
MIRROR_NODE = "node-id"
log = structlog.get_logger(__name__)


class MirrorTaken(Misconfigured):
    """Another machine mirrors its keys to this folder; each needs one of its own."""

    code = "mirror-taken"


@dataclass(frozen=True)
class Core:
    """The parts that all roles share. Made once per process, closed at its end."""

    settings: Settings
    clock: Clock
    node: str
    keyring: Keyring
    keys: KeyStore
    database: Database
    packs: PackStore
    segments: SegmentReader

    def close(self) -> None:
        """Let go of the database and the key store."""
        self.keys.close()
        self.database.close()


def open_core(settings: Settings, clock: Clock | None = None) -> Core:
    """Open an installation, making a new one in an empty data directory, and bring its schema up to date."""
    private_folder(settings.data_dir)
    with exclusive(settings.data_dir / "setup.lock"):
        keyring = Keyring.open(settings, create=True)
        database = Database.open(settings.database, settings.data_dir, keyring.metadata_key)
        try:
            migrate(database)
            node = node_id(settings.data_dir)
            _take_mirror(settings, database, node)
            keys = KeyStore.open(settings, keyring, served_before=served_before(settings) or _names_packs(database))
        except BaseException:
            database.close()
            raise
    clock = clock or SystemClock()
    return Core(
        settings=settings,
        clock=clock,
        node=node,
        keyring=keyring,
        keys=keys,
        database=database,
        packs=PackStore.open(settings, keyring, keys),
        segments=SegmentReader(
            settings.landing_dir, keyring, node=node, elsewhere=_elsewhere(settings, database, clock, keyring, node)
        ),
    )


def served_before(settings: Settings) -> bool:
    """Say whether a role has served this data directory before; its starts are counted there."""
    return (settings.keys_dir / STARTS_FILE).exists()


def _take_mirror(settings: Settings, database: Database, node: str) -> None:
    """Note in the folder of the key mirror whose it is; raises `MirrorTaken` while another node that serves has it."""
    if settings.keys.mirror is None or database.dialect != "postgresql":
        return
    path = settings.keys.mirror / MIRROR_NODE
    owner = path.read_text().strip() if path.exists() else ""
    if owner == node:
        return
    for view in nodes.nodes(database, SystemClock()):
        if view.node == owner and view.alive:
            raise MirrorTaken(
                f"keys.mirror {settings.keys.mirror} is that of the machine {view.name!r}; name a folder of its own "
                "for each (RADRELAY_KEYS__MIRROR)"
            )
    make_private_directory(path.parent.absolute())
    write_durably(path, node.encode())


def _names_packs(database: Database) -> bool:
    with database.read() as session:
        return session.scalar(sa.select(Pack.id).limit(1)) is not None


def _elsewhere(
    settings: Settings, database: Database, clock: Clock, keyring: Keyring, node: str
) -> LandingFiles | None:
    """Return how other nodes' landed objects are read; an embedded database has no other nodes."""
    if database.dialect != "postgresql":
        return None
    return Neighbours(database, clock, lambda: client_context(keyring, node, settings.keys_dir))


def private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter."""
    path.mkdir(parents=True, exist_ok=True)
    os.chmod(path, 0o700)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock on `path` that only one process on this machine can hold."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
