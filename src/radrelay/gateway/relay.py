"""The relay in the DMZ: two ports, agents at the one, the world at the other; it sees no plain text and has no key.

It keeps the names of its sites, its own authority and nothing else. Everything runs in one event loop; the bytes pass
through the kernel alone (`splicing`).
"""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from radrelay.clock import Clock
from radrelay.errors import Misconfigured, RadrelayError
from radrelay.gateway.agents import Agent, Agents
from radrelay.gateway.authority import RELAY_FOR, Authority
from radrelay.gateway.codes import digest_of
from radrelay.gateway.errors import PeerGone, PeerUnclear
from radrelay.gateway.limits import counted_as
from radrelay.gateway.lobby import ACCEPT_PAUSE_S, Lobby, LobbyBounds
from radrelay.gateway.numbers import Numbers
from radrelay.gateway.registry import Registry, Routes
from radrelay.gateway.secured import Secured
from radrelay.gateway.splicing import tune

CONTROL, DATA, ENROL = "radrelay-control/1", "radrelay-data/1", "radrelay-enrol/1"
HANDSHAKE_S, CODE_S = 5.0, 10.0
MOST_SHAKING, MOST_SHAKING_OF_ONE = 512, 128
"""Connections to the agents' port that have not shown who they are; of all, and of one address."""

BACKLOG = 4096
TICK_S = 0.5
AGAIN = timedelta(hours=1)
KEPT_FILES = 512
FILES_PER_CONNECTION = 4
"""Two sockets, and a pipe while something is under way."""

log = structlog.get_logger(__name__)


class RelaySettings(LobbyBounds, Protocol):
    """What the settings say of the relay."""

    @property
    def host(self) -> str:
        """Where it listens."""
        ...

    @property
    def agents_port(self) -> int:
        """For agents."""
        ...

    @property
    def public_port(self) -> int:
        """For browsers."""
        ...

    @property
    def health_port(self) -> int:
        """For programs that watch, on loopback."""
        ...

    @property
    def certificate_days(self) -> int:
        """How long a site's certificate counts."""
        ...


