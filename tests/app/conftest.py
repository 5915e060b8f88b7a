"""Installations over either database, for tests of what the roles do together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from radrelay.settings import Settings
from tests.app.house import settings_in
from tests.postgres import drop_database, new_database


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Settings]:
    """Give settings of an installation whose rows and key store are in PostgreSQL, the keys mirrored."""
    url = new_database(postgres_url)
    settings = settings_in(tmp_path)
    yield settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})
    drop_database(url)
