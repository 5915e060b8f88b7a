"""Packs in a folder and in S3: any range comes back verified, any change is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from radrelay.errors import Conflict, Misconfigured
from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.keystore import KeyDestroyed, KeyStore
from radrelay.storage.objectstore import LocalObjects, ObjectMissing, Objects, StoreUnavailable, open_objects
from radrelay.storage.pack_format import CHUNK, HEADER_BYTES, STORED_CHUNK, PackDamaged
from radrelay.storage.packs import PackInfo, PackStore
from tests.object_store import new_bucket, remove_bucket, storage_section
from tests.storage.conftest import settings_in
from tests.storage.landed import payload_of


@pytest.fixture(scope="module")
def bucket(s3_endpoint: str) -> Iterator[str]:
    name = new_bucket(s3_endpoint)
    yield name
    remove_bucket(s3_endpoint, name)


def s3_settings(folder: Path, endpoint: str, bucket: str, prefix: str = "site/a") -> Settings:
    return settings_in(folder, **storage_section(endpoint, bucket, prefix))


@pytest.fixture(params=[pytest.param("folder", marks=pytest.mark.embedded(reason="packs in a folder")), "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "folder":
        return settings_in(tmp_path)
    endpoint, bucket = request.getfixturevalue("s3_endpoint"), request.getfixturevalue("bucket")
    return s3_settings(tmp_path, endpoint, bucket, tmp_path.name)


@pytest.fixture
def keys(settings: Settings, keyring: Keyring) -> Iterator[KeyStore]:
    store = KeyStore.open(settings, keyring)
    yield store
    store.close()


@pytest.fixture
def packs(settings: Settings, keyring: Keyring, keys: KeyStore) -> Iterator[PackStore]:
    store = PackStore.open(settings, keyring, keys)
    yield store
    store.close()


def write(packs: PackStore, data: bytes, toc: bytes = b"", step: int = 100_000) -> PackInfo:
    writer = packs.create(uuid4(), uuid4())
    for at in range(0, len(data), step):
        assert writer.add(memoryview(data)[at : at + step]) == at
    return writer.finish(toc)


def stored(packs: PackStore, info: PackInfo) -> bytes:
    return packs._objects.read(info.ref.name, 0, info.stored_bytes + 100)


def replace(objects: Objects, name: str, content: bytes) -> None:
    writer = objects.writer(name)
    writer.write(content)
    writer.close()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 16 * CHUNK, 16 * CHUNK + 1, 9_000_000])
def test_everything_comes_back_by_any_range(packs: PackStore, size: int) -> None:
    data = payload_of(size, size)
    info = write(packs, data, b"table of contents")
    assert packs.toc(info.ref) == b"table of contents"
    assert len(stored(packs, info)) == info.stored_bytes
    assert b"".join(packs.stream(info.ref, 0, size)) == data
    chance = random.Random(size)
    ranges = [(0, 0), (size, 0), (0, size), (max(0, size - 1), min(1, size))]
    for _ in range(20):
        start = chance.randint(0, size)
        ranges.append((start, chance.randint(0, min(size - start, 200_000))))
    assert packs.read_many(info.ref, ranges) == [data[start : start + length] for start, length in ranges]
    assert packs.read_many(info.ref, []) == []


def test_pack_of_nothing_at_all(packs: PackStore) -> None:
    info = write(packs, b"")
    assert info.ref.plain_bytes == 0
    assert packs.toc(info.ref) == b""
    assert packs.read(info.ref, 0, 0) == b""


@pytest.mark.parametrize("change", ["flip", "swap", "cut a chunk", "cut a byte", "cut all", "foreign chunk", "append"])
def test_changed_pack_is_found(packs: PackStore, change: str) -> None:
    data = payload_of(5 * CHUNK - 100, 1)
    info = write(packs, data)
    other = stored(packs, write(packs, data))
    raw = bytearray(stored(packs, info))
    second, third = HEADER_BYTES + STORED_CHUNK, HEADER_BYTES + 2 * STORED_CHUNK
    if change == "flip":
        raw[second + 77] ^= 4
    elif change == "swap":
        raw[second : second + STORED_CHUNK], raw[third : third + STORED_CHUNK] = (
            raw[third : third + STORED_CHUNK],
            raw[second : second + STORED_CHUNK],
        )
    elif change == "cut a chunk":
        del raw[HEADER_BYTES + 4 * STORED_CHUNK :]
    elif change == "cut a byte":
        del raw[-1:]
    elif change == "cut all":
        del raw[HEADER_BYTES:]
    elif change == "foreign chunk":
        raw[second:third] = other[second:third]
    else:
        raw += other[second:third]
    replace(packs._objects, info.ref.name, bytes(raw))
    if change == "append":  # never reached by any range
        assert packs.read(info.ref, 0, len(data)) == data
        return
    with pytest.raises(PackDamaged):
        packs.read(info.ref, 0, len(data))
    with pytest.raises(PackDamaged):
        b"".join(packs.stream(info.ref, 0, len(data)))
    if change in ("flip", "swap", "foreign chunk"):
        assert packs.read(info.ref, 0, CHUNK) == data[:CHUNK]


def test_shorter_pack_does_not_pass_for_a_whole_one(packs: PackStore) -> None:
    """Cut at a chunk's end, and the row in the database altered to match: the last mark tells."""
    info = write(packs, payload_of(3 * CHUNK, 1))
    replace(packs._objects, info.ref.name, stored(packs, info)[: HEADER_BYTES + 2 * STORED_CHUNK])
    short = changed(info.ref, plain_bytes=2 * CHUNK)
    with pytest.raises(PackDamaged):
        packs.read(short, CHUNK, CHUNK)


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, -1), (0, 101), (100, 1), (101, 0)])
def test_range_outside_the_pack_is_refused(packs: PackStore, start: int, length: int) -> None:
    info = write(packs, bytes(100))
    with pytest.raises(PackDamaged):
        packs.read(info.ref, start, length)
    with pytest.raises(PackDamaged):
        list(packs.stream(info.ref, start, length))