class Relay:
    """The relay of one DMZ; made in a running event loop."""

    def __init__(self, settings: RelaySettings, folder: Path, clock: Clock) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._authority = Authority.open(folder, clock.now())
        self._registry = Registry(folder)
        self._routes = self._registry.routes()
        self._version = self._registry.version()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context_until = datetime.min.replace(tzinfo=UTC)
        self.agents = Agents()
        self.lobby = Lobby(settings, self.agents, self, room_for_connections())
        self._ports: dict[int, socket.socket] = {}
        self._shaking: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self.agents_port = self.public_port = self.health_port = 0

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until told to stop; raises `Misconfigured` when a port is taken."""
        loop = asyncio.get_running_loop()
        self._renew_own()
        inner, outer = self._bound(self._settings.agents_port), self._bound(self._settings.public_port)
        self.agents_port, self.public_port = inner.getsockname()[1], outer.getsockname()[1]
        self.lobby.listen(outer, "web")
        self._open_ports()
        inner.setblocking(False)
        loop.add_reader(inner.fileno(), self._accept, inner)
        metrics = CollectorRegistry()
        metrics.register(_Metrics(self))
        numbers = await Numbers(metrics, self._trouble).serve("127.0.0.1", self._settings.health_port)
        self.health_port = numbers.sockets[0].getsockname()[1]
        log.info("relay started", agents=self.agents_port, browsers=self.public_port)
        ready()
        try:
            while not stop.is_set():
                self._tick()
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await stop.wait()
        finally:
            numbers.close()
            loop.remove_reader(inner.fileno())
            inner.close()
            self.lobby.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._registry.close()

    def site_of(self, server_name: str) -> str | None:
        """Return the site of a host name."""
        return self._routes.hosts.get(server_name)

    def site_of_port(self, port: int) -> str | None:
        """Return the site of a DICOM port."""
        return self._routes.ports.get(port)

    def _bound(self, port: int) -> socket.socket:
        host = self._settings.host
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            dual = host == "::" and socket.has_dualstack_ipv6()
            return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
        except OSError as error:
            raise Misconfigured(f"the relay cannot bind {host}:{port}: {error.strerror or error}") from error

    def _tick(self) -> None:
        """Follow what the commands have changed, and end what has come to its end."""
        version = self._registry.version()
        if version != self._version:
            self._version = version
            self._follow()
        now = self._clock.now()
        for agent in self.agents.all():
            if agent.serial not in self._routes.serials or agent.ends_at <= now:
                log.warning("an agent's certificate counts no more", site=agent.site, host=agent.host)
                agent.close()
        if self._context_until <= now:
            try:
                self._renew_own()
            except OSError as error:  # no room: there are weeks to make some
                self._context_until = now + AGAIN
                log.error("the relay's own certificate cannot be renewed", reason=str(error))

    def _follow(self) -> None:
        before, self._routes = self._routes, self._registry.routes()
        self._open_ports()
        if (before.hosts, before.ports) != (self._routes.hosts, self._routes.ports):
            for agent in self.agents.all():
                self._spawn(self._tell(agent))

    async def _tell(self, agent: Agent) -> None:
        """Tell a site of its new names and ports."""
        with suppress(OSError):  # who listens to it notices
            await agent.control.send({"is": "site", **self._told(agent.site)})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _open_ports(self) -> None:
        """Listen at the DICOM ports of the sites, and at no others."""
        for port in set(self._ports) - set(self._routes.ports):
            self.lobby.leave(self._ports.pop(port))
        for port in set(self._routes.ports) - set(self._ports):
            try:
                self._ports[port] = self._bound(port)
            except Misconfigured as error:
                log.error("a site's port cannot be opened", reason=error.message)
                continue
            self.lobby.listen(self._ports[port], "dicom")

    def _renew_own(self) -> None:
        """Speak by a certificate of our own that has half its time before it."""
        now = self._clock.now()
        file = self._folder / "relay.pem"
        ends_at = self._authority.relay_certificate(file, now)
        self._context = server_context(file, self._authority.pem)
        self._context_until = ends_at - RELAY_FOR / 2

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors: the kernel keeps the others, and we come back to them
                log.warning("a connection to the agents' port could not be accepted", reason=error.strerror)
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening.fileno())
                loop.call_later(ACCEPT_PAUSE_S, self._accept_again, listening)
                return
            host = counted_as(peer[0])
            if self._shaking.total() >= MOST_SHAKING or self._shaking[host] >= MOST_SHAKING_OF_ONE:
                sock.close()
                continue
            tune(sock)
            self._shaking[host] += 1
            self._spawn(self._welcome(sock, host))

    def _accept_again(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:  # not closed meanwhile
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    async def _welcome(self, sock: socket.socket, host: str) -> None:
        """Find out who comes to the agents' port, and what for; it is counted until it shows a site's certificate."""
        kept, counted = False, True
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                one = await Secured.accept(sock, self._context)
            counted = not self._is_known(one)
            if not counted:
                self._uncount(host)
            if one.protocol == DATA:
                kept = await self._take_in(one)
            elif one.protocol == ENROL:
                async with asyncio.timeout(CODE_S):
                    await self._enrol(one)
            elif one.protocol == CONTROL:
                await self._control(one, host)
        except (OSError, PeerGone, PeerUnclear, TimeoutError) as error:
            log.info("no agent", host=host, reason=str(error) or type(error).__name__)
        finally:
            if counted:
                self._uncount(host)
            if not kept:
                sock.close()

    def _is_known(self, one: Secured) -> bool:
        named = _named(one)
        return named is not None and named[1] in self._routes.serials

    def _uncount(self, host: str) -> None:
        self._shaking[host] -= 1
        if not self._shaking[host]:
            del self._shaking[host]

    async def _take_in(self, one: Secured) -> bool:
        if not self._is_known(one):
            return False
        async with asyncio.timeout(HANDSHAKE_S):
            agent = self.agents.named(str((await one.receive()).get("agent", "")))
        named = _named(one)
        if agent is None or named is None or named[0] != agent.site or named[1] not in self._routes.serials:
            return False
        self.agents.offer(agent, one)
        return True

    async def _control(self, one: Secured, host: str) -> None:
        named = _named(one)
        if named is None or named[1] not in self._routes.serials:
            await one.send({"is": "refused"})
            return
        agent = Agent(named[0], named[1], named[2], host, one)
        await one.send({"is": "welcome", "agent": agent.token, **self._told(agent.site)})
        log.info("an agent is there", site=agent.site, host=host)
        await self.agents.keep(agent, self._answered)
        one.close()

    def _told(self, site: str) -> dict[str, Any]:
        """Return what a site is told of itself."""
        return {
            "site": site,
            "hosts": sorted(host for host, of in self._routes.hosts.items() if of == site),
            "ports": sorted(port for port, of in self._routes.ports.items() if of == site),
            "public_port": self.public_port,
        }

    def _answered(self, agent: Agent, message: dict[str, Any]) -> dict[str, Any] | None:
        if message.get("is") != "renew":
            return None
        now = self._clock.now()
        issued = self._authority.sign_site(str(message.get("request", "")), agent.site, now, self._valid)
        self._registry.renew(agent.site, issued, now)
        self._follow()
        return {"is": "certificate", "certificate": issued.pem, "authority": self._authority.pem}

    async def _enrol(self, one: Secured) -> None:
        """Tell who we are; sign for who has a code."""
        message = await one.receive()
        if message.get("is") == "who":
            await one.send({"authority": self._authority.pem})
            return
        now = self._clock.now()
        try:
            digest = digest_of(bytes.fromhex(str(message.get("secret", ""))))
            site = self._registry.site_of_code(digest, now)
            issued = self._authority.sign_site(str(message.get("request", "")), site, now, self._valid)
            self._registry.enrol(digest, issued, now)
        except (RadrelayError, ValueError) as error:
            log.warning("an enrolment was refused", reason=str(error))
            await asyncio.sleep(1.0)  # whoever guesses guesses slowly, and of 80 bits
            await one.send({"is": "refused"})
            return
        self._follow()
        log.info("a site was enrolled", site=site)
        await one.send({"is": "certificate", "certificate": issued.pem, "authority": self._authority.pem, "site": site})

    @property
    def _valid(self) -> timedelta:
        return timedelta(days=self._settings.certificate_days)

    def _trouble(self) -> str:
        away = sorted(set(self._routes.hosts.values()) - set(self.agents.by_site))
        return f"no agent of: {', '.join(away)}" if away else ""

    @property
    def routes(self) -> Routes:
        """Return where connections go."""
        return self._routes


def server_context(file: Path, authority: str) -> ssl.SSLContext:
    """Return what the agents' port speaks: TLS 1.3; who has a certificate shows it, who enrols has none yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authority)
    context.load_cert_chain(file)
    context.set_alpn_protocols([CONTROL, DATA, ENROL])
    context.num_tickets = 0  # no session outlives its certificate's revocation
    return context


