"""The command: a refusal has its status and its reason, and leaves nothing that looks like a result."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from radrelay.analysis.images import errors
from radrelay.analysis.images.phantom_files import lesion, write
from radrelay.analysis.images.reading import Read
from radrelay.analysis.images.recognising import Recognised
from radrelay.analysis.objects.findings import findings_of
from radrelay.analysis.perfusion import AnalysisRefused, refusals
from radrelay.app import perfusion_commands
from radrelay.app.perfusion_commands import REFUSED, Wish, perfusion_command, phantom_command, settings_of
from radrelay.app.perfusion_words import GERMAN, in_words
from radrelay.errors import Misconfigured
from tests.analysis.perfusion_result import ORDER, analysed


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


def test_a_refusal_is_told_in_german_where_that_is_asked_for(
    without_contrast: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = Wish(without_contrast, tmp_path / "out", {"correct_motion": False}, language="de")
    assert perfusion_command(wish) == REFUSED
    assert re.match(r"radrelay: In den Arterien kommt kein Kontrastmittel an.*\(Gipfel \d+,\d, mindestens 40,0\)",
                    capsys.readouterr().err)  # fmt: skip
    with pytest.raises(Misconfigured, match="language"):
        perfusion_command(replace(wish, language="fr"))


def test_every_refusal_has_the_words_of_the_page_in_german() -> None:
    pages = (Path(__file__).parents[2] / "frontend/app/i18n" / name for name in ("problems.de.ts", "results.de.ts"))
    said = dict(
        re.findall(r"'problem\.(perfusion-[a-z-]+)': '([^']*)'", "".join(one.read_text("utf-8") for one in pages))
    )
    assert said == GERMAN
    for module in (errors, refusals):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, AnalysisRefused) and kind is not AnalysisRefused:
                assert kind.code in GERMAN


def test_what_was_found_is_told_in_words() -> None:
    study, result = analysed()
    found = findings_of(study, result, ORDER, [])
    english, german = in_words(found, "en"), in_words(found, "de")
    assert english[0].split() == ["Core", f"{found.core_ml:.1f}", "mL"]
    assert german[0].split() == ["Infarktkern", f"{found.core_ml:.1f}".replace(".", ","), "mL"]
    assert "! Only 16 mm of the head were scanned (slab-under-8-cm)" in english
    assert german[-1] == "Nur für Forschungszwecke, kein zertifiziertes Medizinprodukt"


def test_objects_have_other_identifiers_where_anything_of_them_is_another() -> None:
    study, _ = analysed()
    read = Read(study, Recognised("CT", ()))
    with_diffusion = replace(read, study=replace(study, diffusion=study.perfusion))
    names = [
        perfusion_commands._run_of(read, {"language": "en"}), perfusion_commands._run_of(read, {"language": "de"}),
        perfusion_commands._run_of(with_diffusion, {"language": "en"}),
    ]  # fmt: skip
    assert len(set(names)) == 3
    assert perfusion_commands._run_of(read, {"language": "en"}) == names[0]


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
    wishes: tuple[dict[str, Any], ...] = (
        {"metod": "oi"}, {"method": "magic"}, {"artery": [[1, 2]]}, {"density_g_per_ml": 0}, {"oscillation_index": "a"},
        {"tmax_thresholds_s": []}, {"tmax_thresholds_s": [[6]]}, {"tmax_thresholds_s": [-1]}, {"normal_tmax_s": [4]},
    )  # fmt: skip
    for wrong in wishes:
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
