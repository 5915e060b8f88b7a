"""From the door to the list: what lands is indexed once, whatever is killed or away in between."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.arrivals import Arrival, Verdict
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.models import Instance, Source, Study
from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import parse_preamble
from radrelay.intake import rows
from radrelay.intake.errors import ObjectMismatch, ObjectTooLarge, QuotaExceeded
from radrelay.intake.indexer import Indexer
from radrelay.intake.object_writer import Landed, ObjectWriter
from radrelay.intake.upkeep import LandingUpkeep
from radrelay.storage.database import DatabaseUnavailable
from radrelay.storage.models import LandingCursor, LandingRecord
from tests.intake.conftest import MakeSite, Site
from tests.intake.samples import ct_file


def push(writer: ObjectWriter, file: bytes, step: int = 16_000) -> Landed:
    """Send a file's data set as a modality does."""
    head = parse_preamble(file)
    writer.begin(head.sop_class_uid, head.sop_uid, head.transfer_syntax_uid)
    data = memoryview(file)[head.dataset_offset :]
    for start in range(0, len(data), step):
        writer.write(data[start : start + step])
    return writer.finish()


def pusher(site: Site, owner: str = "listen") -> ObjectWriter:
    return site.landing(owner).open_object(site.origin())


def test_a_pushed_object_is_a_study_in_the_list(site: Site) -> None:
    landed = push(pusher(site), ct_file())
    assert landed.survey is not None
    assert site.index() == 1
    assert site.rows(Study) == site.rows(Instance) == 1
    assert site.index() == 0


def test_what_is_read_back_is_what_was_sent(site: Site) -> None:
    file = ct_file()
    landed = push(pusher(site), file, step=777)
    assert site.reader.read(landed.location) == file[parse_preamble(file).dataset_offset :]


def test_one_writer_takes_object_after_object_of_any_size(make_site: MakeSite) -> None:
    site = make_site(large_object_bytes=1 << 20)
    writer = pusher(site)
    files = [
        ct_file("1.2.1"),
        ct_file("1.2.2", pixel_bytes=3 << 20),
        ct_file("1.2.3"),
        ct_file("1.2.4", pixel_bytes=900_000),
    ]
    for file in files:
        landed = push(writer, file)
        assert site.reader.read(landed.location) == file[parse_preamble(file).dataset_offset :]
    assert site.index() == 4
    assert site.rows(Instance) == 4


@pytest.mark.parametrize("step", [1 << 16, 2 << 20, 6 << 20])
def test_a_large_object_is_found_however_large_its_pieces_are(make_site: MakeSite, step: int) -> None:
    site = make_site(large_object_bytes=1 << 20)
    file = ct_file("1.2.9", pixel_bytes=5 << 20)
    landed = push(pusher(site), file, step=step)
    assert landed.sha256 == hashlib.sha256(file[parse_preamble(file).dataset_offset :]).digest()
    assert site.index() == 1
    assert site.rows(Instance) == 1


def test_the_same_object_again_is_a_duplicate(site: Site) -> None:
    writer = pusher(site)
    push(writer, ct_file())
    push(writer, ct_file())
    site.index()
    assert site.rows(Instance) == 1
    assert site.codes() == []


def test_other_content_under_the_same_uid_waits_in_the_quarantine(site: Site) -> None:
    writer = pusher(site)
    push(writer, ct_file())
    push(writer, ct_file(note="another"))
    site.index()
    assert site.rows(Instance) == 1
    assert site.codes() == ["other-content"]


def test_an_object_that_is_not_the_one_announced_is_refused_with_a900(site: Site) -> None:
    file = ct_file()
    writer = pusher(site)
    writer.begin("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1")
    writer.write(file[parse_preamble(file).dataset_offset :])
    with pytest.raises(ObjectMismatch) as refused:
        writer.finish()
    assert refused.value.dimse_status == 0xA900
    push(writer, file)
    assert site.index() == 1


def test_a_truncated_object_is_refused_with_c000_and_the_next_is_taken(site: Site) -> None:
    file = ct_file()
    writer = pusher(site)
    with pytest.raises(Malformed) as refused:
        push(writer, file[:-1000])
    assert refused.value.dimse_status == 0xC000
    push(writer, file)
    assert site.index() == 1


def test_an_object_beyond_the_limit_is_refused_with_a700_and_nothing_is_kept(make_site: MakeSite) -> None:
    site = make_site(large_object_bytes=1 << 20)
    site.settings.dicom.__dict__["max_object_bytes"] = 2 << 20
    with pytest.raises(ObjectTooLarge) as refused:
        push(pusher(site), ct_file(pixel_bytes=4 << 20))
    assert refused.value.dimse_status == 0xA700
    assert not list(site.settings.landing_dir.glob("*/large-*"))
    assert site.index() == 0


def test_a_full_disk_refuses_with_a700(make_site: MakeSite) -> None:
    site = make_site(min_free_bytes=1 << 60)
    with pytest.raises(Exception) as refused:  # noqa: PT011 — its status is what counts
        push(pusher(site), ct_file())
    assert getattr(refused.value, "dimse_status", None) == 0xA700
    assert site.index() == 0


def test_a_source_beyond_its_quota_is_refused_with_a700(site: Site) -> None:
    with site.database.write() as session:
        session.execute(sa.update(Source).where(Source.kind == "dicom").values(quota_bytes=50_000))
    site.book.refresh()
    writer = pusher(site)
    push(writer, ct_file("1.2.1"))
    with pytest.raises(QuotaExceeded) as refused:
        push(writer, ct_file("1.2.2"))
    assert refused.value.dimse_status == 0xA700
    site.index()
    site.book.refresh()
    with pytest.raises(QuotaExceeded):
        push(writer, ct_file("1.2.2"))


