"""`radrelay import` and watched folders."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.archive.models import Attachment, Instance, Study
from radrelay.intake.errors import ImportNotFound
from radrelay.intake.imports import ImportProgress, import_path
from radrelay.intake.models import Parcel
from radrelay.intake.sources import SourceSpec, add_source
from radrelay.intake.upkeep import LandingUpkeep
from radrelay.intake.watch import FolderWatcher
from radrelay.storage.models import LandingRecord
from tests.intake.conftest import MakeSite, Site
from tests.intake.samples import ct_file, zipped


def test_a_folder_is_imported_with_its_archives_and_letters(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "cd"
    (folder / "DICOM").mkdir(parents=True)
    (folder / "DICOM" / "a").write_bytes(ct_file("1.2.1"))
    (folder / "more.zip").write_bytes(zipped(("b.dcm", ct_file("1.2.2")), ("x.exe", b"MZ")))
    (folder / "Befund.pdf").write_bytes(b"%PDF-1.4")
    (folder / "AUTORUN.INF").write_bytes(b"[autorun]")
    (tmp_path / "secret.dcm").write_bytes(ct_file("1.2.3"))
    (folder / "link.dcm").symlink_to(tmp_path / "secret.dcm")
    seen: list[ImportProgress] = []
    done = import_path(site, folder, seen.append)
    assert (done.kept, done.skipped) == (3, 2)
    assert len(seen) == 4
    site.index()
    assert (site.rows(Instance), site.rows(Attachment)) == (2, 1)
    parcel = site.parcels.get(site.organisation_id, done.parcel_id)
    assert (parcel.state, parcel.objects, parcel.attachments, parcel.refused) == ("done", 2, 1, 2)
    assert site.findings(parcel) == {"more.zip/x.exe": "program", "AUTORUN.INF": "program"}


def test_one_file_and_one_zip_are_imported(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(ct_file("1.2.1"))
    (tmp_path / "b.zip").write_bytes(zipped(("b.dcm", ct_file("1.2.2"))))
    import_path(site, tmp_path / "a.dcm")
    import_path(site, tmp_path / "b.zip")
    site.index()
    assert site.rows(Instance) == 2
    with pytest.raises(ImportNotFound):
        import_path(site, tmp_path / "nothing")


def test_importing_again_adds_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(ct_file("1.2.1"))
    import_path(site, tmp_path / "a.dcm")
    again = import_path(site, tmp_path / "a.dcm")
    site.index()
    assert site.rows(Instance) == 1
    assert site.parcels.get(site.organisation_id, again.parcel_id).duplicates == 1


def test_an_unreadable_or_special_file_is_a_finding(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "cd"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "a.dcm").write_bytes(ct_file("1.2.1"))
    done = import_path(site, folder)
    site.index()
    parcel = site.parcels.get(site.organisation_id, done.parcel_id)
    assert site.findings(parcel) == {"pipe": "unreadable"}
    assert parcel.objects == 1


def test_a_bare_data_set_without_a_uid_is_said_to_lack_it_not_to_be_damaged(site: Site, tmp_path: Path) -> None:
    data = pydicom.dcmread(io.BytesIO(ct_file()))
    del data.SOPInstanceUID
    bare = io.BytesIO()
    pydicom.dcmwrite(bare, pydicom.Dataset(data), implicit_vr=True, little_endian=True, enforce_file_format=False)
    (tmp_path / "bare.dcm").write_bytes(bare.getvalue())
    done = import_path(site, tmp_path / "bare.dcm")
    site.index()
    parcel = site.parcels.get(site.organisation_id, done.parcel_id)
    assert site.findings(parcel) == {"bare.dcm": "no-identity"}


def test_an_imports_folder_is_cleared_up_once_nothing_in_it_is_needed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(ct_file("1.2.1"))
    import_path(site, tmp_path / "a.dcm")
    site.index()
    upkeep = LandingUpkeep(site.database, site.reader)
    upkeep.run_once()
    assert len(site.reader.owners()) == 1
    taken = sum(path.stat().st_blocks * 512 for path in site.settings.landing_dir.glob("import-*/*"))
    assert taken < 256 * 1024, "a segment's room for one picture that waits to be packed"
    with site.database.write() as session:
        session.execute(sa.delete(LandingRecord))
    upkeep.run_once()
    assert site.reader.owners() == []


def test_a_disc_of_every_layout_is_imported(site: Site, shared_data: Path) -> None:
    done = import_path(site, shared_data / "cd" / "pydicom-dicomdirtests")
    site.index()
    parcel = site.parcels.get(site.organisation_id, done.parcel_id)
    findings = site.findings(parcel)
    assert parcel.objects > 60
    assert parcel.files == parcel.objects + parcel.duplicates + parcel.attachments + parcel.quarantined + len(findings)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def watched(make_site: MakeSite, stick: Path, **more: object) -> Site:
    return make_site({"watch": [str(stick)], "watch_settle_s": 0.0} | more)


def watcher(site: Site) -> FolderWatcher:
    site.book.refresh()
    return FolderWatcher(site.database, site.landing("work"), site.book, site.parcels)


def test_what_is_put_into_a_watched_folder_is_taken_once(make_site: MakeSite, stick: Path) -> None:
    site = watched(make_site, stick)
    (stick / "sub").mkdir()
    (stick / "sub" / "a.dcm").write_bytes(ct_file("1.2.1"))
    (stick / "b.dcm.part").write_bytes(b"half")
    first = watcher(site)
    assert first.poll() == 1
    assert first.poll() == 0
    site.index()
    assert site.rows(Instance) == 1
    assert watcher(site).poll() == 0, "it is remembered across a restart"
    (stick / "sub" / "a.dcm").write_bytes(ct_file("1.2.2"))
    os.utime(stick / "sub" / "a.dcm", ns=(1, 1))
    assert first.poll() == 1, "a changed file is a new one"
    site.index()
    assert site.rows(Instance) == 2


def test_a_file_that_still_grows_is_left_alone(make_site: MakeSite, stick: Path) -> None:
    site = watched(make_site, stick, watch_settle_s=60.0)
    (stick / "a.dcm").write_bytes(ct_file("1.2.1"))
    looking = watcher(site)
    assert looking.poll() == 0
    assert looking.poll() == 0


def test_a_medium_that_vanishes_and_comes_back_is_no_trouble(make_site: MakeSite, stick: Path) -> None:
    site = watched(make_site, stick)
    (stick / "a.dcm").write_bytes(ct_file("1.2.1"))
    looking = watcher(site)
    assert looking.poll() == 1
    away = stick.with_name("away")
    shutil.move(stick, away)
    assert looking.poll() == 0
    shutil.move(away, stick)
    (stick / "b.dcm").write_bytes(ct_file("1.2.2"))
    assert looking.poll() == 1
    site.index()
    assert site.rows(Instance) == 2
    assert site.rows(Study) == 1


def test_an_unreadable_file_is_named_once_and_tried_again(
    make_site: MakeSite, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = watched(make_site, stick)
    (stick / "a.dcm").write_bytes(ct_file("1.2.1"))
    monkeypatch.setattr("radrelay.intake.watch._patience_s", lambda _: 0.0)
    looking = watcher(site)

    def unreadable(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("radrelay.intake.watch.open_plain", unreadable)
        for _ in range(3):
            assert looking.poll() == 0
    site.index()
    assert site.rows(Parcel) == 1
    assert looking.poll() == 1
    site.index()
    assert site.rows(Instance) == 1


def test_taken_files_are_removed_when_that_is_wanted(make_site: MakeSite, stick: Path) -> None:
    site = watched(make_site, stick, watch_delete=True)
    (stick / "a.dcm").write_bytes(ct_file("1.2.1"))
    assert watcher(site).poll() == 1
    assert list(stick.iterdir()) == []
    site.index()
    assert site.rows(Instance) == 1


def test_a_folder_source_made_later_is_watched_too(site: Site, stick: Path) -> None:
    (stick / "a.dcm").write_bytes(ct_file("1.2.1"))
    site.settings.intake.__dict__["watch_settle_s"] = 0.0
    with site.database.write() as session:
        add_source(session, site.organisation_id, SourceSpec("Stick", "folder", folder=str(stick)), site.clock.now())
    assert watcher(site).poll() == 1
