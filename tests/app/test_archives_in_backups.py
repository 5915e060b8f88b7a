"""An archive that was open when the backup was made is unpacked after a restore, unless it was deleted since."""

from __future__ import annotations

import io
import shutil
import uuid
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import UID

from radrelay.app.backup import write_backup
from radrelay.app.backup_folder import read_manifest
from radrelay.app.replay import replay_deletions
from radrelay.app.restore import check_backup, restore
from radrelay.archive import deletion
from radrelay.intake.envelope import Origin
from radrelay.intake.landing import Landing
from radrelay.intake.models import OpenArchive, Quarantined
from radrelay.intake.open_archives import UNPACK_FAILED
from radrelay.intake.parcels import Parcels
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.sources import SourceBook
from radrelay.intake.unpacking import ArchiveUnpacker
from radrelay.storage.ids import new_id
from radrelay.storage.keystore import LedgerEntry
from radrelay.storage.models import KeptKey
from radrelay.storage.packs import KeyDestroyed
from tests.app.house import House, house, settings_in
from tests.archive.house import slices
from tests.backends import BACKENDS
from tests.intake.samples import zipped

FILES = slices(2)


def send(there: House, *files: bytes) -> Origin:
    """Upload an archive as a parcel; it is not unpacked yet."""
    core = there.core
    book = SourceBook(core.database, core.settings)
    book.refresh()
    parcels = Parcels(core.database, core.clock)
    origin = parcels.create(book.resolve("upload"), "cd.zip")
    landing = Landing.open(core.settings, "web", core.keyring, core.clock, book)
    try:
        members = [(f"{n}.dcm", file) for n, file in enumerate(files or FILES)]
        landing.land_file(origin, "cd.zip", [zipped(*members, ("letter.pdf", b"%PDF-1.7\n%%EOF"))])
        parcels.seal(landing, origin)
    finally:
        landing.close()
    there.index()
    return origin


def open_archives(there: House) -> list[uuid.UUID]:
    with there.core.database.read() as session:
        return list(session.scalars(sa.select(OpenArchive.id)))


def unpack(there: House) -> None:
    core = there.core
    landing = Landing.open(core.settings, "work", core.keyring, core.clock)
    try:
        for record_id in open_archives(there):
            ArchiveUnpacker(core.database, core.segments, landing).attempt(record_id)
    finally:
        landing.close()
    there.index()
    there.compact()


def state(there: House, origin: Origin) -> tuple[str, str]:
    assert origin.parcel_id is not None
    parcels = Parcels(there.core.database, there.core.clock)
    parcel = parcels.get(there.prepared.organisation_id, origin.parcel_id)
    return parcel.state, parcel.error


def contents(there: House) -> dict[str, bytes]:
    return {ref.sop_uid: there.reader.data_set(ref) for ref in there.instances()}


def test_an_archive_unpacked_since_comes_back_and_is_unpacked_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        send(there)
        write_backup(there.core, tmp_path / "backup")
        unpack(there)
        before = contents(there)
        assert len(before) == 2
        assert there.records() == 1  # the letter's
    BACKENDS.lose(settings.data_dir)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        assert contents(there) == {}
        unpack(there)
        assert contents(there) == before


