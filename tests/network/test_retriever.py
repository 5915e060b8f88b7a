"""Radrelay fetches by C-GET and C-MOVE: from its own kind, from dcmtk's archive, from nodes that misbehave."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from radrelay.network.client import BytesItem, StoreClient
from radrelay.network.errors import NodeUnreachable, RetrievalNotOffered
from radrelay.network.listener import DicomListener
from radrelay.network.ports import Node, Peer, Query, Services
from radrelay.network.requestor import MAX_CONTEXTS
from radrelay.network.retriever import GetClient, MoveClient, Retrieved, get_proposals
from radrelay.settings import DicomSettings
from tests.network.conftest import StartListener
from tests.network.memory import MemoryArchive, Stored, decoded, load
from tests.on_a_port import started_on_a_port

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
STUDY_UID = 0x0020000D
PACS_CONFIGURATION = """
NetworkType = "tcp"
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
radrelay = (RADRELAY, 127.0.0.1, {back})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PACS {folder} RW (50, 1024mb) ANY
AETable END
"""


def study_of(archive: MemoryArchive, sop_uid: str) -> str:
    stored = archive.objects[sop_uid]
    return str(decoded(stored.data, stored.transfer_syntax).StudyInstanceUID)


@contextmanager
def pacs(folder: Path, back: int) -> Iterator[Node]:
    """Give a running dcmqrscp that sends what RADRELAY asks for to the port `back`."""
    assert shutil.which("dcmqrscp"), "dcmtk's programs are not installed: apt-get install dcmtk"
    (folder / "kept").mkdir(parents=True)
    configuration = folder / "dcmqrscp.cfg"

    def command(port: int) -> list[str]:
        configuration.write_text(PACS_CONFIGURATION.format(port=port, back=back, folder=folder / "kept"))
        return ["dcmqrscp", "+xe", "-c", str(configuration)]

    process, port = started_on_a_port(command)
    try:
        yield Node("127.0.0.1", port, "PACS", "RADRELAY", response_timeout_s=10)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def deaf(answers: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give the port of a server that does what `answers` does with one connection."""

    def serve(server: socket.socket) -> None:
        sock, _ = server.accept()
        with sock:
            answers(sock)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_what_is_fetched_by_get_is_what_was_kept(
    start: StartListener, archive: MemoryArchive, ct_path: Path, mr_path: Path
) -> None:
    ct, mr = load(archive, str(ct_path)), load(archive, str(mr_path))
    node = Node("127.0.0.1", start().addresses[0].port, "RADRELAY")
    here, told = MemoryArchive(), list[Retrieved]()
    with GetClient(node, [CT, MR], here) as client:
        for one in (ct, mr):
            end = client.get("STUDY", [(STUDY_UID, "UI", study_of(archive, one.sop_uid))], told.append)
            assert (end.is_whole, end.completed, end.failed) == (True, 1, 0)
        assert client.taken == 2
        nothing = client.get("STUDY", [(STUDY_UID, "UI", "1.2.3")])
        assert (nothing.is_whole, nothing.completed) == (True, 0)
    assert {uid: (one.transfer_syntax, one.data) for uid, one in here.objects.items()} == {
        one.sop_uid: (one.transfer_syntax, one.data) for one in (ct, mr)
    }
    assert told[-1].completed == 1


def test_get_and_move_from_dcmtk(start: StartListener, ct_path: Path, mr_path: Path, tmp_path: Path) -> None:
    source = MemoryArchive()
    kept = [load(source, str(ct_path)), load(source, str(mr_path))]
    pushed = MemoryArchive()
    listener = start()
    with pacs(tmp_path, listener.addresses[0].port) as node:
        items = [BytesItem(one.sop_class_uid, one.sop_uid, one.transfer_syntax, one.data) for one in kept]
        with StoreClient(node, [(one.sop_class_uid, one.transfer_syntax) for one in kept]) as store:
            assert all(store.send(item).is_kept for item in items)
        with GetClient(node, [CT, MR], pushed) as client:
            for one in kept:
                end = client.get("STUDY", [(STUDY_UID, "UI", study_of(source, one.sop_uid))])
                assert (end.is_whole, end.completed) == (True, 1), end
        assert set(pushed.objects) == {one.sop_uid for one in kept}
        with MoveClient(node) as mover:
            for one in kept:
                moved = mover.move("STUDY", [(STUDY_UID, "UI", study_of(source, one.sop_uid))], "RADRELAY")
                assert (moved.is_whole, moved.completed) == (True, 1), moved
            lost = mover.move("STUDY", [(STUDY_UID, "UI", study_of(source, kept[0].sop_uid))], "NOWHERE")
            assert (lost.is_whole, lost.status) == (False, 0xA801)


