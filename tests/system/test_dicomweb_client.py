"""The library dicomweb-client, and plain HTTP, against DICOMweb as PS3.18 has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx2
import numpy as np
import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from requests import Session

from radrelay.dicom import phantoms
from tests.system.installation import Installation
from tests.system.samples import Sample, data_set_of, digests, phantom_files, sample

DICOM = "application/dicom"
JSON = "application/dicom+json"


@pytest.fixture(scope="module")
def client(radrelay: Installation) -> DICOMwebClient:
    """Give a client that carries the token."""
    radrelay.http().close()
    session = Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {radrelay.token}"
    return DICOMwebClient(f"{radrelay.base}/dicom-web", session=session)


@pytest.fixture(scope="module")
def stored(radrelay: Installation, client: DICOMwebClient, tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Store a CT by STOW-RS, many parts in one request."""
    samples = phantom_files(tmp_path_factory.mktemp("ct"), "ct-head", seed=11, slices=5, size=64)
    answer = client.store_instances([dcmread(item.path) for item in samples])
    assert len(answer.ReferencedSOPSequence) == len(samples)
    assert "FailedSOPSequence" not in answer
    radrelay.wait_study(samples[0].study, len(samples))
    return samples


def test_client_finds_at_every_level(client: DICOMwebClient, stored: list[Sample]) -> None:
    one = stored[0]
    [study] = client.search_for_studies(search_filters={"StudyInstanceUID": one.study})
    assert study["00201208"]["Value"] == [5]
    [series] = client.search_for_series(one.study)
    assert series["0020000E"]["Value"] == [one.series]
    found = client.search_for_instances(one.study, one.series, fields=["Rows"])
    assert {row["00080018"]["Value"][0] for row in found} == {item.sop for item in stored}
    name = str(dcmread(one.path).PatientName).split("^", maxsplit=1)[0]
    assert client.search_for_studies(search_filters={"PatientName": f"{name}*"}, fuzzymatching=True)
    assert len(client.search_for_instances(one.study, limit=2, offset=4)) == 1


def test_client_retrieves_study_series_and_instance(client: DICOMwebClient, stored: list[Sample]) -> None:
    one = stored[0]
    for found in (client.retrieve_study(one.study), client.retrieve_series(one.study, one.series)):
        assert {str(data_set.SOPInstanceUID) for data_set in found} == {item.sop for item in stored}
    assert client.retrieve_instance(one.study, one.series, one.sop) == dcmread(one.path)


def test_client_reads_metadata_frames_and_bulk_data(client: DICOMwebClient, stored: list[Sample]) -> None:
    one = stored[0]
    original = dcmread(one.path)
    metadata = client.retrieve_series_metadata(one.study, one.series)
    assert len(metadata) == len(stored)
    [mine] = [item for item in metadata if item["00080018"]["Value"] == [one.sop]]
    header = Dataset.from_json(json.dumps({tag: value for tag, value in mine.items() if "BulkDataURI" not in value}))
    assert header.PatientName == original.PatientName
    assert header.ImagePositionPatient == original.ImagePositionPatient
    [frame] = client.retrieve_instance_frames(one.study, one.series, one.sop, [1])
    assert frame == original.PixelData
    [bulk] = client.retrieve_bulkdata(mine["7FE00010"]["BulkDataURI"])
    assert bulk == original.PixelData


def test_rendered_image_and_thumbnail_are_pictures(client: DICOMwebClient, stored: list[Sample]) -> None:
    one = stored[0]
    rendered = client.retrieve_instance_rendered(one.study, one.series, one.sop, media_types=("image/png",))
    assert rendered.startswith(b"\x89PNG")
    rendered = client.retrieve_instance_rendered(one.study, one.series, one.sop, media_types=("image/jpeg",))
    assert rendered.startswith(b"\xff\xd8")


