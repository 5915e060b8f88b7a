"""Packs that no row names: removed once nothing can read them, never on the word of the rows alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from radrelay.app.core import Core, open_core
from radrelay.app.sweeping import ORPHAN_AGE, collect
from radrelay.clock import FixedClock, SystemClock
from tests.backends import settings_for


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = open_core(settings_for(tmp_path / "data"), FixedClock(SystemClock().now() + ORPHAN_AGE + timedelta(hours=1)))
    yield made
    made.close()


def test_a_database_that_knows_no_pack_costs_none_of_them(core: Core) -> None:
    pack_id = uuid4()
    writer = core.packs.create(pack_id, uuid4())
    writer.add(b"pixels")
    info = writer.finish(b"")
    collect(core)
    assert core.packs.read(info.ref, 0, 6) == b"pixels"
    core.keys.destroy([pack_id])
    collect(core)
    assert [name for name, _, _ in core.packs.names()] == []


@pytest.mark.embedded(reason="the age of a pack's file is changed")
def test_packs_from_before_the_key_store_was_made_anew_wait_for_its_mirror(core: Core) -> None:
    writer = core.packs.create(uuid4(), uuid4())
    writer.add(b"pixels")
    name = writer.finish(b"").ref.name
    path = core.settings.data_dir / "packs" / name
    an_hour_ago = path.stat().st_mtime - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    core.close()
    for lost in (*core.settings.keys_dir.glob("study-keys.sqlite*"), *core.settings.data_dir.glob("radrelay.sqlite*")):
        lost.unlink()
    again = open_core(core.settings, core.clock)
    collect(again)
    assert [found for found, _, _ in again.packs.names()] == [name]
    again.close()
