"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from radrelay.storage import database, key_tables, migrate
from tests.backends import places_end, postgres_url, s3_endpoint, servers_end
from tests.browsers import chromium_driver
from tests.collection import (
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_terminal_summary,
    shared_data,
)
from tests.schema import apply_quickly
from tests.statements import engine_with_known_statements

__all__ = [
    "chromium_driver",
    "known_statements",
    "log_left_alone",
    "places_end",
    "postgres_url",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "quick_schema",
    "s3_endpoint",
    "servers_end",
    "shared_data",
]


@pytest.fixture(scope="session", autouse=True)
def log_left_alone() -> Iterator[None]:
    """Keep commands that are run in this process from setting up its log for good: loggers keep what they first met."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("radrelay.logs.configure", lambda settings, role, folder: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_schema() -> Iterator[None]:
    """Give embedded databases their schema without going through the migrations each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "apply", apply_quickly)
        yield


@pytest.fixture(scope="session", autouse=True)
def known_statements() -> Iterator[None]:
    """Let embedded databases share what SQLAlchemy has compiled."""
    with pytest.MonkeyPatch.context() as patch:
        for room in (database, key_tables):
            patch.setattr(room, "sqlcipher_engine", engine_with_known_statements)
        yield
