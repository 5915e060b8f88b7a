"""An installation in a temporary folder, put together as the roles do, driven step by step by a test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from radrelay.app.core import Core, open_core
from radrelay.app.prepare import Prepared, prepare
from radrelay.app.pseudonyms import diversion
from radrelay.app.work import open_retention
from radrelay.archive.compaction import Compactor
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.models import Study
from radrelay.archive.reader import InstanceReader
from radrelay.archive.retention import Retention
from radrelay.clock import Clock
from radrelay.intake.indexer import Indexer
from radrelay.intake.landing import Landing
from radrelay.intake.sources import SourceBook
from radrelay.settings import Settings
from radrelay.storage.models import LandingRecord
from tests.backends import settings_for


def settings_in(folder: Path) -> Settings:
    """Return settings of an installation in `folder`, its key store mirrored beside it."""
    return settings_for(
        folder / "data",
        storage={"segment_bytes": 1 << 20, "min_free_bytes": 0, "ballast_bytes": 0},
        keys={"mirror": folder / "mirror", "master_file": folder / "master-key"},
    )


class House:
    """One installation under test."""

    def __init__(self, core: Core, *, start: bool = True) -> None:
        self.core = core
        self.prepared: Prepared = prepare(core, leading=start)
        self.executor = ThreadPoolExecutor(1)
        self.reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
        keep = core.settings.keys.keep_replaced
        self.compactor = Compactor(core.database, core.clock, self.reader, core.packs, core.keys, self.executor, keep)
        self.retention: Retention = open_retention(core, self.compactor)
        self._indexer = Indexer(core.database, core.segments, core.settings, core.clock, diversion(core))

    def land(self, *files: bytes, kind: str = "dicom") -> None:
        """Land files as `listen` would and take them into the index."""
        book = SourceBook(self.core.database, self.core.settings)
        book.refresh()
        landing = Landing.open(self.core.settings, "listen", self.core.keyring, self.core.clock, book)
        try:
            for content in files:
                landing.land_file(book.resolve(kind).origin(peer="127.0.0.1", correlation_id="c"), "file", [content])
        finally:
            landing.close()
        self.index()

    def index(self) -> None:
        """Take what has landed into the index."""
        while self._indexer.run_once():
            pass

    def studies(self) -> list[uuid.UUID]:
        with self.core.database.read() as session:
            return list(session.scalars(sa.select(Study.id)))

    def records(self) -> int:
        with self.core.database.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(LandingRecord)) or 0

    def compact(self) -> None:
        """Pack every study and carry out what follows."""
        for study_id in self.studies():
            self.compactor.compact_study(self.prepared.organisation_id, study_id)
        self.retention.expire()

    def instances(self) -> list[InstanceRef]:
        with self.core.database.read() as session:
            return find_instances(session, self.core.clock.now(), organisation_id=self.prepared.organisation_id)

    def contents(self) -> dict[str, int]:
        """Return the size of every instance as it can be read, by its SOP instance UID."""
        return {ref.sop_uid: len(self.reader.data_set(ref)) for ref in self.instances()}

    def close(self) -> None:
        self.executor.shutdown()


@contextmanager
def house(settings: Settings, *, start: bool = True, clock: Clock | None = None) -> Iterator[House]:
    """Open an installation, as `radrelay serve` starts it or as one of its roles does."""
    core = open_core(settings, clock)
    try:
        opened = House(core, start=start)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        core.close()