def test_multi_frame_frames_are_given_one_by_one(
    radrelay: Installation, client: DICOMwebClient, tmp_path: Path
) -> None:
    [loop] = phantom_files(tmp_path, "us-heart", seed=12, slices=4, size=64)
    client.store_instances([dcmread(loop.path)])
    radrelay.wait_study(loop.study, 1)
    frames = client.retrieve_instance_frames(loop.study, loop.series, loop.sop, [3, 1])
    wanted = dcmread(loop.path).pixel_array
    for number, content in zip((3, 1), frames, strict=True):
        found = np.frombuffer(content, np.uint8).reshape(wanted.shape[1:])
        assert np.array_equal(found, wanted[number - 1])


def body_of(parts: list[tuple[dict[str, str], bytes]], media: str) -> tuple[dict[str, str], bytes]:
    """Return the header and the body of a multipart/related request."""
    content = b""
    for headers, part in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        content += f"--limit\r\n{lines}\r\n".encode() + part + b"\r\n"
    return {"Content-Type": f'multipart/related; type="{media}"; boundary=limit'}, content + b"--limit--\r\n"


def test_single_part_is_stored(radrelay: Installation, tmp_path: Path) -> None:
    [one] = phantom_files(tmp_path, "cr-chest", seed=13, slices=1, size=64)
    with radrelay.http() as http:
        answer = http.post("/dicom-web/studies", content=one.path.read_bytes(), headers={"Content-Type": DICOM})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    [kept] = document["00081199"]["Value"]
    assert kept["00081155"]["Value"] == [one.sop]
    assert kept["00081190"]["Value"][0].endswith(f"/instances/{one.sop}")
    assert answer.headers["content-type"].startswith(JSON)
    radrelay.wait_study(one.study, 1)


def test_good_neighbour_is_kept_and_bad_one_is_named(radrelay: Installation, tmp_path: Path) -> None:
    good, other = phantom_files(tmp_path, "mr-head", seed=14, slices=1, size=64)
    parts = [
        ({"Content-Type": DICOM}, good.path.read_bytes()),
        ({"Content-Type": DICOM}, b"this is no DICOM"),
        ({"Content-Type": "text/plain"}, b"hello"),
        ({"Content-Type": DICOM}, other.path.read_bytes()),
    ]
    headers, content = body_of(parts, DICOM)
    with radrelay.http() as http:
        answer = http.post("/dicom-web/studies", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
        document = answer.json()
        assert {row["00081155"]["Value"][0] for row in document["00081199"]["Value"]} == {good.sop, other.sop}
        assert len(document["0008119A"]["Value"]) == 2
        assert all(row["00081197"]["Value"][0] for row in document["0008119A"]["Value"])
        answer = http.post("/dicom-web/studies/1.2.3", content=content, headers=headers)
        assert answer.status_code == 409
        answer = http.post("/dicom-web/studies", content=b"x", headers={"Content-Type": "image/png"})
        assert answer.status_code == 415


def test_metadata_as_json_with_bulk_data_beside_it(radrelay: Installation, tmp_path: Path) -> None:
    [content] = phantoms.study("cr-chest", seed=15, slices=1, size=64)
    path = tmp_path / "cr.dcm"
    path.write_bytes(content)
    original = dcmread(path)
    metadata = original.to_json_dict()
    metadata["7FE00010"] = {"vr": "OW", "BulkDataURI": "https://example.org/pixels"}
    metadata["00083002"] = {"vr": "UI", "Value": [str(original.file_meta.TransferSyntaxUID)]}
    parts = [
        ({"Content-Type": JSON}, json.dumps([metadata]).encode()),
        (
            {"Content-Type": "application/octet-stream", "Content-Location": "https://example.org/pixels"},
            original.PixelData,
        ),
    ]
    headers, body = body_of(parts, JSON)
    with radrelay.http() as http:
        answer = http.post("/dicom-web/studies", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
    one = sample(path)
    radrelay.wait_study(one.study, 1)
    found = dcmread(BytesIO(radrelay.object(one.study, one.series, one.sop)))
    assert found.PixelData == original.PixelData
    assert found.PatientName == original.PatientName


@pytest.fixture
def ask(radrelay: Installation, stored: list[Sample]) -> Callable[..., httpx2.Response]:
    """Give a GET below the stored series."""
    one = stored[0]
    base = f"/dicom-web/studies/{one.study}/series/{one.series}"

    def get(path: str, accept: str = "*/*", **headers: str) -> httpx2.Response:
        with radrelay.http() as http:
            return http.get(f"{base}/{path}".rstrip("/"), headers={"Accept": accept, **headers})

    return get


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("metadata", "text/html"),
        ("", "image/jpeg"),
        ("", f'multipart/related; type="{DICOM}"; transfer-syntax=1.2.840.10008.1.2.4.50'),
        ("instances", "application/pdf"),
    ],
)
def test_what_cannot_be_given_is_406(ask: Callable[..., httpx2.Response], path: str, accept: str) -> None:
    answer = ask(path, accept)
    assert answer.status_code == 406
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_quality_values_choose(ask: Callable[..., httpx2.Response], stored: list[Sample]) -> None:
    one = stored[0]
    accept = (
        f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.80; q=0.3, {DICOM}; transfer-syntax=1.2.840.10008.1.2; q=0.9"
    )
    answer = ask(f"instances/{one.sop}", accept)
    assert answer.status_code == 200
    assert dcmread(BytesIO(answer.content)).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"


