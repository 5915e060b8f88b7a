"""Kinds of analyses as their descriptions say, and which values their parameters take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radrelay.analysis.errors import AnalysisUnknown, ParametersInvalid
from radrelay.analysis.kinds import Kinds, Parameter, perfusion
from radrelay.analysis.perfusion.constants import Constants
from radrelay.settings import AnalysisSettings

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
