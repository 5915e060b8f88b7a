"""Logging in with a password, from pressing the button to being in, in a phone's browser.

Chromium slows the page's own thread to a quarter (`Emulation.setCPUThrottlingRate`), as its tools have it for a phone
of the middle class. It stretches the password in another thread, which that does not reach, so what that took is
counted four times by hand. The server is not slowed: it is no phone.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys

from playwright.sync_api import Browser

from benchmarks.browser import chromium, cold_page
from benchmarks.plan import Plan
from benchmarks.servers import Radrelay
from benchmarks.table import OURS, Aim, Line, line

PART = "login"
NAME, PASSWORD = "anna", "ein langes Kennwort fuer Anna"  # of a server that lives for a minute
SLOWER = 4
LIMIT_MS = 300
WATCHED = """
  const stretch = crypto.subtle.deriveBits.bind(crypto.subtle);
  window.stretchedMs = 0;
  crypto.subtle.deriveBits = async (...given) => {
    const began = performance.now();
    const found = await stretch(...given);
    window.stretchedMs += performance.now() - began;
    return found;
  };
  document.addEventListener('submit', () => { window.pressedAt = performance.now(); }, true);
"""
TAKEN = """() => {
  const all = performance.getEntriesByType('resource').filter((one) => one.startTime > window.pressedAt);
  const last = all.filter((one) => new URL(one.name).pathname === '/api/session').at(-1);
  return last && window.stretchedMs ? [last.responseEnd - window.pressedAt, window.stretchedMs] : null;
}"""


def run(plan: Plan) -> list[Line]:
    """Log in again and again, each time in a new browser context."""
    folder = plan.folder / PART
    ours = Radrelay(folder / "radrelay")
    try:
        ours.start()
        _add_person(ours)
        with chromium() as browser:
            found = [_logged_in(browser, ours) for _ in range(plan.pick(12, 4))][1:]
    finally:
        ours.stop()
    shutil.rmtree(folder)
    all_ms = [page_ms + (SLOWER - 1) * stretched_ms for page_ms, stretched_ms in found]
    stretched = statistics.median(stretched_ms for _, stretched_ms in found)
    rest = statistics.median(page_ms - stretched_ms for page_ms, stretched_ms in found)
    return plan.tell([
        line(PART, f"logging in on a CPU {SLOWER} times as slow", "ms", {OURS: all_ms}, Aim(LIMIT_MS, below=True)),
        line(PART, f"of it: stretching the password (here, not {SLOWER} times as slow)", "ms", {OURS: [stretched]}),
        line(PART, "of it: all else", "ms", {OURS: [rest]}),
    ])  # fmt: skip


def _add_person(ours: Radrelay) -> None:
    command = [sys.executable, "-m", "radrelay", "user", "add", NAME, "--password-stdin"]
    made = subprocess.run(
        command, env=ours.environment(), input=PASSWORD + "\n", capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise RuntimeError(made.stderr)


def _logged_in(browser: Browser, ours: Radrelay) -> tuple[float, float]:
    """Return milliseconds from pressing to the answer, and what of them went into stretching."""
    with cold_page(browser, {}) as page:
        page.add_init_script(WATCHED)
        page.goto(f"{ours.web}/")
        page.locator("input[autocomplete=username]").fill(NAME)
        page.locator("input[autocomplete=current-password]").fill(PASSWORD)
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.locator("button[type=submit]").click()
        for _ in range(200):
            taken = page.evaluate(TAKEN)
            if taken is not None:
                return taken[0], taken[1]
            page.wait_for_timeout(50)
        raise RuntimeError("nobody got in within 10 s")
