"""The agent on site: a link to each relay, and connections that come through them handed to the roles that answer.

It follows the folder of enrolments, so that a relay is used as soon as this installation is enrolled there.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from radrelay.clock import Clock
from radrelay.errors import Misconfigured, RadrelayError
from radrelay.gateway.acme_files import state_in
from radrelay.gateway.credentials import Enrolment, enrolments
from radrelay.gateway.handover import Bell
from radrelay.gateway.link import Link
from radrelay.gateway.numbers import Numbers
from radrelay.gateway.proxy_protocol import Peer, proxy_head
from radrelay.gateway.public import facts_of
from radrelay.gateway.splicing import Pipes, Splice
from radrelay.gateway.standing import Board, LinkState

LOOK_S = 1.0
PATIENCE_S, AGAIN_S = 5.0, 0.02
log = structlog.get_logger(__name__)


class Agent:
    """All links of one installation; made in a running event loop."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        ahead: int,
        health_port: int,
        onward: tuple[str, int] | None = None,
        public: Callable[[], Path | None] = lambda: None,
    ) -> None:
        """Use the enrolments in `folder`/relays and the doors in `folder`; `onward` is who ends TLS instead of us.

        `public` says where the certificate for outside is, of which the metrics tell.
        """
        self._clock = clock
        self._ahead = ahead
        self._wanted_port = health_port
        self._onward = onward
        self.public = public
        self.folder = folder
        self._bell = Bell(folder)
        self._board = Board(folder)
        self._pipes = Pipes()
        self._spliced: set[Splice] = set()
        self._links: dict[Enrolment, tuple[Link, asyncio.Task[None]]] = {}
        self.health_port = 0
        self.lost = 0

    @property
    def states(self) -> Sequence[LinkState]:
        """Return how it stands with each relay."""
        return [link.state for link, _ in self._links.values()]

    async def run(self, stop: asyncio.Event, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Keep the links up until told to stop, or until `goes_on`, asked once a second, says no."""
        metrics = CollectorRegistry()
        metrics.register(_Metrics(self))
        try:
            numbers = await Numbers(metrics, self._trouble).serve("127.0.0.1", self._wanted_port)
        except OSError as error:
            raise Misconfigured(f"agent.health_port {self._wanted_port}: {error.strerror or error}") from error
        self.health_port = numbers.sockets[0].getsockname()[1]
        try:
            while not stop.is_set() and goes_on():
                self._follow()
                self._board.show(self.states, self._clock.now())
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await stop.wait()
        finally:
            numbers.close()
            tasks = [task for _, task in self._links.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for splice in list(self._spliced):
                splice.close()
            self._bell.close()

    def _follow(self) -> None:
        found = enrolments(self.folder / "relays")
        for gone in set(self._links) - set(found):
            self._links.pop(gone)[1].cancel()
        for one in found:
            if one not in self._links or self._links[one][1].done():
                link = Link(one, self._clock, self._ahead, self._take)
                self._links[one] = (link, asyncio.get_running_loop().create_task(self._kept_up(link)))

    async def _kept_up(self, link: Link) -> None:
        try:
            await link.run()
        except Exception:  # why: one relay's trouble must not end the links to the others; it is begun again
            log.exception("a link broke off; it is begun again", relay=link.state.relay)

    async def _take(self, service: str, sock: socket.socket, client: Peer, server: Peer) -> None:
        """Hand a connection on; a role that is being started again is waited for."""
        try:
            if service == "web" and self._onward is not None:
                await self._pass_on(sock, self._onward, client, server)
                return
            until = asyncio.get_running_loop().time() + PATIENCE_S
            while True:
                try:
                    self._bell.hand_over(service, sock, client, server)
                except OSError:
                    if asyncio.get_running_loop().time() > until:
                        self.lost += 1
                        log.warning("nobody here takes connections of this kind", service=service)
                        break
                    await asyncio.sleep(AGAIN_S)
                else:
                    break
        finally:
            if service != "web" or self._onward is None:
                sock.close()  # whoever took it has its own

    async def _pass_on(self, sock: socket.socket, onward: tuple[str, int], client: Peer, server: Peer) -> None:
        """Pass a connection on to another server on site, which ends its TLS and is told who called."""
        loop = asyncio.get_running_loop()
        target = socket.socket(socket.AF_INET6 if ":" in onward[0] else socket.AF_INET)
        target.setblocking(False)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await loop.sock_connect(target, onward)
                await loop.sock_sendall(target, proxy_head(client, server))
        except BaseException as error:
            target.close()
            sock.close()
            if not isinstance(error, OSError | TimeoutError):
                raise
            self.lost += 1
            log.warning("the server that ends TLS does not answer", host=onward[0], port=onward[1])
            return
        splice = Splice(sock, target, self._pipes, lambda inwards, outwards: self._spliced.discard(splice))
        self._spliced.add(splice)

    def _trouble(self) -> str:
        away = [state.relay for state in self.states if not state.connected]
        return f"no link to: {', '.join(away)}" if away else "" if self._links else "enrolled at no relay"


class _Metrics(Collector):
    """The agent's numbers for Prometheus."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        up = GaugeMetricFamily("radrelay_agent_connected", "whether the link to a relay is up", labels=["relay"])
        ahead = GaugeMetricFamily("radrelay_agent_ahead", "connections dialled ahead", labels=["relay"])
        ends = GaugeMetricFamily("radrelay_agent_certificate_ends", "end of the certificate, Unix", labels=["relay"])
        breaks = CounterMetricFamily("radrelay_agent_breaks", "breaks of the link", labels=["relay"])
        taken = CounterMetricFamily("radrelay_agent_taken", "connections that came through it", labels=["relay"])
        for state in self._agent.states:
            up.add_metric([state.relay], state.connected)
            ahead.add_metric([state.relay], state.ahead)
            if state.certificate_ends is not None:
                ends.add_metric([state.relay], state.certificate_ends.timestamp())
            breaks.add_metric([state.relay], state.breaks)
            taken.add_metric([state.relay], state.taken)
        yield from (up, ahead, ends, breaks, taken)
        yield from self._public()
        yield CounterMetricFamily("radrelay_agent_lost", "connections that nobody on site took", self._agent.lost)

    def _public(self) -> Iterator[Metric]:
        """Yield when the certificate for outside ends, and how often it was asked for in vain since it was given."""
        found = self._agent.public()
        with suppress(OSError, RadrelayError):
            if found is not None:
                ends = facts_of(found.read_bytes()).ends_at.timestamp()
                yield GaugeMetricFamily(
                    "radrelay_public_certificate_ends", "end of the certificate for outside, Unix", ends
                )
        failures = state_in(self._agent.folder).failures
        yield GaugeMetricFamily(
            "radrelay_acme_failures", "times it was asked for in vain since the last success", failures
        )