def test_ranges_of_a_frame(ask: Callable[..., httpx2.Response], stored: list[Sample]) -> None:
    one = stored[0]
    pixels = dcmread(one.path).PixelData
    part = ask(f"instances/{one.sop}/frames/1", "application/octet-stream", Range="bytes=10-19")
    assert part.status_code == 206
    assert part.content == pixels[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(pixels)}"
    beyond = ask(f"instances/{one.sop}/frames/1", "application/octet-stream", Range=f"bytes={len(pixels)}-")
    assert beyond.status_code == 416
    assert ask(f"instances/{one.sop}/frames/2", "application/octet-stream").status_code == 404


def test_unsupported_attribute_is_warned_of(radrelay: Installation, stored: list[Sample]) -> None:
    with radrelay.http() as http:
        answer = http.get("/dicom-web/studies", params={"StudyInstanceUID": stored[0].study, "NoSuchThing": "1"})
    assert answer.status_code == 200
    assert "NoSuchThing" in answer.headers["warning"]
    assert len(answer.json()) == 1


def test_without_a_token_nothing_is_told(radrelay: Installation, stored: list[Sample]) -> None:
    for path in ("", f"/{stored[0].study}", f"/{stored[0].study}/metadata"):
        answer = httpx2.get(f"{radrelay.base}/dicom-web/studies{path}", trust_env=False)
        assert answer.status_code == 401
        assert stored[0].study not in answer.text.replace(path, "")


def test_deleted_study_is_gone(radrelay: Installation, client: DICOMwebClient, tmp_path: Path) -> None:
    samples = phantom_files(tmp_path, "mr-head", seed=16, slices=2, size=64)
    client.store_instances([dcmread(item.path) for item in samples])
    radrelay.wait_study(samples[0].study, len(samples))
    contents = [radrelay.object(item.study, item.series, item.sop) for item in samples]
    assert digests(map(data_set_of, contents)) == digests(item.data_set for item in samples)
    with radrelay.http() as http:
        deleted = http.delete(f"/dicom-web/studies/{samples[0].study}")
        assert deleted.status_code in (200, 204), deleted.text
        assert http.get(f"/dicom-web/studies/{samples[0].study}/metadata").status_code in (404, 410)
        assert http.get("/dicom-web/studies", params={"StudyInstanceUID": samples[0].study}).json() == []
