"""A parcel's files are told by their bytes; what is broken is named, and hints are only hints."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread
from pydicom.uid import UID, RLELossless

from radrelay.dicom import phantoms
from radrelay.dicom.encapsulate import ENCAPSULATED_PDF
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import file_meta, parse_preamble
from radrelay.importer.arrived import ArrivedObject
from radrelay.importer.contents import content_of
from radrelay.importer.findings import of_parcel
from radrelay.importer.gathering import Gathered, gather, read_object
from radrelay.importer.promises import of_list
from tests.dicom.objects import CT
from tests.importer.objects import foreign
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
    description: str = ""
    reachable: bool = True


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
    assert (found.papers, found.others, found.texts) == (["report.dcm", "scan", "notes.txt"], [], {"notes.txt"})
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


def test_what_calls_itself_a_document_and_has_pixel_data_is_not_read_whole() -> None:
    """However large it is, it passes by in pieces as every object with pixel data does."""
    claiming = dcmread(io.BytesIO(SLICES[0]))
    claiming.SOPClassUID = claiming.file_meta.MediaStorageSOPClassUID = UID(ENCAPSULATED_PDF)
    made = io.BytesIO()
    claiming.save_as(made)
    asked: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    class Large(File):
        def open(self) -> BinaryIO:
            return Watched(self.content)

    found = gather([Large("claims.dcm", made.getvalue())])
    assert [one.sop_class for one in found.objects] == [ENCAPSULATED_PDF]
    assert min(asked) >= 0
    assert found.enclosed == set()


def test_what_a_list_promised_is_counted_over_all_it_names() -> None:
    found = gathered(a=SLICES[0], b=SLICES[1])
    whole = len(SLICES)
    assert told(found, Item(STUDY, 1), Item(STUDY, whole - 1)) == {("passed", "complete")}
    assert told(found, Item(STUDY, whole + 1)) == {("look", "fewer-than-promised")}
    assert told(found, Item(STUDY, None)) == set()
    assert told(found, Item(STUDY, whole, "Somebody^Else")) >= {("stop", "promised-of-another")}
    assert told(found) == {("stop", "list-empty")}
    assert told(found, by_list=False) == set()


CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
REPORTS = {
    "Befund.gif": b"GIF89a" + b"\0" * 50, "Befund.webp": b"RIFF\0\0\0\0WEBPVP8 ", "Befund.rtf": b"{\\rtf1 Befund}",
    "Befund.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "Befund.xml": CDA,
    "Befund.html": b"<html>Befund</html>", "Befund.txt": "Befund".encode("utf-16"),
    "Befund16.xml": CDA.decode().encode("utf-16"), "Befund.mp4": b"\0\0\0\x18ftypisom",
    "Befund.bmp": b"BM" + b"\x10\0" * 200, "Readme Befund.html": b"<html>", "Info.txt": b"words",
    "Befund": b"some unknown bytes\0\1\2", "Liste.csv": b"a;b",
}  # fmt: skip
VIEWER = {
    "autorun.inf": b"[autorun]", "start.exe": b"MZ", "INDEX.HTM": b"<html>", "README.TXT": b"words", "Thumbs.db": b"x",
    "VIEWER/bin/view.dll": b"MZ", "VIEWER/help/page.html": b"<html>", "VIEWER/lang/de.xml": b"<?xml?><a/>",
    "readme_de.txt": b"words", "README.1ST": b"words", "start.html": b"<html>", "help/page.html": b"<html>",
    "VIEWER/logo.gif": b"GIF89a", "settings.ini": b"[a]", "IHE_PDI/report.htm": b"<html>",
}  # fmt: skip


def test_no_file_of_a_parcel_is_left_without_a_word() -> None:
    """What may be a report is told, however many files of a viewer lie around it."""
    late = {
        "Befund1.pdf": b"\r\n" + PDF,
        "Befund2.pdf": b"\xef\xbb\xbf" + PDF,
        "Befund3": b"\x1b%-12345X@PJL\r\n" + PDF,
    }
    files = {f"cd.zip/{path}": content for path, content in {"DICOM/1": SLICES[0], **REPORTS, **VIEWER, **late}.items()}
    files |= {"cd.zip/VIEWER/CDA.xml": CDA, "cd.zip/DICOM/Brief.odt": b"PK\3\4" + b"\0" * 22 + b"\x08\0\0\0mimetype"}
    found = gather(File(path, content) for path, content in files.items())
    parcel = found.parcel()
    texts = [path for path in REPORTS if path.endswith(".txt")]
    assert found.papers == [f"cd.zip/{path}" for path in (*late, *texts)]
    assert found.unreadable == []
    assert {*parcel.left} == {
        f"cd.zip/{path}" for path in (*REPORTS, "VIEWER/CDA.xml", "DICOM/Brief.odt") if path not in texts
    }
    assert {*parcel.viewers} == {f"cd.zip/{path}" for path in VIEWER}
    told = {one.code: one for one in of_parcel(parcel)}
    assert (told["not-taken-over"].level, told["viewer-files"].level) == ("look", "passed")
    assert told["not-taken-over"].facts["files"] == len(parcel.left)
    assert str(told["not-taken-over"].facts["left"]).endswith("; …")
    assert str(told["not-taken-over"].facts["left"]).startswith("cd.zip/Befund.bmp; ")  # documents first


def jpeg(width: int, height: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height)).save(made, "JPEG")
    return made.getvalue()


ICONS = {
    "VIEWER/img/open.png": picture((32, 32)), "VIEWER/img/close.jpg": jpeg(16, 48),
    "VIEWER/img/SplashScreen.png": picture((600, 400)), "VIEWER/help/step1.png": picture((600, 400)),
    "VIEWER/manual_de.pdf": PDF, "WEB/img/logo.jpg": jpeg(300, 90), "WEB/quickstart.txt": b"words",
}  # fmt: skip
DOUBTFUL = {
    "VIEWER/img/photo.jpg": jpeg(600, 400), "VIEWER/Befund.pdf": PDF, "WEB/1.png": picture((65, 65)),
    "WEB/changes.txt": b"words",
}  # fmt: skip
PATIENTS = {
    "Wunde.jpg": jpeg(60, 60), "logo.png": picture((20, 20)), "DICOM/help/photo.png": picture((30, 30)),
    "REPORT/Befund_files/icon.png": picture((9, 9)), "Befund.pdf": PDF, "VIEWER2/skin.png": picture((9, 9)),
    "Befund.txt": b"words",
}  # fmt: skip
AROUND = {
    "start.exe": b"MZ", "DICOM/1": SLICES[0], "VIEWER/bin/view.exe": b"MZ", "WEB/js/app.js": b"let a",
    "index.htm": b"<html>", "REPORT/Befund.htm": b"<html>", "VIEWER2/x.exe": b"MZ", "VIEWER2/CT/2": SLICES[1],
}  # fmt: skip


@pytest.mark.parametrize("root", ["", "cd.zip/", "Anna/"])
def test_a_viewers_own_pictures_are_left_out_and_none_of_a_patients(root: str) -> None:
    """Whatever lies in the root, beside objects or without a viewer stays, of any size and name."""
    files = {f"{root}{path}": content for path, content in (AROUND | ICONS | DOUBTFUL | PATIENTS).items()}
    found = gather(File(path, content) for path, content in files.items())
    assert {*found.papers} == {f"{root}{path}" for path in (*DOUBTFUL, *PATIENTS)}
    told = {one.code: one for one in of_parcel(found.parcel())}
    assert {*found.icons} == {f"{root}{path}" for path in ICONS}
    assert {*found.parcel().viewers} >= {*found.icons}
    assert (told["perhaps-viewers"].level, told["perhaps-viewers"].facts["files"]) == ("look", len(DOUBTFUL))
    assert str(told["viewer-files"].facts["left"]).startswith(f"{root}VIEWER/help/step1.png; ")


def test_a_document_that_may_be_cut_off_is_told() -> None:
    found = gathered(**{"a.pdf": PDF, "b.pdf": PDF[:-7], "large.pdf": PDF[:9] + b"x" * (3 << 20), "1.dcm": SLICES[0]})
    (told,) = of_parcel(found.parcel())
    assert (told.level, told.code, told.facts["left"]) == ("look", "papers-cut-off", "b.pdf; large.pdf")
    assert found.papers == ["a.pdf", "b.pdf", "large.pdf"]


def test_what_metadata_name_is_no_viewers() -> None:
    files = {"IHE_XDM/S1/METADATA.XML": metadata("../../VIEWER/icon.png"), "VIEWER/view.exe": b"MZ",
             "VIEWER/icon.png": picture((32, 32)), "DICOM/1": SLICES[0]}  # fmt: skip
    found = gather(File(path, content) for path, content in files.items())
    assert (found.papers, found.icons, found.doubtful) == (["VIEWER/icon.png"], [], [])


PATHS = st.from_regex(r"([AV]/){0,2}[a-c]{1,2}(\.(exe|htm|pdf|txt|xml|dcm|jpg|ini))?", fullmatch=True)
CONTENTS = st.sampled_from(
    [b"", b"MZ", b"<html>", PDF, picture((4, 4)), b"GIF89a", SLICES[0], b"PK\3\4", b"words", CDA]
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(PATHS, CONTENTS, max_size=8))
def test_every_file_is_somewhere(files: dict[str, bytes]) -> None:
    found = gather(File(path, content) for path, content in files.items())
    parcel = found.parcel()
    unreadable = [path for path, _ in parcel.unreadable]
    objects = [one.file for one in found.objects]
    assert sorted([*found.papers, *objects, *unreadable, *parcel.left, *parcel.viewers]) == sorted(files)
    assert not any(content == CDA and path in parcel.viewers for path, content in files.items())


@pytest.mark.parametrize(
    ("declared", "text", "guessed"),
    [
        (None, "Голова".encode("cp1251"), True), (None, "頭部".encode("shift_jis"), True),
        (None, "Schädel".encode("latin-1"), True), (None, "Schädel".encode(), False), (None, b"Schaedel", False),
        ("ISO_IR 192", b"Sch\xe4del", True), ("ISO_IR 100", b"\x84nativ\x93", True),
        ("ISO_IR 100", b"Sch\xe4del", False), ("ISO_IR_7000", b"Sch\xe4del", True),
        ("ISO_IR 144", "Голова".encode("iso8859-5"), False),
        (["", "ISO 2022 IR 87"], "頭部".encode("iso2022_jp"), False),
    ],
)  # fmt: skip
def test_texts_that_are_read_by_guess_are_looked_at(declared: str | None, text: bytes, guessed: bool) -> None:
    plain = {"PatientName": "A^B", "InstitutionName": "Klinik", "StudyDescription": "X" * 16}
    data_set, ts = foreign(SpecificCharacterSet=declared, **plain)
    changed = data_set.replace(b"X" * 16, text.ljust(16))
    found = gathered(a=file_meta(CT, "1.2.3", ts) + changed)
    assert [one.code for one in of_parcel(found.parcel())] == (["texts-guessed"] if guessed else [])


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
    assert told(found, by_list=False) == {("passed", "complete"), ("passed", "viewer-files")}  # README
    without = gather(one for one in files if not one.path.endswith("IM00000J"))
    assert ("look", "files-missing") in told(without, by_list=False)


@pytest.mark.parametrize("behind", [100, 70_000, 3 << 20])
def test_what_a_vendor_puts_behind_compressed_pixel_data_cuts_nothing_off(behind: int) -> None:
    one = dcmread(io.BytesIO(SLICES[0]))
    one.compress(RLELossless)
    block = one.private_block(0x7FE1, "GEMS_Ultrasound_MovieGroup_001", create=True)
    block.add_new(0x60, "OB", b"q" * behind)
    written = io.BytesIO()
    one.save_as(written, enforce_file_format=True)
    whole = written.getvalue()
    assert read_object("a.dcm", len(whole), io.BytesIO(whole)).sop_uid == one.SOPInstanceUID
    cut = whole[: whole.rindex(b"\xfe\xff\xdd\xe0") - 10]
    with pytest.raises(Malformed):
        read_object("a.dcm", len(cut), io.BytesIO(cut))


def test_compressed_pixel_data_that_lack_but_the_mark_of_their_end_are_read_as_the_archive_reads_them() -> None:
    one, written = dcmread(io.BytesIO(SLICES[0])), io.BytesIO()
    one.compress(RLELossless)
    one.save_as(written, enforce_file_format=True)
    marked = written.getvalue()
    assert marked.endswith(b"\xfe\xff\xdd\xe0\0\0\0\0")
    unmarked = marked[:-8]
    assert read_object("a.dcm", len(unmarked), io.BytesIO(unmarked)).sop_uid == one.SOPInstanceUID
    cut = unmarked[:-10]
    with pytest.raises(Malformed):
        read_object("a.dcm", len(cut), io.BytesIO(cut))


def test_an_object_that_ends_between_two_of_its_frames_is_cut_off() -> None:
    one, written = dcmread(io.BytesIO(SLICES[0])), io.BytesIO()
    one.NumberOfFrames, one.PixelData = 3, one.PixelData * 3
    one.compress(RLELossless)
    one.save_as(written, enforce_file_format=True)
    unmarked = written.getvalue()[:-8]
    assert read_object("a.dcm", len(unmarked), io.BytesIO(unmarked)).sop_uid == one.SOPInstanceUID
    cut = unmarked[: unmarked.rindex(b"\xfe\xff\x00\xe0")]  # the third is not there
    with pytest.raises(Malformed):
        read_object("a.dcm", len(cut), io.BytesIO(cut))


def test_a_destroyed_file_is_named_and_is_nobody() -> None:
    destroyed = bytes(128) + b"DICM" + b"\x08\x00"
    found = gather([File("kaputt.dcm", destroyed), File("a.dcm", SLICES[0])])
    assert [name for name, _ in found.unreadable] == ["kaputt.dcm"]
    assert [one.file for one in found.objects] == ["a.dcm"]


@pytest.mark.parametrize("order", [b"II*\0", b"MM\0*"])
def test_an_object_that_is_a_tiff_as_well_is_an_object(order: bytes) -> None:
    assert content_of(order + SLICES[0][4:]) == "dicom"
    assert content_of(order + bytes(200)) == "tiff"
