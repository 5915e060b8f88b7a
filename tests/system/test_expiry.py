"""Studies end when they must: by every face, with their keys and bytes, and no sooner."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa
from pydicom import dcmread

from radrelay.archive.models import Instance
from radrelay.storage.keystore import KeyDestroyed
from radrelay.storage.models import LandingRecord, Pack
from radrelay.storage.objectstore import ObjectMissing, open_objects
from radrelay.storage.packs import PackRef
from radrelay.storage.segments import RecordLocation
from tests.system.house import House, open_house
from tests.system.installation import keys, tool
from tests.system.peers import Storescp
from tests.system.samples import Sample, answers, phantom_files

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
GONE = (404, 410)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path / "house") as made:
        yield made


def addresses(house: House, sample: Sample) -> list[str]:
    """Return the address of a study by every HTTP face."""
    listed = house.study(sample.study)
    assert listed is not None
    study = house.get(f"/api/studies/{listed['id']}")
    series = study["series"][0]["id"]
    instance = house.get(f"/api/series/{series}")["instances"][0]["id"]
    wado = f"/dicom-web/studies/{sample.study}"
    deeper = f"{wado}/series/{sample.series}/instances/{sample.sop}"
    return [
        f"/api/studies/{listed['id']}",
        f"/api/studies/{listed['id']}/archive.zip",
        f"/api/series/{series}",
        f"/api/series/{series}/thumbnail",
        f"/api/series/{series}/archive.zip",
        f"/api/instances/{instance}/thumbnail",
        f"/api/instances/{instance}/file",
        f"/api/instances/{instance}/frames/1/pixels",
        f"/api/instances/{instance}/frames/1/stream",
        f"/api/studies/{listed['id']}/opening",
        f"/api/studies/{listed['id']}/glimpse",
        wado,
        f"{wado}/metadata",
        f"{wado}/series/{sample.series}",
        f"{wado}/series/{sample.series}/metadata",
        deeper,
        f"{deeper}/metadata",
        f"{deeper}/frames/1",
        f"{deeper}/bulkdata/7FE00010",
    ]


def statuses(house: House, paths: list[str]) -> dict[str, int]:
    return {path: house.http.get(path, headers={"Accept": "*/*"}).status_code for path in paths}


def found_by_devices(house: House, sample: Sample, folder: Path, receiver: Storescp) -> tuple[int, int, int]:
    """Return how much C-FIND, C-GET and C-MOVE give of a study."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(receiver.folder)
    (folder / "find").mkdir(parents=True)
    (folder / "get").mkdir()
    receiver.folder.mkdir()
    wanted = keys("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={sample.study}")
    at = ("localhost", house.dicom_port)
    tool("findscu", "-S", "-X", "-od", folder / "find", *wanted, *at)
    tool("getscu", "-S", "+B", "-od", folder / "get", *wanted, *at, check=False)
    tool("movescu", "-S", "-aem", "RECEIVER", *wanted, *at, check=False)
    return (
        len(answers(folder / "find")),
        len(list((folder / "get").iterdir())),
        len(list(receiver.folder.iterdir())),
    )


def stored(house: House) -> tuple[list[RecordLocation], list[PackRef]]:
    """Return where bytes lie, as the rows say."""
    with house.core.database.read() as session:
        records = [
            RecordLocation(row.id, row.owner, row.segment, row.epoch, row.offset, row.length)
            for row in session.scalars(sa.select(LandingRecord))
        ]
        packs = [
            PackRef(row.id, row.name, row.plain_bytes, row.toc_offset, row.toc_length)
            for row in session.scalars(sa.select(Pack))
        ]
    return records, packs


@pytest.mark.parametrize("packed", [False, True], ids=["landed", "packed"])
def test_expired_study_is_unreadable_by_every_face_and_its_bytes_are_gone(
    house: House, tmp_path: Path, receiver: Storescp, packed: bool
) -> None:
    house.source("DICOM", retention_s=300)
    house.http.post(
        "/api/destinations", json={"name": "R", "ae_title": "RECEIVER", "host": "127.0.0.1", "port": receiver.port}
    ).raise_for_status()
    samples = phantom_files(tmp_path / "files", "ct-head", seed=61, slices=2)
    house.send(samples)
    if packed:
        house.pack()
    records, packs = stored(house)
    assert (len(records), len(packs)) == ((0, 1) if packed else (2, 0))
    objects = open_objects(house.settings)
    kept = {ref.name: objects.read(ref.name, 0, 1 << 30) for ref in packs}
    paths = addresses(house, samples[0])
    assert set(statuses(house, paths).values()) == {200}
    assert found_by_devices(house, samples[0], tmp_path / "before", receiver) == (1, 2, 2)

    house.clock.advance(6 * MINUTE)
    hidden = statuses(house, paths)
    assert {path: code for path, code in hidden.items() if code not in GONE} == {}
    assert found_by_devices(house, samples[0], tmp_path / "hidden", receiver) == (0, 0, 0)
    house.shop.retention.expire()
    assert {path: code for path, code in statuses(house, paths).items() if code not in GONE} == {}
    assert house.study(samples[0].study) is None
    assert house.get("/dicom-web/studies", StudyInstanceUID=samples[0].study) == []
    assert found_by_devices(house, samples[0], tmp_path / "after", receiver) == (0, 0, 0)

    for location in records:
        with pytest.raises(Exception, match=r"(?i)erased|destroyed|gone|no longer|record"):
            house.core.segments.read(location)
    for ref in packs:
        with pytest.raises(ObjectMissing):
            objects.read(ref.name, 0, 1)
        put_back = objects.writer(ref.name)
        put_back.write(kept[ref.name])
        put_back.close()
        with pytest.raises(KeyDestroyed):
            house.core.keys.get(ref.pack_id)
        with pytest.raises(KeyDestroyed):
            house.core.packs.read(ref, 0, 10)
    pixels = dcmread(samples[0].path).PixelData
    for path in house.settings.data_dir.rglob("*"):
        if path.exists() and not path.is_file():
            continue
        with suppress(FileNotFoundError, IsADirectoryError):  # journals come and go
            assert pixels[:4096] not in path.read_bytes(), path


