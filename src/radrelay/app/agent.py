"""The role `agent`: the links to the relays in the DMZ, kept up by the side of the roles that answer.

It opens no database and holds no key of the installation: what talks to the DMZ has nothing to give away.
"""

from __future__ import annotations

import asyncio
import os
import signal

import structlog

from radrelay import logs
from radrelay.clock import SystemClock
from radrelay.gateway.agent import Agent
from radrelay.settings import Settings

PARENT = "RADRELAY_SERVED_BY"  # as in `beats`, which knows the database
log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Run the role until told to stop; returns the exit code."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log, "agent", settings.log_dir)
    asyncio.run(_serve(settings))
    return 0


def is_enrolled(settings: Settings) -> bool:
    """Say whether there is a relay to be reached by."""
    return any((settings.gateway_dir / "relays").glob("*/agent.pem"))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    agent = Agent(
        settings.gateway_dir,
        SystemClock(),
        ahead=settings.agent.ahead,
        health_port=settings.agent.health_port,
        onward=settings.agent.onward_to,
        public=lambda: settings.public_certificate[0],
    )
    log.info("role started", pid=os.getpid())
    await agent.run(stop, _is_served)
    log.info("role ended")


def _is_served() -> bool:
    """Say whether the `radrelay serve` that started us still runs; a next one would find our port taken."""
    parent = os.environ.get(PARENT)
    return parent is None or str(os.getppid()) == parent
