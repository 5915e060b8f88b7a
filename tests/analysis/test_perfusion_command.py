"""The command: a refusal has its status and its reason, and leaves nothing that looks like a result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from radrelay.analysis.images.phantom_files import lesion, write
from radrelay.app import perfusion_commands
from radrelay.app.perfusion_commands import REFUSED, Wish, perfusion_command, phantom_command, settings_of
from radrelay.errors import Misconfigured


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in perfusion_commands.ONE_THREAD:
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="module")
def without_contrast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    recipe = lesion(modality="CT", noise=3.0, seed=1, pixels=64, slices=4, frames=30)
    write(replace(recipe, bolus=replace(recipe.bolus, peak=0.0)), folder)
    return folder


def test_a_refusal_is_told_in_words_and_nothing_is_written(
    without_contrast: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert perfusion_command(Wish(without_contrast, out, {"correct_motion": False})) == REFUSED
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("radrelay: No contrast reaches the arteries")
    assert list(tmp_path.iterdir()) == []


def test_a_program_reads_progress_and_refusal_as_json(
    without_contrast: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = Wish(without_contrast, tmp_path / "out", {"correct_motion": False}, progress=True)
    assert perfusion_command(wish) == REFUSED
    said = capsys.readouterr()
    told = [json.loads(line) for line in said.out.splitlines()]
    shares = [one["share"] for one in told]
    assert shares == sorted(shares)
    assert told[0] == {"step": "reading", "share": 0.0}
    assert json.loads(said.err)["code"] == "perfusion-no-contrast"


def test_files_that_are_no_images_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    assert perfusion_command(Wish(tmp_path / "in", tmp_path / "out", {})) == REFUSED
    assert "no series of images over time" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_results_never_go_between_other_files(without_contrast: Path, tmp_path: Path) -> None:
    (tmp_path / "before").write_text("x")
    with pytest.raises(Misconfigured):
        perfusion_command(Wish(without_contrast, tmp_path, {}))


def test_parameters_that_do_not_exist_are_refused() -> None:
    for wrong in ({"metod": "oi"}, {"method": "magic"}, {"artery": [[1, 2]]}):
        with pytest.raises(Misconfigured):
            settings_of(wrong)
    assert settings_of({"artery": [[1, 2, 3]]})[1].artery == ((1, 2, 3),)


def test_phantoms_are_written_as_they_were_asked_for(tmp_path: Path) -> None:
    made: dict[str, Any] = {"modality": "CT", "noise": 0.0, "seed": 1, "pixels": 32, "slices": 2, "frames": 4}
    assert phantom_command(tmp_path / "one", **made, enhanced=True, jog=True) == 0
    assert len(list((tmp_path / "one").iterdir())) == 1
    assert phantom_command(tmp_path / "many", **made) == 0
    assert len(list((tmp_path / "many").iterdir())) == 8
    with pytest.raises(Misconfigured):
        phantom_command(tmp_path / "mr", **{**made, "modality": "MR"}, enhanced=True)
