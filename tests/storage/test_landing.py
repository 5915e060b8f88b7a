"""Landing as its users see it: what is appended is read back, what is erased or freed is not."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from radrelay.errors import OutOfResources
from radrelay.settings import Settings
from radrelay.storage.file_layer import PosixFiles
from radrelay.storage.free_space import Ballast, FreeSpace
from radrelay.storage.keys import Keyring
from radrelay.storage.landing_format import PAGE, SegmentGone, segment_name
from radrelay.storage.segment_owner import LandingInUse
from radrelay.storage.segments import (
    DiskFull,
    LandingPoisoned,
    RecordDamaged,
    RecordGone,
    SegmentLog,
    SegmentReader,
)
from radrelay.storage.watermark import read_watermark
from tests.storage.conftest import settings_in
from tests.storage.landed import is_gone, land, payload_of, scanned, whole_records


@pytest.fixture
def reader(settings: Settings, keyring: Keyring) -> SegmentReader:
    return SegmentReader(settings.landing_dir, keyring)


def opened(settings: Settings, keyring: Keyring, owner: str = "listen") -> SegmentLog:
    return SegmentLog.open(settings.landing_dir, owner, keyring, settings.storage)


def fill(log: SegmentLog, count: int, size: int = 90_000) -> list[bytes]:
    payloads = [payload_of(size, seed) for seed in range(count)]
    for payload in payloads:
        log.wait_durable(land(log, payload))
    return payloads


def test_records_are_read_back_in_order_across_segments(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring)
    payloads = fill(log, 40)
    assert [reader.read(record.location) for record in scanned(reader)] == payloads
    assert len(reader.segments("listen")) >= 4
    log.close()
    assert [reader.read(record.location) for record in scanned(reader)] == payloads


@pytest.mark.parametrize("size", [0, 1, 299, 300, 301, 4096, 700_000])
def test_any_length_and_any_range_come_back(
    settings: Settings, keyring: Keyring, reader: SegmentReader, size: int
) -> None:
    log = opened(settings, keyring)
    payload = payload_of(size, 1)
    ticket = land(log, payload)
    log.wait_durable(ticket)
    assert reader.read(ticket.location) == payload
    for start, length in ((0, 10), (290, 20), (299, 1), (size // 2, None), (size, 5), (0, None)):
        expected = payload[start:] if length is None else payload[start : start + length]
        assert reader.read(ticket.location, start, length) == expected
    assert b"".join(reader.stream(ticket.location)) == payload
    log.close()


def test_nothing_is_shown_before_it_is_durable(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    ticket = land(log, b"first")
    assert list(scanned(reader)) == []
    log.wait_durable(ticket)
    assert [record.location for record in scanned(reader)] == [ticket.location]
    log.close()


def test_no_payload_lies_in_the_clear(settings: Settings, keyring: Keyring) -> None:
    log = opened(settings, keyring)
    payload = b"Mustermann^Erika" * 100
    ticket = log.append(payload, payload, payload)
    log.wait_durable(ticket)
    with log.open_large() as writer:
        writer.write(payload * 1000)
        log.wait_durable(writer.finish(payload, payload))
    log.close()
    for path in settings.data_dir.rglob("*"):
        if path.is_file():
            assert b"Mustermann" not in path.read_bytes()


def test_large_object_is_streamed_to_a_file_and_back(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring)
    payload = payload_of(3_500_000, 3)
    with log.open_large() as writer:
        for at in range(0, len(payload), 70_001):
            writer.write(payload[at : at + 70_001])
        ticket = writer.finish(b"envelope", payload[:100])
    log.wait_durable(ticket)
    record = next(iter(scanned(reader)))
    assert (record.envelope, record.head, record.location) == (b"envelope", payload[:100], ticket.location)
    assert b"".join(reader.stream(ticket.location)) == payload
    assert max(map(len, reader.stream(ticket.location))) <= 1 << 20
    for start, length in ((0, 5), (1_048_570, 20), (2_000_000, 1_500_000), (3_499_999, 1), (3_500_000, 1)):
        assert reader.read(ticket.location, start, length) == payload[start : start + length]
    reader.erase(ticket.location)
    assert is_gone(reader, ticket)
    assert not list(settings.landing_dir.rglob("large-*"))
    log.close()


@pytest.mark.parametrize("size", [0, 1 << 20, 2 << 20])
def test_large_object_of_whole_chunks_or_none(
    settings: Settings, keyring: Keyring, reader: SegmentReader, size: int
) -> None:
    log = opened(settings, keyring)
    with log.open_large() as writer:
        writer.write(bytes(size))
        ticket = writer.finish(b"", b"")
    log.wait_durable(ticket)
    assert reader.read(ticket.location) == bytes(size)
    log.close()


@pytest.mark.parametrize("change", ["flip", "cut", "swap"])
def test_damage_to_a_large_object_is_found(
    settings: Settings, keyring: Keyring, reader: SegmentReader, change: str
) -> None:
    log = opened(settings, keyring)
    with log.open_large() as writer:
        writer.write(payload_of(3 << 20, 5))
        ticket = writer.finish(b"", b"")
    log.wait_durable(ticket)
    log.close()
    path = next(settings.landing_dir.rglob("large-*.obj"))
    raw = bytearray(path.read_bytes())
    chunk = (1 << 20) + 16
    if change == "flip":
        raw[PAGE + chunk + 5] ^= 1
    elif change == "cut":
        del raw[PAGE + 2 * chunk :]
    else:
        first, second = raw[PAGE : PAGE + chunk], raw[PAGE + chunk : PAGE + 2 * chunk]
        raw[PAGE : PAGE + 2 * chunk] = second + first
    path.write_bytes(raw)
    with pytest.raises(RecordDamaged):
        reader.read(ticket.location)


def test_unfinished_large_object_leaves_nothing(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    with log.open_large() as writer:
        writer.write(bytes(100))
    assert not list(settings.landing_dir.rglob("large-*"))
    abandoned = log.open_large()
    abandoned.write(bytes(2 << 20))
    log.close()
    opened(settings, keyring).close()
    assert not list(settings.landing_dir.rglob("large-*"))
    assert list(scanned(reader)) == []


def test_erased_record_is_unreadable_and_its_neighbours_stay(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring)
    tickets = [land(log, payload_of(20_000, seed)) for seed in range(5)]
    log.wait_durable(tickets[-1])
    raw_before = (log.directory / segment_name(tickets[2].location.segment)).read_bytes()
    reader.erase(tickets[2].location)
    reader.erase(tickets[2].location)
    assert [is_gone(reader, ticket) for ticket in tickets] == [False, False, True, False, False]
    assert len(whole_records(reader)) == 4
    at = tickets[2].location.offset
    raw = (log.directory / segment_name(tickets[2].location.segment)).read_bytes()
    assert not any(raw[at + 68 : at + 20_000])
    assert any(raw_before[at + 68 : at + 20_000])
    log.close()
    opened(settings, keyring).close()
    assert len(whole_records(reader)) == 4


def test_freed_segment_is_recycled_and_shows_nothing_old(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring)
    fill(log, 40)
    old = list(scanned(reader))
    for segment in reader.segments("listen"):
        freed = reader.free("listen", segment.number, segment.epoch)
        assert freed == segment.sealed
    left = {record.location.segment for record in scanned(reader)}
    for record in old:
        if record.location.segment not in left:
            with pytest.raises((SegmentGone, RecordGone)):
                reader.read(record.location)
    fill(log, 40)
    fresh = {record.location.record_id for record in scanned(reader) if record.location.segment not in left}
    assert not fresh & {record.location.record_id for record in old}
    assert len(fresh) >= 30
    log.close()


def test_old_records_in_a_recycled_file_never_count(settings: Settings, keyring: Keyring) -> None:
    """Even if freeing had overwritten nothing, another epoch's records are no records."""
    log = opened(settings, keyring)
    fill(log, 10)
    log.close()
    directory = settings.landing_dir / "listen"
    for path in directory.glob("seg-*.seg"):
        content = bytearray(path.read_bytes())
        content[:PAGE] = bytes(PAGE)
        path.write_bytes(content)
        path.rename(path.with_name(path.name.replace("seg-", "free-", 1)))
    log = opened(settings, keyring)
    reader = SegmentReader(settings.landing_dir, keyring)
    fill(log, 3)
    assert len(whole_records(reader)) == 3
    log.close()
    log = opened(settings, keyring)
    assert len(whole_records(reader)) == 3
    log.close()


