"""The role `agent`: the links to the relays in the DMZ, kept up by the side of the roles that answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import asdict

import msgspec

from radrelay.app.core import Core
from radrelay.app.role import run_role, settle
from radrelay.gateway.agent import Agent
from radrelay.gateway.link import LinkState
from radrelay.settings import Settings
from radrelay.storage.models import NodeState

TOLD_S = 5.0


def run(settings: Settings) -> int:
    """Run the role until told to stop; returns the exit code."""
    return run_role("agent", settings, serve)


def is_enrolled(settings: Settings) -> bool:
    """Say whether there is a relay to be reached by."""
    return any((settings.gateway_dir / "relays").glob("*/agent.pem"))


def serve(core: Core, stop: threading.Event) -> None:
    """Keep the links up until `stop` is set."""
    settle()
    asyncio.run(_serve(core, stop))


async def _serve(core: Core, stop: threading.Event) -> None:
    settings = core.settings.agent
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting = threading.Thread(
        target=lambda: (stop.wait(), loop.call_soon_threadsafe(ending.set)), name="ending", daemon=True
    )
    waiting.start()
    agent = Agent(
        core.settings.gateway_dir,
        core.clock,
        ahead=settings.ahead,
        health_port=settings.health_port,
        onward=settings.onward_to,
    )
    await agent.run(ending, Told(core))


class Told:
    """Writes how it stands with the relays to where other roles and commands read it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._last = b""
        self._loop = asyncio.get_running_loop()
        self._due_at = 0.0

    def __call__(self, states: Sequence[LinkState]) -> None:
        """Write what has changed."""
        value = msgspec.json.encode([asdict(state) for state in states])
        if value == self._last or (self._loop.time() < self._due_at and self._last):
            return
        self._last, self._due_at = value, self._loop.time() + TOLD_S
        self._loop.run_in_executor(None, self._write, value)

    def _write(self, value: bytes) -> None:
        with self._core.database.write() as session:
            session.merge(NodeState(name=f"gateway/{self._core.node}", value=value))
