"""One machine at a time serves a database."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from radrelay.app.core import Core, open_core
from radrelay.app.prepare import AnotherNode, claim
from radrelay.app.role import Beat
from radrelay.storage.models import NodeState
from radrelay.storage.node import node_id
from tests.backends import settings_for


def beside(core: Core, folder: Path) -> Core:
    """Return another data directory on the same database."""
    folder.mkdir()
    return dataclasses.replace(core, settings=core.settings.model_copy(update={"data_dir": folder}))


def beat(core: Core) -> None:
    """Write a sign of life of this data directory."""
    value = Beat("listen", "host", 1, core.clock.now(), node_id(core.settings.data_dir))
    with core.database.write() as session:
        session.merge(NodeState(name="role/listen/host", value=msgspec.msgpack.encode(value)))


def test_a_second_data_directory_is_refused_while_the_first_serves(tmp_path: Path) -> None:
    first = open_core(settings_for(tmp_path / "first"))
    second = beside(first, tmp_path / "second")
    claim(first)
    beat(first)
    claim(first)
    with pytest.raises(AnotherNode):
        claim(second)
    first.close()


def test_a_data_directory_whose_roles_are_gone_is_followed_by_another(tmp_path: Path) -> None:
    first = open_core(settings_for(tmp_path / "first"))
    second = beside(first, tmp_path / "second")
    claim(first)
    claim(second)
    beat(second)
    with pytest.raises(AnotherNode):
        claim(first)
    first.close()
