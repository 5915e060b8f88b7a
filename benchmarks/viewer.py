"""What a person waits for who opens a study in the browser: a first picture, then the sharp one, on slow links.

Headless Chromium with nothing cached, its link shaped by the browser's own tools. A first picture is there when the
middle of the canvas is no longer black. OHIF opens the same study from the same server, load about load.
"""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks import ohif, reading
from benchmarks.browser import Link, chromium, cold_page
from benchmarks.fetch import Client
from benchmarks.objects import write_ct, write_radiograph
from benchmarks.ohif import OHIF, Ohif
from benchmarks.plan import Plan
from benchmarks.sender import send, split
from benchmarks.servers import HOST, Radrelay
from benchmarks.table import OURS, Aim, Line, line
from benchmarks.volume import volumes
from radrelay.web.services import STATIC

PART = "viewer"
FAST, SLOW = Link(10_000, 50), Link(1_600, 150)
WITHIN_S = {FAST: 0.8, SLOW: 2.0}
LOADS = 5
TIMES_OHIF = 10
FIRST_CODE_KB, ALL_CODE_KB = 120, 900
VIEW = "app/pages/View.svelte"
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


@dataclass(frozen=True)
class Shown:
    """A study in the list, by our id and its own."""

    id: str
    uid: str


def run(plan: Plan) -> list[Line]:
    """Open a CT and a radiograph on each link, some times each; then scroll, look at a volume, and look for long."""
    folder = plan.folder / PART
    ours = Radrelay(folder / "radrelay", quiet_s="1")
    lines: list[Line] = []
    try:
        ours.start()
        slices = plan.pick(500, 60)
        ct = _sent(ours, write_ct(folder / "ct", slices, seed=10), slices)
        radiograph = _sent(ours, write_radiograph(folder / "cr"), slices + 1)
        with Ohif(folder / "ohif", plan.cache, ours.web + ours.dicomweb) as other:
            for link, within_s in WITHIN_S.items():
                lines += plan.tell(_openings(plan, ours, other, ct, link, f"CT of {slices} slices", within_s))
        lines += plan.tell(_radiograph(plan, ours, radiograph))
        lines += plan.tell([_all_code()])
        lines += plan.tell(reading.scrolled(plan, ours, f"/view?study={ct.id}", slices))
        lines += plan.tell(volumes(plan, ours, f"/view?study={ct.id}", slices))
        lines += reading.remembered(plan, ours)
    finally:
        ours.stop()
    shutil.rmtree(folder)
    return lines


def _sent(ours: Radrelay, files: list[Path], in_all: int) -> Shown:
    """Send one study, wait until it is packed, and find it."""
    before = {one["id"] for one in _listed(ours)}
    send(HOST, ours.dicom_port, ours.ae_title, split(files, 1))
    ours.wait_indexed(in_all, packed=True)
    [new] = [one for one in _listed(ours) if one["id"] not in before]
    return Shown(new["id"], new["study_uid"])


def _listed(ours: Radrelay) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(Client.of(ours).request("/api/studies"))["studies"]
    return found


def _openings(
    plan: Plan, ours: Radrelay, other: Ohif, study: Shown, link: Link, what: str, within_s: float
) -> list[Line]:
    """Open a study cold, ours and OHIF's page about, and compare."""
    loads: list[Load] = []
    others: list[float] = []
    for _ in range(plan.pick(LOADS, 1)):
        with chromium() as browser:
            loads.append(_open(browser, ours, study, link))
        if link is FAST:
            with chromium(*ohif.BROWSER) as browser:
                others.append(_open_ohif(browser, ours, other, study, link))
    firsts: dict[str, list[float]] = {OURS: [one.first_s for one in loads]} | ({OHIF: others} if others else {})
    aims = [Aim(within_s, below=True), *([Aim(TIMES_OHIF, OHIF)] if others else [])]
    lines = [
        line(PART, f"{what}, {link}: first picture", "s", firsts, *aims, better="lower"),
        line(PART, f"{what}, {link}: sharp", "s", {OURS: [one.sharp_s for one in loads]}),
    ]
    if link is SLOW:
        kilobytes = statistics.median(one.code_kb for one in loads)
        aim = Aim(FIRST_CODE_KB, below=True)
        lines.append(line(PART, "code until the first picture, compressed", "kB", {OURS: [kilobytes]}, aim))
    return lines


