"""Kinds of analyses as their descriptions say, and which values their parameters take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from radrelay.analysis.errors import AnalysisUnknown, ParametersInvalid
from radrelay.analysis.kinds import Kinds, Parameter, perfusion
from radrelay.analysis.perfusion.constants import Constants
from radrelay.app.analysis_findings import analysis_findings, told
from radrelay.settings import AnalysisSettings, Settings

GOOD: dict[str, object] = {"name": "good", "version": "1", "program": ["sh", "run.sh"]}


def test_a_description_that_is_wrong_is_left_out_and_keeps_no_other_from_working(tmp_path: Path) -> None:
    parameter = {"name": "n", "kind": "number", "default": 9, "most": 5}
    for name, said in (
        ("a", GOOD), ("b", GOOD), ("c", GOOD | {"name": "Bad Name"}), ("d", GOOD | {"name": "d", "program": []}),
        ("e", GOOD | {"name": "e", "more": 1}), ("f", GOOD | {"name": "perfusion"}),
        ("g", GOOD | {"name": "g", "parameters": [parameter]}), ("h", [1]),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "analysis.json").write_text(json.dumps(said))
    kinds = Kinds(AnalysisSettings(folder=tmp_path))
    assert [one.name for one in kinds] == ["perfusion", "good"]
    assert kinds.get("good").command == ("sh", "run.sh")
    with pytest.raises(AnalysisUnknown):
        kinds.get("e")


@pytest.mark.parametrize(
    ("own", "of_letters", "spoken"), [(None, "de", "de"), ("en", "de", "en"), (None, "en", "en"), ("de", "en", "de")]
)
def test_pictures_speak_the_language_of_the_installation(
    own: Literal["de", "en"] | None, of_letters: str, spoken: str
) -> None:
    kind = Kinds(AnalysisSettings(language=own), of_letters).get("perfusion")
    assert kind.filled({})["language"] == spoken
    assert kind.filled({"language": "en"})["language"] == "en"


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (Parameter("n", "number", 1, 0, 2), [0, 1.5, 2], [-1, 3, "1", True, None, float("nan"), [1]]),
        (Parameter("b", "boolean", default=True), [False], [0, "true", None]),
        (Parameter("c", "choice", "a", choices=("a", "b")), ["b"], ["c", 1, None]),
        (Parameter("l", "list", [], 0, 2), [[], [1.5], [[1, 2, 3], [4, 5, 6]]], [[1, 2, 3], ["x"], "12", [[["y"]]]]),
    ],
)
def test_parameters_take_what_is_of_their_kind_and_between_their_bounds(
    parameter: Parameter, good: list[object], bad: list[object]
) -> None:
    for value in good:
        assert parameter.checked(value) == value
    for value in bad:
        with pytest.raises(ParametersInvalid):
            parameter.checked(value)


def test_everything_that_perfusion_rests_on_may_be_set_and_stands_at_its_own_default() -> None:
    kind = perfusion()
    defaults = {
        name: list(value) if isinstance(value, tuple) else value for name, value in Constants().printed().items()
    }
    assert {name: value for name, value in kind.filled().items() if name in defaults} == defaults
    assert kind.checked(kind.filled()) == kind.filled()


def test_the_doctor_says_how_far_programs_are_held(tmp_path: Path) -> None:
    assert list(analysis_findings(Settings(analysis={"folder": tmp_path}))) == []
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "analysis.json").write_text(json.dumps(GOOD))
    [found] = analysis_findings(Settings(analysis={"folder": tmp_path}))
    assert (found.subject, "good" in found.text) == ("analyses", True)
    all_of_it = {"network": True, "processes": True, "mounts": True, "landlock": 7, "root": False}
    assert told(all_of_it, ["good"]).state == "good"
    less = told(all_of_it | {"network": False, "landlock": 0, "root": True}, ["good"])
    assert less.state == "look"
    assert "the network is open to them; they read and write whatever Radrelay's user may" in less.text
    assert "as root" in less.text
