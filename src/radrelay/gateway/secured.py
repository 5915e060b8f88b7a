"""TLS over a socket that is our own, so that it can be laid down again and the bare connection handed on.

A tunnel's connection proves both sides and says whose it is under TLS; then both send close_notify (RFC 8446, 6.1) and
what follows is the browser's own TLS, passed on as it is. Records are read one by one and never beyond: what comes
after the last one is left in the socket for whoever gets it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from contextlib import suppress
from typing import Any

from radrelay.gateway.errors import PeerGone, PeerUnclear

LINE_BYTES = 64 << 10
RECORD_HEAD = 5


class Secured:
    """One connection under TLS; made by `accept` and `connect`."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, *, server_hostname: str | None) -> None:
        self.sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_hostname is None, server_hostname=server_hostname
        )
        self._read = bytearray()
        self._sending = asyncio.Lock()

    @classmethod
    async def accept(cls, sock: socket.socket, context: ssl.SSLContext) -> Secured:
        """Shake hands as the server; raises `OSError` (`ssl.SSLError`) or `PeerGone`."""
        return await cls(sock, context, server_hostname=None)._shake_hands()

    @classmethod
    async def connect(cls, sock: socket.socket, context: ssl.SSLContext, name: str) -> Secured:
        """Shake hands as the client with who calls itself `name`; raises as `accept` does."""
        return await cls(sock, context, server_hostname=name)._shake_hands()

    @property
    def protocol(self) -> str:
        """What the connection is for (ALPN, RFC 7301)."""
        return self.tls.selected_alpn_protocol() or ""

    async def _shake_hands(self) -> Secured:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
                continue
            except ssl.SSLError:
                with suppress(OSError):
                    await self._flush()  # the alert that tells the other side why
                raise
            await self._flush()
            return self

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self.tls.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        await self._flush()

    async def receive(self) -> dict[str, Any]:
        """Return the next message; raises `PeerGone` at the end, `PeerUnclear` for what is none."""
        while (end := self._read.find(b"\n")) < 0:
            if len(self._read) > LINE_BYTES:
                raise PeerUnclear
            try:
                data = self.tls.read(LINE_BYTES)
            except ssl.SSLWantReadError:
                await self._fill()
                continue
            except ssl.SSLZeroReturnError as error:
                raise PeerGone from error
            if not data:
                raise PeerGone
            self._read += data
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        try:
            message = json.loads(line)
        except ValueError as error:
            raise PeerUnclear from error
        if not isinstance(message, dict):
            raise PeerUnclear
        return message

    def last_words(self, message: dict[str, Any]) -> bytes:
        """Return a message and the end of our TLS as they go over the wire; the bare connection begins after them."""
        self.tls.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._outgoing.read()

    async def lay_down(self) -> None:
        """End TLS on both sides; the socket is bare afterwards, nothing read beyond."""
        while True:
            try:
                self.tls.unwrap()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
                continue
            await self._flush()
            return

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    async def _flush(self) -> None:
        async with self._sending:
            data = self._outgoing.read()
            if data:
                await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def _fill(self) -> None:
        """Take one record."""
        head = await self._exactly(RECORD_HEAD)
        self._incoming.write(head)
        self._incoming.write(await self._exactly(int.from_bytes(head[3:5], "big")))

    async def _exactly(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        taken = b""
        while len(taken) < size:
            data = await loop.sock_recv(self.sock, size - len(taken))
            if not data:
                raise PeerGone
            taken += data
        return taken
