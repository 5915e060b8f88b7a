"""`radrelay gateway`: the relay in the DMZ. It opens no database and no key of an installation."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog
from rich.console import Console

from radrelay import logs
from radrelay.clock import SystemClock
from radrelay.gateway.relay import Relay
from radrelay.settings import Settings

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Run the relay until told to stop; returns the exit code."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log, "gateway", settings.log_dir)
    with asyncio.Runner() as runner:
        runner.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    relay = Relay(settings.gateway, relay_folder(settings), SystemClock())
    log.info("role started", pid=os.getpid())
    await relay.run(stop, lambda: _greet(relay, settings))
    log.info("role ended")


def _greet(relay: Relay, settings: Settings) -> None:
    lines = [
        f"agents      {settings.gateway.host}:{relay.agents_port}   from the sites' servers only",
        f"browsers    {settings.gateway.host}:{relay.public_port}   from anywhere",
        f"health      http://127.0.0.1:{relay.health_port}/readyz",
    ]
    if not relay.routes.hosts:
        lines.append("no sites yet: radrelay gateway site NAME --host pictures.clinic.example")
    Console(file=sys.stdout).print("\n".join(lines), highlight=False)
    sys.stdout.flush()


def relay_folder(settings: Settings) -> Path:
    """Return where a relay keeps its sites and its authority."""
    return settings.gateway_dir / "relay"
