"""The power goes at any moment: what was acknowledged is there afterwards, and nothing half is."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from uuid import UUID

import pytest

from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.segments import SegmentLog, SegmentReader, Ticket
from tests.storage.conftest import settings_in
from tests.storage.landed import land, payload_of, whole_records
from tests.storage.power_loss import Event, RecordingFiles, copy_of, leave_behind

LARGE_ABOVE = 120_000


class Recorded:
    """Landing under three threads, with erasing and freeing on the side, as its file layer saw it."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_in(folder, large_object_bytes=LARGE_ABOVE)
        self.keyring = Keyring.open(self.settings, create=True)
        self.files = RecordingFiles()
        self._lock = threading.Lock()
        self._appended: list[Ticket] = []
        self._landed: list[Ticket] = []
        landing = self.settings.landing_dir
        log = SegmentLog.open(landing, "listen", self.keyring, self.settings.storage, self.files)
        threads = [threading.Thread(target=self._land, args=(log, seed)) for seed in range(3)]
        threads.append(threading.Thread(target=self._clear))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.close()

    def _land(self, log: SegmentLog, seed: int) -> None:
        chance = random.Random(seed)
        for number in range(28):
            size = chance.choice([0, 200, 5_000, 34_000, 90_000, 90_000, 300_000])
            with self._lock:
                ticket = land(log, payload_of(size, seed * 1000 + number))
                self._appended.append(ticket)
            log.wait_durable(ticket)
            record_id = ticket.location.record_id.bytes
            self.files.note("acknowledged", record_id)
            self.files.note("mark", copy_of(self.settings.landing_dir / "listen" / "watermark")[:64])
            with self._lock:
                self._landed.append(ticket)

    def _clear(self) -> None:
        reader = SegmentReader(self.settings.landing_dir, self.keyring, self.files)
        chance = random.Random(9)
        done: set[UUID] = set()
        for _ in range(12):
            threading.Event().wait(0.02)
            with self._lock:
                left = [ticket.location for ticket in self._landed if ticket.location.record_id not in done]
            if not left:
                continue
            chosen = chance.choice(left)
            done.add(chosen.record_id)
            self.files.note("erasing", chosen.record_id.bytes)
            reader.erase(chosen)
            self.files.note("erased", chosen.record_id.bytes)
            first = reader.segments("listen")[0]
            if first.sealed and chance.random() < 0.4:
                with self._lock:
                    members = [t.location for t in self._appended if t.location.segment == first.number]
                for place in members:
                    done.add(place.record_id)
                    self.files.note("erasing", place.record_id.bytes)
                if reader.free("listen", first.number, first.epoch):
                    for place in members:
                        self.files.note("erased", place.record_id.bytes)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"))


def survive(recorded: Recorded, events: list[Event], folder: Path, seed: int) -> None:
    """Lose the power after `events`, start again, and compare with what was promised."""
    chance = random.Random(seed)
    landing = folder / "landing"
    leave_behind(events, recorded.settings.landing_dir, landing, chance)
    marks = [event.data for event in events if event.kind == "mark"]
    if marks and chance.random() < 0.7 and (landing / "listen").is_dir():
        (landing / "listen" / "watermark").write_bytes(chance.choice(marks).ljust(4096, b"\0"))
    log = SegmentLog.open(landing, "listen", recorded.keyring, recorded.settings.storage)
    try:
        reader = SegmentReader(landing, recorded.keyring)
        found = whole_records(reader)
        noted = {kind: {UUID(bytes=e.data) for e in events if e.kind == kind} for kind in KINDS}
        assert noted["acknowledged"] - noted["erasing"] <= found.keys()
        assert not noted["erased"] & found.keys()
        new = land(log, payload_of(5000, seed))
        log.wait_durable(new)
        assert whole_records(reader).keys() == found.keys() | {new.location.record_id}
    finally:
        log.close()


KINDS = ("acknowledged", "erasing", "erased")


@pytest.mark.parametrize("part", range(4))
def test_power_loss_at_any_moment_keeps_what_was_acknowledged(recorded: Recorded, part: int, tmp_path: Path) -> None:
    events = recorded.files.events
    chance = random.Random(part)
    for round_ in range(12):
        cut = chance.randint(0, len(events))
        survive(recorded, events[:cut], tmp_path / str(round_), part * 100 + round_)


