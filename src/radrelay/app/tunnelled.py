"""What comes to the pages through a relay: TLS ends here, and the address is the one that the relay has seen.

Nothing that a browser sends says where it is: forwarded headers are thrown away before the application sees them.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from radrelay import audit
from radrelay.app.request_heads import BoundedHeads
from radrelay.errors import Misconfigured
from radrelay.gateway.challenges import Challenges
from radrelay.gateway.handover import Arrival, Door, door_of
from radrelay.gateway.hello import NotTls
from radrelay.settings import Settings
from radrelay.web.connection import TUNNEL

TLS_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2 (BSI TR-02102-2); those of 1.3 are all good
MOST = 4_000
"""Connections through relays at once, whatever a relay lets through."""

HANDSHAKE_S = 10.0
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto")
log = structlog.get_logger(__name__)

Make = Callable[[], BoundedHeads]


class Tunnelled:
    """Takes connections from the agent in, and serves them by the same application."""

    def __init__(self, settings: Settings, make: Make, password: bytes, challenges: Challenges | None = None) -> None:
        """Serve by the protocols that `make` gives; `password` opens the key of the certificate for outside."""
        self._settings = settings
        self._challenges = challenges or Challenges()
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._door = Door(door_of(settings.gateway_dir, "web"))
        self._open: set[BoundedHeads] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._certificate = PublicCertificate(settings, password)
        self._loop.add_reader(self._door.sock.fileno(), self._come)

    def close(self) -> None:
        """Take no more in."""
        self._loop.remove_reader(self._door.sock.fileno())
        self._door.close()
        for task in self._tasks:
            task.cancel()

    def _come(self) -> None:
        for arrival in self._door.arrivals():
            if len(self._tasks) + len(self._open) >= MOST:
                arrival.sock.close()
                continue
            task = self._loop.create_task(self._serve(arrival))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, arrival: Arrival) -> None:
        try:
            proof = await self._challenges.context_for(arrival.sock) if self._challenges.any else None
            context = proof or self._certificate.context()
        except Misconfigured as error:
            log.error("a connection through a relay cannot be answered", reason=error.message)
            arrival.sock.close()
            return
        except (OSError, NotTls):  # gone, or silent, while a certificate authority was waited for
            arrival.sock.close()
            return
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(arrival), arrival.sock, ssl=context, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, TimeoutError) as error:
            log.info("TLS through a relay failed", client=arrival.client[0], reason=str(error))
            arrival.sock.close()

    def _protocol(self, arrival: Arrival) -> BoundedHeads:
        protocol = self._make()
        protocol.come_from(arrival.client, arrival.server, self._open)
        protocol.app = FromTunnel(protocol.app)
        return protocol


class FromTunnel:
    """Marks what came through a relay, and takes out what only a proxy of ours may say."""

    def __init__(self, app: Any) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] in ("http", "websocket"):
            headers = [(name, value) for name, value in scope["headers"] if name not in FORWARDED]
            scope = {**scope, "headers": headers, "extensions": {**scope.get("extensions", {}), TUNNEL: {}}}
        token = audit.ADDRESS_BY.set("relay")
        try:
            await self._app(scope, receive, send)
        finally:
            audit.ADDRESS_BY.reset(token)


class PublicCertificate:
    """The certificate for who comes from outside; a new one counts from the next connection on."""

    def __init__(self, settings: Settings, password: bytes) -> None:
        self._settings = settings
        self._password = password
        self._loaded: tuple[tuple[float, ...], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Return what TLS ends with; raises `Misconfigured` without a usable certificate."""
        chain, key = self._settings.public_certificate
        if chain is None or key is None:
            raise Misconfigured(
                "there is no certificate for the pages: set agent.tls_certificate and agent.tls_key, or hand one in "
                "with `radrelay agent certificate`, or have one asked for with `radrelay agent acme`"
            )
        try:
            stamp = tuple(path.stat().st_mtime for path in (chain, key))
            if self._loaded is None or self._loaded[0] != stamp:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                context.load_cert_chain(chain, key, lambda: self._password)
                context.set_ciphers(TLS_CIPHERS)
                context.set_alpn_protocols(["http/1.1"])
                self._loaded = (stamp, context)
        except OSError as error:  # ssl.SSLError is one
            if self._loaded is not None:  # while it is being replaced
                return self._loaded[1]
            raise Misconfigured(f"the certificate {chain} cannot be used: {error}") from error
        return self._loaded[1]
