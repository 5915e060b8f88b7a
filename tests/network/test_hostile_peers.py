"""What a hostile or broken peer can send, and that it ends with the right PDU and harms nobody else."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]  # made when imported

from radrelay.network import command, pdu
from radrelay.network.client import echo
from radrelay.network.limits import Limits
from radrelay.network.ports import Node
from tests.network.conftest import RawPeer, StartListener
from tests.network.memory import MemoryArchive

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def request_pdu(*abstract: str) -> bytes:
    contexts = tuple(pdu.ProposedContext(2 * i + 1, uid, (EXPLICIT,)) for i, uid in enumerate(abstract or (CT,)))
    user = pdu.UserInformation(16384, "1.2.3", "TEST")
    titles = pdu.titles("RADRELAY", "HOSTILE")
    return pdu.encode_request(pdu.AssociateRequest(1, titles, pdu.APPLICATION_CONTEXT, contexts, user))


def data_pdu(*values: tuple[int, int, bytes]) -> bytes:
    body = b"".join(struct.pack(">IBB", len(data) + 2, context, flags) + data for context, flags, data in values)
    return struct.pack(">BxI", 4, len(body)) + body


def store_command(**extra: int) -> bytes:
    return command.build(
        {
            command.AFFECTED_SOP_CLASS: CT,
            command.COMMAND_FIELD: command.C_STORE_RQ,
            command.MESSAGE_ID: 1,
            command.PRIORITY: 0,
            command.DATA_SET_TYPE: extra.get("data_set_type", 1),
            command.AFFECTED_SOP_INSTANCE: "1.2.3.4",
        }
    )


def expect_abort(raw: RawPeer, reason: int | None = None) -> None:
    kind, body = raw.read()
    assert kind == pdu.ABORT
    if reason is not None:
        assert body[3] == reason
    assert raw.ended()


FIRST_WORDS = {
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", 1),
    "TLS": (bytes.fromhex("160301020001000001fc0303") + bytes(100), 1),
    "data first": (data_pdu((1, 3, store_command())), 2),
    "release first": (pdu.RELEASE_REQUEST_PDU, 2),
    "request of 4 GiB": (struct.pack(">BxI", 1, 0xFFFFFFFF), 6),
    "request too short": (struct.pack(">BxI", 1, 10) + bytes(10), 6),
    "item longer than its PDU": (struct.pack(">BxI", 1, 72) + bytes(68) + b"\x10\0\xff\xff", 6),
}


@pytest.mark.parametrize("kind", FIRST_WORDS)
def test_first_words_that_are_no_request_are_aborted(raw: RawPeer, node: Node, kind: str) -> None:
    words, reason = FIRST_WORDS[kind]
    raw.send(words)
    expect_abort(raw, reason)
    assert echo(node).ok


def test_wrong_protocol_version_and_application_context_are_rejected(port: int) -> None:
    good = request_pdu()
    wrong_version = good[:6] + b"\0\2" + good[8:]
    wrong_context = good.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2")
    for data, source, reason in ((wrong_version, 2, 2), (wrong_context, 1, 2)):
        raw = RawPeer(port)
        raw.send(data)
        kind, body = raw.read()
        assert (kind, body[1:]) == (pdu.ASSOCIATE_RJ, bytes((1, source, reason)))
        raw.close()


GARBAGE = {
    "PDU of 4 GiB": (struct.pack(">BxI", 4, 0xFFFFFFFF), 6),
    "PDU longer than agreed": (struct.pack(">BxI", 4, 1 << 20), 6),
    "PDU without PDV": (struct.pack(">BxI", 4, 0), 6),
    "PDV longer than its PDU": (struct.pack(">BxIIBB", 4, 10, 500, 1, 3) + bytes(4), 6),
    "PDV of 4 GiB": (struct.pack(">BxIIBB", 4, 10, 0xFFFFFFFF, 1, 3) + bytes(4), 6),
    "PDV of one byte": (struct.pack(">BxIIBB", 4, 6, 1, 1, 3), 6),
    "bytes after the last PDV": (struct.pack(">BxIIBB", 4, 9, 2, 1, 1) + bytes(3), 6),
    "unknown PDU type": (b"\x42\0\0\0\0\4abcd", 1),
    "second request": (request_pdu(), 2),
    "data set without command": (data_pdu((1, 2, b"\x08\0\x05\0CS\0\0")), 6),
    "context not accepted": (data_pdu((99, 3, store_command())), 6),
    "command that is none": (data_pdu((1, 3, b"\x08\0\x05\0CS\0\0")), 6),
    "command cut short": (data_pdu((1, 3, store_command()[:-5])), 6),
    "command over 64 KiB": (b"".join(data_pdu((1, 1, bytes(16000))) for _ in range(5)), 6),
    "command of many elements": (data_pdu((1, 3, b"".join(struct.pack("<HHI", 0, i, 0) for i in range(200)))), 6),
    "command without field": (data_pdu((1, 3, struct.pack("<HHIH", 0, 0x110, 2, 1))), 6),
    "command instead of data set": (data_pdu((1, 3, store_command())) * 2, 6),
    "response to nothing": (data_pdu((1, 3, command.build({0x100: 0x8001, 0x120: 1, 0x800: 0x101, 0x900: 0}))), 6),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_on_an_association_is_aborted(raw: RawPeer, node: Node, kind: str) -> None:
    words, reason = GARBAGE[kind]
    raw.send(request_pdu())
    assert raw.read()[0] == pdu.ASSOCIATE_AC
    raw.send(words)
    expect_abort(raw, reason)
    assert echo(node).ok


def test_fragments_cut_anywhere_make_the_same_object(port: int, archive: MemoryArchive) -> None:
    raw = RawPeer(port)
    raw.send(request_pdu())
    raw.read()
    message = store_command()
    words = data_pdu((1, 1, message[:3]), (1, 1, message[3:20])) + data_pdu((1, 3, message[20:]), (1, 0, b"ab"))
    words += data_pdu((1, 0, b""), (1, 0, b"cd")) + data_pdu((1, 2, b""))
    for position in range(0, len(words), 5):
        raw.send(words[position : position + 5])
        time.sleep(0.001)
    kind, body = raw.read()
    assert kind == pdu.P_DATA
    assert command.parse(body[6:]).number(command.STATUS) == 0
    assert archive.objects["1.2.3.4"].data == b"abcd"
    raw.send(pdu.RELEASE_REQUEST_PDU)
    assert raw.read()[0] == pdu.RELEASE_RP
    assert raw.ended()
    raw.close()


def test_object_broken_off_is_given_up(port: int, archive: MemoryArchive, node: Node) -> None:
    raw = RawPeer(port)
    raw.send(request_pdu())
    raw.read()
    raw.send(data_pdu((1, 3, store_command()), (1, 0, bytes(1000))))
    time.sleep(0.1)
    raw.close()
    wait_until(lambda: archive.aborted == 1)
    assert not archive.objects
    assert echo(node).ok


def test_object_above_the_limit_is_refused_and_the_next_one_taken(start: StartListener, archive: MemoryArchive) -> None:
    port = start(max_object_bytes=1000).addresses[0].port
    raw = RawPeer(port)
    raw.send(request_pdu())
    raw.read()
    for size, status in ((5000, 0xA700), (500, 0)):
        raw.send(data_pdu((1, 3, store_command()), (1, 0, bytes(size)), (1, 2, b"")))
        assert command.parse(raw.read()[1][6:]).number(command.STATUS) == status
    raw.close()


def test_store_without_data_set_and_unknown_operation_are_answered(raw: RawPeer) -> None:
    raw.send(request_pdu())
    raw.read()
    raw.send(data_pdu((1, 3, store_command(data_set_type=0x0101))))
    assert command.parse(raw.read()[1][6:]).number(command.STATUS) == 0xC000
    unknown = command.build({0x002: CT, 0x100: 0x0140, 0x110: 5, 0x800: 0x0101})
    raw.send(data_pdu((1, 3, unknown)))
    answer = command.parse(raw.read()[1][6:])
    assert (answer.field, answer.number(command.STATUS), answer.number(0x0120)) == (0x8140, 0x0211, 5)


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_silent_connections_take_no_place(start: StartListener) -> None:
    listener = start(Limits(max_associations=4, waiting_connections=50, associate_timeout_s=30))
    port = listener.addresses[0].port
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(400)]
    assert echo(Node("127.0.0.1", port, "RADRELAY")).ok
    still_open = 0
    for sock in silent:
        sock.setblocking(False)
        with suppress(ConnectionError):
            try:
                sock.recv(1)
            except BlockingIOError:
                still_open += 1
        sock.close()
    assert still_open <= 50


def test_silent_connection_is_closed_in_time_and_a_slow_request_aborted(start: StartListener) -> None:
    port = start(Limits(associate_timeout_s=0.5)).addresses[0].port
    silent, slow = RawPeer(port), RawPeer(port)
    slow.send(request_pdu()[:20])
    assert silent.ended()
    expect_abort(slow)
    silent.close()
    slow.close()


def test_idle_association_is_aborted(start: StartListener) -> None:
    raw = RawPeer(start(Limits(idle_timeout_s=0.4)).addresses[0].port)
    raw.send(request_pdu())
    assert raw.read()[0] == pdu.ASSOCIATE_AC
    expect_abort(raw)
    raw.close()


def test_object_that_drips_in_is_aborted(start: StartListener, archive: MemoryArchive) -> None:
    raw = RawPeer(start(Limits(idle_timeout_s=0.5)).addresses[0].port)
    raw.send(request_pdu())
    raw.read()
    raw.send(data_pdu((1, 3, store_command())) + struct.pack(">BxIIBB", 4, 10006, 10002, 1, 2))
    began = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - began < 5:
            raw.send(b"x")
            time.sleep(0.1)
            raw.sock.settimeout(0.01)
            with suppress(TimeoutError):
                assert raw.sock.recv(1) == b"\x07"
                break
    assert time.monotonic() - began < 4
    assert not archive.objects
    raw.close()


def test_associations_above_the_limits_are_rejected_as_transient(start: StartListener) -> None:
    listener = start(Limits(max_associations_per_peer=2))
    port = listener.addresses[0].port
    peers = [RawPeer(port) for _ in range(3)]
    kinds = []
    for peer in peers:
        peer.send(request_pdu())
        kinds.append(peer.read())
    assert [kind for kind, _ in kinds] == [pdu.ASSOCIATE_AC, pdu.ASSOCIATE_AC, pdu.ASSOCIATE_RJ]
    assert kinds[2][1][1:] == bytes((2, 3, 2))
    for peer in peers:
        peer.close()
    wait_until(lambda: listener.totals().open_associations == 0)
    assert listener.totals().refused == 1
    assert echo(Node("127.0.0.1", port, "RADRELAY")).ok


def test_stop_lets_a_running_object_finish(start: StartListener, archive: MemoryArchive, ct_path: Path) -> None:
    listener = start()
    archive.hold = threading.Event()
    ae = AE("TESTER")
    ae.add_requested_context(CTImageStorage, EXPLICIT)
    association = ae.associate("127.0.0.1", listener.addresses[0].port)
    statuses: list[int] = []
    sender = threading.Thread(target=lambda: statuses.append(association.send_c_store(dcmread(ct_path)).Status))
    sender.start()
    wait_until(lambda: listener.totals().open_associations == 1)
    time.sleep(0.2)
    stopper = threading.Thread(target=listener.stop, args=(5.0,))
    stopper.start()
    time.sleep(0.3)
    archive.hold.set()
    sender.join()
    stopper.join(10)
    assert not stopper.is_alive()
    assert statuses == [0]
    assert len(archive.objects) == 1
    assert listener.totals().open_associations == 0
    wait_until(lambda: association.is_aborted)


def test_stop_ends_idle_associations_soon(start: StartListener) -> None:
    listener = start()
    raw = RawPeer(listener.addresses[0].port)
    raw.send(request_pdu())
    raw.read()
    began = time.monotonic()
    listener.stop(10.0)
    assert time.monotonic() - began < 5
    kind, body = raw.read()
    assert (kind, body[2]) == (pdu.ABORT, pdu.SOURCE_USER)
    raw.close()
