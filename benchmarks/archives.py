"""A ZIP of 1,000 slices taken in, and a study given out as a ZIP, MB of DICOM a second, beside Orthanc."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from benchmarks.fetch import Client
from benchmarks.objects import write_ct, write_zip
from benchmarks.plan import Plan
from benchmarks.receive import ORTHANC
from benchmarks.servers import Orthanc, Radrelay
from benchmarks.table import OURS, Aim, Line, interleaved, line

PART = "zip"
IMPORT_S = 180.0


def run(plan: Plan) -> list[Line]:
    """Take in, give out, delete, again."""
    folder = plan.folder / PART
    files = write_ct(folder / "ct", plan.pick(1000, 100))
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    archive = folder / "study.zip"
    write_zip(files, archive)
    out: dict[str, list[float]] = {OURS: [], ORTHANC: []}
    with Radrelay(folder / "radrelay") as radrelay, Orthanc(folder / "orthanc") as orthanc:
        ours, theirs = Client.of(radrelay), Client.of(orthanc)

        def import_ours(number: int) -> float:
            seconds = _import_ours(ours, archive, len(files))
            study = json.loads(ours.request("/api/studies"))["studies"][0]["id"]
            if not number:
                out[OURS].append(megabytes / ours.drained(f"/api/studies/{study}/archive.zip")[0])
            ours.request(f"/api/studies/{study}", method="DELETE")
            os.sync()
            return megabytes / seconds

        def import_theirs(number: int) -> float:
            seconds = _import_theirs(theirs, archive, len(files))
            study = json.loads(theirs.request("/studies"))[0]
            if not number:  # once: Orthanc deflates for a minute
                out[ORTHANC].append(megabytes / theirs.drained(f"/studies/{study}/archive")[0])
            theirs.request(f"/studies/{study}", method="DELETE")
            os.sync()
            return megabytes / seconds

        sides: dict[str, Callable[[int], float]] = {OURS: import_ours, ORTHANC: import_theirs}
        taken = interleaved(min(plan.rounds, 2), sides)
    shutil.rmtree(folder)
    return plan.tell(
        [
            line(
                PART, f"import of a ZIP of {len(files)} slices, until all are indexed", "MB/s", taken, Aim(1, ORTHANC)
            ),
            line(PART, f"download of {len(files)} slices as a ZIP", "MB/s", out, Aim(1, ORTHANC)),
        ]
    )


def _import_ours(client: Client, archive: Path, objects: int) -> float:
    began = time.perf_counter()
    wanted = json.dumps({"name": archive.name}).encode()
    json_headers = {"Content-Type": "application/json"}
    parcel = json.loads(client.request("/api/parcels", method="POST", body=wanted, headers=json_headers))["id"]
    sized = {"Content-Length": str(archive.stat().st_size), "Content-Type": "application/zip"}
    with archive.open("rb") as body:
        path = f"/api/parcels/{parcel}/files?name={quote(archive.name)}"
        client.request(path, method="PUT", body=body, headers=sized)
    client.request(f"/api/parcels/{parcel}/done", method="POST", body=b"")
    while True:
        found = json.loads(client.request(f"/api/parcels/{parcel}"))
        if found["state"] in ("done", "failed"):
            break
        if time.perf_counter() - began > IMPORT_S:
            raise RuntimeError(f"the import is still {found['state']} with {found['objects']} objects")
        time.sleep(0.05)
    if found["objects"] != objects:
        raise RuntimeError(f"{found['objects']} of {objects} objects were imported: {found['findings'][:3]}")
    return time.perf_counter() - began


def _import_theirs(client: Client, archive: Path, objects: int) -> float:
    began = time.perf_counter()
    sized = {"Content-Length": str(archive.stat().st_size), "Content-Type": "application/zip"}
    with archive.open("rb") as body:
        client.request("/instances", method="POST", body=body, headers=sized)
    found = json.loads(client.request("/statistics"))["CountInstances"]
    if found != objects:
        raise RuntimeError(f"Orthanc has {found} of {objects} objects")
    return time.perf_counter() - began
