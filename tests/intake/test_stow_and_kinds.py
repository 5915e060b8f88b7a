"""Instances by STOW-RS, and how files are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.archive.models import Instance
from radrelay.dicom.part10 import parse_preamble
from radrelay.intake.file_kinds import Kind, sniff
from radrelay.intake.stow import StowIntake
from tests.intake.conftest import Site
from tests.intake.samples import ct_file, zipped

STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"


def test_a_file_and_a_bare_data_set_are_taken(site: Site) -> None:
    intake = StowIntake(site.landing(), site.origin("stow"), STUDY)
    outcome = intake.take_file(iter([ct_file("1.2.1")]))
    assert (outcome.sop_uid, outcome.study_uid, outcome.failure_reason) == ("1.2.1", STUDY, None)
    file = ct_file("1.2.2")
    head = parse_preamble(file)
    outcome = intake.take_dataset(iter([file[head.dataset_offset :]]), head.transfer_syntax_uid)
    assert outcome.sop_uid == "1.2.2"
    site.index()
    assert site.rows(Instance) == 2


def test_an_instance_of_another_study_than_the_address_names_is_refused(site: Site) -> None:
    outcome = StowIntake(site.landing(), site.origin("stow"), "1.2.3").take_file(iter([ct_file("1.2.1")]))
    assert (outcome.landed, outcome.failure_reason, outcome.sop_uid) == (None, 0xA900, "1.2.1")
    assert site.index() == 0


def test_what_is_no_dicom_is_refused_and_the_next_part_is_taken(site: Site) -> None:
    intake = StowIntake(site.landing(), site.origin("stow"))
    assert intake.take_file(iter([b"<html>"])).failure_reason == 0xC000
    assert intake.take_file(iter([])).failure_reason == 0xC000
    cut = intake.take_file(iter([ct_file("1.2.1")[:-5000]]))
    assert (cut.failure_reason, cut.sop_uid) == (0xC000, "1.2.1")
    assert intake.take_file(iter([ct_file("1.2.2")])).landed is not None


@pytest.mark.parametrize(
    ("name", "prefix", "kind", "said"),
    [
        ("IM1", bytes(128) + b"DICM\x02\0", Kind.DICOM, "application/dicom"),
        ("viewer.exe", b"MZ" + bytes(126) + b"DICM\x02\0", Kind.DICOM, "application/dicom"),
        ("DICOMDIR", bytes(128) + b"DICM\x02\0", Kind.DIRECTORY, "disc-directory"),
        ("raw", b"\x08\0\x05\0CS\x0a\0ISO_IR 100", Kind.MAYBE_DICOM, "application/dicom"),
        ("a.zip", zipped(("x", b"y")), Kind.ARCHIVE, "application/zip"),
        ("x.docx", zipped(("[Content_Types].xml", b""), ("word/document.xml", b"")), Kind.ATTACHMENT,
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("x.xlsx", zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), Kind.SKIPPED, "unknown-kind"),
        ("v.jar", zipped(("META-INF/MANIFEST.MF", b"")), Kind.SKIPPED, "program"),
        ("x.pdf", b"%PDF-1.4", Kind.ATTACHMENT, "application/pdf"),
        ("x", b"\xff\xd8\xff\xe0", Kind.ATTACHMENT, "image/jpeg"),
        ("x", b"\x89PNG\r\n\x1a\n", Kind.ATTACHMENT, "image/png"),
        ("x.tif", b"II*\0", Kind.ATTACHMENT, "image/tiff"),
        ("x.bmp", b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(20), Kind.ATTACHMENT, "image/bmp"),
        ("x.heic", b"\0\0\0\x18ftypheic", Kind.ATTACHMENT, "image/heic"),
        ("x.mp4", b"\0\0\0\x18ftypisom", Kind.ATTACHMENT, "video/mp4"),
        ("x.txt", "Grüße".encode("latin-1"), Kind.ATTACHMENT, "text/plain"),
        ("x.txt", "Grüße".encode("utf-16"), Kind.ATTACHMENT, "text/plain"),
        ("x.html", b"hello", Kind.SKIPPED, "web-page"),
        ("x.txt", b"  <!DOCTYPE html><script>", Kind.SKIPPED, "web-page"),
        ("run.sh", b"#!/bin/sh", Kind.SKIPPED, "program"),
        ("x.7z", b"7z\xbc\xaf\x27\x1c", Kind.SKIPPED, "other-archive"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0", Kind.SKIPPED, "system-file"),
        ("x.dcm", b"nothing", Kind.SKIPPED, "not-dicom"),
        ("x.bin", bytes(range(256)), Kind.SKIPPED, "unknown-kind"),
        ("x", b"", Kind.SKIPPED, "empty"),
    ],
)  # fmt: skip
def test_a_file_is_told_by_its_bytes(name: str, prefix: bytes, kind: Kind, said: str) -> None:
    found = sniff(name, prefix)
    assert found.kind is kind
    assert said in (found.media_type, found.code)


@given(st.text(max_size=20), st.binary(max_size=400))
def test_any_file_is_some_kind(name: str, prefix: bytes) -> None:
    found = sniff(name, prefix)
    assert found.kind is not Kind.SKIPPED or (found.code and found.text)
