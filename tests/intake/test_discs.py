"""Discs: what their directory names and is missing is told; what it does not name is taken all the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from radrelay.archive.models import Instance
from radrelay.dicom import phantoms
from radrelay.dicom.disc_directory import read_directory
from radrelay.dicom.errors import Malformed
from radrelay.dicom.fileset import FileSet
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.intake.imports import import_path
from radrelay.intake.parcels import ParcelView
from tests.intake.conftest import Site
from tests.intake.samples import ct_file, zipped


def disc(folder: Path, slices: int = 4) -> list[Path]:
    """Write a disc of one study and return its files, the directory left out."""
    file_set, files = FileSet("DISC"), []
    for content in phantoms.study("mr-head", slices=slices, size=32):
        head = parse_preamble(content)
        header = parse(content[head.dataset_offset :], head.transfer_syntax_uid)
        path = folder.joinpath(*file_set.add(header, ExplicitVRLittleEndian))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files.append(path)
    (folder / "DICOMDIR").write_bytes(file_set.dicomdir())
    return files


def imported(site: Site, folder: Path) -> ParcelView:
    done = import_path(site, folder)
    site.index()
    return site.parcels.get(site.organisation_id, done.parcel_id)


def missing(site: Site, parcel: ParcelView) -> dict[str, str]:
    found = site.parcels.findings(site.organisation_id, parcel.id)
    assert "disc-reference" not in {finding.code for finding in found}
    return {finding.file_name: finding.text for finding in found if finding.code == "missing-on-disc"}


def test_whole_disc_misses_nothing(site: Site, tmp_path: Path) -> None:
    files = disc(tmp_path / "cd")
    parcel = imported(site, tmp_path / "cd")
    assert (parcel.objects, missing(site, parcel)) == (len(files), {})


def test_missing_files_are_named_with_series_and_study(site: Site, tmp_path: Path) -> None:
    files = disc(tmp_path / "cd")
    files[1].unlink()
    (tmp_path / "cd" / "NOTNAMED.dcm").write_bytes(ct_file("1.2.3"))
    parcel = imported(site, tmp_path / "cd")
    assert (parcel.state, parcel.objects, parcel.refused) == ("done", len(files), 0)
    ((name, text),) = missing(site, parcel).items()
    assert name == str(files[1].relative_to(tmp_path / "cd"))
    assert "(IMAGE)" in text
    assert "series " in text
    assert " MR " in text
    assert "study 20" in text


def test_disc_in_a_zip_below_a_folder_is_looked_through_too(site: Site, tmp_path: Path) -> None:
    files = disc(tmp_path / "cd")
    files[0].unlink()
    members = [(f"CD/{path.relative_to(tmp_path / 'cd')}", path.read_bytes())
               for path in sorted((tmp_path / "cd").rglob("*")) if path.is_file()]  # fmt: skip
    parcel = site.take(("cd.zip", zipped(*members)))
    assert list(missing(site, parcel)) == [f"CD/{files[0].relative_to(tmp_path / 'cd')}"]


def test_files_uploaded_one_by_one_count_whatever_their_order(site: Site, tmp_path: Path) -> None:
    files = disc(tmp_path / "cd")
    names = [str(path.relative_to(tmp_path / "cd")) for path in files]
    sent = [(name, path.read_bytes()) for name, path in zip(names, files, strict=True)]
    sent.insert(2, ("DICOMDIR", (tmp_path / "cd" / "DICOMDIR").read_bytes()))
    assert missing(site, site.take(*sent)) == {}
    again = site.take(*sent[:-1], ("other.dcm", ct_file("1.2.9")))
    assert (again.duplicates, missing(site, again)) == (len(files) - 1, {})  # what is missing is here already


def test_refused_file_is_not_missing_as_well(site: Site, tmp_path: Path) -> None:
    files = disc(tmp_path / "cd")
    files[0].write_bytes(b"MZ" + bytes(600))
    files[1].write_bytes(files[1].read_bytes()[:700])
    parcel = imported(site, tmp_path / "cd")
    assert missing(site, parcel) == {}
    assert (parcel.quarantined, parcel.refused) == (1, 1)


def test_directory_that_lies_or_is_broken_costs_nothing(site: Site, tmp_path: Path) -> None:
    files = disc(tmp_path / "cd")
    directory = tmp_path / "cd" / "DICOMDIR"
    whole = directory.read_bytes()
    for number, broken in enumerate((whole[: len(whole) // 2], bytes(128) + b"DICM", whole[:300] + bytes(4000))):
        directory.write_bytes(broken)
        parcel = imported(site, tmp_path / "cd")
        assert parcel.objects + parcel.duplicates == len(files), number
    links = bytearray(whole)
    for at in range(len(links) - 12):
        if links[at : at + 4] == b"\x04\x00\x20\x14":  # every lower-level link leads to the first record
            links[at + 8 : at + 12] = links[
                whole.index(b"\x04\x00\x00\x12") + 8 : whole.index(b"\x04\x00\x00\x12") + 12
            ]
    assert len(read_directory(bytes(links))) == len(files)
    assert site.rows(Instance) == len(files)


@pytest.mark.shared
def test_real_directories_of_every_writing_name_the_same_files(shared_data: Path) -> None:
    folder = shared_data / "cd" / "pydicom-dicomdirtests"
    expected = {file.path: file for file in read_directory((folder / "DICOMDIR").read_bytes())}
    assert len(expected) > 20
    for name in (
        "DICOMDIR-bigEnd",
        "DICOMDIR-implicit",
        "DICOMDIR-nooffset",
        "DICOMDIR-reordered",
        "DICOMDIR-nopatient",
    ):
        try:
            found = {file.path: file for file in read_directory((folder / name).read_bytes())}
        except Malformed as error:
            pytest.fail(f"{name}: {error.message}")
        assert set(found) == set(expected), name
        same = [path for path in expected if found[path].belongs_to == expected[path].belongs_to]
        assert len(same) == len(expected) or name == "DICOMDIR-reordered", name


@pytest.mark.shared
def test_real_disc_is_imported_with_what_is_missing_named(site: Site, shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cd"
    shutil.copytree(shared_data / "cd" / "pydicom-dicomdirtests", folder)
    for other in folder.glob("DICOMDIR-*"):
        other.unlink()
    (folder / "77654033" / "CT2" / "17136").unlink()
    parcel = imported(site, folder)
    assert "77654033/CT2/17136" in missing(site, parcel)
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert not present & set(missing(site, parcel))
