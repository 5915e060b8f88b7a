"""MLLP: frames in every state of disorder, many connections, TLS, and an answer only for what is durable."""

from __future__ import annotations

import resource
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from radrelay.errors import Misconfigured
from radrelay.hl7 import Limits, MllpListener, MllpSender, Port, Receiver
from radrelay.hl7.errors import AnswerBroken, ReceiverAway, ReceiverSilent
from radrelay.hl7.mllp import Frames, Received, framed
from radrelay.hl7.mllp.framing import Frame
from radrelay.network.tls import server_context_of
from tests.hl7.conftest import Listening
from tests.hl7.samples import adt, msa
from tests.hl7.senders import Client


class Sink:
    """Answers each message with AA once it is allowed to, and remembers what it was handed."""

    def __init__(self) -> None:
        self.groups: list[list[Received]] = []
        self.go = threading.Event()
        self.go.set()
        self.failures = 0

    @property
    def frames(self) -> list[bytes]:
        return [one.frame for group in self.groups for one in group]

    def take(self, received: Sequence[Received]) -> list[list[bytes]]:
        self.go.wait(20)
        if any(b"poison" in one.frame for one in received) or self.failures:
            self.failures = max(0, self.failures - 1)
            raise OSError("the disk is gone")
        self.groups.append(list(received))
        return [[self._answer(one)] for one in received]

    @staticmethod
    def _answer(one: Received) -> bytes:
        fields = one.frame.split(b"\r")[0].split(b"|")
        control_id = fields[9] if len(fields) > 9 else b""
        return b"MSH|^~\\&|X\rMSA|" + (b"AA" if one.ended else b"AE") + b"|" + control_id + b"\r"


class Rude:
    """Answers whatever it is told to."""

    def __init__(self) -> None:
        self.answer: list[bytes] = []

    def take(self, received: Sequence[Received]) -> list[list[bytes]]:
        return [self.answer for _ in received]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@given(st.lists(st.binary(max_size=60).map(lambda raw: raw.replace(b"\x0b", b"").replace(b"\x1c", b""))), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(contents: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(framed(one) for one in contents)
    frames, found = Frames(100), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += frames.feed(stream[:size])
        stream = stream[size:]
    assert [one.content for one in found] == contents
    assert all(one.ended for one in found)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_no_bytes_break_the_framing_or_are_held_beyond_its_limit(pieces: list[bytes]) -> None:
    frames = Frames(100)
    for piece in pieces:
        for one in frames.feed(piece):
            assert one.too_large or len(one.content) <= 100
        assert frames.held <= 100


def test_rubbish_is_skipped_and_a_message_without_end_block_is_told_apart() -> None:
    frames = Frames(1000)
    assert frames.feed(b"GET / HTTP/1.1\r\n\x0bMSH|1\x1c\rjunk\x0bMSH|2\rPID|\x0bMSH|3\x1c\r") == [
        Frame(b"MSH|1", ended=True), Frame(b"MSH|2\rPID|", ended=False), Frame(b"MSH|3", ended=True),
    ]  # fmt: skip
    assert frames.feed(b"\x0bMSH|4") == []
    assert frames.broken_off() == Frame(b"MSH|4", ended=False)
    assert not frames.inside


def test_message_is_answered_once_the_sink_has_it_and_not_before(listening: Listening, sink: Sink) -> None:
    listener = listening(sink)
    sink.go.clear()
    with Client(listener) as one, Client(listener) as other:
        one.message(adt(control_id="1"))
        other.message(adt(control_id="2"))
        one.send(b"noise" + framed(adt(control_id="3")) + framed(adt(control_id="4"))[:40])
        sink.go.set()
        assert [msa(answer)[2] for answer in one.answers(2)] == ["1", "3"]
        assert msa(other.answers()[0])[2] == "2"
        one.send(framed(adt(control_id="4"))[40:])
        assert msa(one.answers()[0])[2] == "4"
    assert sorted(frame.split(b"|")[9] for frame in sink.frames) == [b"1", b"2", b"3", b"4"]
    assert all(one.port == "KIS" and one.peer.startswith("127.0.0.1:") for group in sink.groups for one in group)


def test_what_comes_while_the_sink_is_at_work_shares_its_next_commit(listening: Listening, sink: Sink) -> None:
    listener = listening(sink)
    sink.go.clear()
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(listener)) for _ in range(20)]
        for number, client in enumerate(clients):
            client.message(adt(control_id=str(number)))
        until = time.monotonic() + 10
        while listener.totals().messages < 20 and time.monotonic() < until:
            time.sleep(0.005)
        sink.go.set()
        assert [msa(client.answers()[0])[2] for client in clients] == [str(number) for number in range(20)]
    assert len(sink.groups) <= 3


def test_sink_that_fails_leaves_messages_unanswered_and_others_are_kept(listening: Listening, sink: Sink) -> None:
    listener = listening(sink)
    sink.go.clear()
    with Client(listener) as good, Client(listener) as bad:
        good.message(adt(control_id="1"))
        bad.message(adt(control_id="2", name="poison"))
        sink.go.set()
        assert msa(good.answers()[0])[2] == "1"
        assert bad.is_closed()
    with Client(listener) as again:
        again.message(adt(control_id="3"))
        assert msa(again.answers()[0])[2] == "3"


