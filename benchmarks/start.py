"""From the command to the first answers, and what the roles take of memory when nobody asks anything."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from benchmarks import machine
from benchmarks.plan import Plan
from benchmarks.receive import ORTHANC
from benchmarks.sender import Connection
from benchmarks.servers import HOST, Orthanc, Radrelay, Server, responds
from benchmarks.table import OURS, Line, Rounds, interleaved, line

PART = "start"
VERIFICATION, IMPLICIT_LITTLE = "1.2.840.10008.1.1", "1.2.840.10008.1.2"
IDLE_S = 4.0


class _Timed:
    """Starts a server and notes when DICOM and HTTP first answered."""

    def __init__(self, server: Server, page: str) -> None:
        self._server = server
        self._page = page
        self.dicom: list[float] = []
        self.web: list[float] = []
        self.memory: list[dict[str, float]] = []

    def __call__(self, _: int) -> float:
        dicom, web = 0.0, 0.0
        began = time.perf_counter()
        self._server.launch()
        while not (dicom and web):
            if not dicom and _associates(self._server):
                dicom = time.perf_counter() - began
            if not web and responds(self._server.web + self._page):
                web = time.perf_counter() - began
            if time.perf_counter() - began > 60:
                raise RuntimeError(f"{type(self._server).__name__} did not start")
            time.sleep(0.005)
        self.dicom.append(dicom)
        self.web.append(web)
        time.sleep(IDLE_S)
        self.memory.append(_memory(self._server))
        self._server.stop()
        return max(dicom, web)


def run(plan: Plan) -> list[Line]:
    """Start each side several times on an installation that exists."""
    folder = plan.folder / PART
    ours = _Timed(Radrelay(folder / "radrelay"), "/readyz")
    orthanc = _Timed(Orthanc(folder / "orthanc"), "/system")
    sides: dict[str, Callable[[int], float]] = {OURS: ours, ORTHANC: orthanc}
    interleaved(1, sides)
    for side in (ours, orthanc):  # the first start made the installation and its bytecode
        for found in (side.dicom, side.web, side.memory):
            found.clear()
    both = interleaved(plan.rounds, sides)
    lines = [
        line(PART, "the command until DICOM answers", "s", {OURS: ours.dicom, ORTHANC: orthanc.dicom}, better="lower"),
        line(PART, "the command until HTTP answers", "s", {OURS: ours.web, ORTHANC: orthanc.web}, better="lower"),
        line(PART, "the command until both answer", "s", both, better="lower"),
    ]
    roles = sorted(ours.memory[0])
    for role in roles:
        rounds: Rounds = {OURS: [found[role] for found in ours.memory]}
        lines.append(line(PART, f"idle memory of `{role}`", "MiB", rounds, better="lower"))
    total: Rounds = {
        OURS: [sum(found.values()) for found in ours.memory],
        ORTHANC: [sum(found.values()) for found in orthanc.memory],
    }
    lines.append(line(PART, "idle memory, all processes", "MiB", total, better="lower"))
    shutil.rmtree(folder)
    return plan.tell(lines)


def _associates(server: Server) -> bool:
    try:
        Connection(HOST, server.dicom_port, server.ae_title, [(VERIFICATION, IMPLICIT_LITTLE)]).release()
    except (OSError, RuntimeError):
        return False
    return True


def _memory(server: Server) -> dict[str, float]:
    if not isinstance(server, Radrelay):
        return {"Orthanc": machine.own_memory_mib(server.pid)}
    processes = {"serve": server.pid, **server.roles()}
    return {name: machine.own_memory_mib(pid) for name, pid in processes.items()}
