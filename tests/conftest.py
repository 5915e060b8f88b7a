"""What every test may ask for."""

from __future__ import annotations

from tests.backends import places_end, postgres_url, s3_endpoint, servers_end
from tests.browsers import chromium_driver
from tests.collection import (
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_terminal_summary,
    shared_data,
)

__all__ = [
    "chromium_driver",
    "places_end",
    "postgres_url",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "s3_endpoint",
    "servers_end",
    "shared_data",
]