def test_an_archive_of_which_something_was_deleted_does_not_come_back(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        origin = send(there)
        write_backup(there.core, tmp_path / "backup")
        (record_id,) = open_archives(there)
        unpack(there)
        there.core.keys.get(record_id)
        with there.core.database.write() as session:
            deletion.delete_instance(session, there.instances()[0].id, there.core.clock.now())
        there.retention.expire()
        assert check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup")).erased == 1
        assert {entry.kind for entry in there.core.keys.ledger()} == {"instance", "parcel"}
        with there.core.database.read() as session:
            assert session.scalars(sa.select(KeptKey.id).where(KeptKey.kind == "archive")).all() == []
    BACKENDS.lose(settings.data_dir)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        assert open_archives(there) == []
        assert state(there, origin) == ("failed", "It was deleted before a backup was restored.")
        unpack(there)
        assert contents(there) == {}
        with pytest.raises(KeyDestroyed):
            there.core.keys.get(record_id)


@pytest.mark.embedded(reason="the database's file is copied")
def test_the_same_when_rows_and_landing_were_put_back_by_other_means(tmp_path: Path) -> None:
    """A snapshot of the data directory holds the archive in a form that is still readable: only the ledger helps."""
    settings = settings_in(tmp_path)
    kept = ("radrelay.sqlite", "radrelay.sqlite-wal", "landing", "packs")
    with house(settings) as there:
        origin = send(there)
    for name in kept:
        if (settings.data_dir / name).is_dir():
            shutil.copytree(settings.data_dir / name, tmp_path / "copy" / name)
        elif (settings.data_dir / name).exists():
            (tmp_path / "copy").mkdir(exist_ok=True)
            shutil.copyfile(settings.data_dir / name, tmp_path / "copy" / name)
    with house(settings) as there:
        unpack(there)
        (study_id,) = there.studies()
        with there.core.database.write() as session:
            deletion.delete_study(session, study_id, there.core.clock.now())
        there.retention.expire()
    for name in (*kept, "radrelay.sqlite-shm"):
        path = settings.data_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
    shutil.copytree(tmp_path / "copy", settings.data_dir, dirs_exist_ok=True)
    with house(settings) as there:
        assert open_archives(there) == []
        assert state(there, origin)[0] == "failed"
        unpack(there)
        assert there.studies() == []


def test_an_archive_that_waits_in_the_quarantine_goes_with_what_came_out_of_it_later(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        send(there)
        (record_id,) = open_archives(there)
        with there.core.database.read() as session:
            row = session.get_one(OpenArchive, record_id)
        landing = Landing.open(settings, "work", there.core.keyring, there.core.clock)
        origin = Origin(row.organisation_id, row.source_id, "", parcel_id=row.parcel_id)
        landing.end(origin, record_id, UNPACK_FAILED, "broken")
        landing.close()
        there.index()
        now = there.core.clock.now()
        assert quarantined(there) == [record_id]
        there.core.keys.append_ledger([LedgerEntry(now, row.organisation_id, "parcel", record_id, "deleted")])
        replay_deletions(there.core)
        assert quarantined(there) == []
        assert there.records() == 0


def quarantined(there: House) -> list[uuid.UUID]:
    with there.core.database.read() as session:
        return list(session.scalars(sa.select(Quarantined.record_id)))


def test_what_was_let_in_from_the_quarantine_takes_the_archive_along_when_it_is_deleted(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        core = there.core
        there.land(slices(1, first=7)[0])
        send(there, *slices(1), with_other_patient(slices(1, first=7, study="1.2.9")[0]))
        (record_id,) = open_archives(there)
        unpack(there)
        quarantine = Quarantine(core.database, core.segments, core.clock)
        (kept,) = quarantine.list(there.prepared.organisation_id)
        with core.database.write() as session:
            released = quarantine.release(session, there.prepared.organisation_id, kept.id)
        assert released.study_id is not None
        with core.database.read() as session:
            bound = set(session.scalars(sa.select(KeptKey.bound_to).where(KeptKey.id == record_id)))
        assert released.study_id in bound
        assert released.instance_id is not None
        with core.database.write() as session:
            deletion.delete_instance(session, released.instance_id, core.clock.now())
        there.retention.expire()
        assert "parcel" in {entry.kind for entry in core.keys.ledger()}


def with_other_patient(file: bytes) -> bytes:
    """Return the file as another patient's, under another SOP instance UID."""
    data = pydicom.dcmread(io.BytesIO(file))
    data.PatientID = "another"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = UID("1.2.9.1.99")
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()


def test_an_entry_of_an_archive_that_no_row_knows_is_passed_over(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        send(there)
        now = there.core.clock.now()
        there.core.keys.append_ledger(
            [LedgerEntry(now, there.prepared.organisation_id, "parcel", new_id(), "deleted")] * 2
        )
        replay_deletions(there.core)
        assert len(open_archives(there)) == 1
