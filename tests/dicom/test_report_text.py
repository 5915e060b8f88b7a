"""Structured reports read as their authors wrote them, whatever stands in them."""

from __future__ import annotations

import io

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filewriter import write_dataset

from radrelay.dicom import report_text
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.report_text import Item, is_report, read_report
from radrelay.dicom.syntaxes import EXPLICIT_LE
from tests.collection import COLLECTION
from tests.dicom.objects import opened, wheel_file


def header_of(dataset: Dataset) -> Header:
    kept = io.BytesIO()
    out = pydicom.filebase.DicomIO(kept)
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, dataset)
    return parse(kept.getvalue(), EXPLICIT_LE)


def text_item(name: str, value: str, *inner: Dataset) -> Dataset:
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99T", name
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", value
    item.ConceptNameCodeSequence = [code]
    if inner:
        item.ContentSequence = list(inner)
    return item


def made(*items: Dataset) -> Header:
    dataset = Dataset()
    dataset.ValueType = "CONTAINER"
    dataset.ContentSequence = list(items)
    return header_of(dataset)


def flat(items: list[Item]) -> list[Item]:
    return [one for item in items for one in (item, *flat(item.items))]


def test_a_report_has_its_state_its_authors_and_its_values() -> None:
    report = read_report(parse(*wheel_file("test-SR.dcm")))
    assert (report.title.meaning, report.completion, report.verification) == ("Diagnosis", "COMPLETE", "VERIFIED")
    assert [(one.name, one.organization, one.at) for one in report.authors] == [
        ("Riesmeier^Jörg", "OFFIS e.V.", "2001-02-13T18:47:46"),
        ("Observer^Verifying", "Organisation", "2001-02-13T18:47:46"),
    ]
    by_name = {(one.kind, one.name.meaning): one for one in flat(report.items)}
    assert by_name["NUM", "Diameter"].value == "3"
    assert by_name["NUM", "Diameter"].unit == report_text.Code("Length Unit", "cm", "99_OFFIS_DCMTK")
    assert by_name["DATE", "Date"].value == "2000-12-06"
    assert by_name["TIME", "Time"].value == "12:00:00"
    assert by_name["DATETIME", "DateTime"].value == "2000-12-06T12:00:00"
    assert by_name["REFERENCE", ""].target
    assert not report.shortened


def test_endless_nesting_and_many_items_are_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    item = text_item("deepest", "x")
    for _ in range(50):
        item = text_item("deep", "x", item)
    report = read_report(made(item))
    assert report.shortened
    assert len(flat(report.items)) == report_text.MOST_LEVELS
    monkeypatch.setattr(report_text, "MOST_ITEMS", 10)
    report = read_report(made(*[text_item("many", "x") for _ in range(30)]))
    assert (len(report.items), report.shortened) == (10, True)


def test_texts_are_bounded_one_by_one_and_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_text, "LONGEST_TEXT", 100)
    monkeypatch.setattr(report_text, "MOST_TEXT", 250)
    report = read_report(made(*[text_item("long", "x" * 120) for _ in range(4)]))
    assert [len(item.value) for item in report.items] == [100, 100, 50, 0]
    assert report.shortened


def test_what_is_no_report_says_so() -> None:
    assert not is_report(parse(*wheel_file("CT_small.dcm")))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_report_reads_as_far_as_it_goes(data: st.DataObject) -> None:
    whole = bytearray(wheel_file("test-SR.dcm")[0])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        header = parse(whole[: data.draw(st.integers(1, len(whole)))], EXPLICIT_LE)
        read_report(header)
    except Malformed:
        pass


@pytest.mark.shared
def test_every_report_of_the_collection_reads_to_its_end() -> None:
    files = [path for path in COLLECTION.rglob("*") if path.is_file() and path.stat().st_size < 100_000]
    count = 0
    for path in files:
        whole = path.read_bytes()
        if b"1.2.840.10008.5.1.4.1.1.88." not in whole[:1000] or whole[128:132] != b"DICM":
            continue
        syntax = parse_preamble(whole).transfer_syntax_uid
        header = parse(opened(path)[0], syntax)
        if is_report(header):
            report = read_report(header)
            assert report.title.meaning, path
            assert flat(report.items), path
            count += 1
    assert count >= 8
