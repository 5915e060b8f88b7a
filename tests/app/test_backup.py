"""A backup brings back what it was made of, whatever the installation did meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radrelay.app import backup as backups
from radrelay.app.backup import read_manifest, write_backup
from tests.app.house import House, house, settings_in
from tests.intake.samples import ct_file

ONE, TWO = "1.2.3.4.1", "1.2.3.4.2"


def lose(folder: Path) -> None:
    """Lose the machine: all but the master key and the mirror of the key store."""
    shutil.rmtree(folder / "data")


def test_objects_that_were_not_packed_yet_are_readable_after_a_restore(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE), ct_file(TWO))
        before = there.contents()
        assert set(before) == {ONE, TWO}
        write_backup(there.core, tmp_path / "backup")
    lose(tmp_path)
    assert backups.restore(settings, tmp_path / "backup", check=False) == 0
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
        assert backups.restore(settings, tmp_path / folder, check=False) == 0
        with house(settings) as there:
            assert there.contents() == before