def test_what_landed_before_a_crash_is_indexed_after_it_once(make_site: MakeSite) -> None:
    before = make_site()
    for number in range(7):
        push(pusher(before), ct_file(f"1.2.{number + 1}"))
    before.close()
    after = make_site()
    assert after.index() == 7
    assert after.rows(Instance) == 7
    assert after.indexer().run_once() == 0


def test_an_indexer_killed_before_its_commit_repeats_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    push(pusher(site), ct_file())

    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("radrelay.intake.indexer._move_cursor", killed)
        with pytest.raises(KilledError):
            site.indexer().run_once()
    assert site.rows(Instance) == 0
    assert site.index() == 1
    assert site.rows(Instance) == site.rows(LandingRecord) == 1


def test_a_database_that_is_away_is_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    push(pusher(site), ct_file())
    away = threading.Event()
    away.set()
    real = site.database.write
    tried = threading.Event()

    def write() -> object:
        if away.is_set():
            tried.set()
            raise DatabaseUnavailable
        return real()

    monkeypatch.setattr(site.database, "write", write)
    stop = threading.Event()
    runner = threading.Thread(target=site.indexer().run, args=(stop,))
    runner.start()
    try:
        assert tried.wait(5)
        push(pusher(site), ct_file("1.2.9"))
        away.clear()
        wait_for(lambda: site.rows(Instance) == 2)
    finally:
        stop.set()
        runner.join()


def wait_for(reached: Callable[[], bool], patience_s: float = 10.0) -> None:
    pause = threading.Event()
    for _ in range(int(patience_s / 0.02)):
        if reached():
            return
        pause.wait(0.02)
    raise AssertionError("it was not reached")


def test_a_record_that_no_table_takes_goes_aside_and_its_neighbours_are_indexed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = upsert_batch

    def picky(session: Session, arrivals: list[Arrival]) -> list[Verdict]:
        if any(arrival.attributes.sop_uid == "1.2.2" for arrival in arrivals):
            raise TypeError("no such value")
        return real(session, arrivals)

    monkeypatch.setattr(rows, "upsert_batch", picky)
    writer = pusher(site)
    for number in (1, 2, 3):
        push(writer, ct_file(f"1.2.{number}"))
    assert site.index() == 3
    assert site.rows(Instance) == 2
    assert site.codes() == ["not-indexed"]


def test_only_one_indexer_works_at_a_time(site: Site) -> None:
    push(pusher(site), ct_file())
    stop, seen = threading.Event(), []

    class Counting(Indexer):
        def run_once(self) -> int:
            seen.append(threading.get_ident())
            return super().run_once()

    indexers = [site.indexer(Counting) for _ in range(2)]
    runners = [threading.Thread(target=indexer.run, args=(stop,)) for indexer in indexers]
    for runner in runners:
        runner.start()
    wait_for(lambda: site.rows(Instance) == 1)
    stop.set()
    for runner in runners:
        runner.join()
    assert len(set(seen)) == 1


def test_segments_that_nobody_needs_are_given_back(make_site: MakeSite) -> None:
    site = make_site(segment_bytes=1 << 20)
    writer = pusher(site)
    for number in range(60):
        push(writer, ct_file(f"1.2.{number + 1}"))
    site.index()
    upkeep = LandingUpkeep(site.database, site.reader)
    assert upkeep.run_once() == 0
    with site.database.write() as session:
        session.execute(sa.delete(LandingRecord))
    assert upkeep.run_once() >= 1
    push(writer, ct_file("1.3.1"))
    assert site.index() == 1
    assert site.rows(LandingCursor) >= 1
    site.clock.advance(timedelta(seconds=1))


SENDER = """
import sys
import uuid
from tests.intake.samples import ct_file
from radrelay.clock import SystemClock
from radrelay.dicom.part10 import parse_preamble
from radrelay.intake.envelope import Origin
from radrelay.intake.landing import Landing
from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
storage = {"segment_bytes": 4 << 20, "min_free_bytes": 1 << 20, "ballast_bytes": 0}
settings = Settings.model_validate({"data_dir": sys.argv[1], "storage": storage})
landing = Landing.open(settings, "listen", Keyring.open(settings), SystemClock())
writer = landing.open_object(Origin(uuid.UUID(sys.argv[2]), uuid.UUID(sys.argv[3]), "dicom"))
file = ct_file("1.2.000000")
head = parse_preamble(file)
for number in range(1_000_000):
    uid = f"1.2.{number + 100000}"
    writer.begin(head.sop_class_uid, uid, head.transfer_syntax_uid)
    writer.write(file[head.dataset_offset:].replace(b"1.2.000000", uid.encode()))
    writer.finish()
    print(uid, flush=True)
"""


def test_kill_9_while_receiving_loses_nothing_that_was_acknowledged(make_site: MakeSite) -> None:
    site = make_site()
    source = site.book.resolve("dicom")
    command = [sys.executable, "-c", SENDER, str(site.settings.data_dir), str(source.organisation_id), str(source.id)]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert sender.stdout is not None
    acknowledged = [sender.stdout.readline().strip() for _ in range(25)]
    os.kill(sender.pid, signal.SIGKILL)
    acknowledged += [line.strip() for line in sender.stdout if line.endswith("\n")]
    sender.stdout.close()
    sender.wait()
    site.landing("listen").close()
    site.landings.clear()
    site.index()
    with site.database.read() as session:
        found = list(session.scalars(sa.select(Instance.sop_uid)))
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found)) <= len(acknowledged) + 1
