"""An older backup restores all that still lives, whatever housekeeping did since, and nothing that was deleted."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from radrelay.app.backup import write_backup
from radrelay.app.backup_folder import read_manifest
from radrelay.app.key_keeping import COPIES, ROWS, UNKNOWN_STUDY, adopt_keys
from radrelay.app.restore import check_backup, restore
from radrelay.archive import compaction, deletion
from radrelay.archive.erasing import Eraser
from radrelay.archive.instances import PackPlace
from radrelay.archive.tables import ERASURE, KEPT_KEY
from radrelay.clock import FixedClock, SystemClock
from radrelay.settings import RetentionSettings, Settings
from radrelay.storage.ids import new_id
from radrelay.storage.key_mirror import Difference
from radrelay.storage.packs import KeyDestroyed
from tests.app.house import House, house, settings_in
from tests.archive.house import slices
from tests.intake.samples import ct_file

OLD, LATE = slices(3), slices(1, first=9)
ELSEWHERE = "1.2.3.4.1"


@pytest.fixture(autouse=True)
def _merge_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a late image make one pack of two, not only of eight."""
    monkeypatch.setattr(compaction, "MERGED_PACKS", 2)


def contents(there: House) -> dict[str, bytes]:
    return {ref.sop_uid: there.reader.data_set(ref) for ref in there.instances()}


def back_up(there: House, folder: Path) -> dict[str, bytes]:
    """Back up with two packs of a series and a landed object beside them; returns what there is."""
    there.land(OLD[0])
    there.compact()
    there.land(OLD[1])
    there.compact()
    there.land(OLD[2], ct_file(ELSEWHERE))
    write_backup(there.core, folder)
    assert len(read_manifest(folder).packs) == 2
    assert len(read_manifest(folder).records) == 2
    return contents(there)


def rewrite(there: House) -> None:
    """Let a late image come: all packs of the series become one."""
    there.land(*LATE)
    there.compact()
    assert {ref.place.ref.pack_id for ref in there.instances() if isinstance(ref.place, PackPlace)}
    assert there.records() == 0


def delete_study(there: House, study_id: uuid.UUID) -> None:
    with there.core.database.write() as session:
        deletion.delete_study(session, study_id, there.core.clock.now())
    there.retention.expire()


def study_of(there: House, sop_uid: str) -> uuid.UUID:
    return next(ref.study_id for ref in there.instances() if ref.sop_uid == sop_uid)


def keys_of(there: House, besides: Iterable[uuid.UUID] = (ROWS,)) -> set[uuid.UUID]:
    return {key_id for key_id, study_id in there.core.keys.every() if study_id not in set(besides)}


def lose(settings: Settings) -> None:
    """Lose the machine and its database, all but the master key and the mirror of the key store."""
    shutil.rmtree(settings.data_dir)
    url = settings.database.url
    if url is not None:
        base, name = url.rsplit("/", 1)
        with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')


def old_backup_brings_back_what_lives(settings: Settings, folder: Path) -> None:
    with house(settings) as there:
        before = back_up(there, folder)
        rewrite(there)
        there.retention.expire()
        assert len(list(there.core.packs.names())) == 2  # the bytes of what was replaced are freed
    lose(settings)
    assert restore(settings, folder, check=False) == 0
    with house(settings) as there:
        assert contents(there) == before
        delete_study(there, study_of(there, "1.2.9.1.1"))
        found = check_backup(there.core, folder, read_manifest(folder))
        assert (found.packs, found.records, found.erased, found.damaged) == (0, 1, 3, ())
        delete_study(there, study_of(there, ELSEWHERE))
        assert check_backup(there.core, folder, read_manifest(folder)).erased == 4
        assert keys_of(there) == set()


def test_all_that_lives_comes_back_from_a_backup_made_before_its_packs_were_rewritten(tmp_path: Path) -> None:
    old_backup_brings_back_what_lives(settings_in(tmp_path), tmp_path / "backup")


def test_the_same_with_rows_and_keys_in_postgresql(on_postgres: Settings, tmp_path: Path) -> None:
    old_backup_brings_back_what_lives(on_postgres, tmp_path / "backup")


