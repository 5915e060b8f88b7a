"""Chromium for the tests: one driver per process of the tests, since Playwright allows no second one beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, sync_playwright

CHROMIUM = os.environ.get("RADRELAY_CHROMIUM", "/usr/bin/chromium")
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
    assert os.path.exists(CHROMIUM), (
        f"there is no Chromium at {CHROMIUM}: apt-get install chromium, or RADRELAY_CHROMIUM"
    )
    with sync_playwright() as playwright:
        yield playwright
