"""What `work` does for the record: proves and notes it, ends what is over, sends it on, and says when that lags."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.data import get_testdata_file

from radrelay import audit
from radrelay.access import system_principal
from radrelay.app.core import Core, open_core
from radrelay.app.prepare import Prepared, prepare
from radrelay.app.record_keeping import keep_record, note_arrivals, record_findings, sending
from radrelay.archive import indexing
from radrelay.archive.naming import study_named
from radrelay.audit.models import AuditEvent
from radrelay.audit.proofs import ANCHOR, last_proven
from radrelay.clock import FixedClock
from radrelay.storage import append_only
from tests.app.house import house, settings_in
from tests.audit.recording import START
from tests.audit.syslog_server import Papers, receiving, until


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers.issued(tmp_path)


@pytest.fixture
def opened(tmp_path: Path, clock: FixedClock, papers: Papers) -> Iterator[tuple[Core, Prepared]]:
    repository = papers.settings(1, timeout_s=2)
    settings = settings_in(tmp_path)
    wanted = settings.audit.model_copy(update={"repository": repository})
    core = open_core(settings.model_copy(update={"audit": wanted}), clock)
    prepared = prepare(core)
    audit.install(core.database, "work", clock, core.keyring.metadata_key, study_named)
    yield core, prepared
    core.close()


def login(core: Core, prepared: Prepared) -> None:
    with core.database.write() as session:
        audit.record(session, audit.AuditRecord("login", system_principal(prepared.organisation_id)))


def events(core: Core) -> set[str]:
    with core.database.read() as session:
        return set(session.scalars(sa.select(AuditEvent.action)))


def test_the_record_is_proven_each_day_noted_and_ended_when_it_is_over(
    opened: tuple[Core, Prepared], clock: FixedClock
) -> None:
    core, prepared = opened
    login(core, prepared)
    keep_record(core, clock_is_trusted=True)
    assert (core.settings.data_dir / ANCHOR).exists()
    with core.database.read() as session:
        first = last_proven(session)
    clock.advance(timedelta(hours=1))
    keep_record(core, clock_is_trusted=True)
    with core.database.read() as session:
        assert last_proven(session) == first, "not each hour"
    clock.advance(timedelta(days=core.settings.audit.usage_days))
    keep_record(core, clock_is_trusted=False)
    assert "login" in events(core), "while the clock is in doubt nothing ends"
    keep_record(core, clock_is_trusted=True)
    assert events(core) == {"audit.expire"}
    assert audit.prove(core.database, clock, core.keyring.metadata_key, core.settings.data_dir).intact


def test_a_record_that_was_tampered_with_is_found_by_itself(opened: tuple[Core, Prepared], clock: FixedClock) -> None:
    core, prepared = opened
    login(core, prepared)
    keep_record(core, clock_is_trusted=True)
    with core.database.write() as session:
        append_only.lift(session.connection())
        session.execute(sa.update(AuditEvent).values(actor_name="nobody"))
        append_only.hold(session.connection())
    clock.advance(timedelta(days=1))
    keep_record(core, clock_is_trusted=True)
    found = record_findings(core.settings, core.database, clock.now())
    assert (found[0].subject, found[0].state) == ("audit", "bad")


def test_work_sends_the_record_on_and_the_doctor_says_when_that_lags(
    opened: tuple[Core, Prepared], clock: FixedClock, papers: Papers
) -> None:
    core, prepared = opened
    login(core, prepared)
    clock.advance(timedelta(hours=1))
    behind = record_findings(core.settings, core.database, clock.now())[1]
    assert (behind.state, behind.text.startswith("1 events wait for localhost:1")) == ("bad", True)
    with receiving(papers) as there:
        repository = core.settings.audit.repository.model_copy(update={"port": there.port})
        wanted = core.settings.audit.model_copy(update={"repository": repository})
        moved = Core(**{**vars(core), "settings": core.settings.model_copy(update={"audit": wanted})})
        stop = threading.Event()
        (thread,) = sending(moved, stop, "work-1")
        thread.start()
        until(lambda: there.messages, "nothing arrived")
        stop.set()
        thread.join(10)
    assert b"110122" in there.xml()[0]
    assert record_findings(core.settings, core.database, clock.now())[1].state == "good"


def test_a_study_that_has_come_is_on_record_with_its_sources(tmp_path: Path, clock: FixedClock) -> None:
    with house(settings_in(tmp_path), clock=clock) as opened:
        path = get_testdata_file("CT_small.dcm", download=False)
        assert isinstance(path, str)
        opened.land(Path(path).read_bytes())
        core = opened.core
        audit.install(core.database, "work", clock, core.keyring.metadata_key, study_named)
        clock.advance(timedelta(minutes=5))
        with core.database.write() as session:
            done = indexing.complete_quiet(session, clock.now())
            note_arrivals(session, done)
        with core.database.read() as session:
            page = audit.search(session, opened.prepared.organisation_id, audit.AuditQuery(action="import.study"))
        assert len(page.entries) == len(done) > 0
        for entry in page.entries:
            assert entry.patient is not None
            assert entry.study is not None
            assert entry.detail["source"]
