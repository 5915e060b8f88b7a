"""The agent's side of one relay: a control connection that is kept up, and some that are dialled ahead for browsers.

A break is noticed at once, silence after a second and a half; it is dialled again after a fifth of a second, then every
second. Connections that browsers use already live on without it.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog

from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.gateway.agents import SILENCE_S
from radrelay.gateway.authority import RELAY_NAME, certificate_request, new_key
from radrelay.gateway.credentials import Enrolment
from radrelay.gateway.enrolment import dialled
from radrelay.gateway.errors import CertificateRefused, PeerGone, PeerUnclear, RelayUnreachable, RelayUntrusted
from radrelay.gateway.proxy_protocol import Peer
from radrelay.gateway.relay import CONTROL, DATA
from radrelay.gateway.secured import Secured
from radrelay.gateway.standing import LinkState

HEARTBEAT_S = 0.5
HANDSHAKE_S = 5.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 1.0
MOST_DIALLING = 64
LOOK_S = 60.0
REFUSALS = (
    "CERTIFICATE_EXPIRED", "CERTIFICATE_REVOKED", "CERTIFICATE_UNKNOWN", "BAD_CERTIFICATE", "UNKNOWN_CA",
    "CERTIFICATE_REQUIRED", "DECRYPT_ERROR",
)  # fmt: skip
log = structlog.get_logger(__name__)

Take = Callable[[str, socket.socket, Peer, Peer], Awaitable[None]]
"""Takes a connection over: service, socket, who called, at which address of the relay."""


class Link:
    """One relay."""

    def __init__(self, enrolment: Enrolment, clock: Clock, ahead: int, take: Take) -> None:
        self._enrolment = enrolment
        self._clock = clock
        self._ahead = ahead
        self._take = take
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewing = False
        self._data: ssl.SSLContext | None = None
        self.state = LinkState(str(enrolment.relay), since=clock.now())

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            trouble = ""
            try:
                self.state.certificate_ends = self._enrolment.ends_at
                await self._live()
            except RadrelayError as error:
                trouble = error.code
                if trouble != self.state.trouble:
                    log.warning("no link to the relay", relay=self.state.relay, reason=error.message)
            finally:
                for task in self._tasks:
                    task.cancel()
            if self.state.connected:
                self._turn(connected=False)
                self.state.breaks += not self._renewing
                pause_s = 0.0 if self._renewing else FIRST_PAUSE_S
                self._renewing = False
            self.state.trouble = trouble
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(LAST_PAUSE_S, max(FIRST_PAUSE_S, pause_s * 2))

    def _turn(self, *, connected: bool) -> None:
        self.state.connected, self.state.since = connected, self._clock.now()
        log.info("link to the relay", relay=self.state.relay, connected=connected)

    async def _live(self) -> None:
        """Connect and stay; returns or raises when the connection is over."""
        control = await self._secured(self._enrolment.context(CONTROL))
        self._data = self._enrolment.context(DATA)
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                welcome = await _heard(control)
            if welcome.get("is") != "welcome":
                raise CertificateRefused
            self._learn(welcome)
            self.state.trouble = ""
            self._turn(connected=True)
            token = str(welcome["agent"])
            self._spawn(self._beat(control))
            for _ in range(self._ahead):
                self._dial(token)
            await self._listen(control, token)
        except TimeoutError as error:
            raise RelayUnreachable("the relay says nothing any more") from error
        except (KeyError, TypeError, ValueError) as error:
            raise PeerUnclear from error
        finally:
            control.close()

    def _learn(self, told: dict[str, Any]) -> None:
        """Take note of how we are reached there."""
        state = self.state
        state.site, state.hosts = str(told["site"]), [str(host) for host in told["hosts"]]
        state.ports, state.public_port = [int(port) for port in told["ports"]], int(told["public_port"])

    async def _listen(self, control: Secured, token: str) -> None:
        renewal: dict[str, Any] = {}
        looked = -LOOK_S
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - looked >= LOOK_S and not renewal:
                looked = loop.time()
                if self._enrolment.renews_at <= self._clock.now():
                    renewal["key"] = new_key()
                    await control.send({"is": "renew", "request": certificate_request(renewal["key"])})
            async with asyncio.timeout(SILENCE_S):
                message = await _heard(control)
            if message.get("is") == "dial":
                self._dial(token)
            elif message.get("is") == "site":
                self._learn(message)
            elif message.get("is") == "certificate" and renewal:
                self._enrolment.keep(renewal["key"], str(message["certificate"]), str(message["authority"]))
                log.info("the certificate was renewed", relay=self.state.relay)
                self._renewing = True
                return

    async def _beat(self, control: Secured) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            with suppress(OSError):  # whoever listens notices
                await control.send({"is": "ping"})

    def _dial(self, token: str) -> None:
        if len(self._tasks) - self.state.ahead < MOST_DIALLING:
            self._spawn(self._wait(token))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(self, token: str) -> None:
        """Dial ahead, wait until a browser needs it, and hand it over."""
        counted = False
        one = None
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                assert self._data is not None  # noqa: S101 -- narrows for the type checker: set before anything is dialled
                one = await self._secured(self._data)
                await one.send({"agent": token})
            self.state.ahead += 1
            counted = True
            message = await _heard(one)
            self.state.ahead -= 1
            counted = False
            if self.state.ahead < self._ahead:
                self._dial(token)
            async with asyncio.timeout(HANDSHAKE_S):
                await one.lay_down()
            sock, one = one.sock, None
            client, server = (_peer(message[which]) for which in ("client", "server"))
            self.state.taken += 1
            await self._take(str(message["service"]), sock, client, server)
        except (RadrelayError, OSError, TimeoutError, KeyError, TypeError, ValueError) as error:
            log.info("a connection through the relay ended early", reason=str(error) or type(error).__name__)
        finally:
            self.state.ahead -= counted
            if one is not None:
                one.close()

    async def _secured(self, context: ssl.SSLContext) -> Secured:
        sock = await dialled(self._enrolment.relay)
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                return await Secured.connect(sock, context, RELAY_NAME)
        except BaseException as error:
            sock.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise RelayUntrusted from error
            if isinstance(error, OSError | TimeoutError | PeerGone):
                raise RelayUnreachable(f"the relay breaks off: {str(error) or type(error).__name__}") from error
            raise


async def _heard(one: Secured) -> dict[str, Any]:
    """Return the next message; a refused certificate is told with the first (RFC 8446, 4.4.2.4)."""
    try:
        return await one.receive()
    except ssl.SSLError as error:
        if any(word in (error.reason or "") for word in REFUSALS):
            raise CertificateRefused from error
        raise RelayUnreachable(f"the relay breaks off: {error}") from error
    except (OSError, PeerGone) as error:
        raise RelayUnreachable("the relay has closed the connection") from error


def _peer(told: Any) -> Peer:
    host, port = told
    return str(host), int(port)
