"""Logging in with a password, from pressing the button to being in, in a phone's browser.

Chromium slows the page's own thread to a quarter (`Emulation.setCPUThrottlingRate`), as its tools have it for a phone
of the middle class. It stretches the password in another thread, which that does not reach, so the page is given the
result after four times as long as it took: that phones are as much slower at SHA-512 is assumed, since none is at
hand to measure it on. The server is not slowed: it is no phone. The button is pressed some time after the last key,
as a thumb takes to it, or as Enter is hit by who types; or at once, as by who has a program fill in the password. What
is left then is the stretching itself, of the whole password, and that is not to be shortened: its rounds are what
somebody who stole a verifier has to do for each guess.
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
NAME, PASSWORD = "anna", "ein langes Kennwort fuer den Dienst"  # of a server that lives for a minute
SLOWER = 4
LIMIT_MS = 300
REACHING_MS = 800
"""From the last key to the button; pointing takes 1.1 s in the keystroke-level model (Card, Moran, Newell 1980)."""
ENTER_MS = 300
"""From the last key to Enter, of who types: a key takes an average person 0.28 s (the same model)."""
WATCHED = """
  const stretch = crypto.subtle.deriveBits.bind(crypto.subtle);
  window.stretchedMs = 0;
  crypto.subtle.deriveBits = async (...given) => {
    const began = performance.now();
    const found = await stretch(...given);
    const took = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, (SLOWER - 1) * took));
    window.stretchedMs = SLOWER * took;
    return found;
  };
  document.addEventListener('submit', () => { window.pressedAt = performance.now(); }, true);
""".replace("SLOWER", str(SLOWER))
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
            times = plan.pick(12, 4)
            slow = [_logged_in(browser, ours, REACHING_MS) for _ in range(times)][1:]
            typed = [_logged_in(browser, ours, ENTER_MS) for _ in range(times)][1:]
            at_once = [_logged_in(browser, ours, 0) for _ in range(times)][1:]
    finally:
        ours.stop()
    shutil.rmtree(folder)
    stretched = statistics.median(stretched_ms for _, stretched_ms in at_once)
    what = f"logging in on a CPU {SLOWER} times as slow"
    aim = Aim(LIMIT_MS, below=True)
    return plan.tell([
        line(PART, f"{what}, {REACHING_MS} ms after the last key", "ms", {OURS: [took for took, _ in slow]}, aim),
        line(PART, f"{what}, Enter {ENTER_MS} ms after the last key", "ms", {OURS: [took for took, _ in typed]}, aim),
        line(PART, f"{what}, at once", "ms", {OURS: [took for took, _ in at_once]}, aim),
        line(PART, "of it: stretching the password", "ms", {OURS: [stretched]}),
    ])  # fmt: skip


def _add_person(ours: Radrelay) -> None:
    command = [sys.executable, "-m", "radrelay", "user", "add", NAME, "--password-stdin"]
    made = subprocess.run(
        command, env=ours.environment(), input=PASSWORD + "\n", capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise RuntimeError(made.stderr)


def _logged_in(browser: Browser, ours: Radrelay, reaching_ms: int) -> tuple[float, float]:
    """Return milliseconds from pressing to the answer, and how long the password was stretched."""
    with cold_page(browser, {}) as page:
        page.add_init_script(WATCHED)
        page.goto(f"{ours.web}/")
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.locator("input[autocomplete^=username]").fill(NAME)
        page.locator("input[autocomplete=current-password]").fill(PASSWORD)
        page.wait_for_timeout(reaching_ms)
        page.locator("button[type=submit]").click()
        for _ in range(200):
            taken = page.evaluate(TAKEN)
            if taken is not None:
                return taken[0], taken[1]
            page.wait_for_timeout(50)
        raise RuntimeError("nobody got in within 10 s")
