"""What the tests of deliveries and of rules begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.routing.house import House
from tests.routing.ruled import Ruled


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[Ruled]:
    """Give an archive with a destination, a group and no rules."""
    made = Ruled(tmp_path)
    yield made
    made.database.close()
