"""Each limit, at it and beside it; which limits are asked of which display in which room."""

from __future__ import annotations

import pytest

from radrelay.displays import judging, limits
from radrelay.displays.errors import CheckInvalid, ReadingsUnusable
from radrelay.displays.judging import QUESTIONS, Criterion, Readings, Seen
from radrelay.settings import DisplaySettings
from tests.displays.samples import STEPS, following, gamma, readings

SITE = DisplaySettings()
CT = limits.asked_of("ct", "RK1", SITE)


def judged(given: Readings, asked: limits.Asked = CT) -> dict[str, Criterion]:
    return {one.name: one for one in judging.judge_readings(given, asked)}


def judged_matrix(columns: int, rows: int, pixel_um: float, asked: limits.Asked = CT) -> dict[str, bool]:
    return {one.name: one.passed for one in judging.judge_matrix(Seen(columns, rows, pixel_um), asked)}


def test_the_requirements_numbers_are_asked_of_a_ct_display() -> None:
    asked = {name: limit.value for name, limit in CT.items()}
    assert asked == {
        "columns": 1024, "rows": 1024, "pixel_um": 140, "luminance": 150, "ratio": 250, "gsdf_deviation": 15,
        "unevenness": 25, "illuminance": 50,
    }  # fmt: skip


def test_of_two_numbers_the_stricter_counts_and_says_where_it_comes_from() -> None:
    radiography = limits.asked_of("radiography", "RK2", SITE)
    assert (radiography["luminance"].value, radiography["luminance"].source) == (250, limits.USES_SOURCE)
    assert (radiography["gsdf_deviation"].value, radiography["illuminance"].value) == (10, 100)
    assert (CT["ratio"].value, CT["ratio"].source) == (250, limits.SITE_SOURCE)
    lenient = limits.asked_of("ct", "RK1", DisplaySettings(least_ratio=1, most_gsdf_deviation=90, most_unevenness=90))
    assert [lenient[name].value for name in ("ratio", "gsdf_deviation", "unevenness")] == [100, 15, 25]
    strict = limits.asked_of("mammography", "RK1", DisplaySettings(most_gsdf_deviation=5, least_luminance=400))
    assert [strict[name].value for name in ("gsdf_deviation", "luminance")] == [5, 400]


def test_dental_rooms_ask_for_dental_numbers_alone() -> None:
    assert limits.asked_of("dental", "RK5", SITE)["luminance"].value == 200
    chair = limits.asked_of("dental", "RK6", SITE)
    assert (chair["luminance"].value, chair["ratio"].value, chair["illuminance"].value) == (300, 100, 1000)
    assert "gsdf_deviation" not in chair


@pytest.mark.parametrize(
    ("use", "room", "goes"),
    [
        ("ct", "RK1", True), ("ct", "RK4", False), ("viewing", "RK4", True), ("dental", "RK1", False),
        ("ct", "RK5", False), ("dental", "RK6", True), ("ct", "RK9", False), ("film", "RK1", False),
    ],
)  # fmt: skip
def test_what_can_be_read_in_which_room(use: str, room: str, goes: bool) -> None:
    assert limits.fits(use, room) is goes


@pytest.mark.parametrize(
    ("columns", "rows", "pixel_um", "failing"),
    [
        (1024, 1024, 140.0, set()),
        (1023, 1024, 140.0, {"rows"}),
        (2560, 1023, 140.0, {"rows"}),
        (1023, 1023, 140.0, {"columns", "rows"}),
        (1024, 1024, 139.9, {"pixel_um"}),
        (1080, 1920, 270.0, set()),  # stands upright
    ],
)
def test_matrix_and_pixel_size(columns: int, rows: int, pixel_um: float, failing: set[str]) -> None:
    assert {name for name, passed in judged_matrix(columns, rows, pixel_um).items() if not passed} == failing


@pytest.mark.parametrize(("columns", "rows", "passes"), [(1600, 1200, True), (1200, 1600, True), (1920, 1080, False)])
def test_matrix_is_asked_of_the_longer_and_the_shorter_side(columns: int, rows: int, passes: bool) -> None:
    asked = limits.asked_of("radiography", "RK1", SITE)
    assert all(judged_matrix(columns, rows, 200.0, asked).values()) is passes


