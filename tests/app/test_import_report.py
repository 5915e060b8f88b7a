"""`radrelay import` tells the counts of the page Import, and its exit code is to be relied on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from radrelay.app import import_report
from radrelay.app.import_report import report_import
from radrelay.intake.imports import import_path
from tests.app.house import House, house, settings_in
from tests.intake.samples import ct_file


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[House], None]:
    """Let the house take in what has landed while the command waits, as `work` does."""

    def take_turns(there: House) -> None:
        def looked_after(_: object) -> bool:
            there.index()
            return True

        monkeypatch.setattr(import_report, "LOOK_S", 0.01)
        monkeypatch.setattr(import_report, "_looked_after", looked_after)

    return take_turns


def test_quarantine_and_refusals_are_counted_apart_and_say_where_to_look(
    tmp_path: Path, counted: Callable[[House], None], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cd"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(ct_file("1.2.1"))
    (folder / "same.dcm").write_bytes(ct_file("1.2.1"))
    (folder / "cut.dcm").write_bytes(ct_file("1.2.2")[:700])
    (folder / "letter.pdf").write_bytes(b"%PDF-1.4")
    for place in range(7):
        (folder / f"x{place}.exe").write_bytes(b"MZ")
    with house(settings_in(tmp_path)) as there:
        counted(there)
        done = import_path(there.core, folder)
        assert report_import(there.core, there.prepared.organisation_id, done) == 0
    told = capsys.readouterr().out
    for words in (
        "11 files", "1 images and objects new", "1 already here", "1 other files", "1 in quarantine: look at them",
        "7 refused", ".exe: A program (viewer or autorun) is never kept.", "the others stand on the page Import",
    ):  # fmt: skip
        assert words in told
    assert told.count("never kept") == 5


def test_import_of_nothing_that_can_be_kept_fails(
    tmp_path: Path, counted: Callable[[House], None], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "setup.exe").write_bytes(b"MZ")
    with house(settings_in(tmp_path)) as there:
        counted(there)
        done = import_path(there.core, tmp_path / "setup.exe")
        assert report_import(there.core, there.prepared.organisation_id, done) == 1
    assert "never kept" in capsys.readouterr().err


def test_import_while_nothing_runs_says_what_follows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.dcm").write_bytes(ct_file("1.2.1"))
    with house(settings_in(tmp_path)) as there:
        done = import_path(there.core, tmp_path / "a.dcm")
        assert report_import(there.core, there.prepared.organisation_id, done) == 0
    assert "1 landed, 0 refused" in (told := capsys.readouterr().out)
    assert "radrelay serve" in told
