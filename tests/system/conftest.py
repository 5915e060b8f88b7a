"""Running installations and their peers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.installation import Installation, running
from tests.system.peers import Storescp, storescp
from tests.system.stores import s3

__all__ = ["s3"]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give whole-system scenarios more time than a unit's test: processes start, peers retry, machines are busy."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="module")
def radrelay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation that runs for the module's tests."""
    folder = tmp_path_factory.mktemp("radrelay")
    with running(folder) as made:
        yield made
    shutil.rmtree(made.data_dir, ignore_errors=True)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Storescp]:
    """Give dcmtk's storescp as a destination."""
    with storescp(tmp_path / "received") as made:
        yield made