def test_a_study_deleted_after_its_packs_were_rewritten_is_unreadable_in_the_old_backup(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        back_up(there, tmp_path / "backup")
        rewrite(there)
        delete_study(there, study_of(there, "1.2.9.1.1"))
        found = check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup"))
        assert (found.packs, found.records, found.erased) == (0, 1, 3)
    lose(settings)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    with house(settings) as there:
        assert set(contents(there)) == {ELSEWHERE}
        assert there.core.keys.mirror_differs() == Difference()


def test_an_instance_deleted_later_takes_the_keys_of_all_that_it_lay_in_before(tmp_path: Path) -> None:
    with house(settings_in(tmp_path)) as there:
        back_up(there, tmp_path / "backup")
        first, second = (next(ref for ref in there.instances() if ref.sop_uid == f"1.2.9.1.{n}") for n in (1, 2))
        assert isinstance(first.place, PackPlace)
        assert isinstance(second.place, PackPlace)
        rewrite(there)
        there.core.keys.get(first.place.ref.pack_id)
        with there.core.database.write() as session:
            deletion.delete_instance(session, first.id, there.core.clock.now())
        there.retention.expire()
        with pytest.raises(KeyDestroyed):
            there.core.keys.get(first.place.ref.pack_id)
        there.core.keys.get(second.place.ref.pack_id)  # what lay beside others lives on in the backup
        assert set(contents(there)) == {"1.2.9.1.2", "1.2.9.1.3", "1.2.9.1.9", ELSEWHERE}
        found = check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup"))
        assert (found.packs, found.records, found.erased) == (1, 2, 1)


def test_deleting_what_waits_to_be_erased_from_landing_destroys_its_copies_too(tmp_path: Path) -> None:
    with house(settings_in(tmp_path)) as there:
        back_up(there, tmp_path / "backup")
        for study_id in there.studies():
            there.compactor.compact_study(there.prepared.organisation_id, study_id)
        delete_study(there, study_of(there, ELSEWHERE))  # packed, its landing record not yet erased
        found = check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup"))
        assert (found.records, found.erased) == (1, 1)


def test_keys_kept_for_backups_are_destroyed_when_their_days_are_over(tmp_path: Path) -> None:
    clock = FixedClock(SystemClock().now())
    retention = RetentionSettings.model_validate({"pushed_s": None})
    settings = settings_in(tmp_path).model_copy(update={"retention": retention})
    with house(settings, clock=clock) as there:
        back_up(there, tmp_path / "backup")
        rewrite(there)
        assert len(keys_of(there)) == 2 + 2 + 2  # living packs, packs before, copies of landing records
        clock.advance(timedelta(days=settings.keys.backup_days, hours=1))
        there.retention.confirm_clock()
        there.retention.expire()
        assert len(keys_of(there)) == 2
        assert len(contents(there)) == 5
        with there.core.database.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(KEPT_KEY)) == 0


def test_with_no_days_for_backups_replaced_keys_are_destroyed_at_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings = settings.model_copy(update={"keys": settings.keys.model_copy(update={"backup_days": 0})})
    with house(settings) as there:
        back_up(there, tmp_path / "backup")
        rewrite(there)
        assert len(keys_of(there)) == 2
        assert len(contents(there)) == 5


def test_newer_backups_lose_their_keys_too_when_an_older_one_was_restored(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        back_up(there, tmp_path / "old")
        rewrite(there)
        there.land(ct_file("1.2.3.4.2", patient_id="other"), kind="stow")
        write_backup(there.core, tmp_path / "new")
    lose(settings)
    assert restore(settings, tmp_path / "old", check=False) == 0
    with house(settings) as there:
        found = check_backup(there.core, tmp_path / "new", read_manifest(tmp_path / "new"))
        assert (found.packs, found.erased) == (2, 0)
        delete_study(there, study_of(there, "1.2.9.1.1"))
        found = check_backup(there.core, tmp_path / "new", read_manifest(tmp_path / "new"))
        assert (found.packs, found.erased) == (1, 1)


def test_a_key_of_a_study_that_no_row_knows_is_kept_a_week_and_no_longer(tmp_path: Path) -> None:
    clock = FixedClock(SystemClock().now())
    with house(settings_in(tmp_path), clock=clock) as there:
        there.core.keys.create(new_id(), new_id())
        there.core.keys.create(new_id(), COPIES)
        there.core.keys.create(new_id(), ROWS)
        assert adopt_keys(there.core) == 2
        assert adopt_keys(there.core) == 0
        there.retention.expire()
        assert len(keys_of(there)) == 2
        clock.advance(UNKNOWN_STUDY + timedelta(minutes=1))
        there.retention.confirm_clock()
        there.retention.expire()
        assert keys_of(there, ()) == {key_id for key_id, study_id in there.core.keys.every() if study_id == ROWS}


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", range(12))
def test_a_kill_between_any_two_steps_of_erasing_loses_no_copy_and_keeps_none_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with house(settings_in(tmp_path)) as there:
        before = back_up(there, tmp_path / "backup")
        there.land(*LATE)
        for study_id in there.studies():
            there.compactor.compact_study(there.prepared.organisation_id, study_id)
        killed_at(there, monkeypatch, step)
        there.retention.expire()
        found = check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup"))
        assert (found.packs, found.records, found.erased) == (2, 2, 0)
        assert {uid: data for uid, data in contents(there).items() if uid in before} == before
        with there.core.database.write() as session:
            deletion.delete_study(session, study_of(there, "1.2.9.1.1"), there.core.clock.now())
        killed_at(there, monkeypatch, step)
        there.retention.expire()
        found = check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup"))
        assert (found.packs, found.records, found.erased) == (0, 1, 3)
        with there.core.database.read() as session:
            waiting = session.execute(sa.select(ERASURE.c.kind).where(ERASURE.c.done_at.is_(None))).all()
        assert waiting == []


def killed_at(there: House, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Erase, and die before the database or a store is asked for the step of this number."""
    core, asked = there.core, [0]

    def counted(ask: Any) -> Any:
        def asking(*arguments: Any, **named: Any) -> Any:
            if asked[0] == step:
                raise Killed
            asked[0] += 1
            return ask(*arguments, **named)

        return asking

    with monkeypatch.context() as patch:
        for part, name in (
            (core.database, "write"), (core.keys, "destroy"), (core.keys, "append_ledger"),
            (core.segments, "erase_many"), (core.packs, "delete"),
        ):  # fmt: skip
            patch.setattr(part, name, counted(getattr(part, name)))
        try:
            Eraser(core.database, core.clock, core.keys, core.segments, core.packs).finish()
        except Killed:
            return
