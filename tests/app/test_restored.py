"""Rows that are older than the ledger of deletions are noticed, by whatever means they came back."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.app import replay
from radrelay.app.core import STARTS_FILE, Core, open_core
from radrelay.app.prepare import prepare
from radrelay.archive import deletion
from radrelay.archive.models import Study
from radrelay.identity.models import Session as Login
from radrelay.settings import Settings
from radrelay.storage.database import DatabaseUnavailable
from radrelay.storage.keystore import KeysGone
from tests.app.house import House, house, settings_in
from tests.intake.samples import ct_file
from tests.ports import free_port
from tests.storage.test_keystore import lose_keys
from tests.system.installation import until

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
    core = open_core(settings)
    assert studies(core) == 1
    prepare(core)  # as any role does by itself
    assert studies(core) == 0
    core.close()


def studies(core: Core) -> int:
    with core.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Study)) or 0


def put_back_older_rows(settings: Settings, folder: Path) -> None:
    """Delete a study, then put back the rows from before that; somebody was logged in then."""
    with house(settings) as there:
        logged_in(there)
        there.land(ct_file("1.2.3.4.1"))
        there.compact()
    folder.mkdir()
    for name in ROWS:
        if (settings.data_dir / name).exists():
            shutil.copyfile(settings.data_dir / name, folder / name)
    with house(settings) as there:
        (study_id,) = there.studies()
        with there.core.database.write() as session:
            deletion.delete_study(session, study_id, there.core.clock.now())
        there.retention.expire()
    for name in ROWS:
        (settings.data_dir / name).unlink(missing_ok=True)
        if (folder / name).exists():
            shutil.copyfile(folder / name, settings.data_dir / name)


def logged_in(there: House) -> None:
    """Let somebody be logged in."""
    person, now = uuid.uuid4(), there.core.clock.now()
    with there.core.database.write() as session:
        session.add(
            Login(id=person, organisation_id=there.prepared.organisation_id, account_id=person, secret_hash=bytes(32),
                  csrf_token="", user_agent="", peer="", created_at=now, used_at=now, proven_at=now,
                  expires_at=now + timedelta(days=1))
        )  # fmt: skip


def started(role: str, settings: Settings, ports: dict[str, int], folder: Path) -> subprocess.Popen[bytes]:
    """Start a role by itself, as an operator may."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RADRELAY_")}
    own = {
        "RADRELAY_DATA_DIR": str(settings.data_dir),
        "RADRELAY_KEYS__MASTER_FILE": str(settings.keys.master_file),
        "RADRELAY_KEYS__MIRROR": str(settings.keys.mirror),
        "RADRELAY_STORAGE__MIN_FREE_BYTES": "0",
        "RADRELAY_STORAGE__BALLAST_BYTES": "0",
        "RADRELAY_WEB__PORT": str(ports["web"]),
        "RADRELAY_DICOM__PORT": str(ports["listen"]),
    }
    with (folder / f"{role}.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "radrelay", role], env={**kept, **own}, stdout=output, stderr=subprocess.STDOUT
        )


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.embedded(reason="the database's file is copied")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("roles", [("listen",), ("web",), ("work", "web", "listen")])
def test_a_role_started_by_itself_opens_no_port_before_deletions_are_repeated(
    tmp_path: Path, roles: tuple[str, ...]
) -> None:
    settings = settings_in(tmp_path)
    put_back_older_rows(settings, tmp_path / "copy")
    core = open_core(settings)
    assert studies(core) == 1
    ports = {"web": free_port(), "listen": free_port()}
    processes = [started(role, settings, ports, tmp_path) for role in roles]
    try:
        until(lambda: any(answers(ports[role]) for role in roles if role in ports), "a port", 240)
        assert studies(core) == 0
        until(lambda: all(answers(ports[role]) for role in roles if role in ports), "every port", 240)
        told = [(tmp_path / f"{role}.txt").read_text().count("deletions are repeated") for role in roles]
        assert sum(told) == 1  # one repeats, the others wait
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
        core.close()


@pytest.mark.embedded(reason="the database's file is copied")
def test_a_role_that_cannot_repeat_deletions_does_not_serve_and_once_it_does_everybody_logs_in_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    put_back_older_rows(settings, tmp_path / "copy")

    def away(*_: object) -> int:
        raise DatabaseUnavailable

    core = open_core(settings)
    with monkeypatch.context() as patch:
        patch.setattr(replay, "replay_deletions", away)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                prepare(core)
    assert studies(core) == 1
    prepare(core)
    assert studies(core) == 0
    with core.database.read() as session:
        assert session.scalars(sa.select(Login.ended_at)).one() is not None
    core.close()


def test_a_count_of_starts_that_a_power_cut_emptied_keeps_nothing_from_starting(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file("1.2.3.4.1"))
    for _ in range(2):
        (settings.keys_dir / STARTS_FILE).write_bytes(b"")
        with house(settings) as there:
            assert len(there.studies()) == 1


def test_no_role_starts_without_the_study_keys_while_their_mirror_is_not_mounted(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file("1.2.3.4.1"))
        there.compact()
        before = there.contents()
    lose_keys(settings)
    mirror = settings.keys.mirror
    assert mirror is not None
    mirror.rename(tmp_path / "not-mounted")
    with pytest.raises(KeysGone, match="see that its disk is mounted"):
        open_core(settings)
    shutil.rmtree(mirror)
    (tmp_path / "not-mounted").rename(mirror)
    with house(settings) as there:
        assert there.contents() == before