def test_a_hold_reaches_to_the_ceiling_and_no_further(house: House, tmp_path: Path) -> None:
    house.source("DICOM", retention_s=600, max_age_s=7200)
    samples = phantom_files(tmp_path / "files", "ct-head", seed=62, slices=2)
    house.send(samples)
    listed = house.study(samples[0].study)
    assert listed is not None
    until_when = (house.clock.now() + timedelta(days=1)).isoformat()
    answer = house.http.post(f"/api/studies/{listed['id']}/hold", json={"until": until_when, "reason": "discussion"})
    assert answer.status_code == 200, answer.text
    held = house.study(samples[0].study)
    assert held is not None
    assert held["held"]
    assert held["expires_at"] == held["ceiling_at"]
    house.pass_time(HOUR)
    assert house.read(samples[0]) == dcmread(samples[0].path).PixelData
    house.pass_time(HOUR)
    assert house.study(samples[0].study) is None


def test_a_hold_released_ends_by_the_retention(house: House, tmp_path: Path) -> None:
    house.source("DICOM", retention_s=600)
    samples = phantom_files(tmp_path / "files", "ct-head", seed=63, slices=1)
    house.send(samples)
    listed = house.study(samples[0].study)
    assert listed is not None
    house.http.post(f"/api/studies/{listed['id']}/hold", json={"reason": "court"}).raise_for_status()
    house.pass_time(HOUR)
    assert house.study(samples[0].study) is not None
    answer = house.http.delete(f"/api/studies/{listed['id']}/hold")
    assert answer.is_success, answer.text
    house.pass_time(MINUTE)
    assert house.study(samples[0].study) is None


def test_what_a_longer_source_also_brought_stays(house: House, tmp_path: Path) -> None:
    house.source("DICOM", retention_s=600)
    house.source("STOW-RS", retention_s=36000)
    both, pushed = phantom_files(tmp_path / "files", "ct-head", seed=64, slices=2)
    house.send([both, pushed])
    house.stow(both)
    house.pack()
    assert {row["00080018"]["Value"][0] for row in house.get("/dicom-web/instances")} == {both.sop, pushed.sop}
    house.pass_time(HOUR)
    assert [row["00080018"]["Value"] for row in house.get("/dicom-web/instances")] == [[both.sop]]
    assert house.read(both) == dcmread(both.path).PixelData
    house.pass_time(10 * HOUR)
    assert house.get("/dicom-web/studies") == []


def test_late_arrivals_do_not_bring_back_what_has_ended(house: House, tmp_path: Path) -> None:
    house.source("DICOM", retention_s=600)
    early, late = phantom_files(tmp_path / "files", "ct-head", seed=65, slices=2)
    house.send([early])
    house.pass_time(HOUR)
    assert house.study(early.study) is None
    house.send([late])
    listed = house.study(late.study)
    assert listed is not None
    assert listed["instance_count"] == 1
    house.send([early])
    listed = house.study(late.study)
    assert listed is not None
    assert listed["instance_count"] == 2
    assert house.read(early) == dcmread(early.path).PixelData


def test_a_clock_a_year_ahead_destroys_nothing(house: House, tmp_path: Path) -> None:
    samples = phantom_files(tmp_path / "files", "ct-head", seed=66, slices=2)
    house.send(samples)
    house.pack()
    house.clock.advance(timedelta(days=365))
    assert house.shop.retention.expire().suspended
    with house.core.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Instance)) == 2
    house.clock.advance(timedelta(days=-365))
    assert not house.shop.retention.expire().suspended
    for item in samples:
        assert house.read(item) == dcmread(item.path).PixelData


def test_a_deleted_study_is_gone_at_once_everywhere(house: House, tmp_path: Path, receiver: Storescp) -> None:
    samples = phantom_files(tmp_path / "files", "mr-head", seed=67, slices=1)
    house.send(samples)
    house.pack()
    paths = addresses(house, samples[0])
    answer: httpx2.Response = house.http.delete(paths[0])
    assert answer.status_code == 204, answer.text
    assert {path: code for path, code in statuses(house, paths).items() if code not in GONE} == {}
    assert found_by_devices(house, samples[0], tmp_path / "after", receiver) == (0, 0, 0)
    house.shop.retention.expire()
    records, packs = stored(house)
    assert (records, packs) == ([], [])
    assert list(house.core.packs.names()) == []
