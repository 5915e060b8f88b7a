"""How many objects a second are taken, durable and encrypted, beside Orthanc (synced) and storescp (never synced).

Senders: one that does not stall, its messages laid out beforehand, and dcmtk's storescu (with TCP_NODELAY set, since
Nagle's algorithm otherwise holds it at about 20 objects/s into any receiver that acknowledges late). A receiver that
keeps nothing shows beside it how fast storescu itself can be on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from benchmarks import machine
from benchmarks.objects import write_ct, write_mr, write_restamped
from benchmarks.plan import Plan
from benchmarks.sender import Load, Result, send
from benchmarks.servers import HOST, Orthanc, Radrelay, Server, Sink, Storescp
from benchmarks.table import OURS, Aim, Line, Rounds, interleaved, line

ORTHANC, DCMTK, NOTHING = "Orthanc", "storescp", "nothing kept"
PART = "receive"
LISTEN_MIB = 150


class Receivers:
    """The servers, and stamps that make every run's objects new to them."""

    def __init__(self, ours: Radrelay, orthanc: Orthanc, storescp: Storescp, sink: Sink) -> None:
        self.ours = ours
        self.storescp = storescp
        self.sides: dict[str, Server] = {OURS: ours, ORTHANC: orthanc, DCMTK: storescp, NOTHING: sink}
        self.stamps = count(1)
        self.expected = 0

    def settle(self, objects: int) -> None:
        """Let the index follow and the disk come to rest before the next run."""
        self.storescp.empty()
        self.expected += objects
        self.ours.wait_indexed(self.expected)
        os.sync()


def run(plan: Plan) -> list[Line]:
    """Measure every sender and kind of object."""
    folder = plan.folder / PART
    kinds = {
        "CT 526 kB": write_ct(folder / "ct", plan.pick(1000, 200)),
        "MR 34 kB": write_mr(folder / "mr", plan.pick(5000, 500)),
    }
    lines: list[Line] = []
    with (
        Radrelay(folder / "radrelay") as ours,
        Orthanc(folder / "orthanc") as orthanc,
        Storescp(folder / "storescp") as storescp,
        Sink(folder / "sink") as sink,
    ):
        receivers = Receivers(ours, orthanc, storescp, sink)
        _send(receivers, receivers.ours, list(kinds.values())[1][:50], 1)  # warms up
        receivers.settle(50)
        for kind, files in kinds.items():
            for associations in (1, 4):
                lines += plan.tell(_preloaded(plan, receivers, kind, files, associations))
        for kind, files in kinds.items():
            few = files[: plan.pick(300 if kind.startswith("CT") else 1000, 60)]
            for associations in (1, 4):
                lines += plan.tell(_storescu(plan, receivers, kind, few, associations))
        lines += plan.tell([_stalling(receivers, kinds["CT 526 kB"][:30])])
    shutil.rmtree(folder)
    return lines


def _send(receivers: Receivers, server: Server, files: list[Path], associations: int) -> Result:
    stamp = next(receivers.stamps)
    loads = [Load(files=tuple(files[n::associations]), stamp=stamp) for n in range(associations)]
    result = send(HOST, server.dicom_port, server.ae_title, loads)
    if result.failures:
        raise RuntimeError(f"{result.failures} of {result.objects} objects were refused by {type(server).__name__}")
    return result


def _preloaded(plan: Plan, receivers: Receivers, kind: str, files: list[Path], associations: int) -> list[Line]:
    listener = receivers.ours.roles()["listen"]
    machine.forget_peak(listener)
    indexed: list[float] = []

    def ours(_: int) -> float:
        result = _send(receivers, receivers.ours, files, associations)
        receivers.ours.wait_indexed(receivers.expected + len(files))
        indexed.append(len(files) / (result.seconds + time.perf_counter() - result.ended_at))
        receivers.settle(len(files))
        return result.objects_per_s

    def other(name: str) -> Callable[[int], float]:
        def measure(_: int) -> float:
            result = _send(receivers, receivers.sides[name], files, associations)
            receivers.settle(0)
            return result.objects_per_s

        return measure

    rounds = interleaved(plan.rounds, {OURS: ours, ORTHANC: other(ORTHANC), DCMTK: other(DCMTK)})
    what = f"{kind}, {associations} association{'s' * (associations > 1)}"
    aims = Aim(3, ORTHANC), Aim(0.8 if kind.startswith("CT") else 1, DCMTK)
    return [
        line(PART, f"{what}, sender that does not stall", "objects/s", rounds, *aims),
        line(PART, f"{what}, until all are indexed, too", "objects/s", {OURS: indexed, ORTHANC: rounds[ORTHANC]}),
        line(
            PART, f"{what}, peak memory of `listen`", "MiB",
            {OURS: [machine.memory_mib(listener, "VmHWM")]}, Aim(LISTEN_MIB, below=True),
        ),
    ]  # fmt: skip


def _storescu(plan: Plan, receivers: Receivers, kind: str, files: list[Path], associations: int) -> list[Line]:
    environment = {**os.environ, "TCP_NODELAY": "1"}

    def measure(name: str) -> Callable[[int], float]:
        return lambda _: _run_storescu(receivers, name, files, associations, environment)

    rounds: Rounds = interleaved(plan.rounds, {name: measure(name) for name in receivers.sides})
    what = f"{kind}, {associations} association{'s' * (associations > 1)}, storescu"
    aims = Aim(3, ORTHANC), Aim(0.8 if kind.startswith("CT") else 1, DCMTK)
    return [line(PART, what, "objects/s", rounds, *aims)]


def _stalling(receivers: Receivers, files: list[Path]) -> Line:
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    rounds = {name: [_run_storescu(receivers, name, files, 1, environment)] for name in receivers.sides}
    return line(PART, "CT 526 kB, 1 association, storescu as it comes", "objects/s", rounds)


def _run_storescu(
    receivers: Receivers, name: str, files: list[Path], associations: int, environment: dict[str, str]
) -> float:
    """Return objects a second over so many storescu processes, their start included."""
    server, stamp = receivers.sides[name], next(receivers.stamps)
    folders = [server.folder / f"send-{n}" for n in range(associations)]
    for number, folder in enumerate(folders):
        write_restamped(files[number::associations], folder, stamp)
    command = ["storescu", "-aec", server.ae_title, HOST, str(server.dicom_port), "+sd"]
    began = time.perf_counter()
    running = [
        subprocess.Popen([*command, str(folder)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for folder in folders
    ]
    failures = sum(process.wait() != 0 for process in running)
    seconds = time.perf_counter() - began
    for folder in folders:
        shutil.rmtree(folder)
    if failures:
        raise RuntimeError(f"storescu failed to send to {name}")
    receivers.settle(len(files) if name == OURS else 0)
    return len(files) / seconds
