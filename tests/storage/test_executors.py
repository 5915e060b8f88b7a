"""When an executor of durable work is taken for dead, and what it finds when it was only held up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from radrelay.storage.executors import FRESH_S, PREFIX, SILENT_S, ExecutorWatch, bury
from radrelay.storage.migrate import migrate
from radrelay.storage.models import NodeState
from radrelay.storage.nodes import LeaseLost


class Time:
    """The machine's monotonic clock, moved by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(DatabaseSettings(), tmp_path, b"k" * 32)
    migrate(made)
    yield made
    made.close()


def watched(watch: ExecutorWatch, time: Time, seconds: float, *beating: ExecutorWatch) -> dict[str, bytes | None]:
    """Let time pass in steps of five seconds; `beating` live. Returns who is silent by then."""
    silent: dict[str, bytes | None] = {}
    end = time.now + seconds
    while time.now < end:
        time.now += 5
        for other in beating:
            other.tick(())
        silent = watch.tick(["other"])
    return silent


def test_who_beats_is_never_silent_and_who_stops_is_after_a_minute(database: Database) -> None:
    time = Time()
    own, other = ExecutorWatch(database, "own", time), ExecutorWatch(database, "other", time)
    assert watched(own, time, 3 * SILENT_S, other) == {}
    assert watched(own, time, SILENT_S - 5) == {}
    assert list(watched(own, time, 10)) == ["other"]


def test_one_that_left_no_sign_at_all_is_waited_for_just_as_long(database: Database) -> None:
    time = Time()
    own = ExecutorWatch(database, "own", time)
    assert watched(own, time, SILENT_S - 5) == {}
    assert watched(own, time, 10) == {"other": None}


def test_after_a_gap_of_ones_own_nobody_is_taken_for_dead(database: Database) -> None:
    """The database was away, or this process was: the others could give no sign either."""
    time = Time()
    own, other = ExecutorWatch(database, "own", time), ExecutorWatch(database, "other", time)
    watched(own, time, 10, other)
    time.now += 10 * SILENT_S
    assert not own.fresh()
    assert own.tick(["other"]) == {}
    assert own.fresh()
    assert watched(own, time, 10, other) == {}


def test_who_gives_a_sign_at_the_last_moment_is_not_taken_over(database: Database) -> None:
    time = Time()
    own, other = ExecutorWatch(database, "own", time), ExecutorWatch(database, "other", time)
    other.tick(())
    silent = watched(own, time, SILENT_S + 10)
    other.tick(())
    with database.write() as session:
        assert not bury(session, "other", silent["other"])


def test_who_was_only_held_up_begins_nothing_and_ends(database: Database) -> None:
    time = Time()
    own, other = ExecutorWatch(database, "own", time), ExecutorWatch(database, "other", time)
    other.tick(())
    assert other.fresh()
    silent = watched(own, time, SILENT_S + 10)
    with database.write() as session:
        assert bury(session, "other", silent["other"])
    assert time.now - 100 > FRESH_S
    assert not other.fresh()
    with pytest.raises(LeaseLost):
        other.tick(())


@pytest.mark.parametrize("stored", [True, False])
def test_a_commit_that_fails_costs_a_sign_and_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """The disk was full, or the connection broke: before the sign was stored, or before that was heard of."""
    time, commit = Time(), Session.commit
    own = ExecutorWatch(database, "own", time)

    def broken(session: Session) -> None:
        if stored:
            commit(session)
        raise OSError("no space left on device")

    for _ in range(2):
        own.tick(())
        for _ in range(2):
            with monkeypatch.context() as failing:
                failing.setattr(Session, "commit", broken)
                with pytest.raises(OSError, match="space"):
                    own.tick(())
    own.tick(())
    with database.write() as session:
        sign = session.scalar(sa.select(NodeState.value).where(NodeState.name == PREFIX + "own"))
        assert bury(session, "own", sign)
    with pytest.raises(LeaseLost):
        own.tick(())
