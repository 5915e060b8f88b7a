"""A database that is written to as by the web role, on whichever back end the tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import radrelay.app.rows
from radrelay import audit
from radrelay.clock import FixedClock
from radrelay.storage.database import Database
from tests.audit.recording import KEY, START, named
from tests.backends import open_database
from tests.schema import lay

assert radrelay.app.rows.ROOMS  # which names every table


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def database(tmp_path: Path, clock: FixedClock) -> Iterator[Database]:
    made = open_database(tmp_path)
    lay(made)
    audit.install(made, "web", clock, KEY, named)
    yield made
    made.close()
