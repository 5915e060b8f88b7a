"""A study of 1,000 CT slices moved by C-MOVE, in from an archive and out to a receiver, beside Orthanc doing the same.

In: both ask the same third archive, a Radrelay. They are done when all is there: ours durable, indexed and counted
against what the archive listed; Orthanc's when its job has ended. Out: one asker has both send to a receiver that keeps
nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import pydicom

from benchmarks.fetch import Client
from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.receive import ORTHANC
from benchmarks.sender import send, split
from benchmarks.servers import HOST, Orthanc, Radrelay, Server, Sink
from benchmarks.table import OURS, Aim, Line, interleaved, line
from radrelay.network.ports import Node
from radrelay.network.retriever import MoveClient

PART = "move"
LIMIT_S = 300.0
ASKER = "BENCH"
LOOK_S = 0.1  # to ask more often would take from both cores what is measured
JSON = {"Content-Type": "application/json"}
STUDY_UID = 0x0020000D


class Fetching(Radrelay):
    """An installation that may fetch."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "RADRELAY_RETRIEVE__ENABLED": "true"}


class Other(Orthanc):
    """A second Orthanc, which is called by another title."""

    ae_title = "OTHER"


def run(plan: Plan) -> list[Line]:
    """Fetch, delete, again; then send out, again."""
    folder = plan.folder / PART
    files = write_ct(folder / "ct", plan.pick(1000, 100))
    study = str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    with (
        Radrelay(folder / "archive") as archive,
        Fetching(folder / "radrelay") as ours,
        Other(folder / "other") as other,
        Sink(folder / "sink") as sink,
    ):
        send(HOST, archive.dicom_port, archive.ae_title, split(files, 1))
        archive.wait_indexed(len(files))
        _introduce(archive, ours, other, sink)
        into = interleaved(plan.rounds, _incoming(archive, ours, other, study, len(files)))
        fetch_ours, fetch_theirs = _incoming(archive, ours, other, study, len(files)).values()
        fetch_ours(0), fetch_theirs(0)
        out = interleaved(plan.rounds, _outgoing(ours, other, study, len(files)))
    shutil.rmtree(folder)
    what = f"{len(files)} CT slices by C-MOVE"
    return plan.tell(
        [
            line(PART, f"{what}, in, until all are there", "objects/s", into, Aim(2, ORTHANC)),
            line(PART, f"{what}, out", "objects/s", out, Aim(1, ORTHANC)),
        ]
    )


def _introduce(archive: Radrelay, ours: Radrelay, other: Orthanc, sink: Sink) -> None:
    """Let each know whom it sends to, and whom it asks."""
    for node in (archive, sink):
        body = json.dumps([node.ae_title, HOST, node.dicom_port]).encode()
        Client.of(other).request(f"/modalities/{node.ae_title}", method="PUT", body=body, headers=JSON)
    asker = json.dumps([ASKER, HOST, sink.dicom_port]).encode()  # Orthanc lets nobody move whom it does not know
    Client.of(other).request(f"/modalities/{ASKER}", method="PUT", body=asker, headers=JSON)
    for receiver in (ours, other):
        _post(Client.of(archive), "/api/destinations", _destination(receiver))
    client = Client.of(ours)
    sources = json.loads(client.request("/api/sources"))["sources"]
    door = next(one["id"] for one in sources if one["kind"] == "dicom")
    _post(client, "/api/pacs", _destination(archive) | {"source_id": door})
    _post(client, "/api/destinations", _destination(sink))


def _destination(node: Server) -> dict[str, Any]:
    return {"name": node.ae_title, "ae_title": node.ae_title, "host": HOST, "port": node.dicom_port}


def _incoming(
    archive: Radrelay, ours: Radrelay, other: Orthanc, study: str, objects: int
) -> dict[str, Callable[[int], float]]:
    client, theirs = Client.of(ours), Client.of(other)
    pacs = json.loads(client.request("/api/pacs"))["pacs"][0]["id"]

    def fetch_ours(number: int) -> float:
        for one in json.loads(client.request("/api/studies"))["studies"]:
            client.request(f"/api/studies/{one['id']}", method="DELETE")
        os.sync()
        began = time.perf_counter()
        order = {"fetches": [{"pacs_id": pacs, "study_uid": study}]}
        made = _post(client, "/api/fetches", order)["fetches"][0]["id"]
        while True:
            found = next(one for one in json.loads(client.request("/api/fetches"))["fetches"] if one["id"] == made)
            if found["state"] == "done" and found["here"] == objects:
                return objects / (time.perf_counter() - began)
            if found["state"] not in ("waiting", "fetching") or time.perf_counter() - began > LIMIT_S:
                raise RuntimeError(f"not fetched: {found}")
            time.sleep(LOOK_S)

    def fetch_theirs(number: int) -> float:
        for one in json.loads(theirs.request("/studies")):
            theirs.request(f"/studies/{one}", method="DELETE")
        os.sync()
        began = time.perf_counter()
        wanted = {"Level": "Study", "Resources": [{"StudyInstanceUID": study}], "TargetAet": other.ae_title}
        _post(theirs, f"/modalities/{archive.ae_title}/move", wanted | {"Synchronous": True, "Timeout": int(LIMIT_S)})
        kept = int(json.loads(theirs.request("/statistics"))["CountInstances"])
        if kept != objects:
            raise RuntimeError(f"Orthanc has {kept} of {objects}")
        return objects / (time.perf_counter() - began)

    return {OURS: fetch_ours, ORTHANC: fetch_theirs}


def _outgoing(ours: Radrelay, other: Orthanc, study: str, objects: int) -> dict[str, Callable[[int], float]]:
    def moved(port: int, title: str) -> float:
        began = time.perf_counter()
        node = Node(HOST, port, title, ASKER, response_timeout_s=LIMIT_S)
        with MoveClient(node) as mover:
            end = mover.move("STUDY", [(STUDY_UID, "UI", study)], Sink.ae_title)
        if not end.is_whole or end.completed != objects:
            raise RuntimeError(f"not sent: {end}")
        return objects / (time.perf_counter() - began)

    return {
        OURS: lambda number: moved(ours.dicom_port, ours.ae_title),
        ORTHANC: lambda number: moved(other.dicom_port, other.ae_title),
    }


def _post(client: Client, path: str, body: object) -> Any:
    return json.loads(client.request(path, method="POST", body=json.dumps(body).encode(), headers=JSON))
