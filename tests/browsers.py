"""Chromium for the tests: one driver per process of the tests, since Playwright allows no second one beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, sync_playwright

CHROMIUM = os.environ.get("RADRELAY_CHROMIUM", "/usr/bin/chromium-headless-shell")
"""Draws pages and no windows of its own around them, which takes a third of the time of the whole browser."""
WINDOWED = os.environ.get("RADRELAY_CHROMIUM_WINDOWED", "/usr/bin/chromium")
"""The whole browser, which knows of screens."""
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
FLAT = [*ARGUMENTS, "--disable-gpu"]
WEBGL = [*FLAT, "--enable-unsafe-swiftshader"]
"""WebGL in software, while pages themselves are put together without it: that is five times as fast."""


@pytest.fixture(scope="session")
def chromium_driver() -> Iterator[Playwright]:
    """Give what starts browsers."""
    for path in (CHROMIUM, WINDOWED):
        assert os.path.exists(path), f"{path} is missing: scripts/debian-packages test installs it"
    with sync_playwright() as playwright:
        yield playwright
