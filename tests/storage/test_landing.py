"""Landing as its users see it: what is appended is read back, what is erased or freed is not."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory
from radrelay.storage.keys import Keyring
from radrelay.storage.landing_format import PAGE, SegmentGone, segment_name
from radrelay.storage.segment_owner import LOCK_NAME
from radrelay.storage.segments import (
    PosixFiles,
    RecordGone,
    SegmentLog,
    SegmentReader,
)
from tests.storage.landed import fill, is_gone, land, opened, payload_of, scanned, whole_records


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


def test_owner_that_has_gone_is_removed_once_it_is_empty(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring, "import-1")
    fill(log, 2)
    log.close()
    assert reader.owners() == ["import-1"]
    assert not reader.clear_up("import-1")
    for segment in reader.segments("import-1"):
        assert reader.free("import-1", segment.number, segment.epoch)
    assert reader.clear_up("import-1")
    assert reader.owners() == []


def test_what_begins_to_land_while_its_empty_folder_is_cleared_away_lands_all_the_same(
    settings: Settings, keyring: Keyring, reader: SegmentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = make_private_directory
    removed: list[bool] = []

    def made_and_cleared_up(directory: Path) -> None:
        make(directory)
        if not removed:
            removed.append(reader.clear_up("import-1"))

    monkeypatch.setattr("radrelay.storage.segment_owner.make_private_directory", made_and_cleared_up)
    log = opened(settings, keyring, "import-1")
    payloads = fill(log, 3)
    assert removed == [True], "between its making and its lock"
    assert not reader.clear_up("import-1"), "it lives"
    log.close()
    assert [reader.read(record.location) for record in scanned(reader)] == payloads


@pytest.mark.parametrize("gone", [True, False], ids=["the folder", "the lock alone so far"])
def test_who_locks_a_lock_that_is_cleared_away_takes_the_one_that_all_others_see(
    settings: Settings, keyring: Keyring, reader: SegmentReader, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    directory = settings.landing_dir / "import-1"
    lock = fcntl.flock
    cleared: list[int] = []

    def cleared_away_before(handle: int, how: int) -> None:
        if not cleared:
            cleared.append(handle)
            (directory / LOCK_NAME).unlink()
            if gone:
                directory.rmdir()
        lock(handle, how)

    monkeypatch.setattr("radrelay.storage.segment_owner.fcntl.flock", cleared_away_before)
    log = opened(settings, keyring, "import-1")
    payloads = fill(log, 3)
    assert cleared
    assert not reader.clear_up("import-1"), "it lives"
    log.close()
    assert [reader.read(record.location) for record in scanned(reader)] == payloads


def test_an_ended_import_takes_no_more_room_than_what_it_holds(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring, "import-1")
    payloads = fill(log, 2)
    log.close()
    directory = settings.landing_dir / "import-1"

    def taken() -> int:
        return sum(path.stat().st_blocks * 512 for path in directory.iterdir())

    assert not list(directory.glob("free-*.seg"))
    assert taken() < sum(map(len, payloads)) + 64 * 1024 < settings.storage.segment_bytes
    # One that was killed: its segments are whole, and others lie ready.
    (directory / "free-0000000007.seg").write_bytes(bytes(settings.storage.segment_bytes))
    with (directory / segment_name(reader.segments("import-1")[0].number)).open("r+b") as segment:
        segment.truncate(settings.storage.segment_bytes)
        os.posix_fallocate(segment.fileno(), 0, settings.storage.segment_bytes)
    assert not reader.clear_up("import-1")
    assert taken() < sum(map(len, payloads)) + 64 * 1024
    assert [reader.read(record.location) for record in scanned(reader)] == payloads
    # What cannot be read is for a person to look at, and is never cleared away.
    for segment_ in reader.segments("import-1"):
        assert reader.free("import-1", segment_.number, segment_.epoch)
    (directory / "damaged-0000000001.seg").write_bytes(b"what the disk left")
    assert not reader.clear_up("import-1")
    assert (directory / "damaged-0000000001.seg").exists()


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


def test_segments_survive_a_rotation_of_keys(settings: Settings, keyring: Keyring, reader: SegmentReader) -> None:
    log = opened(settings, keyring)
    payloads = fill(log, 20)
    other = Keyring.open(settings)
    other.rotate()
    if not other.is_shared:
        assert other.retire(reader.key_versions) == []
    payloads += fill(log, 20)
    log.close()
    again = SegmentReader(settings.landing_dir, Keyring.open(settings))
    assert [again.read(record.location) for record in scanned(again)] == payloads
    assert again.key_versions() == {1, 2}
    keyring.rotate()
    log = SegmentLog.open(settings.landing_dir, "web", keyring, settings.storage)
    fill(log, 1)
    log.close()
    assert again.key_versions() == {1, 2, 3}
    assert again.read(next(iter(scanned(again, "web"))).location) == payloads[0]


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
def test_segments_are_wrapped_anew_while_they_are_written(
    settings: Settings, keyring: Keyring, reader: SegmentReader
) -> None:
    log = opened(settings, keyring)
    payloads = fill(log, 20)
    other = Keyring.open(settings)
    other.rotate()
    rewrapping = SegmentReader(settings.landing_dir, other)
    assert rewrapping.rewrap() >= 2
    assert rewrapping.rewrap() == 0
    assert other.retire(rewrapping.key_versions) == [1]
    payloads += fill(log, 20)
    assert [reader.read(record.location) for record in scanned(reader)] == payloads
    log.close()
    again = SegmentReader(settings.landing_dir, Keyring.open(settings))
    assert [again.read(record.location) for record in scanned(again)] == payloads
    assert again.key_versions() == {2}
    log = opened(settings, Keyring.open(settings))  # recovery reads them, too
    log.close()
    assert [again.read(record.location) for record in scanned(again)] == payloads


class PowerGone(BaseException):
    """The power goes here."""


@pytest.mark.parametrize("write", range(5))
def test_power_lost_while_a_segment_is_wrapped_anew_loses_nothing(
    settings: Settings, keyring: Keyring, write: int
) -> None:
    """Every write may be cut off in the middle; one of the two headers is whole all the time."""
    log = opened(settings, keyring)
    payloads = fill(log, 3)
    log.close()
    keyring.rotate()

    class Torn(PosixFiles):
        def __init__(self) -> None:
            self.count = 0

        def pwrite(self, handle: int, data: bytes | bytearray | memoryview, offset: int) -> None:
            if self.count == write:
                super().pwrite(handle, bytes(data)[: len(data) // 2 + 20], offset)
                raise PowerGone
            self.count += 1
            super().pwrite(handle, data, offset)

    with suppress(PowerGone):
        SegmentReader(settings.landing_dir, keyring, Torn()).rewrap()
    fresh = Keyring.open(settings)
    again = SegmentReader(settings.landing_dir, fresh)
    assert [again.read(record.location) for record in scanned(again)] == payloads
    again.rewrap()
    assert again.key_versions() == {2}
    last = SegmentReader(settings.landing_dir, Keyring.open(settings))
    assert [last.read(record.location) for record in scanned(last)] == payloads


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
