"""Rows that are older than the ledger of deletions are noticed, by whatever means they came back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radrelay.app.prepare import prepare
from radrelay.archive import deletion
from tests.app.house import house, settings_in
from tests.intake.samples import ct_file

ROWS = ("radrelay.sqlite", "radrelay.sqlite-wal", "radrelay.sqlite-shm")


@pytest.mark.embedded(reason="the database's file is copied")
def test_deletion_after_a_copy_of_the_database_file_is_repeated_when_the_copy_comes_back(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file("1.2.3.4.1"))
        there.compact()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ROWS:
        if (settings.data_dir / name).exists():
            shutil.copyfile(settings.data_dir / name, copy / name)
    with house(settings, start=False) as there:
        (study_id,) = there.studies()
        with there.core.database.write() as session:
            deletion.delete_study(session, study_id, there.core.clock.now())
        there.retention.expire()
    for name in ROWS:
        (settings.data_dir / name).unlink(missing_ok=True)
        if (copy / name).exists():
            shutil.copyfile(copy / name, settings.data_dir / name)
    with house(settings, start=False) as there:
        assert len(there.studies()) == 1
        prepare(there.core, leading=True)
        assert there.studies() == []