def test_message_without_end_is_refused_in_time_and_half_open_senders_get_their_answers(
    listening: Listening, sink: Sink
) -> None:
    listener = listening(sink, Limits(message_timeout_s=0.3))
    with Client(listener) as stuck, Client(listener) as half, Client(listener) as broken:
        stuck.send(b"\x0b" + adt(control_id="1"))
        half.message(adt(control_id="2"))
        half.half_close()
        broken.send(b"\x0b" + adt(control_id="3"))
        broken.half_close()
        assert msa(half.answers()[0])[1:3] == ["AA", "2"]
        assert half.is_closed()
        assert msa(broken.answers()[0])[1:3] == ["AE", "3"]
        assert msa(stuck.answers()[0])[1:3] == ["AE", "1"]
        assert stuck.is_closed()


def test_message_that_is_too_large_is_refused_and_the_next_one_is_taken(listening: Listening, sink: Sink) -> None:
    listener = listening(sink, Limits(max_message_bytes=100_000))
    with Client(listener) as client:
        client.message(adt(control_id="1") + b"x" * 500_000)
        client.message(adt(control_id="2"))
        assert [msa(one)[1:3] for one in client.answers(2)] == [["AE", "1"], ["AA", "2"]]
    first = sink.groups[0][0]
    assert (first.too_large, len(first.frame) <= 4096) == (True, True)


def test_large_messages_take_turns(listening: Listening, sink: Sink) -> None:
    listener = listening(sink, Limits(large_messages=1))
    raw = adt() + b"OBX|1|ED|X||^application^pdf^Base64^" + b"QUJD" * 500_000
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(listener)) for _ in range(3)]
        threads = [threading.Thread(target=client.message, args=(raw,)) for client in clients]
        for thread in threads:
            thread.start()
        for client in clients:
            assert msa(client.answers()[0])[1] == "AA"
        for thread in threads:
            thread.join()
    assert [len(frame) for frame in sink.frames] == [len(raw)] * 3


def test_connections_that_say_nothing_give_way_and_cost_little(listening: Listening, sink: Sink) -> None:
    listener = listening(sink, Limits(max_connections=200))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    before = resident_bytes()
    try:
        with ExitStack() as stack:
            speaking = stack.enter_context(Client(listener))
            for number in range(2000):
                stack.enter_context(Client(listener))
                if number % 100 == 0:
                    speaking.message(adt(control_id=str(number)))
                    assert msa(speaking.answers()[0])[2] == str(number)
            until = time.monotonic() + 10
            while listener.totals().connections < 2001 and time.monotonic() < until:
                time.sleep(0.01)
            totals = listener.totals()
            assert totals.open_connections <= 200
            assert totals.given_up >= 1800
            assert resident_bytes() - before < 30 << 20
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_silent_connections_are_closed_where_a_setting_says_so(listening: Listening, sink: Sink) -> None:
    listener = listening(sink, Limits(idle_timeout_s=0.2))
    with Client(listener) as client:
        assert client.is_closed()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def tls_port(authority: trustme.CA, folder: Path) -> Port:
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "chain.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = server_context_of(folder / "chain.pem", folder / "key.pem", folder / "ca.pem", "hl7.tls")
    return Port("KIS", "127.0.0.1", 0, context)


def test_tls_takes_who_has_a_certificate_and_lets_nobody_else_wait(
    listening: Listening, sink: Sink, authority: trustme.CA, tmp_path: Path
) -> None:
    listener = listening(sink, port=tls_port(authority, tmp_path))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("sender").configure_cert(context)
    large = adt(control_id="2") + b"NTE|1||" + b"x" * 900_000
    with Client(listener) as plain, Client(listener, context) as client:
        plain.message(adt())
        client.message(adt(control_id="1"))
        assert msa(client.answers()[0])[2] == "1"
        client.message(large)
        assert msa(client.answers()[0])[2] == "2"
        assert plain.is_closed()
    host, port = listener.addresses["KIS"]
    sender = MllpSender(Receiver(host, port, context, "localhost"))
    assert sender.send(adt(control_id="9")).is_positive
    sender.close()


def test_sender_waits_for_its_answer_in_order_and_connects_anew(listening: Listening, sink: Sink) -> None:
    listener = listening(sink)
    host, port = listener.addresses["KIS"]
    sender = MllpSender(Receiver(host, port))
    assert [sender.send(adt(control_id=str(one))).control_id for one in range(3)] == ["0", "1", "2"]
    sink.failures = 2
    with pytest.raises(ReceiverAway):
        sender.send(adt(control_id="3"))
    sink.failures = 0
    assert sender.send(adt(control_id="3")).is_positive
    listener.stop()
    with pytest.raises(ReceiverAway):
        sender.send(adt(control_id="4"))
    sender.close()


def test_sender_gives_up_a_receiver_that_is_silent_or_talks_of_something_else(listening: Listening) -> None:
    rude = Rude()
    host, port = listening(rude).addresses["KIS"]
    sender = MllpSender(Receiver(host, port, answer_timeout_s=0.2))
    with pytest.raises(ReceiverSilent):
        sender.send(adt())
    rude.answer = [b"MSH|^~\\&|X\rMSA|AA|another\r"]
    with pytest.raises(ReceiverSilent):
        sender.send(adt())
    rude.answer = [b"hello"]
    with pytest.raises(AnswerBroken):
        sender.send(adt())
    rude.answer = [b"MSH|^~\\&|X\rMSA|AA|another\r", b"MSH|^~\\&|X\rMSA|AE|1||\r"]
    assert sender.send(adt()).code == "AE"
    sender.close()


def test_port_that_is_taken_is_named(listening: Listening, sink: Sink) -> None:
    taken = listening(sink).addresses["KIS"][1]
    with pytest.raises(Misconfigured, match=f"KIS cannot bind 127.0.0.1:{taken}"):
        MllpListener([Port("KIS", "127.0.0.1", taken)], sink).start()
