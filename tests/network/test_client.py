"""Radrelay as a client: plain words for what is wrong, objects sent as they are kept, queries answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radrelay.network.client import BytesItem, FindClient, QueryRefused, StoreClient, echo
from radrelay.network.errors import AssociationEnded, NodeUnreachable
from radrelay.network.ports import Node
from tests.network.conftest import StartListener
from tests.network.memory import MemoryArchive, load

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def test_echo_of_a_living_node(node: Node) -> None:
    result = echo(node)
    assert result.ok


def test_echo_tells_what_is_wrong(node: Node, archive: MemoryArchive) -> None:
    archive.refused_callers.add("STRANGER")
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = free.getsockname()[1]
    cases = (
        (Node("127.0.0.1", dead, "X"), "nobody-listens", "nothing listens", {"address": f"127.0.0.1:{dead}"}),
        (Node("no-such-host.invalid", 104, "X"), "host-unknown", "is not known", {"host": "no-such-host.invalid"}),
        (
            Node(node.host, node.port, "RADRELAY", "STRANGER"),
            "caller-unknown",
            "does not know our AE title",
            {"ae_title": "RADRELAY", "calling_ae": "STRANGER"},
        ),
    )
    for asked, code, words, facts in cases:
        error = echo(asked).error
        assert error is not None
        assert (error.code, words in error.message) == (code, True)
        assert facts.items() <= error.facts.items()


def test_echo_of_something_that_is_no_dicom_node() -> None:
    def answer(server: socket.socket) -> None:
        sock, _ = server.accept()
        with sock:
            sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            sock.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        result = echo(Node("127.0.0.1", server.getsockname()[1], "X"))
        thread.join()
    assert result.error is not None
    assert result.error.code == "node-not-dicom"
    assert "does not answer as a DICOM node" in result.error.message


def test_silent_node_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        node = Node("127.0.0.1", server.getsockname()[1], "X", response_timeout_s=0.3)
        error = echo(node).error
    assert error is not None
    assert error.code == "node-silent"
    assert "said nothing for too long" in error.message


def test_objects_are_sent_byte_for_byte(node: Node, archive: MemoryArchive, ct_path: Path) -> None:
    source = MemoryArchive()
    item = load(source, str(ct_path))
    with StoreClient(node, [(item.sop_class_uid, item.transfer_syntax)]) as client:
        assert client.accepted(item.sop_class_uid)[0] == item.transfer_syntax
        result = client.send(item)
    assert (result.status, result.is_kept, result.transfer_syntax) == (0, True, EXPLICIT)
    assert archive.objects[item.sop_uid].data == item.data


def test_object_that_the_node_takes_in_no_syntax_is_reported_and_the_rest_goes_on(
    node: Node, archive: MemoryArchive
) -> None:
    wanted = BytesItem(CT, "1.2.1", EXPLICIT, bytes(100))
    strange = BytesItem("1.2.840.10008.5.1.4.31", "1.2.2", EXPLICIT, bytes(100))
    with StoreClient(node, [(one.sop_class_uid, EXPLICIT) for one in (wanted, strange)]) as client:
        assert client.send(strange).status == 0x0122
        assert client.send(wanted).is_kept
    assert list(archive.objects) == ["1.2.1"]


def test_source_that_fails_amid_an_object_aborts_and_nothing_is_kept(node: Node, archive: MemoryArchive) -> None:
    class Broken(BytesItem):
        def open(self, accepted: object) -> tuple[str, Iterator[bytes]]:
            def pieces() -> Iterator[bytes]:
                yield bytes(300_000)
                raise OSError("disk gone")

            return EXPLICIT, pieces()

    with pytest.raises(AssociationEnded), StoreClient(node, [(CT, EXPLICIT)]) as client:
        client.send(Broken(CT, "1.2.1", EXPLICIT, b""))
    assert not archive.objects


def test_large_object_is_streamed(node: Node, archive: MemoryArchive) -> None:
    class Large(BytesItem):
        def open(self, accepted: object) -> tuple[str, Iterator[bytes]]:
            return EXPLICIT, (bytes([i]) * 1_000_003 for i in range(30))

    with StoreClient(node, [(CT, EXPLICIT)]) as client:
        assert client.send(Large(CT, "1.2.1", EXPLICIT, b"")).is_kept
    data = archive.objects["1.2.1"].data
    assert len(data) == 30 * 1_000_003
    assert data[-1] == 29


def test_find_yields_decoded_matches(node: Node, archive: MemoryArchive) -> None:
    archive.rows = [{0x00100010: ("PN", "Müller"), 0x00100020: ("LO", "7")}]
    with FindClient(node) as client:
        (match,) = client.find("STUDY", [(0x00100010, "PN", "M*")])
    assert {key.tag: key.text for key in match}[0x00100010] == "Müller"
    no_level: Any = "NOPE"
    with FindClient(node, "patient") as client, pytest.raises(QueryRefused):
        list(client.find(no_level, []))


def test_unreachable_node_raises_for_a_store(start: StartListener) -> None:
    with pytest.raises(NodeUnreachable):
        StoreClient(Node("127.0.0.1", 1, "X"), [(CT, EXPLICIT)])


def test_no_more_matches_are_taken_than_wanted(node: Node, archive: MemoryArchive) -> None:
    archive.rows = [{0x0020000D: ("UI", f"1.2.{n}"), 0x00100010: ("PN", "山田^太郎")} for n in range(3000)]
    keys = [(0x0020000D, "UI", ""), (0x00100010, "PN", "")]
    with FindClient(node) as client:
        some = client.find_some("STUDY", keys, 100)
        assert (len(some.found), some.more, some.unreadable) == (100, True, 0)
        archive.rows = archive.rows[:100]
        every = client.find_some("STUDY", keys, 100)  # the association goes on
    assert (len(every.found), every.more) == (100, False)
    assert {key.text for key in every.found[0]} >= {"1.2.0", "山田^太郎"}
