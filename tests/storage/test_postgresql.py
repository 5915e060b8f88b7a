"""What PostgreSQL sees otherwise than SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from radrelay.storage.models import NodeState
from tests.backends import BACKENDS
from tests.postgres import drop_database, new_database


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    url = new_database(postgres_url, BACKENDS.template())
    opened = Database.open(DatabaseSettings.model_validate({"url": url}), Path(), b"")
    yield opened
    opened.close()
    drop_database(url)


@pytest.mark.parametrize("text", ["", "a\0b", "\0", "Müller\0^Jörg", "漢字", "\N{GRINNING FACE}", "a\\0b", "%s"])
def test_any_text_is_kept_and_found_again(database: Database, text: str) -> None:
    with database.write() as session:
        session.add_all([NodeState(name=text, value=b"kept"), NodeState(name="another", value=b"")])
    with database.read() as session:
        found = session.get(NodeState, text)
        assert found is not None
        assert found.value == b"kept"
        assert found.name == text.replace("\0", "␀")
