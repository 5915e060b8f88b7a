"""A relay, sites with their agents, and a server behind each, in one process and on free loopback ports."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from radrelay.clock import FixedClock
from radrelay.gateway.agent import Agent
from radrelay.gateway.authority import Authority
from radrelay.gateway.codes import new_code
from radrelay.gateway.credentials import Enrolment, RelayAddress
from radrelay.gateway.enrolment import enrol
from radrelay.gateway.handover import Arrival, Door, door_of
from radrelay.gateway.registry import Registry
from radrelay.gateway.relay import Relay
from radrelay.settings import GatewaySettings

PUBLIC = trustme.CA()


async def until(question: Callable[[], object], what: str, seconds: float = 10.0) -> float:
    """Wait until the answer is true; returns how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not question():
        if loop.time() - began > seconds:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        await asyncio.sleep(0.01)
    return loop.time() - began


def ran(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario to its end, in a thread of its own: a browser of other tests may have left a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, scenario).result()


@dataclass
class RunningRelay:
    """A relay that can be stopped, and started again at its ports."""

    folder: Path
    clock: FixedClock
    settings: GatewaySettings
    relay: Relay | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._stop = asyncio.Event()
        up = asyncio.Event()
        self.relay = Relay(self.settings, self.folder, self.clock)
        self._task = asyncio.create_task(self.relay.run(self._stop, up.set))
        await asyncio.wait((asyncio.create_task(up.wait()), self._task), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        ports = {"agents_port": self.relay.agents_port, "public_port": self.relay.public_port}
        self.settings = self.settings.model_copy(update=ports)

    async def stop(self) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    @property
    def running(self) -> Relay:
        assert self.relay is not None
        return self.relay

    @property
    def address(self) -> RelayAddress:
        return RelayAddress("127.0.0.1", self.running.agents_port)

    def registry(self) -> Registry:
        return Registry(self.folder)

    def code(self, site: str, minutes: int = 60) -> str:
        code, digest = new_code(Authority.open(self.folder, self.clock.now()).fingerprint)
        registry = self.registry()
        registry.add_code(site, digest, self.clock.now() + timedelta(minutes=minutes))
        registry.close()
        return code

    def site(self, name: str, hosts: list[str], ports: list[int] | None = None) -> None:
        registry = self.registry()
        registry.put_site(name, hosts, ports or [], self.clock.now())
        registry.close()


class Echo(asyncio.Protocol):
    """Says its site's name first, then everything back."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._name.encode() + b"\n")

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


@dataclass
class RunningSite:
    """A site: its agent, and a server that ends TLS for who comes through it."""

    name: str
    folder: Path
    agent: Agent
    arrived: list[Arrival]
    stop_agent: asyncio.Event

    @property
    def connected(self) -> bool:
        return all(state.connected and state.ahead for state in self.agent.states) and bool(self.agent.states)


@dataclass
class House:
    """All of it."""

    folder: Path
    stack: AsyncExitStack
    clock: FixedClock = field(default_factory=lambda: FixedClock(datetime.now(UTC)))

    async def relay(self, name: str = "relay", **settings: object) -> RunningRelay:
        ports = {"host": "127.0.0.1", "agents_port": 0, "public_port": 0, "health_port": 0}
        made = RunningRelay(self.folder / name, self.clock, GatewaySettings.model_validate(ports | settings))
        await made.start()
        self.stack.push_async_callback(made.stop)
        return made

    async def enrolled(self, relay: RunningRelay, site: str, hosts: list[str]) -> Enrolment:
        relay.site(site, hosts)
        kept, named = await enrol(self.folder / site / "relays", relay.address, relay.code(site))
        assert named == site
        return kept

    async def site(self, name: str, hosts: list[str], *relays: RunningRelay, ahead: int = 4) -> RunningSite:
        """Enrol a site at relays and run it."""
        for relay in relays:
            await self.enrolled(relay, name, hosts)
        made = await self.run_site(name, hosts, ahead=ahead)
        await until(lambda: made.connected, "the agent's link")
        return made

    async def run_site(
        self, name: str, hosts: list[str], *, ahead: int = 4, onward: tuple[str, int] | None = None
    ) -> RunningSite:
        folder = self.folder / name
        stop = asyncio.Event()
        agent = Agent(folder, self.clock, ahead=ahead, health_port=0, onward=onward)
        task = asyncio.create_task(agent.run(stop))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        PUBLIC.issue_cert(*hosts, "*.elsewhere.example").configure_cert(context)
        door = Door(door_of(folder, "web"))
        made = RunningSite(name, folder, agent, [], stop)
        loop = asyncio.get_running_loop()
        serving: set[asyncio.Task[None]] = set()

        async def serve(one: Arrival) -> None:
            with suppress(OSError):
                await loop.connect_accepted_socket(lambda: Echo(name), one.sock, ssl=context)

        def come() -> None:
            for one in door.arrivals():
                made.arrived.append(one)
                task = loop.create_task(serve(one))
                serving.add(task)
                task.add_done_callback(serving.discard)

        loop.add_reader(door.sock.fileno(), come)

        async def end() -> None:
            stop.set()
            await task
            loop.remove_reader(door.sock.fileno())
            door.close()
            for one in serving:
                one.cancel()

        self.stack.push_async_callback(end)
        await until(lambda: agent.states, "the agent to look at its enrolments")
        return made


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    """Give an empty house, and close all that was made in it."""
    async with AsyncExitStack() as stack:
        yield House(folder, stack)


def browser() -> ssl.SSLContext:
    """Return what a browser trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    PUBLIC.configure_trust(context)
    return context


async def answer_of(relay: RunningRelay, name: str, said: bytes = b"", source: str = "127.0.0.1") -> str:
    """Connect through a relay as a browser does; returns who answers, having had everything echoed."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", relay.running.public_port, ssl=browser(), server_hostname=name, local_addr=(source, 0)
    )
    try:
        who = (await reader.readline()).decode().strip()
        if said:
            writer.write(said)
            assert await reader.readexactly(len(said)) == said
        return who
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def silent(relay: RunningRelay, source: str) -> socket.socket:
    """Return a connection that says nothing."""
    sock = socket.socket()
    sock.bind((source, 0))
    sock.connect(("127.0.0.1", relay.running.public_port))
    return sock