def test_scan_and_read_refuse_another_epoch(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    fill(log, 1)
    number = reader.segments("listen")[0].number
    with pytest.raises(SegmentGone):
        reader.scan("listen", number, 12345, 0, 10)
    with pytest.raises(SegmentGone):
        reader.scan("listen", number + 50, None, 0, 10)
    log.close()


def test_flipped_bit_in_a_record_is_found_and_the_others_are_read(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring)
    tickets = [land(log, payload_of(20_000, seed)) for seed in range(4)]
    log.wait_durable(tickets[-1])
    log.close()
    path = settings.landing_dir / "listen" / segment_name(tickets[0].location.segment)
    raw = bytearray(path.read_bytes())
    raw[tickets[1].location.offset + 5000] ^= 1  # body
    raw[tickets[2].location.offset + 20] ^= 1  # header
    raw[tickets[3].location.offset + 200] ^= 1  # head
    path.write_bytes(raw)
    for ticket in tickets[1:]:
        with pytest.raises(RecordDamaged):
            reader.read(ticket.location)
    result = reader.scan("listen", tickets[0].location.segment, None, 0, 100)
    assert [record.location for record in result.records] == [t.location for t in tickets[:2]]
    assert [place.record_id for place in result.damaged] == [tickets[3].location.record_id]
    assert result.segment_finished


class FailingSync(PosixFiles):
    def __init__(self) -> None:
        self.failing = False

    def fdatasync(self, handle: int) -> None:
        if self.failing:
            raise OSError(errno.EIO, "Input/output error")
        super().fdatasync(handle)


def test_failed_sync_ends_the_landing_for_good(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    files = FailingSync()
    log = SegmentLog.open(settings.landing_dir, "listen", keyring, settings.storage, files)
    log.wait_durable(land(log, b"kept"))
    files.failing = True
    ticket = land(log, b"lost")
    with pytest.raises(LandingPoisoned):
        log.wait_durable(ticket)
    files.failing = False  # the next sync would succeed, and prove nothing
    with pytest.raises(LandingPoisoned):
        log.wait_durable(ticket)
    with pytest.raises(LandingPoisoned):
        land(log, b"more")
    with pytest.raises(LandingPoisoned):
        log.open_large()
    assert log.poisoned
    assert [reader.read(record.location) for record in scanned(reader)] == [b"kept"]
    log.close()


def test_every_waiter_learns_of_a_failed_sync(settings: Settings, keyring: Keyring) -> None:
    files = FailingSync()
    log = SegmentLog.open(settings.landing_dir, "listen", keyring, settings.storage, files)
    log.wait_durable(land(log, b"kept"))
    files.failing = True
    refused: list[str] = []

    def wait() -> None:
        try:
            log.wait_durable(land(log, b"x" * 1000))
        except LandingPoisoned as error:
            refused.append(error.code)

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert refused == ["landing-poisoned"] * 8
    log.close()


def test_too_little_space_refuses_before_anything_is_written(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, min_free_bytes=1 << 60)
    keyring = Keyring.open(settings, create=True)
    log = SegmentLog.open(settings.landing_dir, "listen", keyring, settings.storage)
    with pytest.raises(DiskFull) as refused:
        land(log, b"x")
    assert (refused.value.http_status, refused.value.dimse_status) == (507, 0xA700)
    with pytest.raises(DiskFull):
        log.open_large()
    log.close()


def test_no_room_for_a_segment_refuses_and_recovers(settings: Settings, keyring: Keyring) -> None:
    class Full(PosixFiles):
        full = True

        def zero_fill(self, handle: int, start: int, end: int) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().zero_fill(handle, start, end)

    files = Full()
    log = SegmentLog.open(settings.landing_dir, "listen", keyring, settings.storage, files)
    with pytest.raises(OutOfResources):
        land(log, b"x")
    files.full = False
    end = time.monotonic() + 10
    while True:
        try:
            log.wait_durable(land(log, b"x"))
            break
        except OutOfResources:
            assert time.monotonic() < end
            time.sleep(0.05)
    log.close()


def test_ballast_gives_its_space_back(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, 1 << 20, 0)
    assert ballast.keep()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 1 << 20
    assert ballast.release()
    assert not ballast.release()
    assert not Ballast(tmp_path, 1 << 20, 1 << 60).keep()
    FreeSpace(tmp_path, 0).check()


def test_two_processes_never_share_a_directory(
    settings: Settings, keyring: Keyring, reader: SegmentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radrelay.storage.segment_owner.OwnerLock.take.__func__.__defaults__", (0.05,))
    log = opened(settings, keyring)
    with pytest.raises(LandingInUse):
        opened(settings, keyring)
    assert not reader.recover("listen")
    assert not reader.remove_owner("listen")
    log.close()
    opened(settings, keyring).close()


def test_owner_that_has_gone_is_removed_once_it_is_empty(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring, "import-1")
    fill(log, 2)
    log.close()
    assert reader.owners() == ["import-1"]
    assert not reader.remove_owner("import-1")
    for segment in reader.segments("import-1"):
        assert reader.free("import-1", segment.number, segment.epoch)
    assert reader.remove_owner("import-1")
    assert reader.owners() == []


def test_a_growing_segment_is_not_freed(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    ticket = land(log, b"x")
    log.wait_durable(ticket)
    place = ticket.location
    assert not reader.free("listen", place.segment, place.epoch)
    assert reader.free("listen", place.segment, place.epoch + 1)
    assert reader.read(place) == b"x"
    log.close()


def test_many_threads_land_everything_once(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)

    def work(seed: int) -> None:
        for number in range(30):
            log.wait_durable(land(log, payload_of(3_000 + seed * 1000, seed * 100 + number)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = whole_records(reader)
    assert sorted(found.values()) == sorted(
        payload_of(3_000 + seed * 1000, seed * 100 + number) for seed in range(16) for number in range(30)
    )
    log.close()


def test_the_watermark_is_the_end_of_what_is_durable(settings: Settings, keyring: Keyring) -> None:
    log = opened(settings, keyring)
    assert read_watermark(log.directory) is None
    ticket = land(log, b"x" * 5000)
    log.wait_durable(ticket)
    mark = read_watermark(log.directory)
    assert mark is not None
    assert (mark.segment, mark.epoch, mark.offset) == (ticket.location.segment, ticket.location.epoch, PAGE * 3)
    path = log.directory / "watermark"
    raw = path.read_bytes()
    log.close()
    path.write_bytes(os.urandom(64) + raw[64:])
    assert read_watermark(settings.landing_dir / "listen") is None
    log = opened(settings, keyring)
    assert len(whole_records(SegmentReader(settings.landing_dir, keyring))) == 1
    log.close()


def test_segments_survive_a_rotation_of_keys(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    payloads = fill(log, 20)
    other = Keyring.open(settings)
    other.rotate()
    assert other.retire(reader.key_versions()) == []
    payloads += fill(log, 20)
    log.close()
    again = SegmentReader(settings.landing_dir, Keyring.open(settings))
    assert [again.read(record.location) for record in scanned(again)] == payloads
    assert again.key_versions() == {1}
    keyring.rotate()
    log = SegmentLog.open(settings.landing_dir, "web", keyring, settings.storage)
    fill(log, 1)
    log.close()
    assert again.key_versions() == {1, 3}
    assert again.read(next(iter(scanned(again, "web"))).location) == payloads[0]


def test_erasing_many_passes_over_what_is_gone(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    tickets = [land(log, payload_of(90_000, seed)) for seed in range(30)]
    log.wait_durable(tickets[-1])
    first = tickets[0].location
    assert reader.free("listen", first.segment, first.epoch)
    reader.erase_many([ticket.location for ticket in tickets[:20]])
    assert [is_gone(reader, ticket) for ticket in tickets] == [True] * 20 + [False] * 10
    log.close()


def test_a_chosen_record_id_is_kept(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    wanted = uuid4()
    ticket = log.append(b"", b"head", b"body", record_id=wanted)
    log.wait_durable(ticket)
    assert ticket.location.record_id == wanted
    assert next(iter(scanned(reader))).location == ticket.location
    log.close()