def _open(browser: Browser, ours: Radrelay, study: Shown, link: Link) -> Load:
    """Open a study with nothing cached."""
    with cold_page(browser, ours.headers, link=link) as page:
        began = time.perf_counter()
        page.goto(f"{ours.web}/view?study={study.id}", wait_until="commit")
        page.wait_for_function(DRAWN, polling=20)
        first_s = time.perf_counter() - began
        drawn_at = page.evaluate("() => performance.now()")
        _sharp(page)
        sharp_s = time.perf_counter() - began
        code = sum(size for ended, size in page.evaluate(CODE) if ended <= drawn_at)
        return Load(first_s, sharp_s, code / 1000)


def _sharp(page: Page) -> None:
    page.wait_for_selector(".pane[data-ready=true]", timeout=120_000)


def _open_ohif(browser: Browser, ours: Radrelay, other: Ohif, study: Shown, link: Link) -> float:
    with cold_page(browser, ours.headers, link=link) as page:
        began = time.perf_counter()
        page.goto(other.viewer(study.uid), wait_until="commit")
        page.wait_for_function(ohif.DRAWN, polling=20, timeout=180_000)
        return time.perf_counter() - began


def _radiograph(plan: Plan, ours: Radrelay, study: Shown) -> list[Line]:
    """Open a large radiograph: a coarse picture soon, and every pixel of it once it is looked at closely."""
    coarse, detail = [], []
    for _ in range(plan.pick(LOADS, 1)):
        with chromium() as browser, cold_page(browser, ours.headers, link=FAST) as page:
            began = time.perf_counter()
            page.goto(f"{ours.web}/view?study={study.id}", wait_until="commit")
            page.wait_for_function(DRAWN, polling=20)
            coarse.append(time.perf_counter() - began)
            page.get_by_role("toolbar").first.wait_for()  # keys come with it, behind the first picture
            page.keyboard.press("o")  # one to one
            _sharp(page)
            detail.append(time.perf_counter() - began)
    what = f"radiograph of 2500 × 2000, {FAST}"
    return [
        line(PART, f"{what}: coarse picture", "s", {OURS: coarse}, Aim(WITHIN_S[FAST], below=True)),
        line(PART, f"{what}: every pixel, zoomed", "s", {OURS: detail}),
    ]


def _all_code() -> Line:
    """Return what all code takes that the viewer can load, each piece compressed as it is served."""
    manifest = json.loads((STATIC / "manifest.json").read_bytes())
    names, files = [VIEW, "index.html", "app/i18n/first.en.ts", "app/i18n/en.ts"], set[str]()
    seen = {"app/i18n/first.de.ts", "app/i18n/de.ts"}
    listed = {chunk["file"] for chunk in manifest.values()}
    while names:
        name = names.pop()
        if name in seen or name not in manifest:
            continue
        seen.add(name)
        chunk = manifest[name]
        files |= {chunk["file"], *chunk.get("css", ()), *chunk.get("assets", ())}
        names += chunk.get("imports", ())
        names += chunk.get("dynamicImports", ()) if name != "index.html" else ()
    built = {path.name for path in (STATIC / "assets").iterdir() if f"assets/{path.name}" not in listed}
    for _ in range(3):  # workers and WebAssembly are named in the code that starts them
        text = b"".join((STATIC / one).read_bytes() for one in files)
        files |= {f"assets/{name}" for name in built if name.encode() in text and name.endswith((".wasm", ".js"))}
    size = sum(len(gzip.compress((STATIC / one).read_bytes(), 6)) for one in files)
    return line(PART, "all code of the viewer, compressed", "kB", {OURS: [size / 1000]}, Aim(ALL_CODE_KB, below=True))