def test_destroyed_key_makes_a_pack_unreadable(packs: PackStore, keys: KeyStore) -> None:
    info = write(packs, b"secret")
    keys.destroy([info.ref.pack_id])
    with pytest.raises(KeyDestroyed):
        packs.read(info.ref, 0, 6)


def test_deleted_and_missing_packs(packs: PackStore) -> None:
    info = write(packs, b"data")
    packs.delete(info.ref.name)
    packs.delete(info.ref.name)
    with pytest.raises(ObjectMissing):
        packs.read(info.ref, 0, 4)


def test_aborted_pack_leaves_nothing(packs: PackStore, keys: KeyStore) -> None:
    pack_id = uuid4()
    writer = packs.create(pack_id, uuid4())
    writer.add(bytes(20_000_000))
    writer.abort()
    writer.abort()
    assert list(packs.names()) == []
    with pytest.raises(KeyDestroyed):
        keys.get(pack_id)


def test_an_id_is_used_once(packs: PackStore) -> None:
    pack_id = uuid4()
    packs.create(pack_id, uuid4()).finish(b"")
    with pytest.raises(Conflict):
        packs.create(pack_id, uuid4())


def test_names_are_listed_for_the_collector(packs: PackStore) -> None:
    written = {(info.ref.name, info.stored_bytes) for info in (write(packs, bytes(size)) for size in (10, 70_000))}
    listed = list(packs.names())
    assert {(name, size) for name, size, _ in listed} == written
    assert all(abs(datetime.now(UTC) - at) < timedelta(minutes=5) for _, _, at in listed)
    packs.check()


@pytest.mark.embedded(reason="a file that a dead writer left in the folder of packs")
def test_what_a_dead_writer_left_is_removed_by_age(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    keyring = Keyring.open(settings, create=True)
    keys = KeyStore.open(settings, keyring)
    packs = PackStore.open(settings, keyring, keys)
    info = write(packs, bytes(100))
    left = settings.data_dir / "packs" / f"{info.ref.name}#1"
    left.write_bytes(b"half")
    assert packs.remove_abandoned(datetime.now(UTC) - timedelta(days=1)) == 0
    assert packs.remove_abandoned(datetime.now(UTC) + timedelta(days=1)) == 1
    assert [name for name, _, _ in packs.names()] == [info.ref.name]
    keys.close()


def test_absent_s3_is_unavailable(tmp_path: Path) -> None:
    settings = s3_settings(tmp_path, "http://127.0.0.1:9", "packs")
    keyring = Keyring.open(settings, create=True)
    keys = KeyStore.open(settings, keyring)
    packs = PackStore.open(settings, keyring, keys)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        packs.check()
    writer = packs.create(uuid4(), uuid4())
    with pytest.raises(StoreUnavailable):
        writer.finish(bytes(100))
    packs.close()
    keys.close()


def test_a_pack_is_not_taken_for_cut_off_because_the_store_is_away_and_its_name_holds_416(tmp_path: Path) -> None:
    objects = open_objects(s3_settings(tmp_path, "http://127.0.0.1:9", "packs"))
    with pytest.raises(StoreUnavailable):
        objects.read("ab/cd416", 0, 8)


def test_absent_bucket_is_unavailable(tmp_path: Path, s3_endpoint: str) -> None:
    with pytest.raises(StoreUnavailable):
        open_objects(s3_settings(tmp_path, s3_endpoint, "nowhere")).check()


def test_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        LocalObjects(tmp_path / "file" / "packs")


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ({"url": "ftp://host/x"}, "file:///folder or s3://bucket/prefix"),
        ({"url": "s3://b", "s3_endpoint": "http://127.0.0.1:1", "s3_allow_http": False}, "not encrypted"),
        ({"url": "s3://b", "s3_endpoint": "http://store.example", "s3_allow_http": True}, "on this machine"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, storage: dict[str, object], message: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        open_objects(settings_in(tmp_path, **storage))
