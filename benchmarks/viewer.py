"""What a person waits for who opens a study in the browser: a first picture, then the sharp one, on slow links.

Headless Chromium with nothing cached, its link shaped by the browser's own tools (so many ms for each answer, so many
bytes a second over all). The first picture is there when the middle of the canvas is no longer black.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import time
from dataclasses import dataclass

from playwright.sync_api import Browser, sync_playwright

from benchmarks.fetch import Client
from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.sender import send, split
from benchmarks.servers import HOST, Radrelay
from benchmarks.table import OURS, Aim, Line, line

PART = "viewer"
CHROMIUM = os.environ.get("RADRELAY_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
PHONE = {"width": 400, "height": 800}
LINKS = ((10_000, 50, 0.8), (1_600, 150, 2.0))
"""kbit/s, ms, and within how many seconds the first picture is to be there."""
LOADS = 5
CODE_KB = 120
DRAWN = """() => {
  const canvas = document.querySelector('.pane canvas');
  const place = canvas && [canvas.width / 2, canvas.height / 2, 1, 1];
  return place !== null && canvas.getContext('2d').getImageData(...place).data[0] > 8;
}"""
CODE = """() => performance.getEntriesByType('resource').filter((one) => one.name.includes('/assets/'))
  .map((one) => [one.responseEnd, one.encodedBodySize])"""


@dataclass
class Load:
    """Seconds to the first and to the sharp picture; kilobytes of code that were here by the first."""

    first_s: float
    sharp_s: float
    code_kb: float


def run(plan: Plan) -> list[Line]:
    """Open a CT on each link, some times each."""
    folder = plan.folder / PART
    slices = plan.pick(500, 60)
    ours = Radrelay(folder / "radrelay", quiet_s="1")
    lines: list[Line] = []
    try:
        ours.start()
        send(HOST, ours.dicom_port, ours.ae_title, split(write_ct(folder / "ct", slices, seed=10), 1))
        ours.wait_indexed(slices, packed=True)
        study = json.loads(Client.of(ours).request("/api/studies"))["studies"][0]["id"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for kbit, latency_ms, within_s in LINKS:
                loads = [_open(browser, ours, study, kbit, latency_ms) for _ in range(plan.pick(LOADS, 1))]
                lines += plan.tell(
                    _lines(f"CT of {slices} slices, {kbit / 1000:g} Mbit/s, {latency_ms} ms", loads, within_s)
                )
            lines += plan.tell([_code(loads)])
            browser.close()
    finally:
        ours.stop()
    shutil.rmtree(folder)
    return lines


def _open(browser: Browser, ours: Radrelay, study: str, kbit: int, latency_ms: int) -> Load:
    """Open a study with nothing cached."""
    context = browser.new_context(
        viewport={"width": PHONE["width"], "height": PHONE["height"]},
        is_mobile=True,
        has_touch=True,
        extra_http_headers=dict(ours.headers),
    )
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    pace = kbit * 1000 / 8
    link = {"offline": False, "latency": latency_ms, "downloadThroughput": pace, "uploadThroughput": pace}
    tools.send("Network.emulateNetworkConditions", link)
    began = time.perf_counter()
    page.goto(f"{ours.web}/view?study={study}", wait_until="commit")
    page.wait_for_function(DRAWN, polling=20)
    first_s = time.perf_counter() - began
    drawn_at = page.evaluate("() => performance.now()")
    page.wait_for_selector(".pane[data-ready=true]")
    sharp_s = time.perf_counter() - began
    code = sum(size for ended, size in page.evaluate(CODE) if ended <= drawn_at)
    context.close()
    return Load(first_s, sharp_s, code / 1000)


def _lines(what: str, loads: list[Load], within_s: float) -> list[Line]:
    firsts, sharps = [one.first_s for one in loads], [one.sharp_s for one in loads]
    return [
        line(PART, f"{what}: first picture", "s", {OURS: firsts}, Aim(within_s, below=True)),
        line(PART, f"{what}: sharp", "s", {OURS: sharps}),
    ]


def _code(loads: list[Load]) -> Line:
    kilobytes = statistics.median(one.code_kb for one in loads)
    return line(PART, "code until the first picture, compressed", "kB", {OURS: [kilobytes]}, Aim(CODE_KB, below=True))
