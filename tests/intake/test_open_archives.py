"""An archive is never stuck: what is away is waited for, what fails ends its parcel and says what and where."""

from __future__ import annotations

import errno
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.archive.models import Tombstone
from radrelay.intake import open_archives
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import QuotaExceeded
from radrelay.intake.models import OpenArchive
from radrelay.intake.open_archives import LEASE, LONGEST_PAUSE_S, OpenArchives, hand_over_due
from radrelay.intake.parcels import ParcelView
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.unpack import Unpacker
from radrelay.intake.unpacking import ArchiveUnpacker
from radrelay.storage.database import DatabaseUnavailable
from radrelay.storage.free_space import DiskFull
from radrelay.storage.models import Erasure, LandingRecord
from radrelay.storage.neighbours import NodeAway
from radrelay.storage.packs import StoreUnavailable
from tests.intake.conftest import MakeSite, Site
from tests.intake.samples import ct_file, zipped

TWO = (("a.dcm", ct_file("1.2.1")), ("b.dcm", ct_file("1.2.2")))


def send(site: Site) -> Origin:
    """Send one archive as a parcel, sealed and in the list of open ones."""
    origin = site.parcel()
    site.landing().land_file(origin, "cd.zip", iter([zipped(*TWO)]))
    site.parcels.seal(site.landing(), origin)
    site.index()
    return origin


def parcel_of(site: Site, origin: Origin) -> ParcelView:
    assert origin.parcel_id is not None
    return site.parcels.get(site.organisation_id, origin.parcel_id)


def open_row(site: Site) -> OpenArchive | None:
    with site.database.read() as session:
        return session.scalar(sa.select(OpenArchive))


def work(site: Site) -> None:
    """Do what is due, as the role `work` does."""
    with site.database.write() as session:
        hand_over_due(session, site.clock)
    site.unpack_waiting()
    site.index()


def wait_out(site: Site) -> None:
    """Let the pause of the open archive pass."""
    row = open_row(site)
    assert row is not None
    assert row.due_at - site.clock.now() <= timedelta(seconds=LONGEST_PAUSE_S)
    site.clock.advance(row.due_at - site.clock.now())


@pytest.mark.parametrize(
    "error",
    [
        DiskFull,
        StoreUnavailable,
        NodeAway,
        lambda: OSError(errno.ENOSPC, "no space"),
        lambda: OSError(errno.EIO, "disk"),
    ],
)
def test_what_is_away_for_hours_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    origin = send(site)
    started = site.clock.now()

    def away(*_: object) -> Any:
        raise error()

    with monkeypatch.context() as patch:
        patch.setattr(Unpacker, "unpack", away)
        while site.clock.now() - started < timedelta(hours=5):
            work(site)
            wait_out(site)
            assert parcel_of(site, origin).state == "unpacking"
            (listed,) = site.parcels.recent(site.organisation_id)
            assert listed.error.startswith("cd.zip waits to be unpacked: ")
    row = open_row(site)
    assert row is not None
    assert row.failures == 0
    assert row.waiting_for
    work(site)
    parcel = parcel_of(site, origin)
    assert (parcel.state, parcel.objects, parcel.quarantined, parcel.error) == ("done", 2, 0, "")
    assert open_row(site) is None


def test_a_database_that_is_away_even_for_the_note_is_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = send(site)
    unpacker = ArchiveUnpacker(site.database, site.reader, site.landing("work"))
    row = open_row(site)
    assert row is not None

    def away() -> Any:
        raise DatabaseUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(site.database, "read", away)
        patch.setattr(site.database, "write", away)
        for _ in range(20):
            with pytest.raises(DatabaseUnavailable):
                unpacker.attempt(row.id)
    site.clock.advance(LEASE + timedelta(seconds=1))
    work(site)
    assert parcel_of(site, origin).state == "done"


def test_an_archive_whose_worker_died_without_a_word_is_handed_over_again(site: Site) -> None:
    origin = send(site)
    with site.database.write() as session:
        session.execute(sa.text("DELETE FROM outbox_event"))  # the record of durable work was lost with its machine
    work(site)
    assert parcel_of(site, origin).state == "unpacking"
    site.clock.advance(LEASE + timedelta(seconds=1))
    work(site)
    assert parcel_of(site, origin).state == "done"


def fail(site: Site, monkeypatch: pytest.MonkeyPatch, origin: Origin, after_members: int = 0) -> None:
    """Let unpacking fail by itself, after so many members, until it is given up."""
    take = Unpacker._unpack_member
    taken: list[int] = []

    def broken(self: Unpacker, *arguments: Any) -> None:
        if len(taken) >= after_members:
            raise ValueError("a bug")
        taken.append(1)
        take(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Unpacker, "_unpack_member", broken)
        for _ in range(open_archives.TRIES):
            assert parcel_of(site, origin).state == "unpacking"
            taken.clear()
            work(site)
            if open_row(site) is not None:
                wait_out(site)


