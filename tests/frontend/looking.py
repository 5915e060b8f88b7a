"""What the viewer's page tests look at: addresses of the sample study's series, pixels, the text in the corners."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import Page

from tests.frontend.conftest import until

STUDY = "/view?study=" + str(uuid.UUID(int=2))
CT, DX, US, MAP, PDF, SR = (f"{STUDY}&series={uuid.UUID(int=2000 + place)}" for place in range(6))
FIRST_OF_CT, LAST_OF_CT = f"{uuid.UUID(int=2000)}-0", f"{uuid.UUID(int=2000)}-59"
MIDDLE = (680, 480)


def go_on(page: Page, path: str) -> None:
    """Go to another page of the site without loading it anew, as a link does, and wait for its heading."""
    page.evaluate(
        """(path) => {
          document.querySelectorAll('h1').forEach((one) => one.setAttribute('data-before', ''));
          history.pushState({ inside: true }, '', path);
          dispatchEvent(new PopStateEvent('popstate'));
        }""",
        path,
    )
    page.locator("h1:not([data-before])").first.wait_for()


def pixel(page: Page, x: float = 0.5, y: float = 0.5) -> list[int]:
    """Return red, green, blue at a place of the canvas, given in parts of it."""
    found: list[int] = page.locator(".pane canvas").evaluate(
        """(canvas, [x, y]) => {
          const at = canvas.getContext('2d').getImageData(canvas.width * x, canvas.height * y, 1, 1).data;
          return [...at.slice(0, 3)];
        }""",
        [x, y],
    )
    return found


def overlay(page: Page) -> str:
    """Return what stands in the corners."""
    return " ".join(page.locator(".overlay").inner_text().split())


def scale(page: Page) -> int:
    """Return the scale that the picture's corner tells, in percent."""
    until(lambda: " %" in overlay(page), "the scale")
    found = re.search(r"([\d,]+) %", overlay(page))
    assert found
    return int(found.group(1).replace(",", ""))
