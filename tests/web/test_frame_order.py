"""The order in which frames of one object are looked at, whatever the order in which they stand in it."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from radrelay.web.frame_order import frame_order
from tests.dicom.test_planes import enhanced


def at_depths(*depths: float, numbers: tuple[int, ...] = ()) -> Sequence:
    """Return functional groups of frames that lie so high, counted in their stack as `numbers` say."""
    groups = enhanced(len(depths)).PerFrameFunctionalGroupsSequence
    for group, depth, number in zip(groups, depths, numbers or range(len(depths)), strict=True):
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, depth]
        group.FrameContentSequence[0].InStackPositionNumber = number if numbers else 1
    found: Sequence = groups
    return found


@pytest.mark.parametrize(
    ("depths", "numbers", "order"),
    [
        ((20, 0, 10, 30), (), [2, 3, 1, 4]),
        ((30, 0, 20, 10), (), [1, 3, 4, 2]),  # from the end that has the lower number
        ((20, 0, 10, 30), (2, 4, 3, 1), [4, 1, 3, 2]),  # or is counted first in the stack
        ((0, 10, 20, 30), (), None),
        ((30, 20, 10, 0), (), None),
        ((0, 20, 0, 10), (), None),  # two at one place
        ((0, 10), (), None),
    ],
)
def test_frames_are_looked_at_along_the_patient(
    depths: tuple[float, ...], numbers: tuple[int, ...], order: list[int] | None
) -> None:
    dataset = enhanced(len(depths))
    dataset.PerFrameFunctionalGroupsSequence = at_depths(*depths, numbers=numbers)
    assert frame_order(dataset.to_json().encode(), len(depths)) == order


def test_frames_along_several_ways_stay_as_they_are() -> None:
    dataset = enhanced(4)
    dataset.PerFrameFunctionalGroupsSequence = groups = at_depths(20, 0, 10, 30)
    turned = Dataset()
    turned.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    groups[3].PlaneOrientationSequence = [turned]
    assert frame_order(dataset.to_json().encode(), 4) is None
