"""A link: the page that it leads to, opening it, and the study that it opens, as the server takes for them.

One reader over loopback, one keep-alive connection, nothing asked twice by the same visit but the page itself.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from benchmarks.fetch import Client
from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.sender import send, split
from benchmarks.servers import HOST, Radrelay
from benchmarks.table import OURS, Aim, Line, line, percentiles

PART = "links"
PAGE_MS = 30
JSON = {"Content-Type": "application/json"}


def run(plan: Plan) -> list[Line]:
    """Make a link, and open it again and again."""
    folder = plan.folder / PART
    ours = Radrelay(folder / "radrelay", quiet_s="1")
    slices, times = plan.pick(500, 60), plan.pick(200, 30)
    try:
        ours.start()
        send(HOST, ours.dicom_port, ours.ae_title, split(write_ct(folder / "ct", slices), 1))
        ours.wait_indexed(slices, packed=True)
        study, body = _made(Client.of(ours))
        lines = plan.tell(_measured(ours, study, body, times))
    finally:
        ours.stop()
    shutil.rmtree(folder)
    return lines


def _made(client: Client) -> tuple[str, bytes]:
    """Return a study's id, and the body that opens a link to it."""
    study = json.loads(client.request("/api/studies?limit=1"))["studies"][0]["id"]
    wanted = {"studies": [study], "ends_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    made = client.request("/api/links", method="POST", body=json.dumps(wanted).encode(), headers=JSON)
    return study, json.dumps({"token": json.loads(made)["address"].partition("#")[2]}).encode()


def _measured(ours: Radrelay, study: str, body: bytes, times: int) -> list[Line]:
    visitor = Client(ours.web, {"Accept-Encoding": "gzip"})
    cookies: list[str] = []

    def open_it() -> None:
        visitor.request("/api/shared", method="POST", body=body, headers=JSON)
        cookies.append(visitor.cookies)

    def look(path: str) -> Callable[[], object]:
        return lambda: visitor.request(path, headers={"Cookie": cookies.pop(0)} if cookies else {})

    rows: list[Line] = []
    for what, act in (
        ("the page that a link leads to", look("/s")),
        ("opening a link", open_it),
        ("the study that it opens", look(f"/api/studies/{study}/opening")),
    ):
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            act()
            taken.append(1000 * (time.perf_counter() - began))
        p50, p95 = percentiles(taken)
        rows.append(line(PART, f"{what}, p50", "ms", {OURS: [p50]}))
        rows.append(line(PART, f"{what}, p95", "ms", {OURS: [p95]}, Aim(PAGE_MS, below=True)))
    return rows
