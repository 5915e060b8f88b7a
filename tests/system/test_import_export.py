"""Studies by the doors for files, and out again as a ZIP with DICOMDIR."""

from __future__ import annotations

import io
import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydicom import dcmread

from radrelay.dicom.phantoms import KINDS
from tests.system.installation import Installation, running, tool, until
from tests.system.samples import data_set_of, digests, phantom_files, sample


def parcel_of(radrelay: Installation, name: str) -> dict[str, Any]:
    """Return the parcel of an import by its name, once it is settled."""

    def done() -> dict[str, Any] | None:
        found = [row for row in radrelay.get("/api/parcels", limit=500)["parcels"] if row["name"] == name]
        return found[0] if found and found[0]["state"] in ("done", "failed") else None

    found = until(done, f"the parcel {name} to be settled")
    assert found is not None
    detail: dict[str, Any] = radrelay.get(f"/api/parcels/{found['id']}")
    return detail


def test_import_of_a_folder_keeps_names_and_leaves_out_nothing(radrelay: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "Befunde Müller"
    samples = phantom_files(folder / "CT Schädel", "ct-head", seed=31)
    (folder / "Arztbrief Ä.pdf").write_bytes(b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n")
    done = radrelay.command("import", str(folder))
    assert f"{len(samples) + 1} files, " in done.stdout
    assert f"{len(samples)} images and objects new" in done.stdout
    assert "1 other files kept as attachments" in done.stdout
    listed = radrelay.wait_study(samples[0].study, len(samples))
    assert listed["sources"] == ["Import"]
    parcel = parcel_of(radrelay, folder.name)
    assert (parcel["files"], parcel["objects"], parcel["attachments"]) == (len(samples) + 1, len(samples), 1)
    assert parcel["study_ids"] == [listed["id"]]
    study = until(
        lambda: (s := radrelay.get(f"/api/studies/{listed['id']}"))["attachments"] and s, "the letter at its study"
    )
    [letter] = study["attachments"]
    assert letter["file_name"].endswith("Arztbrief Ä.pdf")
    assert letter["file_type"] == "application/pdf"


def test_import_of_a_disc_with_dicomdir(radrelay: Installation, shared_data: Path) -> None:
    disc = shared_data / "cd" / "pydicom-dicomdirtests"
    radrelay.command("import", str(disc))
    parcel = parcel_of(radrelay, disc.name)
    images = [path for path in disc.rglob("*") if path.is_file() and is_image(path)]
    assert parcel["objects"] + parcel["duplicates"] + parcel["quarantined"] == len(images)
    assert parcel["quarantined"] == 0


def is_image(path: Path) -> bool:
    if path.read_bytes()[128:132] != b"DICM":
        return False
    return dcmread(path, stop_before_pixels=True).file_meta.MediaStorageSOPClassUID != "1.2.840.10008.1.3.10"


def test_import_of_a_zip_within_a_zip(radrelay: Installation, tmp_path: Path) -> None:
    samples = phantom_files(tmp_path / "files", "mr-head", seed=32, slices=2)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in samples:
            archive.write(item.path, f"serie/{item.path.name}")
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("CD 1.zip", inner.getvalue())
        archive.writestr("readme.txt", "hello")
    radrelay.command("import", str(outer))
    radrelay.wait_study(samples[0].study, len(samples))
    found = digests(data_set_of(radrelay.object(item.study, item.series, item.sop)) for item in samples)
    assert found == digests(item.data_set for item in samples)


def shows(http: httpx2.Client, parcel: str, received: int) -> bool:
    return bool(http.get(f"/api/parcels/{parcel}").json()["bytes_received"] == received)


def test_upload_shows_progress_and_arrives(radrelay: Installation, tmp_path: Path) -> None:
    samples = phantom_files(tmp_path / "files", "ct-chest", seed=33)
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for item in samples[:2]:
            made.write(item.path, item.path.name)
    files = {"study.zip": archive.read_bytes()} | {
        f"more/{item.path.name}": item.path.read_bytes() for item in samples[2:]
    }
    with radrelay.http() as http:
        number = http.post("/api/parcels", json={"name": "upload 33"}).json()["id"]
        sent = 0
        for name, content in files.items():
            answer = http.put(f"/api/parcels/{number}/files", params={"name": name}, content=content)
            assert answer.status_code == 200, answer.text
            assert answer.json()["size"] == len(content)
            sent += len(content)
            until(partial(shows, http, number, sent), "the progress to show it")
        assert http.post(f"/api/parcels/{number}/done").status_code == 202
    listed = radrelay.wait_study(samples[0].study, len(samples))
    parcel = parcel_of(radrelay, "upload 33")
    assert parcel["objects"] == len(samples)
    assert parcel["study_ids"] == [listed["id"]]
    assert listed["sources"] == ["Upload"]


def test_watched_folder_is_taken_in(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    settings = {"RADRELAY_INTAKE__WATCH": f'["{folder}"]', "RADRELAY_INTAKE__WATCH_SETTLE_S": "1"}
    samples = phantom_files(tmp_path / "files", "ct-head", seed=34)
    with running(tmp_path / "radrelay", settings) as radrelay:
        for item in samples:
            shutil.copy(item.path, folder)
        radrelay.wait_study(samples[0].study, len(samples))
        made = zipfile.ZipFile(folder / "late.part", "w")
        late = phantom_files(tmp_path / "late", "mr-head", seed=35, slices=1)
        for item in late:
            made.write(item.path, item.path.name)
        made.close()
        (folder / "late.part").rename(folder / "late.zip")
        radrelay.wait_study(late[0].study, len(late))
        assert sorted(radrelay.instance_uids()) == sorted(item.sop for item in [*samples, *late])


@pytest.fixture
def export(radrelay: Installation, tmp_path: Path) -> Any:
    """Give a function that downloads a study's ZIP and unpacks it."""

    def download(path: str) -> Path:
        with radrelay.http() as http:
            answer = http.get(path)
        assert answer.status_code == 200, answer.text[:500]
        assert answer.headers["content-disposition"].startswith("attachment")
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            archive.extractall(folder)
        return folder

    return download


@pytest.mark.parametrize("kind", KINDS)
def test_zip_is_a_valid_file_set(radrelay: Installation, tmp_path: Path, export: Any, kind: Any) -> None:
    samples = phantom_files(tmp_path / "files", kind, seed=40 + KINDS.index(kind), slices=3)
    tool("storescu", "localhost", radrelay.dicom_port, *[item.path for item in samples])
    listed = radrelay.wait_study(samples[0].study, len(samples))
    folder = export(f"/api/studies/{listed['id']}/archive.zip")
    directory = folder / "DICOMDIR"
    assert "No Error" not in tool("dcmdump", directory).stderr
    records = dcmread(directory).DirectoryRecordSequence
    files = [folder.joinpath(*record.ReferencedFileID) for record in records if "ReferencedFileID" in record]
    assert digests(data_set_of(path.read_bytes()) for path in files) == digests(item.data_set for item in samples)
    assert {record.DirectoryRecordType for record in records} >= {"PATIENT", "STUDY", "SERIES", "IMAGE"}
    for path in [directory, *files]:
        judged = tool("dciodvfy", path, check=False)
        errors = [line for line in judged.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], f"{path.name}: {errors}"


def test_single_file_download_is_the_object(radrelay: Installation, tmp_path: Path) -> None:
    [path] = [item.path for item in phantom_files(tmp_path / "files", "cr-chest", seed=50, slices=1)]
    one = sample(path)
    tool("storescu", "localhost", radrelay.dicom_port, path)
    listed = radrelay.wait_study(one.study, 1)
    [series] = radrelay.get(f"/api/studies/{listed['id']}")["series"]
    [instance] = radrelay.get(f"/api/series/{series['id']}")["instances"]
    with radrelay.http() as http:
        answer = http.get(f"/api/instances/{instance['id']}/file")
    assert data_set_of(answer.content) == one.data_set
