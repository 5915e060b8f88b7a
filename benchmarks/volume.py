"""A series as a volume: how soon its first planes are there, and how many pictures a second while it is moved."""

from __future__ import annotations

import time

from playwright.sync_api import Page

from benchmarks.browser import chromium, cold_page
from benchmarks.plan import Plan
from benchmarks.reading import DESK, PART
from benchmarks.servers import Radrelay
from benchmarks.table import OURS, Aim, Line, line

FRAMES_S = 10
PATIENCE_MS = 300_000
REST_MS = 1_500
MOVED = """async ([way, seconds]) => {
  const detail = {};
  document.querySelector('[data-pane=axial] .over').dispatchEvent(new CustomEvent('volume-room', { detail }));
  const { room } = detail;
  const moves = {
    scroll: () => {
      const before = room.look.cursor[2];
      room.scroll('axial', room.towards ?? 1);
      if (room.look.cursor[2] === before) room.towards = -(room.towards ?? 1);
    },
    turn: () => room.turn('axial', 0.02),
    space: () => room.turnSpace(4, 1),
  };
  let drawn = 0;
  const began = performance.now();
  while (performance.now() - began < 1000 * seconds) {
    moves[way]();
    await new Promise((done) => requestAnimationFrame(done));  // the room has drawn with the same picture of the screen
    drawn += 1;
  }
  return drawn / ((performance.now() - began) / 1000);
}"""
MOVES = {"scroll": "a plane scrolled", "turn": "two planes turned", "space": "three dimensions turned"}


def volumes(plan: Plan, ours: Radrelay, address: str, slices: int) -> list[Line]:
    """Open a series as a volume some times, and move it."""
    first: list[float] = []
    pace: dict[str, list[float]] = {way: [] for way in MOVES}
    for _ in range(plan.rounds):
        with chromium() as browser, cold_page(browser, ours.headers, size=DESK) as page:
            page.goto(ours.web + address, wait_until="commit")
            page.wait_for_selector(".pane[data-ready=true]", timeout=PATIENCE_MS)
            first.append(_opened(page))
            page.wait_for_selector(".volumes main[data-whole=true]", timeout=PATIENCE_MS)
            for way, found in pace.items():
                page.wait_for_timeout(REST_MS)  # sharp again, and the copy for three dimensions is made
                found.append(page.evaluate(MOVED, [way, plan.pick(6, 3)]))
    what = f"CT of {slices} slices as a volume"
    return [
        line(PART, f"{what}: first planes", "s", {OURS: first}),
        *(
            line(PART, f"{what}, {words}: pictures", "1/s", {OURS: pace[way]}, Aim(FRAMES_S))
            for way, words in MOVES.items()
        ),
    ]


def _opened(page: Page) -> float:
    button = page.get_by_role("button", name="Volume (MPR/3D)")
    button.wait_for()
    began = time.perf_counter()
    button.click()
    page.wait_for_selector(".volumes main[data-ready=true]", timeout=PATIENCE_MS)
    return time.perf_counter() - began
