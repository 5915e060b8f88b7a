"""A backup brings back what it was made of, whatever the installation did meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.app import backup as backups
from radrelay.app import restore as restoring
from radrelay.app.backup import write_backup
from radrelay.app.backup_folder import NoInstallation, read_manifest
from radrelay.app.landed import take_in_landed
from radrelay.app.restore import RowsDamaged, check_backup, restore
from radrelay.app.restored import RestoreUnfinished
from radrelay.app.rows import dump_rows
from radrelay.routing import deliveries, destinations
from radrelay.routing.destinations import DestinationDraft
from radrelay.routing.models import Delivery
from radrelay.storage.free_space import DiskFull
from tests.app.house import House, house, settings_in
from tests.backends import BACKENDS
from tests.intake.samples import ct_file

ONE, TWO, THREE = "1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"


def lose(folder: Path) -> None:
    """Lose the machine: all but the master key and the mirror of the key store."""
    BACKENDS.lose(folder / "data")


def test_objects_that_were_not_packed_yet_are_readable_after_a_restore(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE), ct_file(TWO))
        before = there.contents()
        assert set(before) == {ONE, TWO}
        write_backup(there.core, tmp_path / "backup")
    lose(tmp_path)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        there.index()
        assert there.contents() == before
        there.compact()
        assert there.contents() == before


def test_a_second_backup_while_objects_wait_to_be_packed_holds_them_too(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        write_backup(there.core, tmp_path / "backup")
        there.land(ct_file(TWO))
        write_backup(there.core, tmp_path / "backup")
        write_backup(there.core, tmp_path / "elsewhere")
        before = there.contents()
    for folder in ("backup", "elsewhere"):
        lose(tmp_path)
        assert restore(settings, tmp_path / folder, check=False) == 0
        with house(settings) as there:
            assert there.contents() == before


def test_object_that_is_packed_while_the_backup_runs_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        before = there.contents()
        rounds: list[int] = []

        def dump_then_pack(*arguments: object) -> object:
            found = dump_rows(*arguments)  # type: ignore[arg-type]
            if not rounds:
                there.compact()
            rounds.append(1)
            return found

        monkeypatch.setattr(backups, "dump_rows", dump_then_pack)
        write_backup(there.core, tmp_path / "backup")
        assert len(rounds) == 2
    lose(tmp_path)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        assert there.contents() == before


def test_object_that_is_packed_after_the_backup_is_in_it_as_a_pack(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        before = there.contents()
        assert backups.backup(settings, tmp_path / "backup") == 0
        assert read_manifest(tmp_path / "backup").records == ()
        there.compact()
    lose(tmp_path)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        assert there.contents() == before


def test_one_damaged_object_does_not_keep_the_others_from_a_backup(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        there.compact()
        there.land(ct_file(TWO))
        BACKENDS.lose_packs(settings.data_dir)
        manifest = write_backup(there.core, tmp_path / "backup")
        assert len(manifest.lost) == 1
        assert len(manifest.records) == 1
    lose(tmp_path)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        (kept,) = [ref for ref in there.instances() if ref.sop_uid == TWO]
        assert there.reader.data_set(kept)


def test_backup_from_an_empty_folder_is_refused_and_leaves_the_older_one_whole(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        assert backups.backup(settings, tmp_path / "backup") == 0
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    with pytest.raises(NoInstallation):
        backups.backup(elsewhere, tmp_path / "backup")
    assert not (tmp_path / "elsewhere").exists()
    with house(settings_in(tmp_path / "another")) as other, pytest.raises(backups.BackupOfAnother):
        write_backup(other.core, tmp_path / "backup")
    assert read_manifest(tmp_path / "backup").packs
    assert restore(settings, tmp_path / "backup", check=True) == 0


def test_a_backup_that_breaks_off_leaves_every_copy_of_the_older_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(settings_in(tmp_path)) as there:
        there.land(ct_file(ONE))
        write_backup(there.core, tmp_path / "backup")
        there.land(ct_file(TWO))

        def full(*_: object) -> object:
            raise DiskFull

        monkeypatch.setattr(there.core.segments, "stream", full)
        with pytest.raises(DiskFull):
            write_backup(there.core, tmp_path / "backup")
        found = check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup"))
        assert (found.records, found.damaged) == (1, ())


def test_a_restore_that_was_cut_off_serves_nothing_until_it_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        there.compact()
        there.land(ct_file(TWO))
        before = there.contents()
        write_backup(there.core, tmp_path / "backup")
    lose(tmp_path)
    for step in ("_land_again", "replay_ledger"):
        with monkeypatch.context() as patch:
            patch.setattr(restoring, step, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                restore(settings, tmp_path / "backup", check=False)
        with pytest.raises(RestoreUnfinished, match="restore FOLDER"), house(settings):
            pass
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        there.index()
        assert there.contents() == before
    with pytest.raises(restoring.NotEmpty):
        restore(settings, tmp_path / "backup", check=False)


def spoil(path: Path) -> None:
    """Change bytes in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_is_damaged_in_a_backup_keeps_nothing_else_from_coming_back_and_can_be_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        there.compact()
        there.land(ct_file(TWO), ct_file(THREE))
        before = there.contents()
        manifest = write_backup(there.core, tmp_path / "backup")
    lose(tmp_path)
    spoil(tmp_path / "backup" / "records" / manifest.records[0].name)
    (tmp_path / "backup" / "packs" / manifest.packs[0].name).unlink()
    assert restore(settings, tmp_path / "backup", check=False) == 1
    assert "restored without what is damaged" in capsys.readouterr().out
    with house(settings) as there:
        assert sorted(ref.sop_uid for ref in there.instances())[0] == ONE
        (kept,) = [ref for ref in there.instances() if ref.sop_uid != ONE]
        assert there.reader.data_set(kept)
        there.land(ct_file(TWO), ct_file(THREE))
        for ref in there.instances():
            assert ref.sop_uid == ONE or len(there.reader.data_set(ref)) == before[ref.sop_uid]
        assert len(there.instances()) == 3


