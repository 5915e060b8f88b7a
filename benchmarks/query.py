"""C-FIND and QIDO-RS over 50 and over 20,000 studies, p50 and p95, beside Orthanc."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from urllib.parse import quote

from benchmarks.fetch import JSON, Client
from benchmarks.finder import Finder
from benchmarks.objects import tiny_loads
from benchmarks.plan import Plan
from benchmarks.receive import ORTHANC
from benchmarks.sender import send
from benchmarks.servers import HOST, Orthanc, Radrelay, Server
from benchmarks.table import OURS, Aim, Line, Rounds, line, percentiles

PART = "query"
FEW = 50
LIMIT_MS = 50
NAMES = ("Schmi*", "Neum*", "Hartm*", "Winkl*", "Kowal*")
Asking = Callable[[random.Random], float]


def run(plan: Plan) -> list[Line]:
    """Ask at 50 studies, fill, ask again."""
    folder = plan.folder / PART
    many = plan.pick(20_000, 1000)
    lines: list[Line] = []
    with Radrelay(folder / "radrelay") as ours, Orthanc(folder / "orthanc", synced=False) as orthanc:
        servers: dict[str, Server] = {OURS: ours, ORTHANC: orthanc}
        filled = 0
        for wanted in (FEW, many):
            for server in servers.values():
                result = send(HOST, server.dicom_port, server.ae_title, tiny_loads(filled, wanted - filled))
                if result.failures:
                    raise RuntimeError(f"{result.failures} studies were refused")
            ours.wait_indexed(wanted)
            filled = wanted
            lines += plan.tell(_asked(plan, servers, wanted))
    shutil.rmtree(folder)
    return lines


def _asked(plan: Plan, servers: Mapping[str, Server], studies: int) -> list[Line]:
    lines = []
    for kind, build in (("C-FIND", _by_dimse), ("QIDO-RS", _by_web)):
        sides = {name: build(server, studies) for name, server in servers.items()}
        for question in next(iter(sides.values())):
            p50: Rounds = {name: [] for name in sides}
            p95: Rounds = {name: [] for name in sides}
            for turn in range(plan.rounds):
                for name, asking in sides.items():
                    rng = random.Random(turn)
                    asking[question](rng)
                    middle, high = percentiles([1000 * asking[question](rng) for _ in range(plan.pick(20, 8))])
                    p50[name].append(middle)
                    p95[name].append(high)
            what = f"{kind}, {studies:,} studies, {question}"
            lines.append(line(PART, f"{what}, p50", "ms", p50, better="lower"))
            lines.append(line(PART, f"{what}, p95", "ms", p95, Aim(LIMIT_MS, below=True), better="lower"))
    return lines


def _by_dimse(server: Server, studies: int) -> dict[str, Asking]:
    finder = Finder(HOST, server.dicom_port, server.ae_title)

    def patient(rng: random.Random) -> float:
        seconds, matches = finder.timed({0x00100020: f"PAT{rng.randrange(studies):07d}"})
        if matches != 1:
            raise RuntimeError(f"{type(server).__name__} found {matches} studies of one patient")
        return seconds

    def name(rng: random.Random) -> float:
        return finder.timed({0x00100010: rng.choice(NAMES)})[0]

    def day(rng: random.Random) -> float:
        return finder.timed({0x00080020: _day(rng)})[0]

    return {"patient ID": patient, "name*": name, "one day": day}


def _day(rng: random.Random) -> str:
    return f"{2020 + rng.randrange(5)}{1 + rng.randrange(12):02d}{1 + rng.randrange(28):02d}"


def _by_web(server: Server, studies: int) -> dict[str, Asking]:
    client = Client.of(server)

    def asking(path: Callable[[random.Random], str]) -> Asking:
        return lambda rng: client.timed(f"/dicom-web/studies?limit=100&{path(rng)}", JSON)

    return {
        "patient ID": asking(lambda rng: f"PatientID=PAT{rng.randrange(studies):07d}"),
        "name*": asking(lambda rng: f"PatientName={quote(rng.choice(NAMES))}"),
        "one day": asking(lambda rng: f"StudyDate={_day(rng)}"),
        "100 of all": asking(lambda _: ""),
    }
