"""Five to fifty people who open studies and scroll through them while further studies arrive: what a frame takes.

A person looks at the list's first page, where what arrives stands on top, opens one of the studies that were there
before (as the viewer does: the study with its instances, a coarse first picture, then frames in the form in which they
are kept), scrolls 30 slices at up to 10 a second, looks for three seconds, and opens the next. All connections are kept
alive. A modality sends 20 CT slices a second meanwhile.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import threading
import time
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.fetch import Client
from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.sender import Load, send, split
from benchmarks.servers import HOST, Radrelay
from benchmarks.table import OURS, Aim, Line, line, percentiles

PART = "people"
PEOPLE = (5, 10, 20, 50)
SLICES = 30
PACE_S = 0.1
LOOK_S = 3.0
STUDIES = 6
ARRIVING_PER_S = 20
SMOOTH_MS = 100


def run(plan: Plan) -> list[Line]:
    """Let more and more people look."""
    folder = plan.folder / PART
    ours = Radrelay(folder / "radrelay", quiet_s="1")
    lines: list[Line] = []
    slices = plan.pick(100, 40)
    try:
        ours.start()
        for seed in range(STUDIES):
            files = write_ct(folder / f"ct{seed}", slices, seed=10 + seed)
            send(HOST, ours.dicom_port, ours.ae_title, split(files, 1))
        ours.wait_indexed(STUDIES * slices, packed=True)
        studies = _listed(Client.of(ours))
        for people in PEOPLE:
            lines += plan.tell(_look(ours, files, studies, people, plan.pick(14, 6)))
    finally:
        ours.stop()
    shutil.rmtree(folder)
    return lines


def _look(ours: Radrelay, files: list[Path], studies: list[str], people: int, seconds: int) -> list[Line]:
    context = multiprocessing.get_context("fork")
    over = context.Event()
    modality = context.Process(target=_arrive, args=(ours.dicom_port, ours.ae_title, files, over))
    modality.start()
    waits: list[list[float]] = [[] for _ in range(people)]
    opened: list[float] = []
    failures: list[str] = []
    end = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=partial(_person, ours, studies, number, end, waits[number], opened, failures))
        for number in range(people)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    over.set()
    modality.join(20)
    modality.kill()
    if failures:
        raise RuntimeError(f"{len(failures)} people were let down: {failures[0]}")
    p50, p95 = percentiles([1000 * wait for one in waits for wait in one])
    frames = sum(map(len, waits)) / took
    what = f"{people} people, {frames:.0f} frames/s while {ARRIVING_PER_S} slices/s arrive"
    return [
        line(PART, f"{what}: a frame, p50", "ms", {OURS: [p50]}),
        line(PART, f"{what}: a frame, p95", "ms", {OURS: [p95]}, Aim(SMOOTH_MS, below=True)),
        line(PART, f"{people} people: opening a study, p95", "ms", {OURS: [1000 * percentiles(opened)[1]]}),
    ]


def _person(
    ours: Radrelay,
    studies: list[str],
    number: int,
    end: float,
    waits: list[float],
    opened: list[float],
    failures: list[str],
) -> None:
    rng = random.Random(number)
    try:
        client = Client.of(ours)
        time.sleep(rng.random() * LOOK_S)
        while time.perf_counter() < end:
            instances, seconds = _open(client, studies, rng)
            opened.append(seconds)
            first = rng.randrange(max(1, len(instances) - SLICES))
            for instance in instances[first : first + SLICES]:
                began = time.perf_counter()
                client.request(f"/api/instances/{instance}/frames/1/stream")
                taken = time.perf_counter() - began
                waits.append(taken)
                if began > end:
                    break
                time.sleep(max(0.0, PACE_S - taken))
            time.sleep(LOOK_S)
    except (OSError, RuntimeError) as error:
        failures.append(str(error))


def _listed(client: Client) -> list[str]:
    """Return the studies on the first page that have enough to scroll through."""
    listed = json.loads(client.request("/api/studies?limit=50"))["studies"]
    return [one["id"] for one in listed if one["instance_count"] >= SLICES]


def _open(client: Client, studies: list[str], rng: random.Random) -> tuple[list[str], float]:
    began = time.perf_counter()
    _listed(client)
    study = rng.choice(studies)
    instances = json.loads(client.request(f"/api/studies/{study}/opening"))["series"]["instances"]
    client.request(f"/api/studies/{study}/glimpse")
    return [one["id"] for one in instances], time.perf_counter() - began


def _arrive(port: int, ae_title: str, files: list[Path], over: Event) -> None:
    stamp = int(time.time()) % 9000
    while not over.is_set():
        stamp = stamp % 9000 + 1
        send(HOST, port, ae_title, [Load(files=tuple(files[:20]), stamp=stamp, interval_s=1 / ARRIVING_PER_S)])