def test_a_backup_without_its_rows_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        manifest = write_backup(there.core, tmp_path / "backup")
    lose(tmp_path)
    spoil(tmp_path / "backup" / "rows" / manifest.rows.name)
    with pytest.raises(RowsDamaged):
        restore(settings, tmp_path / "backup", check=False)


def ask_for_a_delivery(there: House) -> None:
    """Ask for the delivery of the only study to a PACS."""
    core, organisation_id = there.core, there.prepared.organisation_id
    (study_id,) = there.studies()
    with core.database.write() as session:
        draft = DestinationDraft("PACS", "PACS", "127.0.0.1", 104)
        destination = destinations.create_destination(session, core.clock, organisation_id, draft)
        deliveries.request_delivery(
            session, core.clock, organisation_id=organisation_id, destination_id=destination.id, study_id=study_id,
            series_id=None, requested_by="a person", correlation_id="c",
        )  # fmt: skip


def delivery_states(there: House) -> list[str]:
    with there.core.database.read() as session:
        return list(session.scalars(sa.select(Delivery.state)))


def test_restored_copy_holds_what_was_still_to_be_sent_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        ask_for_a_delivery(there)
        write_backup(there.core, tmp_path / "backup")
        assert delivery_states(there) == ["waiting"]
    lose(tmp_path)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    assert "1 deliveries were open and are held" in capsys.readouterr().out
    with house(settings) as there:
        assert delivery_states(there) == ["held"]


def test_objects_that_no_role_took_in_yet_are_in_the_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        with monkeypatch.context() as patched:
            patched.setattr(there, "index", lambda: None)
            there.land(ct_file(ONE), ct_file(TWO))
        assert there.contents() == {}
        if settings.database.url is not None:  # there a role has to do it
            assert take_in_landed(there.core, wait_s=0) == 2
            there.index()
    assert backups.backup(settings, tmp_path / "backup") == 0
    lose(tmp_path)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        assert set(there.contents()) == {ONE, TWO}
