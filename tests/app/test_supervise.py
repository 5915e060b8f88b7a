"""`radrelay serve` keeps its roles running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

SCRIPT = textwrap.dedent(
    """
    import os, sys, time
    from pathlib import Path
    from radrelay.app.supervise import Supervisor

    folder = Path(sys.argv[1])

    def role(name):
        def run():
            (folder / str(os.getpid())).write_text(name)
            time.sleep(600)
            return 0
        return run

    fork, left = os.fork, [2]

    def scarce():
        left[0] -= 1
        if left[0] == -1:
            raise BlockingIOError("no process is to be had")
        return fork()

    if len(sys.argv) > 2:
        os.fork = scarce
    sys.exit(Supervisor({"one": role("one"), "two": role("two")}).run())
    """
)


def started(folder: Path) -> dict[int, str]:
    """Return the processes that have started so far, by id, and their roles."""
    return {int(path.name): path.read_text() for path in folder.iterdir()}


def wait_for(folder: Path, count: int) -> dict[int, str]:
    """Wait until `count` processes have started in all."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = started(folder)
        if len(found) >= count and all(found.values()):
            return found
        time.sleep(0.05)
    raise AssertionError(f"only {started(folder)} started")


def alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("scarce", [(), ("scarce",)], ids=["at once", "once there is memory for it again"])
def test_a_role_that_dies_comes_back_and_all_end_together(tmp_path: Path, scarce: tuple[str, ...]) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), *scarce], stderr=subprocess.DEVNULL)
    try:
        first = wait_for(tmp_path, 2)
        victim = next(pid for pid, role in first.items() if role == "one")
        os.kill(victim, signal.SIGKILL)
        everyone = wait_for(tmp_path, 3)
        assert sorted(everyone.values()) == ["one", "one", "two"]
    finally:
        supervisor.terminate()
        assert supervisor.wait(30) == 0
    assert not any(alive(pid) for pid in everyone)
