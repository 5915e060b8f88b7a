"""What a reader asks of a page that stays open: a series that scrolls without a blank, and memory that stays."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from benchmarks.browser import PHONE, chromium, cold_page, page_memory_mb
from benchmarks.fetch import Client
from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.sender import send, split
from benchmarks.servers import HOST, Radrelay
from benchmarks.table import OURS, Aim, Line, line
from benchmarks.unwatched import Unwatched, unwatched_page

PART = "viewer"
DESK = (1440, 900)
FRAMES_S = 30
KEYS_S = 45  # as fast as a held key repeats, and half as fast again
MEMORY_MB = 400
PHONE_GIB = 4
ONE_RENDERER = "--disable-features=SpareRendererForSitePerProcess"
SCROLL = """async ([seconds, perSecond]) => {
  const pane = document.querySelector('.pane');
  const canvas = pane.querySelector('canvas');
  const found = { shown: 0, drawn: 0, unready: 0, black: 0 };
  let last = pane.dataset.place;
  let way = 'ArrowDown';
  const most = Number(document.querySelector('.scroll input[type=range]').max);
  const press = () => {
    if (Number(pane.dataset.place) >= most) way = 'ArrowUp';
    if (Number(pane.dataset.place) <= 0) way = 'ArrowDown';
    const pressed = { key: way, repeat: true, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new KeyboardEvent('keydown', pressed));
  };
  const held = setInterval(press, 1000 / perSecond);
  const began = performance.now();
  while (performance.now() - began < 1000 * seconds) {
    await new Promise((done) => requestAnimationFrame(done));
    found.drawn += 1;
    if (pane.dataset.ready !== 'true') { found.unready += 1; continue; }
    if (pane.dataset.place === last) continue;
    last = pane.dataset.place;
    found.shown += 1;
    if (found.shown % 10 !== 0) continue;
    const middle = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    if (middle[0] < 4) found.black += 1;
  }
  clearInterval(held);
  return { ...found, seconds: (performance.now() - began) / 1000 };
}"""
READY = "document.querySelector('.pane[data-ready=true]')"
QUIET_S = 2
COUNTED = """
  const brought = new Set();
  Object.defineProperty(window, 'brought', { get: () => brought.size });
  new PerformanceObserver((found) => {
    for (const { name } of found.getEntries()) if (name.includes('/frames/')) brought.add(name);
  }).observe({ type: 'resource', buffered: true });
"""
AS_A_PHONE = f"Object.defineProperty(Navigator.prototype, 'deviceMemory', {{ get: () => {PHONE_GIB} }});"


@dataclass
class Scrolled:
    """What was counted while a key was held."""

    shown: int
    drawn: int
    unready: int
    black: int
    seconds: float


def scrolled(plan: Plan, ours: Radrelay, address: str, slices: int) -> list[Line]:
    """Load a series, then hold a key: how many of its pictures are shown each second, and how many frames had none."""
    with chromium() as browser, cold_page(browser, ours.headers, size=DESK) as page:
        _loaded(page, ours.web + address, slices)
        held = [plan.pick(10, 3), KEYS_S]
        rounds = [Scrolled(**page.evaluate(SCROLL, held)) for _ in range(plan.rounds)]
    pace = [one.shown / one.seconds for one in rounds]
    blank = [100 * (one.unready + one.black) / one.drawn for one in rounds]
    what = f"{slices} slices loaded, a key held: pictures shown"
    return [
        line(PART, what, "1/s", {OURS: pace}, Aim(FRAMES_S)),
        line(
            PART, "the same: frames on the screen that are blank or another's", "%", {OURS: blank}, Aim(0, below=True)
        ),
    ]


def _loaded(page: Page, address: str, slices: int) -> None:
    """Open a series and wait until every frame of it was brought once, or nothing more comes."""
    brought: set[str] = set()
    page.on("requestfinished", lambda request: brought.add(request.url) if "/frames/" in request.url else None)
    page.goto(address, wait_until="commit")
    page.wait_for_selector(".pane[data-ready=true]", timeout=60_000)
    _all_brought(lambda: len(brought), slices, page.wait_for_timeout)


def _loaded_unwatched(page: Unwatched, address: str, slices: int) -> None:
    page.goto(address)
    page.wait_for(READY, 60)
    _all_brought(lambda: int(page.evaluate("() => window.brought")), slices, lambda ms: time.sleep(ms / 1000))


def _all_brought(brought: Callable[[], int], slices: int, wait: Callable[[float], None], within_s: float = 300) -> None:
    """Wait until every frame was brought once, or no further one for five seconds."""
    end, still, last = time.monotonic() + within_s, 0, -1
    while (count := brought()) < slices and still < 20 and time.monotonic() < end:
        wait(250)
        still = still + 1 if count == last else 0
        last = count


def remembered(plan: Plan, ours: Radrelay) -> list[Line]:
    """Look through a long CT on a phone for ten minutes: what its page takes of memory, loaded and at the end."""
    slices, minutes = plan.pick(2000, 200), plan.pick(10, 0) or 0.3
    folder = plan.folder / "long"
    known = {one["id"] for one in _studies(ours)}
    before = ours.indexed()
    send(HOST, ours.dicom_port, ours.ae_title, split(write_ct(folder, slices, seed=20), 2))
    shutil.rmtree(folder)
    ours.wait_indexed(before + slices, packed=True, timeout_s=600)
    [study] = [one["id"] for one in _studies(ours) if one["id"] not in known]
    with chromium(ONE_RENDERER) as browser, unwatched_page(browser, ours.headers, PHONE) as page:
        page.begin_with(AS_A_PHONE + COUNTED)
        page.goto(f"{ours.web}/accounts")
        page.wait_for("document.querySelector('h1')", 60)
        time.sleep(QUIET_S)
        bare = _settled(browser, page)
        _loaded_unwatched(page, f"{ours.web}/view?study={study}", slices)
        after_loading = _settled(browser, page) - bare
        most = [after_loading]
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            page.evaluate(SCROLL, [10, KEYS_S])
            most.append(page_memory_mb(browser) - bare)
        at_the_end = _settled(browser, page) - bare
    aim = Aim(MEMORY_MB, below=True)
    what = f"CT of {slices} slices on a phone of {PHONE_GIB} GiB"
    return plan.tell([
        line(PART, f"{what}: memory above a page without pictures ({bare:.0f} MB), loaded", "MB",
             {OURS: [after_loading]}, aim),
        line(PART, f"{what}: the same after {minutes:g} minutes of scrolling", "MB", {OURS: [at_the_end]}, aim),
        line(PART, f"{what}: the most meanwhile", "MB", {OURS: [max(most)]}),
    ])  # fmt: skip


def _settled(browser: Browser, page: Unwatched) -> float:
    """Return the pages' memory once their rubbish is collected: the median of some looks."""
    page.send("HeapProfiler.collectGarbage")
    looks = []
    for _ in range(5):
        time.sleep(0.4)
        looks.append(page_memory_mb(browser))
    return statistics.median(looks)


def _studies(ours: Radrelay) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(Client.of(ours).request("/api/studies"))["studies"]
    return found
