"""Who may have a data directory and a database: one machine at a time each, PostgreSQL any number of directories."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from radrelay.app.core import Core, MirrorTaken, open_core
from radrelay.app.prepare import claim
from radrelay.clock import FixedClock, SystemClock
from radrelay.settings import Settings
from radrelay.storage import nodes
from radrelay.storage.database import Database
from radrelay.storage.node import holder_of, node_id
from radrelay.storage.nodes import LEASE, AnotherNode, Lease, LeaseLost, NodeElsewhere
from tests.postgres import drop_database, new_database


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = open_core(Settings(data_dir=tmp_path / "first"), FixedClock(SystemClock().now()))
    yield made
    made.close()


def beside(core: Core, folder: Path) -> Core:
    """Return another data directory on the same database."""
    folder.mkdir()
    settings = core.settings.model_copy(update={"data_dir": folder})
    return dataclasses.replace(core, settings=settings, node=node_id(folder))


def clock_of(core: Core) -> FixedClock:
    assert isinstance(core.clock, FixedClock)
    return core.clock


def test_a_second_data_directory_on_an_embedded_database_is_refused_while_the_first_serves(
    core: Core, tmp_path: Path
) -> None:
    claim(core)
    claim(core)
    second = beside(core, tmp_path / "second")
    with pytest.raises(AnotherNode, match="PostgreSQL and S3"):
        claim(second)
    clock_of(core).advance(LEASE)
    claim(second)
    with pytest.raises(AnotherNode):
        claim(core)


def test_a_moved_disk_is_taken_over_once_the_old_machine_is_silent_and_the_old_one_is_fenced(core: Core) -> None:
    first = claim(core)
    elsewhere = Lease(core.node, 0, "another machine")
    with pytest.raises(NodeElsewhere, match="served from another machine"):
        nodes.claim(core.database, core.clock, elsewhere, "b", patience_s=0)
    assert nodes.beat(core.database, core.clock, first)
    clock_of(core).advance(LEASE + timedelta(seconds=1))
    second = nodes.claim(core.database, core.clock, elsewhere, "b", patience_s=0)
    assert second.epoch == first.epoch + 1
    assert not nodes.beat(core.database, core.clock, first)
    with core.database.write() as session, pytest.raises(LeaseLost):
        nodes.guard(session, first)
    with core.database.write() as session:
        nodes.guard(session, second)
    with pytest.raises(NodeElsewhere):
        nodes.claim(core.database, core.clock, dataclasses.replace(first, epoch=0), "a", patience_s=0)


def test_a_lease_given_up_is_free_at_once(core: Core) -> None:
    first = claim(core)
    nodes.give_up(core.database, core.clock, first)
    assert nodes.claim(core.database, core.clock, Lease(core.node, 0, "b"), "b", patience_s=0).epoch == 2


def test_a_copy_of_a_data_directory_is_not_mistaken_for_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert holder_of(tmp_path / "a") == holder_of(tmp_path / "a")
    assert holder_of(tmp_path / "a") != holder_of(tmp_path / "b")


def test_any_number_of_nodes_serve_one_postgresql_by_its_clock(postgres_url: str, tmp_path: Path) -> None:
    url = new_database(postgres_url)
    settings = Settings.model_validate({"data_dir": tmp_path / "a", "database": {"url": url}})
    wrong = FixedClock(SystemClock().now() + timedelta(days=400))  # a machine's own clock does not matter
    core = open_core(settings, wrong)
    try:
        database: Database = core.database
        one = nodes.claim(database, core.clock, Lease("1" * 32, 0, "m1"), "alpha", patience_s=0)
        nodes.claim(database, SystemClock(), Lease("2" * 32, 0, "m2"), "beta", patience_s=0)
        nodes.tell_address(database, one, "alpha:11180")
        found = {view.name: view for view in nodes.nodes(database, core.clock)}
        assert {name: view.alive for name, view in found.items()} == {"alpha": True, "beta": True}
        assert (found["alpha"].address, found["beta"].address) == ("alpha:11180", "")
        nodes.give_up(database, core.clock, one)
        assert [view.name for view in nodes.nodes(database, core.clock) if view.alive] == ["beta"]
    finally:
        core.close()
        drop_database(url)


def test_two_machines_do_not_mirror_their_keys_to_one_folder(on_postgres: Settings, tmp_path: Path) -> None:
    first = open_core(on_postgres)
    try:
        claim(first)
        second = on_postgres.model_copy(update={"data_dir": tmp_path / "b" / "data"})
        with pytest.raises(MirrorTaken, match="a folder of its own for each"):
            open_core(second)
        nodes.give_up(first.database, first.clock, claim(first))
        open_core(second).close()  # as when the machine is replaced and its mirror handed on
    finally:
        first.close()