@pytest.mark.parametrize(("brightest", "passes"), [(150.0, True), (149.9, False)])
def test_luminance_at_its_limit(brightest: float, passes: bool) -> None:
    found = judged(readings((*following(0.3, 149.95, STEPS)[:-1], brightest)))["luminance"]
    assert (found.passed, found.value) == (passes, brightest)


@pytest.mark.parametrize(("darkest", "passes"), [(0.8, True), (0.801, False)])
def test_ratio_at_its_limit(darkest: float, passes: bool) -> None:
    luminances = (darkest, *following(0.8, 200.0, STEPS)[1:-1], 200.0)
    assert judged(readings(luminances))["ratio"].passed is passes


def test_the_rooms_light_counts_unless_it_was_measured_along() -> None:
    along = judged(readings(following(0.4, 300.0), ambient=1.0, with_ambient=True))
    apart = judged(readings(following(0.4, 300.0), ambient=1.0, with_ambient=False))
    assert along["ratio"].value == pytest.approx(750, rel=1e-3)
    assert apart["ratio"].value == pytest.approx(301 / 1.4, rel=1e-3)
    assert apart["luminance"].value == pytest.approx(301, rel=1e-3)
    assert not apart["ratio"].passed


@pytest.mark.parametrize(("lowest", "passes"), [(77.78, True), (77.7777, False), (100.0, True)])
def test_unevenness_is_below_its_limit_not_at_it(lowest: float, passes: bool) -> None:
    found = judged(readings(points=(100.0, 100.0, 100.0, 100.0, lowest)))["unevenness"]
    assert found.passed is passes
    assert judging.unevenness((112.5, 100.0, 100.0, 100.0, 87.5)) == 25.0


def test_deviation_from_the_function_at_its_limit() -> None:
    found = judged(readings(gamma(2.2)))["gsdf_deviation"]
    assert not found.passed
    assert found.value is not None
    exact = limits.asked_of("other", "RK1", DisplaySettings(most_gsdf_deviation=found.value))
    below = limits.asked_of("other", "RK1", DisplaySettings(most_gsdf_deviation=found.value - 1e-9))
    assert judged(readings(gamma(2.2)), exact)["gsdf_deviation"].passed
    assert not judged(readings(gamma(2.2)), below)["gsdf_deviation"].passed


@pytest.mark.parametrize(("lux", "passes"), [(50.0, True), (50.1, False)])
def test_illuminance_at_its_limit(lux: float, passes: bool) -> None:
    assert judged(readings(illuminance=lux))["illuminance"].passed is passes


def test_what_was_not_measured_fails_but_for_the_illuminance() -> None:
    found = judged(readings(points=(), illuminance=None))
    assert (found["unevenness"].passed, found["unevenness"].value) == (False, None)
    assert "illuminance" not in found


def test_every_question_must_be_answered_yes() -> None:
    good = dict.fromkeys(QUESTIONS, True)
    assert all(one.passed for one in judging.judge_answers(good))
    for name in QUESTIONS:
        failed = [one.name for one in judging.judge_answers(good | {name: False}) if not one.passed]
        assert failed == [name]
    for wrong in (good | {"more": True}, dict.fromkeys(QUESTIONS[1:], True), {}):
        with pytest.raises(CheckInvalid):
            list(judging.judge_answers(wrong))


@pytest.mark.parametrize("points", [(1.0, 2.0), (0.0, 1.0, 1.0, 1.0, 1.0)])
def test_points_that_cannot_be_right_are_refused(points: tuple[float, ...]) -> None:
    with pytest.raises(CheckInvalid):
        judged(readings(points=points))


def test_mistyped_luminance_is_refused_by_name() -> None:
    mistyped = list(following())
    mistyped[5] = mistyped[4]
    with pytest.raises(ReadingsUnusable, match="luminances"):
        judged(readings(tuple(mistyped)))
