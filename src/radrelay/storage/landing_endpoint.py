"""The internal endpoint of a node: ranges of its landing files, for the installation's other nodes alone.

HTTP over mutual TLS (`node_tls`): a stranger does not get past the handshake, so nothing tells him what is here. What
goes out is encrypted records as they lie on disk, for reading only: each node erases its own. The address names the
node and the epoch of its lease, so that one whose disk has moved on, or who has taken another's address, says so.

    GET /landing/<node>/<epoch>/<owner>/<file>   Range: bytes=FIRST-LAST
    206 the bytes, fewer at the file's end · 404 the file is gone · 409 another node or epoch
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import structlog

from radrelay.storage.nodes import Lease

MOST_BYTES = 4 << 20  # in one answer
HANDSHAKE_S = 10.0
IDLE_S = 120.0
CONNECTIONS = 128
_PATH = re.compile(
    r"/landing/(?P<node>[0-9a-f]{32})/(?P<epoch>\d{1,18})/(?P<owner>[a-z0-9-]{1,64})/"
    r"(?P<file>seg-\d{10,20}\.seg|large-[0-9a-f-]{36}\.obj)"
)
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")
log = structlog.get_logger(__name__)


class LandingEndpoint:
    """Serves the files under `landing_dir` until closed; raises `OSError` when the address is taken."""

    def __init__(self, landing_dir: Path, lease: Lease, context: ssl.SSLContext, host: str, port: int) -> None:
        self._server = _Server(landing_dir, lease, context, host, port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="landing-endpoint", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening; answers under way end with their connections."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, landing_dir: Path, lease: Lease, context: ssl.SSLContext, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.landing_dir = landing_dir
        self.lease = lease
        self._context = context
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, unless too many have one."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection; the handshake, too, is the thread's, so that nobody holds others up."""
        try:
            request.settimeout(HANDSHAKE_S)
            with self._context.wrap_socket(request, server_side=True) as secured:
                secured.settimeout(IDLE_S)
                self.finish_request(secured, client_address)
        except (OSError, ssl.SSLError) as error:
            log.info("a connection to the internal endpoint was refused or broke off", error=type(error).__name__)
        except Exception:  # why: one odd request must not end the endpoint
            log.exception("a request to the internal endpoint failed")
        finally:
            request.close()
            self._places.release()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer one range."""
        path, wanted = _PATH.fullmatch(self.path), _RANGE.fullmatch(self.headers.get("Range", ""))
        if path is None or wanted is None:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        lease = self.server.lease
        if (path["node"], int(path["epoch"])) != (lease.node, lease.epoch):
            self._answer(HTTPStatus.CONFLICT)
            return
        first, last = int(wanted[1]), int(wanted[2])
        try:
            handle = os.open(self.server.landing_dir / path["owner"] / path["file"], os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        try:
            data = os.pread(handle, max(0, min(MOST_BYTES, last - first + 1)), first)
        finally:
            os.close(handle)
        self._answer(HTTPStatus.PARTIAL_CONTENT, data)

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it
        """Say nothing of each request."""
