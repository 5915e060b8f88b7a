"""What `radrelay serve` hands its roles, and what it refuses to start with."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from radrelay.app import serve
from radrelay.app.role import PARENT, run_role
from radrelay.app.work import _kept_up
from radrelay.errors import Misconfigured
from radrelay.settings import Settings, load_settings
from tests.backends import open_database


def test_roles_read_the_file_that_named_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    (tmp_path / "var/radrelay.toml").write_text(f'data_dir = "{tmp_path}/srv/data"\n[web]\nport = 18999\n')
    handed: dict[str, str] = {}

    class Supervisor:
        def __init__(self, roles: object, environment: dict[str, str]) -> None:
            handed.update(environment)

        def run(self, on_ready: object) -> int:
            return 0

    monkeypatch.setattr(serve, "Supervisor", Supervisor)
    assert serve.serve(load_settings(), demo=False) == 0
    for name, value in handed.items():
        monkeypatch.setenv(name, value)
    assert load_settings().web.port == 18999


def test_a_settings_file_that_is_not_there_or_not_toml_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADRELAY_CONFIG", str(tmp_path / "typo.toml"))
    with pytest.raises(Misconfigured, match=r"typo\.toml"):
        load_settings()
    (tmp_path / "typo.toml").write_text("port = = 1")
    with pytest.raises(Misconfigured, match="not TOML"):
        load_settings()
    monkeypatch.delenv("RADRELAY_CONFIG")
    monkeypatch.setenv("RADRELAY_DICOM__MORE_PORTS", "11113,")
    with pytest.raises(Misconfigured, match="JSON"):
        load_settings()


def test_a_role_ends_when_its_supervisor_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, "1" if os.getppid() != 1 else "2")
    settings = Settings(data_dir=tmp_path / "data")
    begun = time.monotonic()
    code = (
        "import sys; from pathlib import Path; from radrelay.app.role import run_role;"
        "from radrelay.settings import Settings;"
        "sys.exit(run_role('idle', Settings(data_dir=Path(sys.argv[1])), lambda core, stop: stop.wait(60)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(settings.data_dir)], timeout=60, check=False).returncode == 0
    assert time.monotonic() - begun < 50
    assert run_role.__doc__


def test_a_thread_that_breaks_off_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radrelay.app.work.AGAIN_S", 0.01)
    stop, begun = threading.Event(), []

    def body(stop: threading.Event) -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ValueError("a segment nobody expected")
        stop.set()

    thread = _kept_up("indexer", stop, body)
    thread.start()
    thread.join(10)
    assert len(begun) == 3


def test_errors_of_the_database_name_no_patient(tmp_path: Path) -> None:
    import sqlalchemy as sa  # noqa: PLC0415

    database = open_database(tmp_path)
    with pytest.raises(sa.exc.SQLAlchemyError) as raised, database.read() as session:
        session.execute(sa.text("SELECT :name"), {"name": object(), "other": "Müller"})
    assert "Müller" not in str(raised.value)
    database.close()
