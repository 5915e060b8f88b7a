"""DICOMweb: metadata, frames and a series of 1,000 slices, freshly landed and after compaction; the study list."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.fetch import JSON, OBJECTS, SAMPLES, Client
from benchmarks.objects import write_ct, write_mr
from benchmarks.plan import Plan
from benchmarks.receive import ORTHANC
from benchmarks.sender import send, split
from benchmarks.servers import HOST, Orthanc, Radrelay, Server
from benchmarks.table import OURS, Aim, Line, Rounds, interleaved, line, percentiles

PART = "web"
LISTED_MS = 50
HTJ2K = "1.2.840.10008.1.2.4.202"
AS_STORED = f"image/jphc; transfer-syntax={HTJ2K}"
OBJECTS_AS_HTJ2K = f'multipart/related; type="application/dicom"; transfer-syntax={HTJ2K}'


@dataclass(frozen=True)
class Series:
    """Where the large series is, and its instances."""

    study: str
    series: str
    instances: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"/dicom-web/studies/{self.study}/series/{self.series}"

    def frames(self, number: int) -> list[str]:
        """Return paths of `number` frames, spread over the series."""
        step = max(1, len(self.instances) // number)
        return [f"{self.path}/instances/{sop}/frames/1" for sop in self.instances[::step][:number]]


def run(plan: Plan) -> list[Line]:
    """Measure before and after compaction."""
    folder = plan.folder / PART
    slices = plan.pick(1000, 200)
    files = write_ct(folder / "ct", slices) + write_mr(folder / "mr", plan.pick(1000, 200), per_study=20)
    ours, orthanc = Radrelay(folder / "radrelay"), Orthanc(folder / "orthanc")
    lines: list[Line] = []
    try:
        for server in (ours.start(), orthanc.start()):
            send(HOST, server.dicom_port, server.ae_title, split(files, 2))
        ours.wait_indexed(len(files))
        series = find_series(Client.of(orthanc))
        lines += plan.tell(_retrieved(plan, {OURS: ours, ORTHANC: orthanc}, series, "landed"))
        lines += plan.tell(_searched(plan, {OURS: ours, ORTHANC: orthanc}))
        ours.end_quiet_time()
        ours.wait_indexed(len(files), packed=True)
        lines += plan.tell(_retrieved(plan, {OURS: ours, ORTHANC: orthanc}, series, "packed"))
        lines += plan.tell([_stored_frames(plan, ours, series), _whole_as_htj2k(plan, ours, orthanc, series)])
        lines += plan.tell(_listed(plan, ours, orthanc, series))
    finally:
        ours.stop()
        orthanc.stop()
    shutil.rmtree(folder)
    return lines


def find_series(client: Client) -> Series:
    """Return the series with the most instances."""
    query = "/dicom-web/series?includefield=00201209&includefield=0020000D&limit=1000"
    found = json.loads(client.request(query, JSON))
    largest = max(found, key=lambda one: int(one["00201209"]["Value"][0]))
    study, series = (largest[tag]["Value"][0] for tag in ("0020000D", "0020000E"))
    listed = json.loads(client.request(f"/dicom-web/studies/{study}/series/{series}/instances", JSON))
    return Series(study, series, tuple(sorted(one["00080018"]["Value"][0] for one in listed)))


def _retrieved(plan: Plan, servers: Mapping[str, Server], series: Series, state: str) -> list[Line]:
    clients = {name: Client.of(server) for name, server in servers.items()}
    count = len(series.instances)

    def timed(path: str, accept: str) -> Mapping[str, Callable[[int], float]]:
        return {name: lambda _, c=client: 1000 * c.timed(path, accept) for name, client in clients.items()}  # type: ignore[misc]

    def rate(client: Client) -> Callable[[int], float]:
        def measure(_: int) -> float:
            seconds, size = client.drained(series.path, OBJECTS)
            return size / 1e6 / seconds

        return measure

    metadata = interleaved(plan.rounds + 2, timed(f"{series.path}/metadata", JSON))
    whole = interleaved(plan.rounds, {name: rate(client) for name, client in clients.items()})
    paths = series.frames(plan.pick(60, 20))
    frames = each(plan.rounds, clients, [(path, SAMPLES) for path in paths])
    for client in clients.values():
        client.close()
    text = f"{state}: /metadata of {count} slices"
    return [
        line(PART, text, "ms", metadata, Aim(20, ORTHANC), better="lower"),
        line(PART, f"{state}: a frame as samples, p50", "ms", frames[0], Aim(1, ORTHANC), better="lower"),
        line(PART, f"{state}: a frame as samples, p95", "ms", frames[1], better="lower"),
        line(PART, f"{state}: {count} slices by WADO-RS, transfer-syntax=*", "MB/s", whole, Aim(1, ORTHANC)),
    ]


def _stored_frames(plan: Plan, ours: Radrelay, series: Series) -> Line:
    client = Client.of(ours)
    paths = [(path, AS_STORED) for path in series.frames(plan.pick(60, 20))]
    p50 = each(plan.rounds, {OURS: client}, paths)[0]
    return line(PART, "packed: a frame as stored (HTJ2K), p50", "ms", p50)


def _whole_as_htj2k(plan: Plan, ours: Radrelay, orthanc: Orthanc, series: Series) -> Line:
    """Return what a whole series takes for who reads HTJ2K, beside Orthanc's series as Orthanc stores it."""
    asked = {OURS: (Client.of(ours), OBJECTS_AS_HTJ2K), ORTHANC: (Client.of(orthanc), OBJECTS)}
    seconds = interleaved(
        plan.rounds,
        {name: lambda _, c=client, a=accept: c.drained(series.path, a)[0] for name, (client, accept) in asked.items()},  # type: ignore[misc]
    )
    text = f"packed: {len(series.instances)} slices as HTJ2K; Orthanc: as it stores them"
    return line(PART, text, "s", seconds, better="lower")