def room_for_connections() -> int:
    """Raise the limit of open files as far as it goes; returns how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return (1 << 30) if soft == resource.RLIM_INFINITY else max(16, (soft - KEPT_FILES) // FILES_PER_CONNECTION)


def _named(one: Secured) -> tuple[str, str, datetime] | None:
    """Return the site, serial and end of a verified certificate."""
    shown = one.tls.getpeercert()
    if not shown:
        return None
    subject: Any = shown.get("subject", ())
    site = next((value for part in subject for name, value in part if name == "commonName"), "")
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return site, f"{int(str(shown['serialNumber']), 16):x}", ends_at


class _Metrics(Collector):
    """The relay's numbers for Prometheus."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        lobby, agents = self._relay.lobby, self._relay.agents
        connected = GaugeMetricFamily("radrelay_gateway_agents", "agents that are connected", labels=["site"])
        ahead = GaugeMetricFamily("radrelay_gateway_ahead", "connections dialled ahead", labels=["site"])
        joined = GaugeMetricFamily("radrelay_gateway_connections", "connections that are joined", labels=["site"])
        open_now = lobby.joined()
        for site in sorted({*self._relay.routes.hosts.values(), *self._relay.routes.ports.values()}):
            of = agents.by_site.get(site, [])
            connected.add_metric([site], len(of))
            ahead.add_metric([site], sum(len(agent.waiting) for agent in of))
            joined.add_metric([site], open_now[site])
        yield from (connected, ahead, joined)
        yield GaugeMetricFamily("radrelay_gateway_unfinished", "connections without a ClientHello", lobby.unfinished)
        accepted = CounterMetricFamily("radrelay_gateway_accepted", "connections that named a site", labels=["site"])
        for site, count in lobby.accepted.items():
            accepted.add_metric([site], count)
        refused = CounterMetricFamily("radrelay_gateway_refused", "connections turned away", labels=["reason"])
        for reason, count in lobby.refused.items():
            refused.add_metric([reason], count)
        moved = CounterMetricFamily("radrelay_gateway_bytes", "bytes of ended connections", labels=["site", "to"])
        for (site, way), count in lobby.bytes.items():
            moved.add_metric([site, way], count)
        yield from (accepted, refused, moved)
