"""Long answers: pieces are gathered into batches on a thread, one batch ahead while the last is being sent.

A turn of the event loop and a change of threads for each piece cost more than most pieces do. Memory stays at two
batches (a batch ends with the piece that fills it); who reads slowly holds no thread, and who has gone ends the work.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from radrelay.errors import RadrelayError, Unavailable

Piece = bytes | bytearray | memoryview

BATCH_BYTES = 1 << 20
LARGE = 64 << 10  # such pieces are sent as they are; smaller ones are joined
ASK_EVERY_S = 2.0
_threads = ThreadPoolExecutor(4, thread_name_prefix="pieces")


class NoLonger(Exception):
    """Who is being answered may not have the rest any more; its cause says why."""


def as_long_as(pieces: Iterable[Piece], require_still: Callable[[], None]) -> Generator[Piece]:
    """Yield pieces while `require_still` raises nothing; it is asked every other second. Raises `NoLonger`.

    A database that does not answer just now is no end of a right.
    """
    asked = time.monotonic()
    source = iter(pieces)
    try:
        for piece in source:
            if time.monotonic() - asked >= ASK_EVERY_S:
                try:
                    require_still()
                except Unavailable:
                    pass
                except RadrelayError as error:
                    raise NoLonger from error
                asked = time.monotonic()
            yield piece
    finally:
        if isinstance(source, Generator):
            source.close()


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent in one go; `last` if nothing follows."""

    messages: list[Piece]
    last: bool


class Batches:
    """Gathers pieces into batches. Thread-safe: it is closed by another thread than the one that gathers."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces: Iterator[Piece] = iter(pieces)
        self._lock = threading.Lock()

    def gather(self) -> Batch:
        """Return the next batch; raises what the pieces' maker raises."""
        messages: list[Piece] = []
        waiting: list[Piece] = []
        size = small = 0
        with self._lock:
            for piece in self._pieces:
                size += len(piece)
                if len(piece) >= LARGE or small >= LARGE:
                    messages += [b"".join(waiting)] if waiting else []
                    waiting, small = [], 0
                if len(piece) >= LARGE:
                    messages.append(piece)
                else:
                    waiting.append(piece)
                    small += len(piece)
                if size >= BATCH_BYTES:
                    break
            else:
                return Batch(messages + ([b"".join(waiting)] if waiting else []), last=True)
        return Batch(messages + ([b"".join(waiting)] if waiting else []), last=False)

    def close(self) -> None:
        """Let the pieces' maker end, once it is not at work any more."""
        with self._lock:
            if isinstance(self._pieces, Generator):
                self._pieces.close()


def in_pieces(
    pieces: Iterable[Piece],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str | None = None,
) -> Response:
    """Return an answer made of pieces: whole if it fits into one batch, else streamed.

    The first batch is gathered here, so that what cannot be given at all is still an error and no broken answer.
    """
    batches = Batches(pieces)
    try:
        first = batches.gather()
    except NoLonger as error:
        raise error.__cause__ or error from None
    if first.last:
        return Response(b"".join(first.messages), status, headers, media_type)
    return PiecedResponse(batches, status, headers, media_type, first=first)


class PiecedResponse(StreamingResponse):
    """A streamed answer whose batches are gathered one ahead."""

    def __init__(
        self,
        batches: Batches,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        *,
        first: Batch | None = None,
    ) -> None:
        super().__init__((), status_code, headers, media_type)
        self._batches = batches
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; ends early, and without an error, when the client has gone or may not have the rest."""
        del scope
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            batch = self._first or await self._gather()
            while not gone.done():
                coming = None if batch.last else self._gather()
                for message in batch.messages:
                    await send({"type": "http.response.body", "body": message, "more_body": True})
                if coming is None:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                batch = await coming
        except NoLonger:
            raise ClientDisconnect from None  # the connection breaks off: what came is no whole answer
        finally:
            gone.cancel()
            _threads.submit(self._batches.close)

    def _gather(self) -> asyncio.Future[Batch]:
        loop = asyncio.get_running_loop()
        coming = loop.run_in_executor(_threads, copy_context().run, self._batches.gather)
        coming.add_done_callback(_noticed)
        return coming


def _noticed(done: asyncio.Future[Batch]) -> None:
    """Take note of an error that nobody waits for any more, because the client has gone."""
    if not done.cancelled():
        done.exception()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
