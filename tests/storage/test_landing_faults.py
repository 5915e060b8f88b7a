"""Landing when the disk fails, fills up or changes what was written, and when a second process comes."""

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
from radrelay.storage.landing_format import PAGE, segment_name
from radrelay.storage.master_key import KeyUnfit
from radrelay.storage.segment_owner import LandingInUse
from radrelay.storage.segments import (
    DiskFull,
    LandingClosed,
    LandingPoisoned,
    RecordDamaged,
    SegmentLog,
    SegmentReader,
)
from radrelay.storage.watermark import read_watermark
from tests.alive import copy_alive
from tests.storage.conftest import settings_in
from tests.storage.landed import land, opened, payload_of, scanned, whole_records


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


def test_a_keyring_that_cannot_be_read_for_a_moment_does_not_stop_landing_for_good(
    settings: Settings, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit() -> None:
        raise KeyUnfit("it is just being put back")

    with monkeypatch.context() as patch:
        patch.setattr(keyring, "wrapping", unfit)
        log = opened(settings, keyring)
        with pytest.raises(OutOfResources, match="being put back"):
            land(log, payload_of(100, 1))
    until = time.monotonic() + 10
    while True:
        try:
            log.wait_durable(land(log, payload_of(100, 1)))
            break
        except OutOfResources:
            assert time.monotonic() < until
            time.sleep(0.1)
    log.close()


def test_what_comes_while_a_process_ends_is_refused_and_written_into_no_other_file(
    settings: Settings, keyring: Keyring, tmp_path: Path
) -> None:
    log = opened(settings, keyring)
    log.wait_durable(land(log, payload_of(100, 1)))
    log.close()
    others = [(tmp_path / f"other-{n}").open("w+b") for n in range(8)]  # one of them has the segment's handle now
    with pytest.raises(LandingClosed):
        land(log, payload_of(100, 2))
    assert [path.stat().st_size for path in tmp_path.glob("other-*")] == [0] * 8
    assert not log.poisoned
    for other in others:
        other.close()


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
    assert not reader.clear_up("listen")
    log.close()
    opened(settings, keyring).close()


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


def test_large_file_whose_record_never_became_durable_is_removed_after_a_crash(
    settings: Settings, keyring: Keyring, tmp_path: Path
) -> None:
    log = opened(settings, keyring)
    with log.open_large() as writer:
        writer.write(payload_of(2_000_000, 1))
        ticket = writer.finish(b"", b"")
    log.wait_durable(ticket)
    orphan = log.directory / f"large-{uuid4()}.obj"
    orphan.write_bytes(bytes(5000))
    crashed = tmp_path / "crashed"
    copy_alive(settings.landing_dir, crashed)
    log.close()
    SegmentLog.open(crashed, "listen", keyring, settings.storage).close()
    assert not (crashed / "listen" / orphan.name).exists()
    assert SegmentReader(crashed, keyring).read(ticket.location) == payload_of(2_000_000, 1)
