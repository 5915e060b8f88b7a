"""The relay's side of the tunnels: which agents are there, and the connections that they have dialled ahead.

An agent keeps one control connection, over which both say every half second that they are there, and some further ones
that wait for a browser. What waits belongs to the control connection that it was dialled for and goes with it.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from radrelay.gateway.errors import PeerGone, PeerUnclear
from radrelay.gateway.secured import Secured

SILENCE_S = 1.5
"""After so long without a word the other side counts as gone."""

MOST_WAITING = 512
"""Connections of one agent that wait, whatever it dials."""

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Agent:
    """One agent that is connected."""

    site: str
    serial: str
    ends_at: datetime
    host: str
    control: Secured
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    waiting: deque[Secured] = field(default_factory=deque)

    def drop(self, one: Secured) -> None:
        """Close a connection that waits."""
        with suppress(ValueError):
            self.waiting.remove(one)
            asyncio.get_running_loop().remove_reader(one.sock.fileno())
            one.close()

    def close(self) -> None:
        """Close all that waits, and the control connection."""
        while self.waiting:
            self.drop(self.waiting[0])
        with suppress(OSError):
            self.control.sock.shutdown(socket.SHUT_RDWR)  # wakes who reads it, and closes it then


class Agents:
    """All agents that are connected, by site."""

    def __init__(self) -> None:
        self.by_site: dict[str, list[Agent]] = {}
        self._wanted: dict[str, deque[asyncio.Future[Secured]]] = {}
        self._turn = 0

    def all(self) -> list[Agent]:
        """Return every agent."""
        return [agent for agents in self.by_site.values() for agent in agents]

    def named(self, token: str) -> Agent | None:
        """Return the agent that was given a token."""
        return next((agent for agent in self.all() if secrets.compare_digest(agent.token, token)), None)

    async def keep(self, agent: Agent, answer: Callable[[Agent, dict[str, Any]], dict[str, Any] | None]) -> None:
        """Have an agent until its control connection ends or it says nothing any more."""
        self.by_site.setdefault(agent.site, []).append(agent)
        try:
            for _ in self._wanted.get(agent.site, ()):
                await agent.control.send({"is": "dial"})
            while True:
                async with asyncio.timeout(SILENCE_S):
                    message = await agent.control.receive()
                reply = {"is": "pong"} if message.get("is") == "ping" else answer(agent, message)
                if reply is not None:
                    await agent.control.send(reply)
        except (OSError, PeerGone, PeerUnclear, TimeoutError) as error:
            log.info("an agent is gone", site=agent.site, host=agent.host, reason=str(error) or type(error).__name__)
        finally:
            self.by_site[agent.site].remove(agent)
            if not self.by_site[agent.site]:
                del self.by_site[agent.site]
            agent.close()
            agent.control.close()

    def offer(self, agent: Agent, one: Secured) -> None:
        """Take in a connection that an agent has dialled."""
        wanted = self._wanted.get(agent.site, deque())
        while wanted:
            first = wanted.popleft()
            if not first.done():
                first.set_result(one)
                return
        if len(agent.waiting) >= MOST_WAITING:
            one.close()
            return
        agent.waiting.append(one)
        # nothing is said while it waits: what comes then is its end
        asyncio.get_running_loop().add_reader(one.sock.fileno(), agent.drop, one)

    async def take(self, site: str, until: float) -> Secured | None:
        """Return a connection to a site, None if there is none until then (the loop's time)."""
        agents = self.by_site.get(site, [])
        self._turn += 1
        for at in range(len(agents)):
            agent = agents[(self._turn + at) % len(agents)]
            if agent.waiting:
                one = agent.waiting.popleft()
                asyncio.get_running_loop().remove_reader(one.sock.fileno())
                return one
        return await self._awaited(site, agents, until)

    async def _awaited(self, site: str, agents: list[Agent], until: float) -> Secured | None:
        loop = asyncio.get_running_loop()
        wanted = self._wanted.setdefault(site, deque())
        coming: asyncio.Future[Secured] = loop.create_future()
        wanted.append(coming)
        try:
            if agents:
                with suppress(OSError):
                    await agents[self._turn % len(agents)].control.send({"is": "dial"})
            async with asyncio.timeout_at(until):
                return await asyncio.shield(coming)
        except TimeoutError:
            if coming.done() and not coming.cancelled():
                return coming.result()
            return None
        finally:
            coming.cancel()
            with suppress(ValueError):
                wanted.remove(coming)
            if not wanted and self._wanted.get(site) is wanted:
                del self._wanted[site]
