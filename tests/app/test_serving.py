"""What `radrelay serve` hands its roles, and what it refuses to start with."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from radrelay.app import serve
from radrelay.app.beats import PARENT
from radrelay.app.forking import apart
from radrelay.app.role import run_role
from radrelay.app.threads import kept_up
from radrelay.errors import Misconfigured, RadrelayError
from radrelay.settings import Settings, load_settings
from tests.backends import open_database


def test_roles_work_by_the_settings_that_serve_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    handed: dict[str, Settings] = {}

    class Supervisor:
        def __init__(self, roles: dict[str, Callable[[], int]]) -> None:
            for run in roles.values():
                run()

        def run(self, on_ready: object) -> int:
            return 0

    def role(name: str) -> Callable[[Settings], int]:
        def run(settings: Settings) -> int:
            handed[name] = settings
            return 0

        return run

    for name in serve.ROLES:
        monkeypatch.setattr(f"radrelay.app.{name}.run", role(name))
    monkeypatch.setattr(serve, "Supervisor", Supervisor)
    monkeypatch.delenv(PARENT, raising=False)
    settings = Settings.model_validate({"data_dir": "data", "web": {"port": 18999}})
    assert serve.serve(settings, demo=False) == 0
    assert os.environ.pop(PARENT) == str(os.getpid())
    assert {name: one.web.port for name, one in handed.items()} == dict.fromkeys(serve.ROLES, 18999)
    assert {one.data_dir for one in handed.values()} == {tmp_path / "data"}


def test_what_stops_the_preparation_is_told_in_its_own_words() -> None:
    def refuse() -> None:
        raise Misconfigured("the master key is missing", path="/x")

    with pytest.raises(Misconfigured, match="the master key is missing"):
        apart(refuse)
    assert apart(lambda: ("text", 1)) == ("text", 1)
    with pytest.raises(RadrelayError, match="ended before"):
        apart(lambda: os._exit(3))


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
    monkeypatch.setattr("radrelay.app.threads.AGAIN_S", 0.01)
    stop, begun = threading.Event(), []

    def body(stop: threading.Event) -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ValueError("a segment nobody expected")
        stop.set()

    thread = kept_up("indexer", stop, body)
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


def test_work_lets_the_others_go_first() -> None:
    code = (
        "import os; before = os.nice(0); os.setsid();"
        "from radrelay.app.precedence import AUTOGROUP, BEHIND, step_back; step_back();"
        "assert os.nice(0) == min(19, before + BEHIND);"
        "assert not AUTOGROUP.exists() or AUTOGROUP.read_text().endswith(f'nice {BEHIND}\\n')"
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    assert child.wait(60) == 0
