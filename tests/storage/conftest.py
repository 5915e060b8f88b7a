"""An installation's keys and small segments for storage's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.segments import SegmentReader
from tests.backends import settings_for


def settings_in(folder: Path, **storage: object) -> Settings:
    """Return settings for `folder` with segments of 1 MiB and no ballast."""
    small = {"segment_bytes": 1 << 20, "ballast_bytes": 0, "min_free_bytes": 0, **storage}
    return settings_for(folder / "data", storage=small)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def keyring(settings: Settings) -> Keyring:
    return Keyring.open(settings, create=True)


@pytest.fixture
def reader(settings: Settings, keyring: Keyring) -> SegmentReader:
    return SegmentReader(settings.landing_dir, keyring)