@pytest.mark.soak
def test_power_loss_after_every_single_write(recorded: Recorded, tmp_path: Path) -> None:
    events = recorded.files.events
    for cut in range(len(events) + 1):
        folder = tmp_path / str(cut)
        survive(recorded, events[:cut], folder, cut)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def test_the_workload_covers_what_it_should(recorded: Recorded) -> None:
    kinds = {event.kind for event in recorded.files.events}
    assert {"create", "write", "zero", "sync", "rename", "dirsync", "acknowledged", "erased"} <= kinds
    assert sum(event.kind == "acknowledged" for event in recorded.files.events) == 3 * 28
    names = {event.new_path for event in recorded.files.events if event.kind == "rename"}
    assert sum(os.path.basename(name).startswith("seg-") for name in names) >= 4
    assert any(name.endswith(".obj") for name in names)


def test_a_replayed_disk_loses_what_was_never_synced(tmp_path: Path) -> None:
    files = RecordingFiles()
    source = tmp_path / "source"
    source.mkdir()
    handle = files.open(source / "file", create=True)
    files.pwrite(handle, b"a" * 512, 0)
    files.fdatasync(handle)
    files.fsync_dir(source)
    files.pwrite(handle, b"b" * 512, 0)
    files.close(handle)
    seen = set()
    for seed in range(60):
        leave_behind(files.events, source, tmp_path / str(seed), random.Random(seed))
        seen.add((tmp_path / str(seed) / "file").read_bytes()[:1])
    assert seen == {b"a", b"b"}


def test_a_segment_lost_twice_in_a_row_is_still_whole(settings: Settings, keyring: Keyring, tmp_path: Path) -> None:
    """Recovery itself may be cut short by the next power loss."""
    files = RecordingFiles()
    landing = settings.landing_dir
    log = SegmentLog.open(landing, "listen", keyring, settings.storage, files)
    tickets = [land(log, payload_of(20_000, seed)) for seed in range(5)]
    log.wait_durable(tickets[-1])
    promised = {ticket.location.record_id for ticket in tickets}
    before = len(files.events)
    for seed in range(8):
        first = tmp_path / f"{seed}-first" / "landing"
        leave_behind(files.events[:before], landing, first, random.Random(seed))
        again = RecordingFiles()
        again._ids = {str(path): number for number, path in enumerate(first.rglob("*.seg"), 1)}
        base = [event for path, number in again._ids.items() for event in _as_written(path, number)]
        again.events.extend(base)
        SegmentLog.open(first, "listen", keyring, settings.storage, again).close()
        for cut in range(len(base), len(again.events), 3):
            second = tmp_path / f"{seed}-{cut}" / "landing"
            leave_behind(again.events[:cut], first, second, random.Random(cut))
            recovered = SegmentLog.open(second, "listen", keyring, settings.storage)
            assert promised <= whole_records(SegmentReader(second, keyring)).keys()
            recovered.close()
    log.close()


def _as_written(path: str, number: int) -> list[Event]:
    content = Path(path).read_bytes()
    return [
        Event("create", number, path),
        Event("write", number, start=0, end=len(content), data=content),
        Event("sync", number, covers=10**9),
        Event("dirsync", path=str(Path(path).parent), covers=1),
    ]


def test_what_was_appended_before_is_durable_too_across_a_segments_end(
    settings: Settings, keyring: Keyring, tmp_path: Path
) -> None:
    files = RecordingFiles()
    landing = settings.landing_dir
    log = SegmentLog.open(landing, "listen", keyring, settings.storage, files)
    tickets = [land(log, payload_of(150_000, seed)) for seed in range(9)]  # seven fit into a segment
    assert tickets[0].location.segment < tickets[-1].location.segment
    log.wait_durable(tickets[-1])
    acknowledged = list(files.events)
    log.close()
    for seed in range(20):
        left = tmp_path / str(seed) / "landing"
        leave_behind(acknowledged, landing, left, random.Random(seed))
        recovered = SegmentLog.open(left, "listen", keyring, settings.storage)
        found = whole_records(SegmentReader(left, keyring))
        assert {ticket.location.record_id for ticket in tickets} <= found.keys()
        recovered.close()
