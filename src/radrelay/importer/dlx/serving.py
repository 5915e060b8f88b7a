"""The provider's web server, in threads: sends what is answered, and breaks off, stalls or drips if it is told to."""

from __future__ import annotations

import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from radrelay.importer.dlx.provider import Answer, Provider

PIECE, MOST_BODY = 256 << 10, 64 << 10
DRIP_S, LOOK_S = 0.05, 0.05
_RANGE = re.compile(r"bytes=(\d+)-")


class ProviderServer(ThreadingHTTPServer):
    """Serves a provider until `shutdown`; `certificate` is a PEM of chain and key, without: http, on loopback alone."""

    daemon_threads = True

    def __init__(self, provider: Provider, address: tuple[str, int], certificate: Path | None = None) -> None:
        super().__init__(address, _Handler)
        self.provider, self.over = provider, threading.Event()
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self.server_address[1])

    def shutdown(self) -> None:
        """End, and let go of those who are kept waiting."""
        self.over.set()
        super().shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who hang up, as importers do with a provider that fails."""


class _Handler(BaseHTTPRequestHandler):
    server: ProviderServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _serve(self) -> None:
        self.close_connection = True
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(min(int(length), MOST_BODY)) if length.isdigit() else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.provider.answer(self.command, self.path, headers, body))

    do_GET = do_POST = _serve  # noqa: N815  # as http.server names them

    def log_message(self, *_: Any) -> None:
        """Keep no log: addresses hold tokens."""

    def _send(self, answer: Answer) -> None:
        if answer.file is None:
            self._head(answer, answer.status, len(answer.body))
            self.wfile.write(answer.body)
            return
        size = answer.file.stat().st_size
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        same = self.headers.get("If-Range", answer.headers.get("ETag", "")) == answer.headers.get("ETag")
        start = int(asked[1]) if asked and same and "ETag" in answer.headers and int(asked[1]) < size else 0
        if start:
            self._head(answer, 206, size - start, {"Content-Range": f"bytes {start}-{size - 1}/{size}"})
        else:
            self._head(answer, answer.status, None if answer.manner == "endless" else size)
        with answer.file.open("rb") as file:
            file.seek(start)
            self._body(file.read, answer, size - start)

    def _head(self, answer: Answer, status: int, length: int | None, also: dict[str, str] | None = None) -> None:
        self.send_response(status)
        if answer.media_type:
            self.send_header("Content-Type", answer.media_type)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in {**answer.headers, **(also or {}), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, read: Any, answer: Answer, size: int) -> None:
        """Send a file in its manner; what is broken off ends at 99 %."""
        most = {"break-off": size * 99 // 100, "stall": size // 2}.get(answer.manner, size)
        while most > 0 and (piece := read(min(PIECE, most))):
            most -= len(piece)
            if answer.manner != "drip":
                self.wfile.write(piece)
                continue
            for at in range(len(piece)):
                if self.server.over.wait(DRIP_S):
                    return
                self.wfile.write(piece[at : at + 1])
        if answer.manner == "stall":
            self.server.over.wait()
        while answer.manner == "endless" and not self.server.over.is_set():
            self.wfile.write(bytes(PIECE))
