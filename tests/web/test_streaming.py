"""Long answers: a batch is gathered while the last one is sent, no more than that, and nothing for who has gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message

from radrelay.errors import NotFound
from radrelay.web.streaming import BATCH_BYTES, PiecedResponse, in_pieces
from tests.apart import run_apart

PIECE = bytes(range(256)) * 1024  # a quarter of a batch
PIECES_IN_BATCH = BATCH_BYTES // len(PIECE)


class Source:
    """Pieces that say how many were asked for, and when their maker ended."""

    def __init__(self, count: int, fails_at: int = -1) -> None:
        self.given = 0
        self.ended = threading.Event()
        self._count, self._fails_at = count, fails_at

    def pieces(self) -> Iterator[bytes]:
        try:
            for number in range(self._count):
                if number == self._fails_at:
                    raise NotFound("it went away")
                self.given += 1
                yield PIECE
        finally:
            self.ended.set()


class Reader:
    """The other side of a connection: takes messages as fast as it is let, and goes when it is told to."""

    def __init__(self, patience: int = 1 << 30) -> None:
        self.status = 0
        self.body = bytearray()
        self.complete = False
        self._left = asyncio.Event()
        self._patience = patience
        self.takes = asyncio.Event()
        self.takes.set()

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.body += message["body"]
        self.complete = not message.get("more_body", False)
        self._patience -= 1
        if self._patience == 0:
            self._left.set()
            await asyncio.sleep(0)


def streamed(source: Source) -> PiecedResponse:
    response = in_pieces(source.pieces())
    assert isinstance(response, PiecedResponse)
    return response


async def asked(response: Any, reader: Reader) -> None:
    await response({"type": "http"}, reader.receive, reader.send)


def test_a_long_answer_is_whole_and_in_order() -> None:
    async def scenario() -> None:
        source, reader = Source(23), Reader()
        await asked(streamed(source), reader)
        assert reader.status == 200
        assert reader.complete
        assert bytes(reader.body) == PIECE * 23

    run_apart(scenario())


def test_small_pieces_arrive_joined_and_in_order() -> None:
    async def scenario() -> None:
        reader = Reader()
        pieces = [bytes([n % 251]) * (n % 7000) for n in range(900)] + [PIECE] * 3 + [b"end"]
        await asked(in_pieces(iter(pieces)), reader)
        assert bytes(reader.body) == b"".join(pieces)

    run_apart(scenario())


def test_a_short_answer_says_its_length() -> None:
    response = in_pieces(iter([b"a", b"bc"]), 206, {"X": "y"}, "text/plain")
    assert (response.status_code, response.body) == (206, b"abc")
    assert response.headers["content-length"] == "3"


def test_what_cannot_be_begun_is_an_error_and_no_broken_answer() -> None:
    with pytest.raises(NotFound):
        in_pieces(Source(9, fails_at=2).pieces())


def test_what_breaks_later_breaks_the_answer_off() -> None:
    async def scenario() -> None:
        source, reader = Source(40, fails_at=30), Reader()
        with pytest.raises(NotFound):
            await asked(streamed(source), reader)
        assert not reader.complete
        assert len(reader.body) <= 30 * len(PIECE)

    run_apart(scenario())


def test_a_client_that_goes_away_ends_the_work() -> None:
    async def scenario() -> None:
        source, reader = Source(100_000), Reader(patience=10)
        await asked(streamed(source), reader)
        assert not reader.complete
        assert source.ended.wait(10)
        assert source.given <= 10 + 3 * PIECES_IN_BATCH

    run_apart(scenario())


def test_a_client_that_reads_nothing_holds_two_batches_and_no_thread() -> None:
    async def scenario() -> None:
        source, reader = Source(1000), Reader()
        reader.takes.clear()
        sending = asyncio.ensure_future(asked(streamed(source), reader))
        await asyncio.sleep(0.3)
        assert source.given <= 2 * PIECES_IN_BATCH
        others = [streamed(Source(50)) for _ in range(8)]  # more than there are threads
        await asyncio.wait_for(asyncio.gather(*(asked(other, Reader()) for other in others)), 20)
        reader.takes.set()
        await asyncio.wait_for(sending, 20)
        assert bytes(reader.body) == PIECE * 1000

    run_apart(scenario())
