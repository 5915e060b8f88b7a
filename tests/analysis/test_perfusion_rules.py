"""Which series is what, by its words and image type: the rules that are shipped, and those of a site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from radrelay.analysis.images.errors import RulesInvalid, SeriesAmbiguous
from radrelay.analysis.images.frames import Frame, read_frames
from radrelay.analysis.images.phantom_files import datasets, lesion
from radrelay.analysis.images.reading import files_in
from radrelay.analysis.images.recognising import read_rules, recognise


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    folder = tmp_path_factory.mktemp("frames")
    recipe = lesion(modality="CT", noise=0.0, seed=1, pixels=16, slices=2, frames=20)
    for number, one in enumerate(datasets(recipe)):
        one.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return read_frames(files_in(folder))[0]


def as_series(frames: list[Frame], words: str, kind: str = "AXIAL", uid: str = "1.2.3") -> list[Frame]:
    return [
        replace(one, series=replace(one.series, description=words, uid=uid), image_type=("DERIVED", "SECONDARY", kind))
        for one in frames
    ]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Tmax", "AXIAL"), ("rCBF_map", "AXIAL"), ("CTP MIP 4D", "AXIAL"), ("Perfusion tMIP", "AXIAL"),
        ("Perfusion RGB", "AXIAL"), ("Perfusion colour", "AXIAL"), ("AIF/VOF", "AXIAL"), ("Dose Report", "AXIAL"),
        ("Neuro", "CT_PERFUSION_MAP"), ("Neuro", "PERFUSION MAP"), ("Head", "MIP"), ("Patient Protocol", "SCREEN"),
        ("Perfusion", "LOCALIZER"), ("CTP Baseline", "AXIAL"), ("MTT (s)", "AXIAL"), ("RAPID Summary", "AXIAL"),
    ],
)  # fmt: skip
def test_what_was_computed_from_a_perfusion_is_never_its_input(frames: list[Frame], words: str, kind: str) -> None:
    found = recognise([*as_series(frames, words, kind), *frames], read_rules())
    assert {one.series.uid for one in found.perfusion} == {frames[0].series.uid}


@pytest.mark.parametrize(
    "words", ["VPCT Neuro 5.0 H20f", "CTP 5mm", "Head 4D JOG", "Shuttle 70kV", "NeuroPCT Toggling"]
)
def test_names_of_scanners_choose_among_series_over_time(frames: list[Frame], words: str) -> None:
    both = [*as_series(frames, "Head thin", "AXIAL", "1.2.4"), *as_series(frames, words)]
    assert {one.series.uid for one in recognise(both, read_rules()).perfusion} == {"1.2.3"}


def test_where_words_choose_none_both_are_shown(frames: list[Frame]) -> None:
    both = [*as_series(frames, "Head thin", "AXIAL", "1.2.4"), *as_series(frames, "Head thick")]
    with pytest.raises(SeriesAmbiguous) as refused:
        recognise(both, read_rules())
    assert {uid in str(refused.value.facts) for uid in ("1.2.3", "1.2.4")} == {True}
    assert {one.series.uid for one in recognise(both, read_rules(), ["1.2.4"]).perfusion} == {"1.2.4"}


def test_a_native_scan_is_told_beside_the_perfusion_and_no_localizer_is_taken_for_one(frames: list[Frame]) -> None:
    one_time = [one for one in frames if one.times == frames[0].times]
    native = as_series(one_time, "Head native", "AXIAL", "1.2.8")
    found = recognise([*frames, *as_series(one_time, "Topogram", "LOCALIZER", "1.2.9"), *native], read_rules())
    told = {one.role: (one.series_uid, one.images) for one in found.told()}
    assert told == {"perfusion": (frames[0].series.uid, len(frames)), "native": ("1.2.8", len(one_time))}


def test_a_site_says_which_by_a_rule_of_its_own(frames: list[Frame], tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[series]]\nrole = 'perfusion'\nseries = '^head thick'\n")
    both = [*as_series(frames, "Head thin", "AXIAL", "1.2.4"), *as_series(frames, "Head thick")]
    assert {one.series.uid for one in recognise(both, read_rules(path)).perfusion} == {"1.2.3"}


def test_a_sites_rules_are_read_and_what_is_wrong_with_them_is_said(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[series]]\nrole = 'perfusion'\nseries = '^head dynamic'\n")
    assert [one.role for one in read_rules(path).series] == ["perfusion"]
    for wrong in ("[[series]]\nrole = 'perfusion'\n", "[[series]]\nseries = '('\n", "[[other]]\nseries = 'x'\n", "=="):
        path.write_text(wrong)
        with pytest.raises(RulesInvalid):
            read_rules(path)
