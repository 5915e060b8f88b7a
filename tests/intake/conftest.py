"""An installation in a temporary folder, with everything that intake touches and nothing above it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.clock import FixedClock
from radrelay.intake.envelope import Origin
from radrelay.intake.indexer import Indexer
from radrelay.intake.landing import Landing
from radrelay.intake.models import Parcel, Quarantined
from radrelay.intake.parcels import Parcels, ParcelView
from radrelay.intake.pseudonymising import PseudonymDiversion
from radrelay.intake.sources import SourceBook, ensure_defaults
from radrelay.intake.unpacking import ArchiveUnpacker
from radrelay.pseudonyms import VaultSeal
from radrelay.settings import Settings
from radrelay.storage.columns import Base
from radrelay.storage.database import Database
from radrelay.storage.keys import Keyring
from radrelay.storage.node import node_id
from radrelay.storage.outbox import mark_taken, open_events
from radrelay.storage.segments import SegmentReader
from tests.backends import settings_for
from tests.schema import lay

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Site:
    """One installation under test."""

    settings: Settings
    keyring: Keyring
    database: Database
    reader: SegmentReader
    clock: FixedClock
    organisation_id: uuid.UUID
    book: SourceBook
    parcels: Parcels
    landings: dict[str, Landing] = field(default_factory=dict)

    def landing(self, owner: str = "web") -> Landing:
        """Open (once) the landing of a role."""
        if owner not in self.landings:
            self.landings[owner] = Landing.open(self.settings, owner, self.keyring, self.clock, self.book)
        return self.landings[owner]

    def origin(self, kind: str = "dicom") -> Origin:
        return self.book.resolve(kind).origin(peer="127.0.0.1", correlation_id="c-1")

    def parcel(self, name: str = "parcel", kind: str = "upload") -> Origin:
        return self.parcels.create(self.book.resolve(kind), name)

    def indexer(self, kind: type[Indexer] = Indexer) -> Indexer:
        diversion = PseudonymDiversion(self.database, self.clock, VaultSeal(self.keyring.vault_key))
        return kind(self.database, self.reader, self.settings, self.clock, diversion)

    def index(self) -> int:
        """Index everything that has landed."""
        indexer, total = self.indexer(), 0
        while count := indexer.run_once():
            total += count
        return total

    def unpack_waiting(self) -> None:
        """Do what durable work does with archives that have landed."""
        with self.database.write() as session:
            events = open_events(session, ["parcel.landed"])
            mark_taken(session, [event.id for event in events], self.clock.now())
        unpacker = ArchiveUnpacker(self.database, self.reader, self.landing("work"))
        for event in events:
            unpacker.attempt(uuid.UUID(event.payload["record_id"]))

    def take(self, *files: tuple[str, bytes], name: str = "parcel") -> ParcelView:
        """Send files as one parcel, index and unpack; return the parcel at its end."""
        origin = self.parcel(name)
        for file_name, data in files:
            self.landing().land_file(origin, file_name, iter([data]))
        self.parcels.seal(self.landing(), origin)
        assert origin.parcel_id is not None
        self.index()
        self.unpack_waiting()
        self.index()
        return self.parcels.get(self.organisation_id, origin.parcel_id)

    def findings(self, parcel: ParcelView) -> dict[str, str]:
        return {f.file_name: f.code for f in self.parcels.findings(self.organisation_id, parcel.id)}

    def rows(self, table: type[Base]) -> int:
        with self.database.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    def accounted(self) -> int:
        """Return how many files ended as an instance, duplicate, attachment, quarantined object or finding."""
        with self.database.read() as session:
            counts = Parcel.objects + Parcel.duplicates + Parcel.attachments + Parcel.quarantined + Parcel.refused
            return session.scalar(sa.select(sa.func.sum(counts))) or 0

    def codes(self) -> list[str]:
        """Return why things are in the quarantine."""
        with self.database.read() as session:
            return list(session.scalars(sa.select(Quarantined.code).order_by(Quarantined.id)))

    def close(self) -> None:
        for landing in self.landings.values():
            landing.close()
        self.landings.clear()
        self.database.close()


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Return a function that opens an installation; a second call on the same folder opens it again."""
    opened: list[Site] = []

    def make(intake: dict[str, object] | None = None, **storage: int) -> Site:
        settings = settings_for(
            tmp_path / "data",
            storage={"segment_bytes": 4 << 20, "min_free_bytes": 1 << 20, "ballast_bytes": 0} | storage,
            intake=intake or {},
        )
        settings.data_dir.mkdir(exist_ok=True)
        keyring = Keyring.open(settings, create=True)
        database = Database.open(settings.database, settings.data_dir, keyring.metadata_key)
        clock = FixedClock(START)
        organisation_id = uuid.UUID(int=7)
        lay(database)
        with database.write() as session:
            ensure_defaults(session, organisation_id, settings, clock.now())
        reader = SegmentReader(settings.landing_dir, keyring, node=node_id(settings.data_dir))
        book = SourceBook(database, settings)
        parcels = Parcels(database, clock, scanning=settings.intake.clamd is not None)
        site = Site(settings, keyring, database, reader, clock, organisation_id, book, parcels)
        opened.append(site)
        return site

    yield make
    for site in opened:
        site.close()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()