def _listed(plan: Plan, ours: Radrelay, orthanc: Orthanc, series: Series) -> list[Line]:
    """Return what the viewer waits for that asks what a series holds: first after a start, then again.

    Others read the same from a series' DICOM JSON.
    """
    count = len(series.instances)
    cold: list[float] = []
    for _ in range(plan.rounds):
        ours.stop()
        client = Client.of(ours.start())
        client.request("/api/sources")  # the program's own first steps are not the series'
        cold.append(1000 * client.timed(_detail(client, series)))
    warm = [1000 * client.timed(_detail(client, series)) for _ in range(plan.rounds + 2)]
    other = Client.of(orthanc)
    asked = [1000 * other.timed(f"{series.path}/metadata", JSON) for _ in range(plan.rounds)]
    client.close()
    other.close()
    what = f"what the viewer reads of {count} slices (Orthanc: /metadata)"
    aim = Aim(LISTED_MS, below=True)
    return [
        line(PART, f"{what}, first after a start", "ms", {OURS: cold, ORTHANC: asked}, aim, better="lower"),
        line(PART, f"{what}, again", "ms", {OURS: warm, ORTHANC: asked}, aim, better="lower"),
    ]


def _detail(client: Client, series: Series) -> str:
    """Return the address of what the viewer reads of a series."""
    [study] = json.loads(client.request(f"/api/studies?study_uid={series.study}"))["studies"]
    rows = json.loads(client.request(f"/api/studies/{study['id']}"))["series"]
    return f"/api/series/{next(one['id'] for one in rows if one['series_uid'] == series.series)}"


def each(rounds: int, clients: Mapping[str, Client], requests: list[tuple[str, str]]) -> tuple[Rounds, Rounds]:
    """Return each round's p50 and p95 milliseconds of many small requests."""
    p50: Rounds = {name: [] for name in clients}
    p95: Rounds = {name: [] for name in clients}
    for _ in range(rounds):
        for name, client in clients.items():
            middle, high = percentiles([1000 * client.timed(path, accept) for path, accept in requests])
            p50[name].append(middle)
            p95[name].append(high)
    return p50, p95


def _searched(plan: Plan, servers: Mapping[str, Server]) -> list[Line]:
    clients = {name: Client.of(server) for name, server in servers.items()}
    listed = [("/dicom-web/studies?limit=100", JSON)] * plan.pick(15, 5)
    p50, p95 = each(plan.rounds, clients, listed)
    for client in clients.values():
        client.close()
    return [
        line(PART, "QIDO-RS, the whole list of some 50 studies, p50", "ms", p50, better="lower"),
        line(PART, "QIDO-RS, the whole list of some 50 studies, p95", "ms", p95, better="lower"),
    ]
