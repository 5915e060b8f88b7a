"""A portal on loopback, in threads: what it answers at each path is a function of the test."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

from radrelay.importer.judging import Judge
from radrelay.importer.line import Limits, Proxy
from radrelay.importer.outgoing import Outgoing

NAME = "portal.test"
PATIENT = Limits(connect_s=10, idle_s=10, answer_s=20, head_s=20, whole_s=60)
HASTY = Limits(connect_s=2, idle_s=0.2, answer_s=0.3, head_s=0.3, whole_s=2, window_s=0.3, least_in_window=4096)

Answer = Callable[["Asked"], None]


class Asked(BaseHTTPRequestHandler):
    """A request, with what answers are made of."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        self.close_connection = True
        length = int(self.headers.get("Content-Length", "0"))
        self.body = self.rfile.read(length) if length else b""
        portal = self.server.portal
        portal.asked.append((self.command, self.path, dict(self.headers.items()), self.body))
        answer = portal.answers.get(self.path.partition("?")[0])
        if answer is None:
            self.give(404, b"")
        else:
            answer(self)

    do_GET = do_POST = do_HEAD = _serve

    def give(self, status: int, body: bytes, kind: str = "application/octet-stream", **headers: str) -> None:
        """Answer at once."""
        self.head(status, kind, len(body), **headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def head(self, status: int, kind: str, length: int | None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def hang(self) -> None:
        """Say nothing more until the test is over."""
        self.server.portal.over.wait(20)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    portal: Portal

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who hang up."""


@dataclass
class Portal:
    """Where it listens, what it answers, and what it was asked."""

    port: int
    secure: bool
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = NAME) -> str:
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{path}"

    def told(self) -> str:
        """All that it was told."""
        return "".join(f"{method} {path} {headers} {body!r}" for method, path, headers, body in self.asked)


@contextmanager
def portal(authority: trustme.CA | None = None, *names: str) -> Iterator[Portal]:
    """Run a portal, over TLS with a certificate of `authority` if there is one."""
    server = _Server(("127.0.0.1", 0), Asked)
    made = Portal(server.server_address[1], authority is not None)
    server.portal = made
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*(names or (NAME,))).configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def outgoing(
    authority: trustme.CA | None = None,
    *,
    allows: Callable[[str], bool] = lambda host: True,
    resolve: Callable[[str, int], list[str]] = lambda host, port: ["127.0.0.1"],
    limits: Limits = PATIENT,
    proxy: Proxy | None = None,
    loopback: bool = True,
) -> Outgoing:
    """Return a way out that finds all names on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which believes no authority but the test's
    if authority is not None:
        authority.configure_trust(context)
    return Outgoing(allows, Judge(resolve, loopback=loopback), lambda: context, limits, proxy)


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.bytes = b""
        self.begun = 0

    def begin(self) -> None:
        self.bytes, self.begun = b"", self.begun + 1

    def write(self, piece: bytes) -> None:
        self.bytes += piece
