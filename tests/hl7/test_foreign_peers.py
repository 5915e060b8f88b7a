"""Another maker's MLLP: `hl7` sends the messages of real systems to our port, and takes what we send."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radrelay.clock import FixedClock
from radrelay.hl7 import MllpSender, Outgoing, Receiver, Seal, parse, write
from radrelay.hl7.keeping import Keeping
from radrelay.storage.database import Database
from tests.hl7.conftest import HOSPITAL, Listening, rows
from tests.hl7.test_corpus import EXPECTED, TAKEN, corpus

hl7: Any = importlib.import_module("hl7")
client: Any = importlib.import_module("hl7.client")
mllp: Any = importlib.import_module("hl7.mllp")
END = b"\x1c\x0d"


def test_every_message_that_it_sends_is_answered_and_kept(
    shared_data: Path, database: Database, keeping: Keeping, listening: Listening
) -> None:
    host, port = listening(keeping).addresses["KIS"]
    messages = corpus(shared_data)
    silent = {name for name, (codes, _, _) in EXPECTED.items() if not codes}
    with client.MLLPClient(host, port) as sender:
        sender.socket.settimeout(20)
        for name in sorted(messages, key=lambda one: one in silent):  # it waits for an answer: what has none comes last
            codes = EXPECTED[name][0]
            if name in silent:
                sender.socket.sendall(client.SB + messages[name] + END)
                continue
            got = sender.send_message(messages[name])
            while got.count(END) < len(codes):
                got += sender.socket.recv(65536)
            answers = [hl7.parse(frame.lstrip(b"\x0b").decode("latin-1")) for frame in got.split(END) if frame]
            assert [str(answer.segment("MSA")[1]) for answer in answers] == codes, name
            asked = parse(messages[name]).header.value(10)
            assert {str(answer.segment("MSA")[2]) for answer in answers} == {asked}, name
    assert {row.state for row in rows(database)} == {"waiting", "refused"}


@contextmanager
def taking() -> Iterator[tuple[int, list[Any]]]:
    """Run its server, which acknowledges what it can read; gives the port and what was read."""
    taken: list[Any] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    port, end = 0, asyncio.Event()

    async def serve(reader: Any, writer: Any) -> None:
        try:
            while True:
                message = await reader.readmessage()
                taken.append(message)
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def run() -> None:
        nonlocal port, end
        end = asyncio.Event()
        async with await mllp.start_hl7_server(serve, "127.0.0.1", 0, encoding="iso8859_1", limit=1 << 22) as server:
            port = server.sockets[0].getsockname()[1]
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield port, taken
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def test_it_takes_every_message_that_we_send(
    shared_data: Path, database: Database, clock: FixedClock, seal: Seal
) -> None:
    messages = [parse(corpus(shared_data)[name]) for name in TAKEN]
    outgoing = Outgoing(database, clock, seal)
    with database.write() as session:
        for message in messages:
            outgoing.enqueue(session, HOSPITAL, "RIS", message)
    with taking() as (port, taken):
        sender = MllpSender(Receiver("127.0.0.1", port))
        assert outgoing.send_due({"RIS": sender}) == len(messages)
        sender.close()
    assert {row.state for row in rows(database)} == {"sent"}
    assert [str(one).rstrip("\r") for one in taken] == [
        write(message).decode("latin-1").rstrip("\r") for message in messages
    ]
