"""A parcel's files are told by their bytes; what is broken is named, and hints are only hints."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pytest

from radrelay.dicom import phantoms
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.importer.arrived import ArrivedObject
from radrelay.importer.findings import of_parcel
from radrelay.importer.gathering import Gathered, gather
from radrelay.importer.promises import of_list
from tests.importer.test_papers import PDF, picture
from tests.importer.test_xdm import metadata


@dataclass(frozen=True)
class File:
    path: str
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


@dataclass(frozen=True)
class Item:
    study_uid: str
    files: int | None
    patient_name: str = ""
    birth_date: date | None = None
    sex: str = ""


SLICES = list(phantoms.study("mr-head", slices=2, size=8))[:2]
DIRECT = parse(SLICES[0][parse_preamble(SLICES[0]).dataset_offset :], parse_preamble(SLICES[0]).transfer_syntax_uid)
STUDY = DIRECT.text(0x0020000D)


def gathered(**files: bytes) -> Gathered:
    return gather(File(path.replace("__", "/"), content) for path, content in files.items())


def told(found: Gathered, *listed: Item, by_list: bool = True) -> set[tuple[str, str]]:
    return {(one.level, one.code) for one in of_parcel(found.parcel(of_list(listed) if by_list else None))}


def test_each_file_is_told_by_its_bytes() -> None:
    files = {
        "A__1.pdf": SLICES[0], "A__2": SLICES[1][parse_preamble(SLICES[1]).dataset_offset :], "report.dcm": PDF,
        "scan": picture((4, 4)), "notes.txt": b"words", "viewer.exe": b"MZ\x90\0", "index.htm": b"<html>",
        "empty": b"", "cut": SLICES[0][:-20], "early": SLICES[0][:700], "broken.dcm": b"no object",
        "x.zip": b"PK\3\4" * 9,
        "CD__IHE_XDM__S1__METADATA.XML": metadata("DOC.PDF"),
        "CD__IHE_XDM__S2__METADATA.XML": b"<!DOCTYPE a><a/>",
    }  # fmt: skip
    found = gathered(**files)
    assert [one.file for one in found.objects] == ["A/1.pdf", "A/2"]
    assert (found.papers, found.others) == (["report.dcm", "scan"], ["notes.txt"])
    broken = ["empty", "cut", "early", "broken.dcm", "x.zip", "CD/IHE_XDM/S2/METADATA.XML"]
    assert [path for path, _ in found.unreadable] == broken
    assert [(folder, one.path) for folder, one in found.documents] == [("CD/IHE_XDM/S1", "DOC.PDF")]


def test_an_object_that_passes_by_tells_the_same_as_one_that_is_there_whole() -> None:
    large = next(iter(phantoms.study("cr-chest")))
    head = parse_preamble(large)
    data = large[head.dataset_offset :]
    assert len(data) > 1 << 20
    (found,) = gathered(x=large).objects
    assert found == ArrivedObject.whole(data, parse(data, head.transfer_syntax_uid), file="x")


def test_what_a_list_promised_is_counted_over_all_it_names() -> None:
    found = gathered(a=SLICES[0], b=SLICES[1])
    whole = len(SLICES)
    assert told(found, Item(STUDY, 1), Item(STUDY, whole - 1)) == {("passed", "complete")}
    assert told(found, Item(STUDY, whole + 1)) == {("look", "fewer-than-promised")}
    assert told(found, Item(STUDY, None)) == set()
    assert told(found, Item(STUDY, whole, "Somebody^Else")) >= {("stop", "promised-of-another")}
    assert told(found) == {("stop", "list-empty")}
    assert told(found, by_list=False) == set()


def disc(folder: Path) -> Iterable[File]:
    return [
        File(str(one.relative_to(folder)), one.read_bytes()) for one in sorted(folder.rglob("*")) if one.is_file()
    ]  # fmt: skip


@pytest.mark.shared
def test_a_real_disc_is_measured_by_its_directory(shared_data: Path) -> None:
    files = list(disc(shared_data / "cd" / "pydicom-dicomdirtests" / "TINY_ALPHA"))
    found = gather(files)
    assert found.objects
    assert not found.unreadable
    assert told(found, by_list=False) == {("passed", "complete")}
    without = gather(one for one in files if not one.path.endswith("IM00000J"))
    assert ("look", "files-missing") in told(without, by_list=False)
