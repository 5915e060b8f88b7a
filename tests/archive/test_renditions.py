"""What viewers are given: samples of a kind that they can hold, with the values that were received."""

from __future__ import annotations

import numpy as np

from tests.archive.house import House, house, made

__all__ = ["house"]


def test_whole_numbers_of_64_bits_come_as_floats_which_viewers_know(house: House) -> None:
    values = np.arange(256, dtype=np.int64).reshape(16, 16) * 1_000_000 - 5
    words = {"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63, "PixelRepresentation": 1}
    house.bring([made("CT_small.dcm", Rows=16, Columns=16, PixelData=values.tobytes(), **words)])
    (ref,) = house.refs()
    found = house.site.services.renditions.pixels(ref, 1)
    assert (found.info.is_float, found.info.bits_allocated) == (True, 64)
    np.testing.assert_array_equal(np.frombuffer(found.data, "<f8").reshape(16, 16), values)
