"""All attributes of an object as rows: names, values, depth, and bounds however hostile the object is."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_charset_files
from pydicom.dataset import Dataset

from radrelay.dicom import header_tree
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.header_tree import Row, read_tree, whole_value
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.syntaxes import EXPLICIT_LE
from tests.dicom.objects import opened, wheel_file
from tests.dicom.test_report_text import header_of


def rows(name: str, meta: bytes = b"") -> dict[tuple[int, str], Row]:
    return {(row.depth, row.tag): row for row in read_tree(parse(*wheel_file(name)), meta).rows}


def test_rows_have_names_values_and_depth() -> None:
    found = rows("CT_small.dcm", file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", EXPLICIT_LE))
    assert found[0, "00020010"].value == "1.2.840.10008.1.2.1 = Explicit VR Little Endian"
    modality = found[0, "00080060"]
    assert (modality.vr, modality.name, modality.keyword, modality.value, modality.length) == (
        "CS", "Modality", "Modality", "CT", 2,
    )  # fmt: skip
    assert found[0, "00101002"].count == 2
    assert found[1, ""].value == "2"
    assert found[2, "00100020"].value == "1234ABCD"
    private = found[0, "00091001"]
    assert (private.creator, private.name, private.value) == ("GEMS_IDEN_01", "Full fidelity", "GE_GENESIS_FF")
    pixels = found[0, "7FE00010"]
    assert (pixels.bulk, pixels.value, pixels.length) == (True, "", 32768)
    assert pixels.mark


def test_names_are_in_their_own_characters() -> None:
    for name, expected in (("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"), ("chrGerm.dcm", "Äneas^Rüdiger")):
        path = next(path for path in get_charset_files(name) if path.endswith(name))
        tree = read_tree(parse(*opened(path)))
        assert next(row.value for row in tree.rows if row.tag == "00100010") == expected


def test_a_long_value_is_cut_and_read_to_its_end_by_its_path() -> None:
    item, dataset = Dataset(), Dataset()
    item.TextValue = "x" * 5000
    dataset.ContentSequence = [item]
    dataset.RedPaletteColorLookupTableData = bytes(range(256)) * 8
    header = header_of(dataset)
    by_tag = {row.tag: row for row in read_tree(header).rows}
    assert (len(by_tag["0040A160"].value), by_tag["0040A160"].more) == (header_tree.LONGEST_VALUE, True)
    assert whole_value(header, "0040A730/0/0040A160") == "x" * 5000
    assert by_tag["00281201"].bulk
    assert str(whole_value(header, "00281201")).startswith("00 01 02")
    for path in ("0040A730/1/0040A160", "0040A730", "0040A730/x/y", "nonsense", "00100010", "0040A730/-9/0040A160"):
        assert not whole_value(header, path), path


def test_many_rows_and_long_texts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset()
    dataset.ContentSequence = [Dataset() for _ in range(100)]
    monkeypatch.setattr(header_tree, "MOST_ROWS", 20)
    tree = read_tree(header_of(dataset))
    assert (len(tree.rows), tree.shortened) == (20, True)
    monkeypatch.setattr(header_tree, "MOST_TEXT", 10)
    dataset.PatientComments = "a comment that is longer"
    assert read_tree(header_of(dataset)).shortened


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_header_is_listed_as_far_as_it_goes(data: st.DataObject) -> None:
    whole = bytearray(wheel_file("nested_priv_SQ.dcm")[0][:8000])
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Malformed):
        read_tree(parse(bytes(whole), wheel_file("nested_priv_SQ.dcm")[1]))
