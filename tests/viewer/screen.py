"""What the viewer has painted, read back before it is scaled to the pane: the very pixels, compared with the truth."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.viewer.conftest import ready, until

WATCH = """(() => {
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (image, ...rest) {
    if (!this.canvas.isConnected) window.painted = image;
    return put.call(this, image, ...rest);
  };
})();"""
"""Runs in a page before its own code: keeps what is painted last on a canvas that is not part of the page."""

PAINTED = """async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const image = window.painted;
  if (!image) return null;
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', image.data));
  return [image.width, image.height, Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('')];
}"""
PIXELS = """() => {
  const data = window.painted.data;
  let text = '';
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return btoa(text);
}"""
GO = """(address) => {
  window.painted = null;
  history.pushState({ inside: true }, '', address);
  dispatchEvent(new PopStateEvent('popstate'));
}"""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, order=True)
class Difference:
    """By how many of 255 levels a picture differs at most, and in how many pixels; 256 levels: no such picture."""

    levels: int = 0
    pixels: int = 0


def go(page: Page, address: str) -> None:
    """Go to another series without loading the page anew, and wait for its first picture."""
    page.evaluate(GO, address)
    page.locator("html").evaluate("() => new Promise((done) => setTimeout(done))")
    ready(page, 0)


def step(page: Page, place: int) -> None:
    """Scroll on to the next place, and wait for its picture."""
    page.evaluate("() => { window.painted = null; }")
    page.keyboard.press("ArrowDown")
    ready(page, place)


def differs(page: Page, wanted: Picture) -> Difference:
    """Return how the painted picture differs from `wanted`.

    Parameters
    ----------
    wanted
        RGB, shape (rows, columns, 3).
    """
    found: list[Any] = []

    def painted() -> bool:
        found[:] = page.evaluate(PAINTED) or []
        return bool(found)

    until(painted, "a painted picture")
    rows, columns = wanted.shape[:2]
    if (found[0], found[1]) != (columns, rows):
        return Difference(256)
    full = np.full((rows, columns, 4), 255, np.uint8)
    full[..., :3] = wanted
    if hashlib.sha256(full.tobytes()).hexdigest() == found[2]:
        return Difference()
    apart = np.abs(painted_rgb(page).astype(int) - wanted.astype(int)).max(axis=2)
    return Difference(int(apart.max()), int((apart > 0).sum()))


def painted_rgb(page: Page) -> Picture:
    """Return the picture that was painted last: RGB, shape (rows, columns, 3)."""
    size: list[int] = page.evaluate("() => [window.painted.height, window.painted.width]")
    data = base64.b64decode(page.evaluate(PIXELS))
    return np.frombuffer(data, np.uint8).reshape(size[0], size[1], 4)[..., :3]