def test_a_failure_ends_the_parcel_and_keeps_the_archive_for_a_person(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = send(site)
    fail(site, monkeypatch, origin)
    parcel = parcel_of(site, origin)
    assert parcel.state == "failed"
    assert "ValueError: a bug" in parcel.error
    assert parcel.error_code == "unpack-failed"
    assert parcel.quarantined == 1
    assert site.findings(parcel) == {"cd.zip": "unpack-failed"}
    quarantine = Quarantine(site.database, site.reader, site.clock)
    (kept,) = quarantine.list(site.organisation_id)
    assert (kept.code, kept.file_name, kept.releasable) == ("unpack-failed", "cd.zip", True)
    assert b"".join(quarantine.content(site.organisation_id, kept.id)) == zipped(*TWO)


def test_an_archive_released_from_the_quarantine_is_unpacked_once_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = send(site)
    fail(site, monkeypatch, origin, after_members=1)
    assert (parcel_of(site, origin).state, parcel_of(site, origin).objects) == ("failed", 1)
    quarantine = Quarantine(site.database, site.reader, site.clock)
    (kept,) = quarantine.list(site.organisation_id)
    with site.database.write() as session:
        quarantine.release(session, site.organisation_id, kept.id)
    assert parcel_of(site, origin).state == "unpacking"
    work(site)
    parcel = parcel_of(site, origin)
    assert (parcel.state, parcel.objects, parcel.quarantined, parcel.error) == ("done", 2, 0, "")
    assert site.findings(parcel) == {}
    assert quarantine.list(site.organisation_id) == []


def test_an_archive_deleted_from_the_quarantine_is_noted_as_deleted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(site, monkeypatch, send(site))
    quarantine = Quarantine(site.database, site.reader, site.clock)
    (kept,) = quarantine.list(site.organisation_id)
    with site.database.write() as session:
        quarantine.delete(session, site.organisation_id, kept.id)
    with site.database.read() as session:
        assert set(session.scalars(sa.select(Tombstone.kind))) == {"quarantine", "parcel"}


def test_a_source_without_room_fails_the_archive_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = send(site)

    def full(*_: object) -> Any:
        raise QuotaExceeded

    with monkeypatch.context() as patch:
        patch.setattr(Unpacker, "unpack", full)
        work(site)
    assert parcel_of(site, origin).state == "failed"
    assert "quota" in parcel_of(site, origin).error


def test_an_archive_that_the_disk_gives_back_damaged_ends_with_a_finding(make_site: MakeSite) -> None:
    site = make_site()
    origin = send(site)
    site.landing().close()
    with site.database.read() as session:
        record = session.scalars(sa.select(LandingRecord)).one()
    path = Path(site.settings.landing_dir) / record.owner.rpartition("/")[2] / f"seg-{record.segment:010d}.seg"
    with path.open("r+b") as file:
        file.seek(record.offset + 700)
        file.write(b"\xff" * 200)
    for _ in range(open_archives.TRIES):
        work(site)
        if open_row(site) is not None:
            wait_out(site)
    parcel = parcel_of(site, origin)
    assert parcel.state == "failed"
    assert list(site.findings(parcel).values()) == ["unpack-failed"]


def test_an_archive_whose_record_did_not_come_back_ends_with_a_finding(site: Site) -> None:
    origin = send(site)
    with site.database.write() as session:
        session.execute(sa.delete(LandingRecord))
    work(site)
    parcel = parcel_of(site, origin)
    assert (parcel.state, list(site.findings(parcel).values())) == ("failed", ["archive-gone"])


def test_an_archive_ends_with_its_sources_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = send(site)

    def away(*_: object) -> Any:
        raise DiskFull

    monkeypatch.setattr(Unpacker, "unpack", away)
    work(site)
    archives = OpenArchives(site.database, site.clock)
    assert archives.expire() == 0
    row = open_row(site)
    assert row is not None
    assert row.ends_at is not None
    site.clock.advance(row.ends_at - site.clock.now())
    assert archives.expire() == 1
    parcel = parcel_of(site, origin)
    assert (parcel.state, list(site.findings(parcel).values())) == ("failed", ["archive-expired"])
    with site.database.read() as session:
        assert session.execute(sa.select(Tombstone.kind, Tombstone.subject_id)).all() == [("parcel", row.id)]
        assert session.scalars(sa.select(Erasure.id)).all() == [row.id]
    work(site)
    assert parcel_of(site, origin).state == "failed"


def test_two_workers_do_not_unpack_the_same_archive_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = send(site)
    row = open_row(site)
    assert row is not None
    unpacker = ArchiveUnpacker(site.database, site.reader, site.landing("work"))
    begun, go_on = threading.Event(), threading.Event()
    calls: list[uuid.UUID] = []
    unpack = ArchiveUnpacker.unpack

    def slow(self: ArchiveUnpacker, record_id: uuid.UUID) -> Any:
        calls.append(record_id)
        begun.set()
        assert go_on.wait(30)
        return unpack(self, record_id)

    monkeypatch.setattr(ArchiveUnpacker, "unpack", slow)
    first = threading.Thread(target=unpacker.attempt, args=(row.id,))
    first.start()
    assert begun.wait(30)
    unpacker.attempt(row.id)
    go_on.set()
    first.join()
    assert len(calls) == 1
    site.index()
    assert parcel_of(site, origin).state == "done"
