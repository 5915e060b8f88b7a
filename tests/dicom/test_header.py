"""What a header tells of its bulk data."""

from __future__ import annotations

from radrelay.dicom.header import parse
from radrelay.dicom.syntaxes import EXPLICIT_LE


def test_small_pixel_data_is_found_again_in_every_object() -> None:
    objects = [
        b"\x28\x00\x10\x00\x02\x00\x00\x00\x02\x00" + b"\xe0\x7f\x10\x00\x04\x00\x00\x00" + bytes([n] * 4)
        for n in range(3)
    ]
    found = [parse(data, "1.2.840.10008.1.2").bulk for data in objects]
    assert found == [(0x7FE00010, 10, 4)] * 3


def test_a_head_that_ends_where_compressed_pixels_begin_is_whole() -> None:
    rows = b"\x28\x00\x10\x00US\x02\x00\x02\x00"
    pixels = b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff"
    table = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    for head in (rows + pixels, rows + pixels + table, rows + pixels + table + b"\xfe\xff\x00\xe0\x40\x00\x00\x00ab"):
        found = parse(head, EXPLICIT_LE)
        assert found.bulk == (0x7FE00010, 10, 0xFFFFFFFF)
        assert found.integer(0x00280010) == 2
        assert not found.truncated
        assert found.problems == []
    assert parse(rows + b"\x28\x00\x11\x00US\x02\x00", EXPLICIT_LE).truncated
