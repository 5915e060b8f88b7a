"""The conformance statement's tables, and that the listener answers on all its ports."""

from __future__ import annotations

import socket

import pytest

from radrelay.errors import Misconfigured
from radrelay.network.client import echo
from radrelay.network.conformance import tables
from radrelay.network.ports import Node
from tests.network.conftest import StartListener


def test_every_table_has_rows_of_its_columns() -> None:
    for table in tables():
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_several_ports_and_several_ae_titles_answer(start: StartListener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        second = free.getsockname()[1]
    listener = start(more_ports=[second])
    assert len(listener.addresses) == 2
    for address in listener.addresses:
        for title in ("RADRELAY", "OTHER"):
            assert echo(Node("127.0.0.1", address.port, title)).ok


def test_taken_port_is_named(start: StartListener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Misconfigured, match="cannot bind"):
        start(port=taken.getsockname()[1])
