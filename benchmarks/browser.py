"""Chromium for measurements: cold pages on a shaped link, and what their processes take of memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks import machine

CHROMIUM = os.environ.get("RADRELAY_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-gpu",
             "--enable-unsafe-swiftshader"]  # fmt: skip
"""A machine without a graphics processor: WebGL (OHIF needs it) is drawn in software, and so is the page, directly.
With `--use-gl=angle --use-angle=swiftshader` the page itself is composed by that software WebGL: five times as slow."""
PHONE = (400, 800)


@dataclass(frozen=True)
class Link:
    """A line as the browser's own tools shape it: so many ms for each answer, so many bytes a second over all."""

    kbit: int
    latency_ms: int

    def __str__(self) -> str:
        return f"{self.kbit / 1000:g} Mbit/s, {self.latency_ms} ms"


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Give a browser; `more` are further arguments of its command."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def cold_page(
    browser: Browser, headers: Mapping[str, str], *, link: Link | None = None, size: tuple[int, int] = PHONE
) -> Iterator[Page]:
    """Give a page with nothing cached, a phone's as far as its size is one."""
    phone = size[0] < 600
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        is_mobile=phone,
        has_touch=phone,
        extra_http_headers=dict(headers),
    )
    try:
        page = context.new_page()
        if link is not None:
            shape(context.new_cdp_session(page), link)
        yield page
    finally:
        context.close()


def shape(tools: CDPSession, link: Link) -> None:
    """Shape the page's link."""
    tools.send("Network.enable")
    tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    pace = link.kbit * 1000 / 8
    said = {"offline": False, "latency": link.latency_ms, "downloadThroughput": pace, "uploadThroughput": pace}
    tools.send("Network.emulateNetworkConditions", said)


def page_memory_mb(browser: Browser) -> float:
    """Return what the pages' processes hold of memory: scripts, workers, buffers, canvases; not the browser's own."""
    tools = browser.new_browser_cdp_session()
    found = tools.send("SystemInfo.getProcessInfo")["processInfo"]
    tools.detach()
    pages = [int(one["id"]) for one in found if one["type"] == "renderer"]
    mebibytes = sum(machine.memory_mib(pid) for pid in pages if not _is_of_the_browser(pid))
    return mebibytes * machine.MIB / 1e6


def _is_of_the_browser(pid: int) -> bool:
    """Return whether a renderer draws the browser's own frame, which shrinks by 10 MB while nobody looks at it."""
    return b"--top-chrome-webui" in Path(f"/proc/{pid}/cmdline").read_bytes()
