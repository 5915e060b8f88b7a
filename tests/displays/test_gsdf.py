"""The Grayscale Standard Display Function, against the numbers of PS3.14 and of other programs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.dicom import gsdf
from tests.displays.samples import STEPS, following, gamma

# PS3.14 table B-1, rounded as it stands there
TABLE_B1 = {1: 0.0500, 2: 0.0547, 3: 0.0594, 4: 0.0643, 5: 0.0696, 6: 0.0750, 7: 0.0807, 8: 0.0866, 9: 0.0927}
# colour-science's own implementation of PS3.14, from its documentation (colour.models.eotf_DICOMGSDF)
COLOUR_SCIENCE = {512: 130.0652840}


def test_luminance_of_an_index_is_what_the_standards_table_says() -> None:
    for index, luminance in TABLE_B1.items():
        assert float(gsdf.luminance_of(index)) == pytest.approx(luminance, abs=6e-5)
    assert float(gsdf.luminance_of(1023)) == pytest.approx(3993.404, rel=5e-5)


def test_luminance_of_an_index_is_what_another_program_says() -> None:
    for index, luminance in COLOUR_SCIENCE.items():
        assert float(gsdf.luminance_of(index)) == pytest.approx(luminance, rel=1e-8)
    assert float(gsdf.index_of(130.065284012159790)) == pytest.approx(511.9964806, abs=1e-6)


def test_the_two_formulas_undo_each_other() -> None:
    indices = np.arange(1.0, 1024.0)
    assert np.abs(gsdf.index_of(gsdf.luminance_of(indices)) - indices).max() < 0.1
    assert np.all(np.diff(gsdf.luminance_of(indices)) > 0)


def test_greys_between_black_and_white_stand_at_equal_steps_of_just_noticeable_differences() -> None:
    expected = gsdf.expected(0.5, 250.0, range(256))
    steps = np.diff(gsdf.index_of(expected))
    assert (expected[0], expected[-1]) == pytest.approx((0.5, 250.0), rel=1e-3)
    assert steps.max() - steps.min() < 0.01


def test_the_rooms_light_counts_for_both_ends() -> None:
    dark, lit = gsdf.expected(0.3, 200.0, STEPS), gsdf.expected(1.3, 201.0, STEPS)
    assert lit[8] - dark[8] > 1.0  # the whole curve moves with it, not by the ambient luminance alone


def test_display_that_follows_the_function_deviates_nowhere() -> None:
    assert max(abs(value) for value in gsdf.deviations(gsdf.Response(STEPS, following()))) < 0.1


def test_office_display_deviates_far_and_its_correction_brings_it_back() -> None:
    response = gsdf.Response(STEPS, gamma(2.2))
    assert max(abs(value) for value in gsdf.deviations(response)) > 30
    behind = gsdf.corrected(response, gsdf.correction(response))
    assert max(abs(value) for value in gsdf.deviations(behind)) < 10


def test_deviation_of_one_step_is_told_in_percent_of_its_contrast() -> None:
    luminances = list(following())
    middle = gsdf.deviations(gsdf.Response(STEPS, tuple(luminances)))
    luminances[9] *= 1.02
    found = gsdf.deviations(gsdf.Response(STEPS, tuple(luminances)))
    step = 2 * (luminances[9] / 1.02 - luminances[8]) / (luminances[9] / 1.02 + luminances[8])
    assert found[8] - middle[8] == pytest.approx(0.02 / step * 100, rel=0.05)
    assert found[9] < 0 < found[8]


def test_display_that_follows_needs_no_correction() -> None:
    assert gsdf.correction(gsdf.Response(STEPS, following())) == tuple(range(256))


@given(
    exponent=st.floats(0.6, 3.5),
    darkest=st.floats(0.06, 3.0),
    brightest=st.floats(60.0, 1500.0),
    steps=st.sampled_from([STEPS, tuple(range(0, 256, 5)), (0, 64, 128, 192, 255)]),
)
def test_correction_never_falls_and_keeps_black_and_white(
    exponent: float, darkest: float, brightest: float, steps: tuple[int, ...]
) -> None:
    luminances = tuple(darkest + (brightest - darkest) * (grey / 255) ** exponent for grey in steps)
    table = gsdf.correction(gsdf.Response(steps, luminances))
    assert len(table) == 256
    assert (table[0], table[-1]) == (0, 255)
    assert all(before <= after for before, after in itertools.pairwise(table))


@pytest.mark.parametrize(
    ("greys", "luminances"),
    [
        ((0, 128, 255), (0.5, 0.5, 200.0)),  # two greys look the same
        ((0, 128, 255), (0.5, 300.0, 200.0)),  # white is darker than grey
        ((0, 128, 254), (0.5, 50.0, 200.0)),  # white is lacking
        ((1, 128, 255), (0.5, 50.0, 200.0)),  # black is lacking
        ((0, 128, 128, 255), (0.5, 50.0, 60.0, 200.0)),
        ((0, 255), (0.5,)),
        ((0,), (0.5,)),
        ((), ()),
        ((0, 255), (0.01, 200.0)),  # darker than the function reaches
        ((0, 255), (0.5, 5000.0)),
    ],
)
def test_readings_that_make_no_curve_are_refused(greys: tuple[int, ...], luminances: tuple[float, ...]) -> None:
    with pytest.raises(gsdf.ResponseUnusable):
        gsdf.Response(greys, luminances)
