"""What rules may ask, that many are asked as one would be, and that no condition can run long."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.routing.rules.comparing import globbed, number
from radrelay.routing.rules.conditions import Condition, condition
from radrelay.routing.rules.errors import RuleInvalid
from radrelay.routing.rules.matching import Compiled, Facts, Match, fits, why


@dataclass(frozen=True)
class Asked:
    when: tuple[Condition, ...]
    match: Match = "all"


KNEE = Facts(
    {"00081030": ("MRT Knie links",), "00100010": ("Müller^Jörg",), "megabytes": ("312.5",), "time": ("23:40",)},
    ({"source": ("a",), "calling_ae": ("MR_SUED",)}, {"source": ("b",), "calling_ae": ("CD",)}),
    ({"00080060": ("MR",), "00180015": ("KNEE",)}, {"00080060": ("SR",), "00180015": ("HEAD",)}),
)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ([("Modality", "is", ["CT", "MR"])], True),
        ([("Modality", "is", ["MR"]), ("BodyPartExamined", "is", ["HEAD"])], False),  # of two series
        ([("source", "is-not", ["00000000-0000-0000-0000-000000000001"])], True),
        ([("calling_ae", "is", ["mr_sued"]), ("calling_ae", "begins", ["MR"])], True),
        ([("calling_ae", "is", ["MR-SUED"])], False),  # titles letter by letter
        ([("PatientName", "is", ["MUELLER JOERG"])], True),
        ([("StudyDescription", "contains", ["knie"]), ("StudyDescription", "like", ["mrt*links"])], True),
        ([("megabytes", "between", ["300", "400"]), ("megabytes", "at-most", ["312.5"])], True),
        ([("megabytes", "at-least", ["313"])], False),
        ([("time", "between", ["22:00", "06:00"])], True),
        ([("time", "between", ["06:00", "22:00"])], False),
        ([("AccessionNumber", "absent", []), ("StudyDescription", "present", [])], True),
        ([("(0018,0015)", "is", ["knee"])], True),
        ([], True),
    ],
)  # fmt: skip
def test_what_is_asked_holds_or_does_not(asked: list[tuple[str, str, list[str]]], held: bool) -> None:
    assert fits(Asked(tuple(condition(*one) for one in asked)), KNEE) is held


def test_any_of_several_is_enough_where_a_rule_says_so_and_why_is_told_one_by_one() -> None:
    rule = Asked((condition("Modality", "is", ["MR"]), condition("BodyPartExamined", "is", ["HIP"])), "any")
    assert fits(rule, KNEE)
    assert [(one.held, one.seen) for one in why(rule, KNEE)] == [(True, ("MR",)), (False, ("KNEE",))]


@pytest.mark.parametrize(
    "asked",
    [
        ("Nonsense", "is", ["x"]), ("Modality", "matches", ["x"]), ("Modality", "is", []), ("Modality", "is", [" "]),
        ("megabytes", "is", ["3"]), ("megabytes", "at-least", ["much"]), ("time", "between", ["25:00", "06:00"]),
        ("weekday", "is", ["7"]), ("source", "is", ["the PACS"]), ("Modality", "present", ["CT"]),
        ("PixelData", "present", []), ("ReferencedStudySequence", "present", []), ("Modality", "is", ["C\0T"]),
        ("StudyDate", "between", ["2026-01-01"]), ("Modality", "is", ["x" * 5000]),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(asked: tuple[str, str, list[str]]) -> None:
    with pytest.raises(RuleInvalid):
        condition(*asked)


@pytest.mark.parametrize(
    ("text", "counts"),
    [("2026-03-01", 20260301), ("20260301", 20260301), ("22:30", 223000), ("045Y", 45), ("006M", 0.5), ("1e3", 1000),
     ("nan", None), ("inf", None), ("", None), ("CT", None)],
)  # fmt: skip
def test_days_times_and_ages_count(text: str, counts: float | None) -> None:
    assert number(text) == counts


def test_no_pattern_runs_long() -> None:
    begun = time.perf_counter()
    assert not globbed("*a" * 60 + "*b", "a" * 4096)
    assert not fits(
        Asked((condition("StudyDescription", "like", ["*a" * 60 + "b"]),)), Facts({"00081030": ("a" * 90_000,)})
    )
    assert time.perf_counter() - begun < 2


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=12))
def test_a_pattern_fits_as_it_would_letter_by_letter(pattern: str, text: str) -> None:
    def plainly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return plainly(pattern[1:], text) or (bool(text) and plainly(pattern, text[1:]))
        return bool(text) and pattern[0] in ("?", text[0]) and plainly(pattern[1:], text[1:])

    assert globbed(pattern, text) == plainly(pattern, text)


def test_many_rules_at_once_answer_as_each_would_alone() -> None:
    chance = random.Random(7)
    fields = ["Modality", "BodyPartExamined", "StudyDescription", "calling_ae", "PatientID"]
    words = ["CT", "MR", "Knie", "Kniegelenk", "KNEE", "mr_sued", "4711", "ü"]

    def some() -> Condition:
        if chance.random() < 0.3:
            tests = [("at-least", ["5"]), ("at-most", ["7"]), ("between", ["2", "6"]), ("at-least", ["2"])]
            return condition(chance.choice(["objects", "megabytes"]), *chance.choice(tests))
        test = chance.choice(["is", "is-not", "contains", "begins", "like", "present", "absent"])
        values = [] if test in ("present", "absent") else chance.sample(words, chance.randint(1, 2))
        return condition(chance.choice(fields), test, values)

    def part(*tags: str) -> dict[str, tuple[str, ...]]:
        return {tag: tuple(chance.sample(words, chance.randint(0, 2))) for tag in tags if chance.random() < 0.8}

    rules = [
        Asked(tuple(some() for _ in range(chance.randint(0, 4))), chance.choice(["all", "any"])) for _ in range(300)
    ]  # fmt: skip
    compiled = Compiled(rules)
    for _ in range(60):
        counts = {name: (str(chance.randint(0, 9)),) for name in ("objects", "megabytes") if chance.random() < 0.8}
        facts = Facts(
            part("00081030", "00100020") | counts, tuple(part("calling_ae") for _ in range(chance.randint(0, 2))),
            tuple(part("00080060", "00180015") for _ in range(chance.randint(0, 3))),
        )  # fmt: skip
        alone = [
            place for place, rule in enumerate(rules)
            if (all if rule.match == "all" or not rule.when else any)(one.held for one in why(rule, facts))
            or (rule.match == "any" and _any_part(rule, facts))
        ]  # fmt: skip
        assert compiled.fitting(facts) == alone


def _any_part(rule: Asked, facts: Facts) -> bool:
    """Say whether any condition holds of any part: why it was met tells of the one in which most held."""
    return any(
        why(Asked((one,)), Facts(facts.study, (sender,), (series,)))[0].held
        for one in rule.when for sender in facts.senders or ({},) for series in facts.series or ({},)
    )  # fmt: skip
