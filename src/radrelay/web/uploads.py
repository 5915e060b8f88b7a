"""Bodies that go straight to their place: a request's body as an iterator of pieces for a worker thread.

The event loop hands over a piece only when the thread asks, so a slow disk slows the sender and memory stays flat.
Uploads have worker threads of their own: they never take those that answer pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from radrelay.errors import Invalid, TooLarge

AT_ONCE = 16
STALLED_S = 60
T = TypeVar("T")


class UploadBrokenOff(Invalid):
    """The upload broke off before its end; nothing of this file was kept."""

    code = "upload-broken-off"


class UploadTooLarge(TooLarge):
    """The upload is larger than web.upload_limit_bytes allows."""

    code = "upload-too-large"


def announced_bytes(request: Request, limit: int) -> int | None:
    """Return Content-Length, none if it is not given; raises `UploadTooLarge` above `limit`."""
    announced = request.headers.get("content-length", "")
    if not (announced.isascii() and announced.isdigit()):
        return None
    if int(announced) > limit:
        raise UploadTooLarge(f"an upload may have at most {limit} bytes")
    return int(announced)


class BodyPieces:
    """A request's body, iterated in a worker thread that anyio started.

    Raises `UploadBrokenOff` when the sender goes away or sends nothing for a minute, so that sixteen that stall do not
    keep all others out, and `UploadTooLarge` above `limit` bytes.
    """

    def __init__(self, request: Request, limit: int) -> None:
        self._stream = request.stream().__aiter__()
        self._limit = limit
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces as they arrive."""
        while True:
            try:
                piece = anyio.from_thread.run(self._next)
            except ClientDisconnect as error:
                raise UploadBrokenOff from error
            if piece is None:
                return
            self.taken += len(piece)
            if self.taken > self._limit:
                raise UploadTooLarge(f"an upload may have at most {self._limit} bytes")
            if piece:
                yield piece

    async def _next(self) -> bytes | None:
        try:
            with anyio.fail_after(STALLED_S):
                return await anext(self._stream, None)
        except TimeoutError as error:
            raise UploadBrokenOff(f"nothing came for {STALLED_S} seconds; nothing of this file was kept") from error


class UploadThreads:
    """The worker threads that uploads run in; made on first use, inside the event loop."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in one of the threads, waiting for a free one."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._at_once)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)
