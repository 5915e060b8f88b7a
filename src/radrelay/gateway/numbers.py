"""Health and metrics of relay and agent, over HTTP on a loopback port: /healthz, /readyz, /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

LINES, LONGEST_S = 100, 5.0


class Numbers:
    """A small HTTP server for programs that watch."""

    def __init__(self, registry: CollectorRegistry, trouble: Callable[[], str]) -> None:
        """Answer from `registry`; `trouble` says in a word what is wrong, or nothing."""
        self._registry = registry
        self._trouble = trouble

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Begin to answer."""
        return await asyncio.start_server(self._answer, host, port)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(LONGEST_S):
                first = (await reader.readline()).split()
                for _ in range(LINES):
                    if not (await reader.readline()).strip():
                        break
                writer.write(self._response(first[1].decode("ascii", "replace") if len(first) == 3 else ""))
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass
        finally:
            writer.close()

    def _response(self, path: str) -> bytes:
        status, kind, body = "404 Not Found", "text/plain", b"not found\n"
        if path == "/healthz":
            status, body = "200 OK", b"ok\n"
        elif path == "/readyz":
            trouble = self._trouble()
            status, body = ("503 Service Unavailable", f"{trouble}\n".encode()) if trouble else ("200 OK", b"ready\n")
        elif path == "/metrics":
            status, kind, body = "200 OK", CONTENT_TYPE_LATEST, generate_latest(self._registry)
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        return head.encode() + body
