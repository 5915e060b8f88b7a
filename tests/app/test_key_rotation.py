"""Rotated keys: all stays readable, what was before is destroyed, and a lost machine comes back all the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from radrelay.app.backup import write_backup
from radrelay.app.commands import keys_rotate_command
from radrelay.app.key_keeping import finish_rotation
from radrelay.app.restore import restore
from radrelay.settings import Settings
from radrelay.storage.keystore import KeyStore
from tests.app.house import House, house, settings_in
from tests.intake.samples import ct_file

ONE, TWO, THREE = "1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"


def versions_in(path: Path) -> list[int]:
    return [key["version"] for key in json.loads(path.read_text())["image"]]


def contents(there: House) -> dict[str, bytes]:
    return {ref.sop_uid: there.reader.data_set(ref) for ref in there.instances()}


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
def test_after_a_rotation_only_the_new_version_is_left_and_all_is_readable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        there.compact()
        there.land(ct_file(TWO))
        before = contents(there)
        write_backup(there.core, tmp_path / "backup")
        assert keys_rotate_command(settings, master=False) == 0
        assert "version 2; older versions destroyed: 1" in capsys.readouterr().out
        there.land(ct_file(THREE))  # a process that was running all the time
        assert {uid: contents(there)[uid] for uid in before} == before
        assert there.core.keys.key_versions() == {2}
    for keyring in (settings.keys_dir, tmp_path / "mirror"):
        assert versions_in(keyring / "keyring.json") == [2]
    with house(settings) as there:
        assert {uid: contents(there)[uid] for uid in before} == before
    shutil.rmtree(settings.data_dir)
    assert versions_in(tmp_path / "backup" / "keyring.json") == [1]
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        assert contents(there) == before


@pytest.mark.parametrize("step", ["rotated", "keys wrapped", "segments wrapped"])
def test_a_rotation_that_was_killed_is_finished_later(tmp_path: Path, step: str) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        there.compact()
        there.land(ct_file(TWO))
        before = contents(there)
        there.core.keyring.rotate()
        if step != "rotated":
            there.core.keys.rewrap()
        if step == "segments wrapped":
            there.core.segments.rewrap()
    with house(settings) as there:
        assert contents(there) == before
        assert finish_rotation(there.core) == ([] if there.core.keyring.is_shared else [1])
        assert finish_rotation(there.core) == []
        assert there.core.keys.key_versions() | there.core.segments.key_versions() == {2}
        assert contents(there) == before


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
def test_a_mirror_that_is_behind_keeps_the_older_version_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file(ONE))
        there.compact()
        there.core.keyring.rotate()
        with monkeypatch.context() as patch:
            patch.setattr(KeyStore, "rewrap", lambda store: store._primary.rewrap(store._keyring))
            assert finish_rotation(there.core) == []
        assert finish_rotation(there.core) == [1]


def test_on_postgresql_all_is_wrapped_anew_and_older_versions_are_kept(
    on_postgres: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with house(on_postgres) as there:
        there.land(ct_file(ONE))
        there.compact()
        there.land(ct_file(TWO))
        before = contents(there)
        assert keys_rotate_command(on_postgres, master=False) == 0
        assert "version 2; older versions are kept" in capsys.readouterr().out
        assert contents(there) == before
        assert there.core.keys.key_versions() | there.core.segments.key_versions() == {2}
    for keyring in (on_postgres.keys_dir, tmp_path / "mirror"):
        assert versions_in(keyring / "keyring.json") == [1, 2]
    with house(on_postgres) as there:
        assert contents(there) == before


def test_a_machine_that_was_away_reads_what_it_holds_after_others_rotated(
    on_postgres: Settings, tmp_path: Path
) -> None:
    keys = on_postgres.keys.model_copy(update={"mirror": None})
    away = on_postgres.model_copy(update={"data_dir": tmp_path / "away" / "data", "keys": keys})
    with house(on_postgres):
        pass
    with house(away) as there:
        there.land(ct_file(ONE))
        before = contents(there)
    for _ in range(2):
        assert keys_rotate_command(on_postgres, master=False) == 0
    with house(away) as there:
        assert contents(there) == before
        assert there.core.segments.key_versions() == {1}
        assert finish_rotation(there.core) == []
        assert there.core.segments.key_versions() == {3}
        assert contents(there) == before
        there.compact()
        assert contents(there) == before
