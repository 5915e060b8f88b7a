"""Durable work survives its process, is done once per event, and tries again what failed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.backends import environment_for

SCRIPT = textwrap.dedent(
    """
    import os, sys, time, uuid
    from datetime import UTC, datetime
    from pathlib import Path
    from radrelay.clock import SystemClock
    from radrelay.settings import Settings
    from radrelay.storage import executors
    from radrelay.storage.columns import Base
    from radrelay.storage.database import Database
    from radrelay.storage.durable import DurableWork, Job
    from radrelay.storage.outbox import emit

    folder, scene = Path(sys.argv[1]), sys.argv[2]
    settings = Settings(data_dir=folder)  # the rest stands in the environment
    database = Database.open(settings.database, folder, b"k" * 32)
    Base.metadata.create_all(database.engine)
    done = folder / "done"

    def note(event):
        with done.open("a") as out:
            out.write(f"{event.subject_id} {event.payload.get('word', '')}\\n")

    def die_once(event):
        marker = folder / "died"
        if not marker.exists():
            marker.touch()
            os._exit(9)
        note(event)

    def fail_twice(event):
        marker = folder / "failed"
        count = len(marker.read_text()) if marker.exists() else 0
        marker.write_text("x" * (count + 1))
        if count < 2:
            raise ValueError("not yet")
        note(event)

    work = DurableWork(
        settings,
        database,
        SystemClock(),
        os.environ.get("EXECUTOR", "one"),
        [Job("plain", note, 2), Job("dying", die_once, 1), Job("failing", fail_twice, 1)],
    )
    work.launch()
    if scene != "resume":
        begun_first = 1 if scene == "failing" else None  # who dies begins to as soon as anything is handed over
        for words in (sys.argv[3:][:begun_first], sys.argv[4:] if begun_first else []):
            with database.write() as session:
                for word in words:
                    word, _, turn = word.partition(":")
                    emit(session, organisation_id=uuid.uuid4(), kind=scene, subject_id=uuid.uuid4(),
                         at=datetime.now(UTC), payload={"word": word} | ({"turn": turn} if turn else {}))
            work.dispatch()
        work.dispatch()
    wanted, until = int(os.environ["WANTED"]), time.monotonic() + 60
    executors.SILENT_S = 1.0
    while time.monotonic() < until:
        work.take_over()
        work.dispatch()
        if done.exists() and len(done.read_text().splitlines()) >= wanted:
            break
        work.wait(0.1)
    time.sleep(0.5)
    work.close()
    """
)


def started(folder: Path, scene: str, *words: str, wanted: int, executor: str = "one") -> subprocess.Popen[bytes]:
    """Start a process that works on events."""
    path = os.environ.get("PYTHONPATH", "")
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), scene, *words],
        env={
            "WANTED": str(wanted),
            "PATH": "/usr/bin",
            "PYTHONPATH": path,
            "EXECUTOR": executor,
            **environment_for(folder),
        },
    )


def run(folder: Path, scene: str, *words: str, wanted: int, executor: str = "one") -> int:
    """Run a process that works on events; returns its exit code."""
    return started(folder, scene, *words, wanted=wanted, executor=executor).wait(120)


def words_done(folder: Path) -> list[str]:
    """Return what was worked on, in order."""
    return [line.split()[1] for line in (folder / "done").read_text().splitlines()]


def test_every_event_is_worked_on_once_even_when_handed_over_twice(tmp_path: Path) -> None:
    assert run(tmp_path, "plain", "one", "two", "three", wanted=3) == 0
    assert sorted(words_done(tmp_path)) == ["one", "three", "two"]


def test_work_that_was_killed_is_done_by_the_next_process(tmp_path: Path) -> None:
    assert run(tmp_path, "dying", "word", wanted=1) == 9
    assert not (tmp_path / "done").exists()
    assert run(tmp_path, "resume", wanted=1) == 0
    assert words_done(tmp_path) == ["word"]


@pytest.mark.timeout(240)
def test_work_that_fails_is_tried_again_and_what_waits_for_it_goes_by_its_turn(tmp_path: Path) -> None:
    assert run(tmp_path, "failing", "word", "usual:101", "urgent:1", wanted=3) == 0
    assert words_done(tmp_path) == ["word", "urgent", "usual"]
    assert (tmp_path / "failed").read_text() == "xxxxx"


def test_work_of_a_process_that_is_gone_is_taken_over_by_one_of_the_others(tmp_path: Path) -> None:
    words = [f"word{n}" for n in range(5)]
    assert run(tmp_path, "dying", *words, wanted=5, executor="gone") == 9
    others = [started(tmp_path, "resume", wanted=5, executor=name) for name in ("first", "second")]
    assert [other.wait(120) for other in others] == [0, 0]
    assert sorted(words_done(tmp_path)) == words
