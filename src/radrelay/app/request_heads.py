"""Requests as they come in: a head of at most 64 KiB within 30 s, and an answer with our headers to what is none.

uvicorn's parser (httptools) joins what has come of a header anew with every packet and knows no end to it: one stranger
with an endless header would hold up everybody. Bodies have limits of their own (`web.guards`); what stands between and
behind their chunks is counted like a head.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from radrelay.web.guards import HEADERS, HSTS

MOST_BYTES = 64 << 10
LONGEST_S = 30.0


Address = tuple[str, int]


class _TooLarge(Exception):
    """The head of a request is longer than it may be."""


class BoundedHeads(HttpToolsProtocol):
    """HTTP/1.1 of one connection."""

    longest_s = LONGEST_S

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._open = 0
        """Bytes since the last whole head, piece of a body, or end of a request."""
        self._size = 0
        """Bytes of the head that is being read, as far as its lines are whole."""
        self._late: asyncio.TimerHandle | None = None
        self._known: tuple[Address, Address, set[BoundedHeads]] | None = None

    def come_from(self, client: Address, server: Address, among: set[BoundedHeads]) -> None:
        """Take other addresses than the socket's for true, and be counted `among` such connections."""
        self._known = (client, server, among)
        self.ws_protocol_class = None  # the application has none, and one would be made without what is known here

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if self._known is not None:
            self.client, self.server, among = self._known
            among.add(self)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._came()
        if self._known is not None:
            self._known[2].discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a packet; refuse what has grown too long without an end."""
        self._open += len(data)
        super().data_received(data)
        if self._open > MOST_BYTES and not self.transport.is_closing():
            self._refuse(431, "The head of this request is too large.")
        elif self._open and self._late is None:
            self._wait()

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self._size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a line of the head, or of what stands behind the chunks of a body."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on."""
        self._came()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take note of the end of a request."""
        self._came()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or too large a one."""
        if self._size > MOST_BYTES:
            self._refuse(431, "The head of this request is too large.")
        else:
            self._refuse(400, msg)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > MOST_BYTES:
            raise _TooLarge  # the parser stops, and `send_400_response` is asked

    def _wait(self) -> None:
        self._late = self.loop.call_later(self.longest_s, self._give_up)

    def _came(self) -> None:
        self._open = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self._refuse(408, "This request took too long.")

    def _refuse(self, status: int, text: str) -> None:
        """Answer and hang up; only hang up in the middle of another answer, or where nothing was asked."""
        cycle: RequestResponseCycle | None = self.cycle
        underway = cycle is not None and cycle.response_started and not cycle.response_complete
        if not underway and (self._open or status != 408):
            secure = {"strict-transport-security": HSTS} if self.scheme == "https" else {}
            told = {
                "content-type": "text/plain; charset=utf-8",
                "content-length": str(len(text)),
                "connection": "close",
            }
            lines = [f"{name}: {value}\r\n".encode() for name, value in (HEADERS | secure | told).items()]
            self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", text.encode()]))
        self.transport.close()
