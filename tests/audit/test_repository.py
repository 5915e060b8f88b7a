"""Sending the record to an audit repository: whole, in order, at least once, however it comes and goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.audit.dicom_message import AuditSource
from radrelay.audit.models import AuditEvent, AuditShipped
from radrelay.audit.repository import AuditRepository, RepositoryState, next_try, repository_state
from radrelay.audit.retention import RecordKept, expire
from radrelay.audit.syslog import RepositoryAway, RepositoryMisconfigured
from radrelay.clock import FixedClock
from radrelay.settings import RepositorySettings
from radrelay.storage.database import Database
from tests.audit.recording import KEY, MEIER, Who, note, of_organisation, write
from tests.audit.syslog_server import HEADER, Papers, receiving, rsyslog, until
from tests.ports import free_port

SOURCE = AuditSource("archive.example", "RADRELAY", "Klinik Süd")


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers.issued(tmp_path)


def to(database: Database, clock: FixedClock, settings: RepositorySettings) -> AuditRepository:
    return AuditRepository(database, clock, settings, SOURCE)


def state(database: Database) -> RepositoryState:
    with database.read() as session:
        return repository_state(session)


def order(messages: list[bytes]) -> list[str]:
    return [message.split(b'csd-code="act.')[1].split(b'"')[0].decode() for message in messages]


def test_what_is_on_record_arrives_whole_in_order_and_once(
    database: Database, clock: FixedClock, papers: Papers
) -> None:
    write(database, 5, patient=MEIER)
    note(database, "login", ("account", "a-1"), outcome="refused", detail={"reason": "password"})
    with receiving(papers) as there:
        repository = to(database, clock, papers.settings(there.port))
        assert repository.attempt() == 6
        assert repository.attempt() == 0
        write(database, 2)
        assert repository.attempt() == 2
    assert order([xml for xml in there.xml() if b"act." in xml]) == ["0", "1", "2", "3", "4", "0", "1"]
    headers = [HEADER.fullmatch(message) for message in there.messages]
    assert {(one["pri"], one["app"], one["msgid"]) for one in headers if one} == {
        (b"85", b"radrelay", b"DICOM+RFC3881"),
        (b"84", b"radrelay", b"DICOM+RFC3881"),
    }
    assert state(database) == RepositoryState(0, None, None, "")


def test_while_the_repository_is_away_events_wait_and_arrive_when_it_is_back(
    database: Database, clock: FixedClock, papers: Papers
) -> None:
    port = free_port()
    repository = to(database, clock, papers.settings(port))
    write(database, 3)
    waits = []
    for _ in range(12):
        with pytest.raises(RepositoryAway, match=str(port)):
            repository.attempt()
        with receiving(papers, port) as there:
            assert repository.attempt() == 0, "it is left alone for a while"
        begun = clock.now()
        while repository_waits(database, clock):
            clock.advance(timedelta(seconds=1))
        waits.append((clock.now() - begun).total_seconds())
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits[-1] == 300
    failing = state(database)
    assert (failing.waiting, failing.oldest_at) == (3, failing.failing_since)
    assert failing.is_behind(clock.now(), 900)
    assert str(port) in failing.error
    write(database, 1)
    with receiving(papers, port) as there:
        assert to(database, clock, papers.settings(port)).attempt() == 4, "another process goes on"
    assert order(there.xml()) == ["0", "1", "2", "0"]
    assert not state(database).is_behind(clock.now(), 900)


def repository_waits(database: Database, clock: FixedClock) -> bool:
    with database.read() as session:
        return clock.now() < next_try(session)


def test_a_batch_that_breaks_off_is_sent_again_from_its_beginning(
    database: Database, clock: FixedClock, papers: Papers
) -> None:
    write(database, 50, patient=MEIER)
    with receiving(papers) as there:
        there.rude_after = 10_000
        repository = to(database, clock, papers.settings(there.port))
        with pytest.raises(RepositoryAway):
            repository.attempt()
        assert state(database).waiting == 50
        there.rude_after = None
        clock.advance(timedelta(seconds=2))
        assert repository.attempt() == 50
    assert order(there.xml()) == [str(number) for number in range(50)]


def test_a_crash_after_sending_sends_again_and_loses_nothing(
    database: Database, clock: FixedClock, papers: Papers
) -> None:
    write(database, 3)
    with receiving(papers) as there:
        repository = to(database, clock, papers.settings(there.port))
        assert repository.attempt() == 3
        with database.write() as session:  # as if it had ended before it could note what was taken
            session.execute(sa.delete(AuditShipped))
        assert repository.attempt() == 3
    assert order(there.xml()) == ["0", "1", "2", "0", "1", "2"]


def test_a_long_queue_goes_in_batches_and_chains_side_by_side(
    database: Database, clock: FixedClock, papers: Papers
) -> None:
    for role in ("web", "work", "listen"):
        audit.install(database, role, clock, KEY)
        with database.write() as session:
            audit.record_many(session, [audit.AuditRecord(f"act.{number}", Who()) for number in range(250)])
        clock.advance(timedelta(minutes=1))
    with receiving(papers) as there:
        repository = to(database, clock, papers.settings(there.port))
        while repository.attempt():
            pass
    of_chain: dict[bytes, list[str]] = {}
    for message in there.messages:
        header = HEADER.fullmatch(message)
        assert header
        of_chain.setdefault(header["proc"], []).extend(order([message]))
    assert set(map(tuple, of_chain.values())) == {tuple(str(number) for number in range(250))}
    assert len(of_chain) == 3


@pytest.mark.parametrize("wrong", [{"ca": None}, {"certificate": None, "key": None}, {"server_name": "elsewhere"}])
def test_without_the_right_certificates_nothing_is_handed_over(
    database: Database, clock: FixedClock, papers: Papers, wrong: dict[str, object]
) -> None:
    write(database, 1)
    with receiving(papers) as there, pytest.raises(RepositoryAway):
        to(database, clock, papers.settings(there.port, **wrong)).attempt()
    assert (there.messages, state(database).waiting) == ([], 1)


def test_a_certificate_that_is_not_there_is_named(database: Database, clock: FixedClock, papers: Papers) -> None:
    write(database, 1)
    with pytest.raises(RepositoryMisconfigured, match=r"audit\.repository"):
        to(database, clock, papers.settings(1, certificate=Path("/nowhere.pem"))).attempt()


def test_rsyslog_takes_what_is_sent_and_what_waited_while_it_was_stopped(
    database: Database, clock: FixedClock, papers: Papers, tmp_path: Path
) -> None:
    port, out = free_port(), tmp_path / "repository.log"
    repository = to(database, clock, papers.settings(port))
    write(database, 300, patient=("clinic", "4711", "Müller^Jörg"))
    with rsyslog(papers, port, out):
        while repository.attempt():
            pass
        until(lambda: out.exists() and out.read_bytes().count(b"\n") >= 300, "rsyslog has not written them")
    write(database, 2)
    with pytest.raises(RepositoryAway):
        repository.attempt()
    clock.advance(timedelta(seconds=5))
    with rsyslog(papers, port, out):
        assert repository.attempt() == 2
        until(lambda: out.read_bytes().count(b"\n") >= 302, "rsyslog has not written them")
    lines = out.read_text("utf-8").splitlines()
    assert order([line.encode() for line in lines]) == [*map(str, range(300)), "0", "1"]
    priority, at, host, msgid, text = lines[0].split("|", 4)
    assert (priority, host, msgid) == ("85", "archive.example", "DICOM+RFC3881")
    assert at.startswith("2026-03-01T12:00:00")
    assert text.lstrip("\ufeff").startswith("<AuditMessage>")
    assert "Müller^Jörg" in text


def test_events_that_were_over_before_they_were_sent_hold_up_nothing(
    database: Database, clock: FixedClock, papers: Papers
) -> None:
    note(database, "login")
    clock.advance(timedelta(days=3001))
    assert expire(database, clock.now(), KEY, RecordKept(2000, 3000), of_organisation) == 1
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == 1
    assert state(database).waiting == 1
    with receiving(papers) as there:
        assert to(database, clock, papers.settings(there.port)).attempt() == 1
    assert b"audit.expire" in there.xml()[0]


def test_rsyslog_that_knows_us_not_has_taken_nothing(
    database: Database, clock: FixedClock, papers: Papers, tmp_path: Path
) -> None:
    write(database, 3)
    port, out = free_port(), tmp_path / "repository.log"
    papers.issue("other", "somebody.example")
    stranger = papers.settings(port, certificate=tmp_path / "other.pem", key=tmp_path / "other.key")
    with rsyslog(papers, port, out):
        for _ in range(5):
            with pytest.raises(RepositoryAway):
                to(database, clock, stranger).attempt()
            clock.advance(timedelta(minutes=5))
        assert state(database).waiting == 3
        assert to(database, clock, papers.settings(port)).attempt() == 3
        until(lambda: out.exists() and out.read_bytes().count(b"\n") >= 3, "rsyslog has not written them")
