"""What tests of pages share, whatever serves them: waiting, what a page complains about, and axe."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EXPECTED = (
    "Failed to load resource",  # a status that the page handles
    "willReadFrequently",  # the test looks at pixels
    "GPU stall",
)


def until(check: Callable[[], object], what: str, wait_s: float) -> None:
    """Wait until `check` holds. The policy forbids the strings that Playwright's own waiting evaluates in the page."""
    end = time.monotonic() + wait_s
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.05)


def watch(page: Page, complaints: list[str]) -> None:
    """Note what a page complains about: errors, and what its console says of errors and warnings."""
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: _note(complaints, message.type, message.text))


def _note(complaints: list[str], kind: str, text: str) -> None:
    if kind in ("error", "warning") and not any(known in text for known in EXPECTED):
        complaints.append(text)


def violations(page: Page, within: str = "html") -> list[str]:
    """Return what axe finds on the page, or in a part of it."""
    assert AXE.exists(), "axe-core is not installed: scripts/build-frontend"
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text() + "; undefined")
    found: list[str] = page.evaluate(
        """async ([tags, within]) => {
          const part = document.querySelector(within);
          const wanted = { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] };
          const { violations } = await axe.run(part, wanted);
          const say = (one, node) => `${one.id}: ${node.target.join(' ')} ${node.failureSummary}`;
          return violations.flatMap(one => one.nodes.map(node => say(one, node)));
        }""",
        [RULES, within],
    )
    return found
