"""A foreign program on a free port of loopback, listening when it is given."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Sequence

from tests.ports import free_port

PORTS = 5
START_S = 60.0


def started_on_a_port(command: Callable[[int], Sequence[str]]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a program that listens on the port that `command` is given; returns it and the port.

    Somebody else may take a port between finding and taking it: then the program ends, and another port is tried.
    """
    for _ in range(PORTS):
        port = free_port()
        process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0 and process.poll() is None:
                    return process, port
            time.sleep(0.02)
        process.kill()
        process.wait()
    raise AssertionError(f"{command(0)[0]} does not listen")
