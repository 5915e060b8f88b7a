"""What a header tells of its bulk data."""

from __future__ import annotations

from radrelay.dicom.header import parse


def test_small_pixel_data_is_found_again_in_every_object() -> None:
    objects = [
        b"\x28\x00\x10\x00\x02\x00\x00\x00\x02\x00" + b"\xe0\x7f\x10\x00\x04\x00\x00\x00" + bytes([n] * 4)
        for n in range(3)
    ]
    found = [parse(data, "1.2.840.10008.1.2").bulk for data in objects]
    assert found == [(0x7FE00010, 10, 4)] * 3
