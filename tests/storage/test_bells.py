"""Who works hears at once that an event was written, and of nothing else."""

from __future__ import annotations

import os
import select
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.storage.bells import PipeBell
from radrelay.storage.outbox import emit
from tests.backends import open_database
from tests.schema import lay


def test_event_is_heard_of_when_its_transaction_is_there_and_a_ring_nobody_hears_harms_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    lay(database)
    bell = database.bell
    assert bell is not None
    rung, stop = threading.Event(), threading.Event()

    def write(*, event: bool) -> None:
        with database.write() as session:
            session.execute(sa.text("SELECT 1"))
            if event:
                emit(session, organisation_id=uuid.uuid4(), kind="plain", subject_id=uuid.uuid4(), at=datetime.now(UTC))
            rung.clear()

    write(event=True)
    listener = threading.Thread(target=bell.listen, args=(stop, rung.set))
    listener.start()
    try:
        until = threading.Event()
        while not rung.is_set() and not until.wait(0.02):  # it listens from some moment on
            write(event=True)
            until = until if not rung.wait(0.2) else rung
        write(event=False)
        assert not rung.wait(0.1)
        write(event=True)
        assert rung.wait(10)
    finally:
        stop.set()
        listener.join(10)
        database.close()
    assert not listener.is_alive()


def test_who_writes_does_not_mind_that_the_listener_has_just_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "bell"
    os.mkfifo(pipe)
    reader, opened = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), os.open

    def left_between(*named: Any) -> int:
        writer = opened(*named)
        os.close(reader)
        return writer

    monkeypatch.setattr(os, "open", left_between)
    PipeBell(pipe).committed()


def test_ring_that_another_listener_took_is_heard_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, rung = threading.Event(), []
    monkeypatch.setattr(select, "select", lambda *sides: sides)  # both saw it ready, the other was first to read

    def heard() -> None:
        rung.append(True)
        stop.set()

    PipeBell(tmp_path / "bell").listen(stop, heard)
    assert rung