def test_moved_objects_come_in_by_the_listener(
    start: StartListener, archive: MemoryArchive, ct_path: Path, tmp_path: Path
) -> None:
    source = MemoryArchive()
    ct = load(source, str(ct_path))
    listener = start()
    with pacs(tmp_path, listener.addresses[0].port) as node:
        with StoreClient(node, [(CT, ct.transfer_syntax)]) as store:
            assert store.send(BytesItem(CT, ct.sop_uid, ct.transfer_syntax, ct.data)).is_kept
        assert not archive.objects
        with MoveClient(node) as mover:
            assert mover.move("STUDY", [(STUDY_UID, "UI", study_of(source, ct.sop_uid))], "RADRELAY").is_whole
    came = archive.objects[ct.sop_uid]
    assert decoded(came.data, came.transfer_syntax).PixelData == decoded(ct.data, ct.transfer_syntax).PixelData


def test_wish_to_stop_cancels_and_what_came_stays(start: StartListener, archive: MemoryArchive, ct_path: Path) -> None:
    ct = load(archive, str(ct_path))
    study = study_of(archive, ct.sop_uid)
    for number in range(40):
        archive.objects[f"{ct.sop_uid}.{number}"] = type(ct)(CT, f"{ct.sop_uid}.{number}", ct.transfer_syntax, ct.data)
    node = Node("127.0.0.1", start().addresses[0].port, "RADRELAY")
    here = MemoryArchive()
    with GetClient(node, [CT], here) as client:
        end = client.get("STUDY", [(STUDY_UID, "UI", study)], stop=lambda: client.taken >= 3)
    assert (end.cancelled, end.is_whole) == (True, False)
    assert 3 <= len(here.objects) < 41
    assert end.completed == len(here.objects)


def test_object_that_cannot_be_taken_is_counted_and_the_rest_comes(
    start: StartListener, archive: MemoryArchive, ct_path: Path, mr_path: Path
) -> None:
    ct = load(archive, str(ct_path))
    study = study_of(archive, ct.sop_uid)
    other = load(archive, str(mr_path))
    odd = type(other)(MR, other.sop_uid, other.transfer_syntax, ct.data)
    archive.objects[other.sop_uid] = odd  # of the same study, of a class that nobody expected
    node = Node("127.0.0.1", start().addresses[0].port, "RADRELAY")
    here = MemoryArchive()
    with GetClient(node, [CT], here) as client:
        end = client.get("STUDY", [(STUDY_UID, "UI", study)])
    assert (end.is_whole, end.completed, end.failed, end.failed_uids) == (False, 1, 1, (other.sop_uid,))
    assert list(here.objects) == [ct.sop_uid]


def test_nodes_that_stay_silent_hang_up_or_know_no_retrieval(start: StartListener) -> None:
    with deaf(lambda sock: time.sleep(0.4)) as port, pytest.raises(NodeUnreachable):
        MoveClient(Node("127.0.0.1", port, "X", response_timeout_s=0.2))
    with deaf(lambda sock: None) as port, pytest.raises(NodeUnreachable):
        MoveClient(Node("127.0.0.1", port, "X"))
    assert RetrievalNotOffered("x").code == "retrieval-not-offered"


class Slow(MemoryArchive):
    """Takes its time to say what it has."""

    def retrieve(self, peer: Peer, query: Query, destination: str = "") -> Sequence[Stored]:
        time.sleep(0.8)
        return []


def test_node_that_falls_silent_amid_a_retrieval_is_given_up() -> None:
    slow = Slow()
    listener = DicomListener(DicomSettings(port=0), Services(slow, slow, slow))
    listener.start()
    node = slow.nodes["HERE"] = Node("127.0.0.1", listener.addresses[0].port, "RADRELAY", response_timeout_s=0.3)
    try:
        with pytest.raises(NodeUnreachable), MoveClient(node) as client:
            client.move("STUDY", [(STUDY_UID, "UI", "1.2")], "HERE")
    finally:
        listener.stop(0.0)


def test_contexts_fit_an_association_however_many_classes_there_are() -> None:
    for count in (1, 3, 20, 200):
        proposals = get_proposals([f"1.2.840.10008.5.1.4.1.1.{n}" for n in range(count)])
        assert count <= len(proposals) <= MAX_CONTEXTS - 1 or count > MAX_CONTEXTS // 2
        assert len(proposals) <= MAX_CONTEXTS - 1
