"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.backends import places_end, postgres_url, s3_endpoint, servers_end
from tests.browsers import chromium_driver

__all__ = ["chromium_driver", "places_end", "postgres_url", "s3_endpoint", "servers_end"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real files that RADRELAY_TEST_DATA names, or skip."""
    named = os.environ.get("RADRELAY_TEST_DATA", "")
    if not named or not Path(named).is_dir():
        pytest.skip("RADRELAY_TEST_DATA names no folder of real DICOM files")
    return Path(named)
